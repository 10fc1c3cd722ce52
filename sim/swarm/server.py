"""Our own server as a process of a run: started on free ports of loopback, and ended.

A server that is started again (`Server.start`) has the same ports and settings. It dies
with this process. Everything that it writes goes to `SERVER_LOG` in the run's folder,
by which its processes can be told from another instance's.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from cfg import loading

ROOT = Path(__file__).resolve().parents[2]
#: In a run's folder: what the server that was started for it wrote.
SERVER_LOG = "server.log"
_END_WITHIN_S = 15.0
_LOOK_S = 0.1
_SHOWN_CHARS = 500
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class NotStarted(Exception):
    """A part of the run did not start; the text says which and why."""


@dataclass(frozen=True)
class Target:
    """The server to drive, as addresses; `pid` is its first process, where known."""

    url: str = ""
    ota: str = ""
    token: str = field(default="", repr=False)
    status: str = ""
    pid: int | None = None

    @property
    def address(self) -> str:
        return self.ota or self.url


class Server:
    """`run.py serve` on two free ports of loopback, with settings of its own.

    `environment` is added to this process's own.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._device_port, self._http_port = _free_port(), _free_port()
        self._folder = folder
        self._settings = folder / "server.toml"
        self.use(settings)
        self.log = folder / SERVER_LOG
        self.log.unlink(missing_ok=True)
        self._environment = dict(environment or {})
        self._process: asyncio.subprocess.Process | None = None

    def use(self, settings: Mapping[str, Any]) -> None:
        """Have these settings from the next start on; the ports stay."""
        ports = {"device_port": self._device_port, "http_port": self._http_port}
        told = {
            # A measurement fetches nothing: the tiny model understands the voices of the swarm.
            "asr": [{"kind": "vosk", "model": "tiny"}],
            # A run begins with empty caches, and leaves the user's own alone.
            "storage": {"folder": str(self._folder / "cache")},
            **settings,
            "server": {"host": "127.0.0.1", **ports, **settings.get("server", {})},
        }
        self._settings.write_text(as_toml(told), encoding="utf-8")

    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def target(self) -> Target:
        return Target(
            url=f"ws://127.0.0.1:{self._device_port}/xiaozhi/v1/",
            ota=f"http://127.0.0.1:{self._http_port}/xiaozhi/ota/",
            status=f"http://127.0.0.1:{self._http_port}/status",
            pid=self.pid(),
        )

    async def start(self) -> None:
        """Start it, whatever became of the one before."""
        serve = [sys.executable, "run.py", "serve", "--config", str(self._settings)]
        without = [word for name in loading.overrides() for word in ("-u", name)]
        added = [f"{name}={value}" for name, value in self._environment.items()]
        self._process = await started(["env", *without, *added, *serve], self.log)

    async def restart(self, settings: Mapping[str, Any], ready_within_s: float) -> None:
        """End it and start it with these settings; returns when ready. Raises `NotStarted`."""
        if self._process is not None:
            await ended(self._process)
        self.use(settings)
        await self.start()
        await self.ready(ready_within_s)

    @asynccontextmanager
    async def running(self, ready_within_s: float) -> AsyncIterator[None]:
        """Start it and wait until it is ready; in the end, end it. Raises `NotStarted`."""
        await self.start()
        try:
            await self.ready(ready_within_s)
            yield
        finally:
            if self._process is not None:
                await ended(self._process)

    async def ready(self, within_s: float) -> None:
        """Return when a device would be answered. Raises `NotStarted`."""
        ends_at = time.monotonic() + within_s
        url = f"http://127.0.0.1:{self._http_port}/readyz"
        limit = aiohttp.ClientTimeout(total=1.0)
        async with aiohttp.ClientSession(timeout=limit) as session:
            while time.monotonic() < ends_at and self.pid() is not None:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(_LOOK_S)
        raise NotStarted(f"the server was not ready within {within_s:g} s: {last_words(self.log)}")


def as_toml(settings: Mapping[str, Any]) -> str:
    """A settings tree as a file: sections, and lists of sections."""
    lines: list[str] = []
    for name, value in settings.items():
        for section in value if isinstance(value, list) else [value]:
            lines.append(f"[[{name}]]" if isinstance(value, list) else f"[{name}]")
            lines += [f"{key} = {_toml_value(each)}" for key, each in section.items()]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml_value(each)}" for key, each in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


async def started(command: list[str], log: Path) -> asyncio.subprocess.Process:
    """A process that writes to `log` and dies with this one."""
    with log.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd=ROOT,
            preexec_fn=_die_with_parent,
        )


def _die_with_parent() -> None:
    """In the child: end when the run is killed, so that nothing is left behind."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


async def ended(process: asyncio.subprocess.Process) -> None:
    """See that a process is gone, by force if need be."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _END_WITHIN_S)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def last_words(log: Path) -> str:
    """The end of a log in one line."""
    return " ".join(read_log(log).strip()[-_SHOWN_CHARS:].split()) or "it said nothing"


def read_log(log: Path) -> str:
    """A log so far; '' without one."""
    with contextlib.suppress(OSError):
        return log.read_text(encoding="utf-8", errors="replace")
    return ""
