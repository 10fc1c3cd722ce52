"""What a run needs beside its devices: the server, stand-ins, fault proxies.

`surroundings` starts what the scenario asks for and ends all of it again, also when
the run fails. What it starts listens on loopback and dies with this process.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sim.faults import conditions
from sim.faults.parts import Part
from sim.faults.proxy import FaultProxy
from sim.swarm.scenario import ProxySection, Scenario, StandinSection
from sim.swarm.served import NAMED_PORT
from sim.swarm.server import NotStarted, Server, Target, ended, last_words, read_log, started

_STANDIN_WITHIN_S = 30.0
_LOOK_S = 0.1


@dataclass
class Served:
    """The run's own server, and the settings that it was started with."""

    server: Server
    settings: dict[str, Any]
    ports: Mapping[str, int]
    ready_within_s: float

    async def restart(self, settings: dict[str, Any]) -> None:
        """Start it again with these; returns when it is ready. Raises `NotStarted`."""
        await self.server.restart(_with_ports(settings, self.ports), self.ready_within_s)
        self.settings = settings


@dataclass
class Surroundings:
    """What runs beside the devices, by name."""

    target: Target
    standins: dict[str, str] = field(default_factory=dict)
    proxies: dict[str, FaultProxy] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    server: Served | None = None


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
            settings = scenario.settings_of(next(iter(scenario.phases), None))
            server = Server(folder, _with_ports(settings, ports))
            await stack.enter_async_context(server.running(scenario.serve.ready_within_s))
            around.server = Served(server, settings, ports, scenario.serve.ready_within_s)
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
    process = await started(command, log)
    try:
        yield await _listens(process, wanted.name, log)
    finally:
        await ended(process)


async def _listens(process: asyncio.subprocess.Process, name: str, log: Path) -> int:
    ends_at = time.monotonic() + _STANDIN_WITHIN_S
    while time.monotonic() < ends_at and process.returncode is None:
        found = re.search(r"listening on ([0-9]+)", read_log(log))
        if found:
            return int(found[1])
        await asyncio.sleep(_LOOK_S)
    raise NotStarted(f"stand-in {name} did not start: {last_words(log)}")


def _with_ports(settings: Any, ports: Mapping[str, int]) -> Any:
    """The settings with {NAME} replaced by ports. Raises `NotStarted` for unknown names."""
    if isinstance(settings, dict):
        return {key: _with_ports(value, ports) for key, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [_with_ports(value, ports) for value in settings]
    if not isinstance(settings, str):
        return settings
    for name in NAMED_PORT.findall(settings):
        if name not in ports:
            known = ", ".join(ports) or "none in this scenario"
            raise NotStarted(
                f"serve.settings: {{{name}}} is no stand-in or proxy; there are {known}"
            )
    return NAMED_PORT.sub(lambda found: str(ports[found[1]]), settings)
