"""What a run needs beside its devices: the server, stand-ins, fault proxies.

`surroundings` starts what the scenario asks for and ends all of it again, also when
the run fails. What it starts listens on loopback and dies with this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from cfg import loading
from sim.faults import conditions
from sim.faults.parts import Part
from sim.faults.proxy import FaultProxy
from sim.swarm.scenario import ProxySection, Scenario, StandinSection

ROOT = Path(__file__).resolve().parents[2]
_STANDIN_WITHIN_S = 30.0
_END_WITHIN_S = 15.0
_LOOK_S = 0.1
_SHOWN_CHARS = 500
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_NAMED_PORT = re.compile(r"\{([a-z][a-z0-9_-]*)\}")


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


@dataclass
class Surroundings:
    """What runs beside the devices, by name."""

    target: Target
    standins: dict[str, str] = field(default_factory=dict)
    proxies: dict[str, FaultProxy] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)


@asynccontextmanager
async def surroundings(
    scenario: Scenario, target: Target, folder: Path
) -> AsyncIterator[Surroundings]:
    """Start what the scenario asks for. Raises `NotStarted`."""
    async with AsyncExitStack() as stack:
        around = Surroundings(target)
        ports: dict[str, int] = {}
        for standin in scenario.standins:
            port = await stack.enter_async_context(_standin(standin, folder))
            ports[standin.name] = port
            around.standins[standin.name] = f"http://127.0.0.1:{port}"
        for proxy in scenario.proxies:
            if proxy.to != "device":
                ports[proxy.name] = await _proxy(stack, around, proxy, ports)
        if scenario.serve is not None:
            server = _Server(folder, _with_ports(scenario.serve.settings, ports))
            await stack.enter_async_context(server.running(scenario.serve.ready_within_s))
            around.parts["launcher"] = Part(server.pid, server.start)
            around.target = server.target()
        for proxy in scenario.proxies:
            if proxy.to == "device":
                port = await _proxy(stack, around, proxy, ports)
                url = re.sub(r"//[^/]+", f"//127.0.0.1:{port}", around.target.url, count=1)
                around.target = replace(around.target, url=url, ota="")
        yield around


async def _proxy(
    stack: AsyncExitStack, around: Surroundings, wanted: ProxySection, ports: Mapping[str, int]
) -> int:
    to_host, to_port = _address(around, wanted, ports)
    try:
        weather = conditions.parse(wanted.conditions)
        proxy = FaultProxy(to_host, to_port, weather=weather)
        await stack.enter_async_context(proxy)
    except (conditions.ConditionsError, OSError) as error:
        raise NotStarted(f"proxy {wanted.name}: {error}") from None
    around.proxies[wanted.name] = proxy
    return proxy.port


def _address(
    around: Surroundings, wanted: ProxySection, ports: Mapping[str, int]
) -> tuple[str, int]:
    if wanted.to in ports:
        return "127.0.0.1", ports[wanted.to]
    address = wanted.to
    if address == "device":
        found = re.match(r"wss?://([^/]+)", around.target.url)
        if found is None:
            raise NotStarted(f"proxy {wanted.name}: give the server by --url, not by --ota")
        address = found[1]
    name, _, port = address.rpartition(":")
    if not name or not port.isdecimal():
        known = ", ".join(["device", "HOST:PORT", *ports])
        raise NotStarted(f"proxy {wanted.name}: to is {wanted.to!r}; it can be {known}")
    return name, int(port)


@asynccontextmanager
async def _standin(wanted: StandinSection, folder: Path) -> AsyncIterator[int]:
    """A stand-in's port while it runs; what it prints goes to a file."""
    log = folder / f"standin-{wanted.name}.log"
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "sim", "standin", wanted.kind, *wanted.arguments]
    process = await _start(command, log)
    try:
        yield await _listens(process, wanted.name, log)
    finally:
        await _end(process)


async def _listens(process: asyncio.subprocess.Process, name: str, log: Path) -> int:
    ends_at = time.monotonic() + _STANDIN_WITHIN_S
    while time.monotonic() < ends_at and process.returncode is None:
        found = re.search(r"listening on ([0-9]+)", _read(log))
        if found:
            return int(found[1])
        await asyncio.sleep(_LOOK_S)
    raise NotStarted(f"stand-in {name} did not start: {_end_of(log)}")


class _Server:
    """`run.py serve` on two free ports of loopback, with settings of its own."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._device_port, self._http_port = _free_port(), _free_port()
        ports = {"device_port": self._device_port, "http_port": self._http_port}
        # A measurement fetches nothing: the tiny model understands the voices of the swarm.
        settings.setdefault("asr", [{"kind": "vosk", "model": "tiny"}])
        settings["server"] = {"host": "127.0.0.1", **ports, **settings.get("server", {})}
        self._settings = folder / "server.toml"
        self._settings.write_text(as_toml(settings), encoding="utf-8")
        self._log = folder / "server.log"
        self._log.unlink(missing_ok=True)
        self._process: asyncio.subprocess.Process | None = None

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
        serve = [sys.executable, "run.py", "serve", "--config", str(self._settings)]
        without = [word for name in loading.overrides() for word in ("-u", name)]
        self._process = await _start(["env", *without, *serve], self._log)

    @asynccontextmanager
    async def running(self, ready_within_s: float) -> AsyncIterator[None]:
        await self.start()
        try:
            await self._ready(ready_within_s)
            yield
        finally:
            if self._process is not None:
                await _end(self._process)

    async def _ready(self, within_s: float) -> None:
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
        raise NotStarted(f"the server was not ready within {within_s:g} s: {_end_of(self._log)}")


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


def _with_ports(settings: Any, ports: Mapping[str, int]) -> Any:
    """The settings with {NAME} replaced by ports. Raises `NotStarted` for unknown names."""
    if isinstance(settings, dict):
        return {key: _with_ports(value, ports) for key, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [_with_ports(value, ports) for value in settings]
    if not isinstance(settings, str):
        return settings
    for name in _NAMED_PORT.findall(settings):
        if name not in ports:
            known = ", ".join(ports) or "none in this scenario"
            raise NotStarted(
                f"serve.settings: {{{name}}} is no stand-in or proxy; there are {known}"
            )
    return _NAMED_PORT.sub(lambda found: str(ports[found[1]]), settings)


async def _start(command: list[str], log: Path) -> asyncio.subprocess.Process:
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


async def _end(process: asyncio.subprocess.Process) -> None:
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


def _end_of(log: Path) -> str:
    return " ".join(_read(log).strip()[-_SHOWN_CHARS:].split()) or "it said nothing"


def _read(log: Path) -> str:
    with contextlib.suppress(OSError):
        return log.read_text(encoding="utf-8", errors="replace")
    return ""
