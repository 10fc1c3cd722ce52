"""A server in miniature: a launcher, titled processes below it, and a status address.

`python tree.py` prints its port. A child that ends is forked again at once; one that is
stopped for `HUNG_S` is killed first, as a hung actor would be. With `--lazy` nobody is
forked again. The status is built anew at most every `PICTURE_S`.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import setproctitle

HUNG_S = 0.4
PICTURE_S = 0.1

ACTORS = {
    "root": "root",
    "router": "router",
    "asr/vosk-0": "asr",
    "llm/rules-0": "llm",
    "session-1": "session",
    "session-2": "session",
}


class Tree:
    def __init__(self, lazy: bool) -> None:
        self.lazy = lazy
        self.pids: dict[str, int] = {}
        self.device = "session-1"
        self.stopped: dict[str, float] = {}
        self.picture = b""
        self.pictured = 0.0

    def fork(self, name: str) -> None:
        pid = os.fork()
        if pid:
            self.pids[name] = pid
            return
        setproctitle.setproctitle(f"xiaozhi: {name}")
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while os.getppid() == launcher_pid:
            time.sleep(0.05)
        os._exit(0)

    def look(self) -> None:
        while True:
            try:
                ended, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not ended:
                break
            self.replace(next(name for name, pid in self.pids.items() if pid == ended))
        for name, pid in self.pids.items():
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
                self.stopped.pop(name, None)
            elif time.monotonic() - self.stopped.setdefault(name, time.monotonic()) > HUNG_S:
                os.kill(pid, signal.SIGKILL)

    def replace(self, name: str) -> None:
        del self.pids[name]
        if self.lazy:
            return
        if name == self.device:  # its device goes to the spare one, and another is made
            self.device = next(each for each in self.pids if each.startswith("session"))
            name = f"session-{int(name[8:]) + 2}"
        self.fork(name)

    def status(self) -> bytes:
        if time.monotonic() - self.pictured > PICTURE_S:
            actors = [
                {
                    "name": name,
                    "kind": ACTORS.get(name, "session"),
                    "pid": pid,
                    "state": "ready",
                    "detail": {"device": "02:00"} if name == self.device else {},
                }
                for name, pid in list(self.pids.items())
            ]
            body = {"now_s": time.time(), "readiness": {"ready": True}, "actors": actors}
            self.picture, self.pictured = json.dumps(body).encode(), time.monotonic()
        return self.picture


def serve(tree: Tree) -> int:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(tree.status())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


if __name__ == "__main__":
    launcher_pid = os.getpid()
    tree = Tree("--lazy" in sys.argv)
    for name in ACTORS:
        tree.fork(name)
    print(serve(tree), flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        tree.look()
        time.sleep(0.005)
