"""The status of a running server as a table for a terminal.

For `python3 run.py status`. It asks the HTTP port's /status on this host and
shows whatever actors and parts the answer lists; members that it does not know
are passed over, so that it also reads another version's answer.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

TIMEOUT_S = 5.0
LARGEST_ANSWER_BYTES = 4_000_000

_PARTS = ("kind", "name", "role", "model", "ready", "workers", "in_flight", "slots", "problem")
_ACTORS = ("name", "kind", "pid", "state", "restarts", "in_flight")
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


def show_status(host: str, port: int) -> int:
    """Print the status of the server on this host; return an exit code (1: none answers)."""
    address = _EVERY_ADDRESS.get(host, f"[{host}]" if ":" in host else host)
    url = f"http://{address}:{port}/status"
    # a proxy of the environment has no business between this host and itself
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            status = json.loads(answer.read(LARGEST_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        print(f"{url} answers {error.code}: is that this server?", file=sys.stderr)
        return 1
    except OSError as error:
        reason = getattr(error, "reason", error)
        print(
            f"No server answers at {url} ({reason}). 'python3 run.py' starts one.", file=sys.stderr
        )
        return 1
    except ValueError:
        print(f"{url} does not answer with JSON: is that this server?", file=sys.stderr)
        return 1
    print("\n".join(status_lines(status)))
    return 0


def status_lines(status: object) -> list[str]:
    """The status as lines: what it says of itself, then parts and actors as tables."""
    if not isinstance(status, dict):
        return ["The server's status is not an object."]
    lines = [f"{name}: {_cell(value)}" for name, value in status.items() if _is_plain(value)]
    for name, value in status.items():
        if isinstance(value, dict):
            pairs = ", ".join(f"{k} {_cell(v)}" for k, v in value.items() if _is_plain(v))
            lines.append(f"{name}: {pairs}".rstrip())
    for name, columns in (("parts", _PARTS), ("actors", _ACTORS)):
        rows = [row for row in status.get(name) or () if isinstance(row, dict)]
        if rows:
            lines += ["", *table(rows, columns)]
    return lines


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Rows under a heading, columns as wide as they need, empty columns left out."""
    shown = [name for name in columns if any(_cell(row.get(name)) for row in rows)]
    cells = [shown, *([_cell(row.get(name)) for name in shown] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(shown))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float))


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:g}" if isinstance(value, float) and value < 1e6 else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)[:60]
