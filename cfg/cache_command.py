"""`python3 run.py cache …`: what operators ask the answer cache of a running server.

It asks the HTTP port of this host, whose cache routes answer nobody else. Exit codes:
0 done, 1 not done (the reason is on stderr), 2 wrong command line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlencode

USAGE = """\
python3 run.py cache why "…"       what would be answered, and how it comes to that
       run.py cache forget "…"     drop the answer to one question
       run.py cache clear          drop all answers
       run.py cache export FILE    write all answers as lines of JSON ('-': to the terminal)
       run.py cache import FILE    take in such lines, or written ones:
                                   {"question": "…", "answer": ["…", "…"]}
       run.py cache stats          entries, hits, savings, storage
"""
TIMEOUT_S = 15.0

#: A request's body holds at most 64 kB.
PIECE_BYTES = 48_000
LINE_BYTES = 16_000
LARGEST_ANSWER_BYTES = 4_000_000

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
_HEADERS = {"X-Xiaozhi-Operator": "1", "Content-Type": "application/json; charset=utf-8"}


class NotDone(Exception):
    """The text says why, and what would help."""


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="run.py cache", usage=USAGE, allow_abbrev=False, add_help=True
    )
    result.add_argument(
        "action", choices=("why", "forget", "clear", "export", "import", "stats"), metavar="ACTION"
    )
    result.add_argument("what", nargs="?", default="", help="the question, or the file")
    result.add_argument("--context", default="", help="why: the question before this one")
    result.add_argument("--config", type=Path, metavar="FILE", help="settings file")
    return result


def checked(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; leaves with 2 where it is wrong."""
    line = parser()
    options = line.parse_args(arguments)
    wants = {"why": "a question", "forget": "a question", "export": "a file", "import": "a file"}
    if options.action in wants and not options.what.strip():
        line.error(f"{options.action} needs {wants[options.action]}")
    if options.action not in wants and options.what:
        line.error(f"{options.action} takes nothing more: {options.what!r}")
    return options


def run(options: argparse.Namespace, host: str, port: int) -> int:
    """Do it; return the exit code."""
    server = _Server(host, port)
    actions = {
        "why": lambda: why(server, options.what, options.context),
        "forget": lambda: forget(server, options.what),
        "clear": lambda: clear(server),
        "export": lambda: export(server, options.what),
        "import": lambda: take_in(server, options.what),
        "stats": lambda: stats(server),
    }
    try:
        return actions[options.action]()
    except NotDone as problem:
        print(problem, file=sys.stderr)
        return 1


class _Server:
    def __init__(self, host: str, port: int) -> None:
        address = _EVERY_ADDRESS.get(host, f"[{host}]" if ":" in host else host)
        self.url = f"http://{address}:{port}/cache"
        # a proxy of the environment has no business between this host and itself
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        """GET, or POST with a body. Raises `NotDone`."""
        request = urllib.request.Request(f"{self.url}/{path}", body, _HEADERS)  # noqa: S310 - ours
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                found = json.loads(answer.read(LARGEST_ANSWER_BYTES))
        except urllib.error.HTTPError as error:
            raise NotDone(_told(error, self.url)) from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise NotDone(
                f"No server answers at {self.url} ({reason}). 'python3 run.py' starts one; "
                "if it runs with other settings, name them with --config."
            ) from None
        except ValueError:
            raise NotDone(f"{self.url} does not answer with JSON: is that this server?") from None
        if not isinstance(found, dict):
            raise NotDone(f"{self.url} answers something else: is that this server?")
        return found


def _told(error: urllib.error.HTTPError, url: str) -> str:
    """The server's own words about what was wrong."""
    try:
        told = json.loads(error.read(LARGEST_ANSWER_BYTES))["error"]
        return f"{told['field']}: {told['problem']}; {told['fix']}."
    except (ValueError, KeyError, TypeError, OSError):
        return f"{url} answers {error.code}: is that this server?"


# --- the commands ---------------------------------------------------------------------


def why(server: _Server, question: str, context: str) -> int:
    found = server.ask(
        "why?" + urlencode({"question": question, "context": context}, quote_via=quote)
    )
    if found.get("bank"):
        print(f"The phrase bank answers: {found['bank']}")
    if not found.get("asked_before"):
        print("No device has asked anything yet; this is how it would be judged.")
    scopes = found.get("scopes", [])
    for scope in scopes:
        if len(scopes) > 1:
            print(f"--- {scope['scope']}")
        print(scope["explanation"])
    return 0


def forget(server: _Server, question: str) -> int:
    body = json.dumps({"question": question}, ensure_ascii=False).encode()
    found = server.ask("forget", body)
    count = int(found.get("forgotten", 0))
    print(f"{count} answer{'s' * (count != 1)} forgotten." if count else "It was not there.")
    return _warned(found)


def clear(server: _Server) -> int:
    found = server.ask("clear", b"")
    print(f"{found.get('forgotten', 0)} answers forgotten.")
    return _warned(found)


def _warned(found: dict[str, Any]) -> int:
    if found.get("warning"):
        print(f"But {found['warning']}.", file=sys.stderr)
    return 0


def stats(server: _Server) -> int:
    print("\n".join(_lines(server.ask("stats"))))
    return 0


def export(server: _Server, name: str) -> int:
    """Write to a file that is complete or not there."""
    if name == "-":
        count = sum(_exported(server, sys.stdout))
    else:
        target = Path(name)
        partial = target.with_name(target.name + ".partial")
        try:
            with partial.open("w", encoding="utf-8") as file:
                count = sum(_exported(server, file))
            os.replace(partial, target)
        except OSError as error:
            raise NotDone(f"{error.filename or name}: {error.strerror}") from None
        finally:
            partial.unlink(missing_ok=True)
    print(f"{count} answers exported.", file=sys.stderr)
    return 0


def _exported(server: _Server, file: IO[str]) -> Iterator[int]:
    after = 0
    while True:
        page = server.ask(f"export?after={after}")
        for line in page["lines"]:
            file.write(line + "\n")
        yield len(page["lines"])
        after = int(page["next"])
        if not after:
            return


def take_in(server: _Server, name: str) -> int:
    """Send the file in pieces; name every line that was not taken."""
    taken = wrong = 0
    for first, piece in _pieces(name):
        found = server.ask(f"import?first={first}", piece)
        taken += int(found["taken"])
        wrong += int(found["wrong_count"])
        for line in found["wrong"]:
            print(
                f"{name}, line {line['line']}, {line['field']}: {line['problem']}", file=sys.stderr
            )
    print(f"{taken} answers imported" + (f", {wrong} lines not taken." if wrong else "."))
    return 1 if wrong else 0


def _pieces(name: str) -> Iterator[tuple[int, bytes]]:
    """(number of its first line, whole lines) of at most `PIECE_BYTES`."""
    piece: list[bytes] = []
    size, first = 0, 1
    try:
        with Path(name).open("rb") as file:
            for number, line in enumerate(file, 1):
                if len(line) > LINE_BYTES:
                    raise NotDone(f"{name}, line {number}: it is longer than {LINE_BYTES} bytes")
                if piece and size + len(line) > PIECE_BYTES:
                    yield first, b"".join(piece)
                    piece, size, first = [], 0, number
                piece.append(line)
                size += len(line)
    except OSError as error:
        raise NotDone(f"{name}: {error.strerror}") from None
    if piece:
        yield first, b"".join(piece)


def _lines(figures: dict[str, Any]) -> list[str]:
    """The figures, one a line, those of a kind together."""
    width = max((len(name) for name in figures), default=0)
    return [f"{name.ljust(width)}  {_shown(value)}" for name, value in figures.items()]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items()) or "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
