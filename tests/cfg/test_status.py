"""`run.py status`: a table from whatever a server on this host answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cfg.status import show_status, status_lines, table

STATUS = {
    "version": "0.1.0",
    "uptime_s": 12.5,
    "sessions": {"connected": 3, "limit": 200},
    "actors": [
        {
            "name": "asr-vosk-1",
            "kind": "asr",
            "pid": 11,
            "state": "ready",
            "restarts": 2,
            "in_flight": 0,
        },
        {"name": "router", "kind": "router", "pid": 9, "state": "busy", "unknown": {"a": 1}},
    ],
}


@contextmanager
def server(body: bytes, code: int = 200) -> Iterator[int]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code if self.path == "/status" else 404)
            self.end_headers()
            self.wfile.write(body)

        log_message: Callable[..., None] = lambda *_: None

    with HTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.handle_request)
        listening.timeout = 10
        thread.start()
        yield listening.server_port
        thread.join(10)


def test_actors_are_a_table_with_numbers() -> None:
    lines = status_lines(STATUS)
    assert lines[:3] == ["version: 0.1.0", "uptime_s: 12.5", "sessions: connected 3, limit 200"]
    assert lines[4].split() == ["name", "kind", "pid", "state", "restarts", "in_flight"]
    assert lines[5].split() == ["asr-vosk-1", "asr", "11", "ready", "2", "0"]
    assert lines[6].split() == ["router", "router", "9", "busy"]
    assert lines[5].index("ready") == lines[6].index("busy")


def test_column_that_nobody_fills_is_left_out_and_control_characters_too() -> None:
    assert table([{"a": "x\x1b[2J"}], ("a", "b")) == ["a", "x [2J"]


def test_status_of_a_running_server(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with server(json.dumps(STATUS).encode()) as port:
        assert show_status("0.0.0.0", port) == 0
    assert "asr-vosk-1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "code", "text"), [(b"<html>", 200, "JSON"), (b"", 404, "answers 404")]
)
def test_something_else_on_the_port(
    capsys: pytest.CaptureFixture[str], body: bytes, code: int, text: str
) -> None:
    with server(body, code) as port:
        assert show_status("127.0.0.1", port) == 1
    assert text in capsys.readouterr().err


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    assert show_status("0.0.0.0", port) == 1
    assert "'python3 run.py' starts one" in capsys.readouterr().err
