"""A small HTTP server of one file that knows `Range`, and drops connections on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FileServer:
    """What it serves, what it does wrong, and what it was asked."""

    def __init__(self) -> None:
        self.body = b""
        self.etag = '"one"'
        self.ranges = True
        self.status: int | None = None
        #: For each request to come: bytes of body after which the connection drops.
        self.drop_after: list[int] = []
        #: For each request so far: its Range header ("" for none), and bytes sent.
        self.asked: list[str] = []
        self.sent: list[int] = []
        self.url = ""


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: FileServer

    def do_GET(self) -> None:
        served = self.served
        wanted = self.headers.get("Range", "")
        served.asked.append(wanted)
        self.close_connection = True
        if served.status is not None:
            self.send_response(served.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        matches = self.headers.get("If-Range", served.etag) == served.etag
        start = int(wanted[6:-1]) if wanted and served.ranges and matches else 0
        if start > len(served.body) or (start and start == len(served.body)):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(served.body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._send(start)

    def _send(self, start: int) -> None:
        served = self.served
        rest = served.body[start:]
        self.send_response(206 if start else 200)
        if start:
            end = len(served.body) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(served.body)}")
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", served.etag)
        self.end_headers()
        shown = rest[: served.drop_after.pop(0)] if served.drop_after else rest
        served.sent.append(len(shown))  # before the last byte: the client may be quicker
        self.wfile.write(shown)

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@contextmanager
def file_server() -> Iterator[FileServer]:
    served = FileServer()
    request = type("Request", (_Request,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), request) as server:
        served.url = f"http://127.0.0.1:{server.server_port}/model.zip"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
