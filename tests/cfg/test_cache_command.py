"""`run.py cache`: what it asks, what it prints, and how it fails."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cfg import cache_command


class Server(ThreadingHTTPServer):
    """Answers each path from a table and remembers what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: dict[str, Any] = {}
        self.code = 200
        self.came: list[tuple[str, dict[str, list[str]], bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _reply(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert self.headers["X-Xiaozhi-Operator"]
        query = parse_qs(url.query)
        self.server.came.append((url.path, query, body))
        found = self.server.replies[url.path]
        shown = found(query, body) if callable(found) else found
        self.send_response(self.server.code)
        self.end_headers()
        self.wfile.write(shown if isinstance(shown, bytes) else json.dumps(shown).encode())

    do_GET = _reply
    do_POST = _reply

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        yield listening
        listening.shutdown()
        thread.join(10)


def run(port: int, *arguments: str) -> int:
    return cache_command.run(cache_command.checked(arguments), "0.0.0.0", port)


def test_why_prints_the_explanation(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.replies["/cache/why"] = {
        "bank": "",
        "asked_before": True,
        "scopes": [{"scope": "a/zh//1", "explanation": "question 首都"}],
    }
    assert run(server.server_port, "why", "首都在哪", "--context", "中国") == 0
    assert capsys.readouterr().out == "question 首都\n"
    assert server.came[0][1] == {"question": ["首都在哪"], "context": ["中国"]}


def test_forget_clear_and_stats(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.replies = {
        "/cache/forget": {"forgotten": 1},
        "/cache/clear": {"forgotten": 12},
        "/cache/stats": {"entries": 3, "hits": {"exact": 2}, "hit_rate": 0.66666, "misses": {}},
    }
    for arguments in (("forget", "首都在哪"), ("clear",), ("stats",)):
        assert run(server.server_port, *arguments) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 answer forgotten.",
        "12 answers forgotten.",
        "entries   3",
        "hits      exact 2",
        "hit_rate  0.667",
        "misses    none",
    ]
    assert json.loads(server.came[0][2]) == {"question": "首都在哪"}


def test_what_may_come_back_is_said(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.replies = {"/cache/clear": {"forgotten": 12, "warning": "it is not on disk yet"}}
    assert run(server.server_port, "clear") == 0
    told = capsys.readouterr()
    assert told.out == "12 answers forgotten.\n"
    assert told.err == "But it is not on disk yet.\n"


def test_an_export_is_whole_or_not_there(server: Server, tmp_path: Path) -> None:
    def page(query: dict[str, list[str]], body: bytes) -> dict[str, Any]:
        after = int(query["after"][0])
        return {"lines": [f'{{"question": "{after}"}}'], "next": (after + 1) % 3, "total": 3}

    server.replies["/cache/export"] = page
    target = tmp_path / "answers.jsonl"
    assert run(server.server_port, "export", str(target)) == 0
    assert target.read_text().count("\n") == 3
    server.replies["/cache/export"] = b"no json"
    assert run(server.server_port, "export", str(tmp_path / "other.jsonl")) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["answers.jsonl"]


def test_an_import_is_sent_in_pieces_and_wrong_lines_are_named(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def taken(query: dict[str, list[str]], body: bytes) -> dict[str, Any]:
        first, count = int(query["first"][0]), body.count(b"\n")
        wrong = [{"line": first, "field": "answer", "problem": "it is missing"}] * (first > 1)
        return {"taken": count - len(wrong), "wrong_count": len(wrong), "wrong": wrong}

    server.replies["/cache/import"] = taken
    file = tmp_path / "answers.jsonl"
    file.write_text(f'{{"question": "{"x" * 400}"}}\n' * 200)
    assert run(server.server_port, "import", str(file)) == 1
    assert len(server.came) == 2
    assert all(len(body) <= cache_command.PIECE_BYTES for _, _, body in server.came)
    shown = capsys.readouterr()
    first = server.came[1][1]["first"][0]
    assert shown.err == f"{file}, line {first}, answer: it is missing\n"
    assert shown.out == "199 answers imported, 1 lines not taken.\n"


def test_a_line_that_is_too_long_and_a_file_that_is_missing(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "long.jsonl"
    file.write_text("x" * 20_000)
    assert run(server.server_port, "import", str(file)) == 1
    assert run(server.server_port, "import", str(tmp_path / "missing")) == 1
    shown = capsys.readouterr().err
    assert "line 1: it is longer" in shown
    assert "No such file" in shown


def test_the_servers_own_words_are_shown(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.code = 403
    error = {"field": "peer", "problem": "for this host only", "fix": "ask there"}
    server.replies["/cache/stats"] = {"error": error}
    assert run(server.server_port, "stats") == 1
    server.replies["/cache/stats"] = b"<html>"
    assert run(server.server_port, "stats") == 1
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "peer: for this host only; ask there."
    assert "is that this server?" in shown[1]


def test_no_server_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert run(taken.getsockname()[1], "stats") == 1
    assert "No server answers" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["why"], ["forget", " "], ["clear", "all"], ["forge"], ["export"]]
)
def test_a_wrong_command_line_ends_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cache_command.checked(arguments)
    assert "usage" in capsys.readouterr().err
