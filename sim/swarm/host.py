"""What the machine does during a run: the generator's share, the server's, and the rest.

Only processes of this host are seen. A server elsewhere has no figures here, and what
it uses is not foreign to anybody.
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import psutil

from sim import resources
from sim.costs import Account, Cost, Round, account
from sim.swarm.records import ActorSample, HostSample, Machine, ResourceSample

_STATUS_TIMEOUT_S = 3.0
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|\[?::1\]?")
#: The packages whose versions a figure may depend on.
_PACKAGES = ("websockets", "av", "numpy", "pydantic", "vosk", "espeakng-loader")


def machine() -> Machine:
    """This machine, as the report names it."""
    model = ""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
        model = found[1].strip() if found else ""
    except OSError:
        pass
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        cpu_model=model or platform.machine(),
        cores=psutil.cpu_count() or 1,
        memory_mib=psutil.virtual_memory().total // (1024 * 1024),
    )


def versions() -> dict[str, str]:
    """The versions of the generator's own parts."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def is_local(url: str) -> bool:
    """Whether an address is of this machine's loopback."""
    return bool(_LOOPBACK.fullmatch(urlsplit(url).hostname or ""))


class ServerFacts(NamedTuple):
    """What our own server tells of itself; empty for any other."""

    pid: int | None = None
    version: str = ""
    parts: str = ""


async def ask_status(url: str) -> ServerFacts:
    """Ask a status address for the server's first process and its parts.

    The first process is the parent of the root actor's. A server that has no such
    address gives empty facts: it is driven all the same.
    """
    limit = aiohttp.ClientTimeout(total=_STATUS_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as response:
            told = await response.json()
        actors = {str(each["name"]): int(each["pid"]) for each in told["actors"]}
        parts = ", ".join(f"{each['kind']}/{each['name']}" for each in told["parts"])
        found = str(told.get("version", ""))
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        return ServerFacts()
    return ServerFacts(_parent(actors.get("root")) if is_local(url) else None, found, parts)


def status_address(target: str) -> str:
    """Where our own server would have its status, from its OTA address; "" if unknown."""
    parts = urlsplit(target)
    return f"http://{parts.netloc}/status" if parts.scheme == "http" else ""


class Meter:
    """Samples the host and the server's process tree, each time since the time before.

    `server_pid` may change when a server is started again.
    """

    def __init__(self, server_pid: int | None, local: bool) -> None:
        self.server_pid = server_pid
        self._local = local
        self._before: Round | None = None
        self._times = psutil.cpu_times()
        self._at = time.monotonic()
        self._own_cpu_s = 0.0
        self.sample((), 0.0)

    def sample(
        self, generator_pids: Iterable[int], at_s: float
    ) -> tuple[HostSample, ResourceSample | None]:
        """Everything since the last call; `at_s` is now in the run's time."""
        cores = psutil.cpu_count() or 1
        now, times = time.monotonic(), psutil.cpu_times()
        passed_s = max(1e-3, now - self._at)
        idle = (times.idle - self._times.idle) + (
            getattr(times, "iowait", 0.0) - getattr(self._times, "iowait", 0.0)
        )
        busy = max(0.0, min(100.0, 100 * (1 - idle / (passed_s * cores))))
        own_cpu_s = sum(map(_cpu_s, generator_pids)) + time.process_time()
        generator = max(0.0, 100 * (own_cpu_s - self._own_cpu_s) / (passed_s * cores))
        self._at, self._times, self._own_cpu_s = now, times, own_cpu_s
        resource = self._resources(now, at_s)
        server = resource.total.cpu_percent / cores if resource else None
        foreign = None
        if server is not None or not self._local:
            foreign = max(0.0, busy - generator - (server or 0.0))
        memory = psutil.virtual_memory().percent
        return HostSample(at_s, busy, generator, server, foreign, memory), resource

    def _resources(self, now: float, at_s: float) -> ResourceSample | None:
        if self.server_pid is None:
            return None
        readings = resources.sample(self.server_pid)
        if not readings:
            self._before = None
            return None
        before, self._before = self._before, Round(now, readings)
        if before is None:
            return None
        return resource_sample(account([before, self._before]), at_s)


def resource_sample(costs: Account, at_s: float) -> ResourceSample:
    """The costs of a span as one sample at its end."""
    return ResourceSample(at_s, _actor(costs.total), tuple(map(_actor, costs.rows)))


def _actor(cost: Cost) -> ActorSample:
    """Memory, descriptors and threads as they were at the span's two ends, in the mean."""
    return ActorSample(
        name=cost.name,
        processes=cost.processes,
        cpu_percent=cost.cpu_percent,
        pss_mib=cost.pss_mib,
        own_mib=cost.own_mib,
        fds=cost.fds,
        threads=cost.threads,
        anon_mib=cost.anon_mib,
    )


def process_tree(pid: int) -> Sequence[int]:
    """The process and its descendants; empty when it is gone."""
    try:
        root = psutil.Process(pid)
        return [pid, *(child.pid for child in root.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def _cpu_s(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _parent(pid: int | None) -> int | None:
    try:
        return psutil.Process(pid).ppid() if pid else None
    except psutil.Error:
        return None
