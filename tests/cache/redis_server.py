"""A real redis-server on loopback: own port, own folder, ended by its pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from functools import partial
from pathlib import Path

from supervisor.processes import die_with_parent

START_S = 10.0
PROGRAM = shutil.which("redis-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """Keeps nothing on disk. `url` stays the same over a kill and a new start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        assert PROGRAM is not None
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        arguments += ["--appendonly", "no", "--dir", str(self._folder), "--daemonize", "no"]
        self._process = subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
        ends_s = time.monotonic() + START_S
        while not self.command("PING").startswith(b"+PONG"):
            assert self._process.poll() is None, "redis-server ended at its start"
            assert time.monotonic() < ends_s, "redis-server does not answer"
            time.sleep(0.01)

    def command(self, *words: str) -> bytes:
        """One command; what came back, raw; b'' when nobody answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2.0) as link:
                link.sendall((" ".join(words) + "\r\n").encode())
                return link.recv(65536)
        except OSError:
            return b""

    def number(self, *words: str) -> int:
        return int(self.command(*words).strip().lstrip(b":"))

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(5.0)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self.kill()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
