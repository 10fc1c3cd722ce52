"""Who there is to break: the processes below a launcher, with their actors' names.

Two sources, since neither knows everything. `/proc` (read directly: a scan of 60
processes takes a millisecond, and it is read every few) shows each process of the
tree with the title it gave itself, Thespian's "MultiProcAdmin" and "logger" too.
`/status` of the server tells kinds, states and which device a session serves, but is
answered from a picture that may be half a second old: `Status.taken_at` is when it was
made, and whoever times something must use that, not when it was read.

A process that was forked a moment ago still bears its parent's title: it counts under
its own name only once that differs.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

#: What the server puts before an actor's name in a process's title.
TITLE: Final = "xiaozhi:"
#: Titles that Thespian gives its own two processes, and the kinds they get here.
THESPIAN: Final = {"MultiProcAdmin": "admin", "logger": "logger"}
#: Kind of a process below the launcher that is none of this project's actors.
FOREIGN: Final = "process"
#: An answer of the status address is waited for so long.
STATUS_TIMEOUT_S: Final = 2.5

_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class TreeProcess:
    """One process of the tree.

    `kind` is the actor's, "launcher", "admin", "logger", or `FOREIGN`; "" outside a tree.
    """

    pid: int
    name: str
    kind: str
    state: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class ActorState:
    """What the status says of one actor."""

    name: str
    kind: str
    pid: int
    state: str
    device: str = ""

    @property
    def ready(self) -> bool:
        return self.state in ("ready", "busy", "serving")


@dataclass(frozen=True, slots=True)
class Status:
    """One picture of the server. `taken_at` is in the clock of whoever read it."""

    taken_at: float
    ready: bool
    actors: tuple[ActorState, ...]

    def named(self, name: str) -> ActorState | None:
        return next((actor for actor in self.actors if actor.name == name), None)


# --- the process table --------------------------------------------------------


def scan(launcher_pid: int) -> tuple[TreeProcess, ...]:
    """The launcher and all below it, parents first; empty when it is gone."""
    title = title_of(launcher_pid)
    if not is_running(launcher_pid):
        return ()
    found = [TreeProcess(launcher_pid, "launcher", "launcher")]
    queue = [(launcher_pid, title)]
    while queue:
        parent, parents_title = queue.pop()
        for pid in children_of(parent):
            title = title_of(pid)
            if not title:  # a zombie, or gone meanwhile
                continue
            queue.append((pid, title))
            if title != parents_title:
                name = name_in(title)
                found.append(TreeProcess(pid, name or title, kind_of(name) if name else FOREIGN))
    return tuple(found)


def name_in(title: str) -> str:
    """The actor's name in a process's title; '' for another process."""
    if title.startswith(TITLE):
        return title.removeprefix(TITLE).strip()
    first = title.split(" ", 1)[0]
    return first if first in THESPIAN else ""


def kind_of(name: str) -> str:
    """The kind of an actor by its name, as the status would say."""
    if name in THESPIAN:
        return THESPIAN[name]
    for joint in ("/", " ", "-"):
        head, found, _ = name.partition(joint)
        if found:
            return head
    return name


def family(name: str) -> str:
    """The actors that do the same: "asr" of "asr/vosk-0", "session" of "session-3".

    Whoever is alone of its kind is its own family ("router", "pool asr").
    """
    if name in THESPIAN:
        return THESPIAN[name]
    head = name.partition("/")[0]
    kind, dash, number = head.rpartition("-")
    return kind if dash and number.isdecimal() else head


def title_of(pid: int) -> str:
    """What a process calls itself; '' when it is gone or a zombie."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def children_of(pid: int) -> list[int]:
    """Direct children, those of every thread; empty when the process is gone."""
    found: list[int] = []
    try:
        for task in os.listdir(_PROC / str(pid) / "task"):
            text = (_PROC / str(pid) / "task" / task / "children").read_text(encoding="ascii")
            found += [int(word) for word in text.split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie; a stopped one runs."""
    return _state(pid) not in ("", "Z", "X")


def is_stopped(pid: int) -> bool:
    return _state(pid) in ("T", "t")


def began(pid: int) -> int:
    """The kernel's start time of a process, which tells it from a later one; 0: gone."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else ""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


# --- the status address -------------------------------------------------------


def parse_status(body: Mapping[str, Any], taken_at: float) -> Status | None:
    """The picture in a status body; None when it is none."""
    actors = body.get("actors")
    if not isinstance(actors, list):
        return None
    found = []
    for actor in actors:
        try:
            detail = actor.get("detail") or {}
            found.append(
                ActorState(
                    str(actor["name"]),
                    str(actor["kind"]),
                    int(actor["pid"]),
                    str(actor["state"]),
                    str(detail.get("device") or ""),
                )
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    readiness = body.get("readiness")
    ready = isinstance(readiness, dict) and readiness.get("ready") is True
    return Status(taken_at, ready, tuple(found))


class StatusReader:
    """Asks one server's status address; keeps a connection open meanwhile.

    `clock` is the clock of the run. The server's own time stamp is turned into it (both
    sides share a host); a server without one is taken to answer with the present.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.url = url
        self._clock = clock
        self._wall_clock = wall_clock
        self._session: aiohttp.ClientSession | None = None

    async def read(self) -> Status | None:
        """The present picture; None when there is no answer in time, or no sensible one."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=STATUS_TIMEOUT_S)
            self._session = aiohttp.ClientSession(timeout=timeout)
        asked_at = self._clock()
        try:
            async with self._session.get(self.url) as answer:
                body = json.loads(await answer.read())
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
            return None
        if not isinstance(body, dict):
            return None
        return parse_status(body, self._taken_at(body, asked_at))

    def _taken_at(self, body: Mapping[str, Any], asked_at: float) -> float:
        stamp = body.get("now_s")
        if not isinstance(stamp, int | float):
            return asked_at
        age_s = self._wall_clock() - stamp
        # a clock that was set meanwhile, or another host's, says nothing
        return self._clock() - age_s if 0 <= age_s < STATUS_TIMEOUT_S else asked_at

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def merged(processes: tuple[TreeProcess, ...], status: Status | None) -> tuple[TreeProcess, ...]:
    """What both sources know together: every process of the tree, told by its pid.

    Without a launcher's pid (`processes` empty) the status alone counts.
    """
    told = {actor.pid: actor for actor in status.actors} if status is not None else {}
    if not processes:
        return tuple(TreeProcess(a.pid, a.name, a.kind, a.state, a.device) for a in told.values())
    return tuple(
        TreeProcess(
            process.pid,
            process.name,
            told[process.pid].kind if process.pid in told else process.kind,
            told[process.pid].state if process.pid in told else "",
            told[process.pid].device if process.pid in told else "",
        )
        for process in processes
    )
