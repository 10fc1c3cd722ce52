"""Carries the fault time line out, and measures how each victim came back.

One task a fault, so that a slow recovery delays no later fault. The server answers its
status from a picture of up to half a second of age, so `ready_s` of a `Recovery` is
exact to about 0.6 s (`not_ready_s` says from where), `gone_s` and `back_s` to about
20 ms.

Everything that a fault changed and that lasts (a stopped process, a proxy's weather, a
stand-in's faults) is taken back at `for_s`, and at the end of the run in any case.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from sim.faults import targets
from sim.faults.conditions import ConditionsError
from sim.faults.parts import Part, Undoable, answers_on, come_back, exchange
from sim.faults.plan import PlannedFault, choose
from sim.faults.proxy import FaultProxy
from sim.faults.recovery import Comeback
from sim.faults.targets import FOREIGN, TreeProcess
from sim.faults.watch import Watch
from sim.swarm.records import FaultRecord, Recovery

__all__ = ["FaultExecutor", "Part", "Undoable", "answers_on"]

#: A victim that is not ready again after this long did not recover.
RECOVER_BY_S: Final = 20.0

_SIGNALS: Final = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "stop": signal.SIGSTOP}


class FaultExecutor:
    """One run's faults. `run` once; `records` fills meanwhile, `on_record` is told each.

    `launcher_pid` is the server's first process, `status_url` its status address; with
    only one of them less is measured (no readiness, or nothing of the process table).
    `standins` are base addresses ("http://127.0.0.1:11434") by name; a part of the same
    name makes a stand-in killable. A part "launcher" lets a killed launcher be started
    again: its `pid` is then the launcher's.
    """

    def __init__(
        self,
        plan: Sequence[PlannedFault],
        *,
        launcher_pid: int | None = None,
        status_url: str | None = None,
        parts: Mapping[str, Part] | None = None,
        proxies: Mapping[str, FaultProxy] | None = None,
        standins: Mapping[str, str] | None = None,
        recover_by_s: float = RECOVER_BY_S,
        clock: Callable[[], float] = time.monotonic,
        on_record: Callable[[FaultRecord], None] = lambda _: None,
    ) -> None:
        self._plan = plan
        self._watch = Watch(launcher_pid, status_url, clock)
        self._parts = dict(parts or {})
        self._proxies = dict(proxies or {})
        self._standins = dict(standins or {})
        self._recover_by_s = recover_by_s
        self._clock = clock
        self._on_record = on_record
        self._began = 0.0
        #: Stopped by us: pid → the kernel's start time, which tells it from a later one.
        self._stopped: dict[int, int] = {}
        self._undo: dict[int, Callable[[], Awaitable[None]]] = {}
        self.records: list[FaultRecord] = []

    async def run(self, began: float) -> tuple[FaultRecord, ...]:
        """Do every fault at its time after `began` (of `clock`); records in that order.

        Returns when the last victim is back or given up. Cancelled, it takes back what
        lasts and leaves the records so far.
        """
        self._began = began
        try:
            async with self._watch, asyncio.TaskGroup() as faults:
                for fault in self._plan:
                    await asyncio.sleep(max(0.0, began + fault.at_s - self._clock()))
                    faults.create_task(self._do(fault))
        finally:
            await self._take_everything_back()
            self.records.sort(key=lambda record: record.at_s)
        return tuple(self.records)

    async def _do(self, fault: PlannedFault) -> None:
        at_s = self._clock() - self._began
        try:
            record = await self._done(fault, at_s)
        except (Undoable, ConditionsError, OSError) as problem:
            record = FaultRecord(at_s, fault.action, str(fault.target), str(problem), ok=False)
        self.records.append(record)
        self._on_record(record)

    async def _done(self, fault: PlannedFault, at_s: float) -> FaultRecord:
        if fault.action == "proxy":
            return await self._disturb_proxy(fault, at_s)
        if fault.action == "standin":
            return await self._disturb_standin(fault, at_s)
        if fault.target.kind in ("part", "standin"):
            return await self._hit_part(fault, at_s, fault.target.name)
        if fault.target.kind == "launcher":
            return await self._hit_launcher(fault, at_s)
        return await self._hit_process(fault)

    # --- processes ---

    async def _hit_process(self, fault: PlannedFault) -> FaultRecord:
        processes = self._watch.processes()
        victim = self._victim(fault, processes)
        pids, root_pid = {each.pid for each in processes}, self._watch.root_pid
        known = self._watch.has_status and victim.kind != FOREIGN
        hit_at = self._clock()
        at_s = hit_at - self._began
        back = Comeback(victim, hit_at, pids, root_pid, known)
        self._signal(fault.action, victim.pid)
        detail = f"{victim.name} ({victim.pid})"
        if not victim.kind:  # no process of the server: nobody is known to replace it
            await self._go_on(fault, back)
            return self._record(fault, at_s, detail, None)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._go_on(fault, back))
            if self._watch.measures:
                both.create_task(self._watch.until_back(back, self._recover_by_s))
        if not targets.is_running(victim.pid):
            self._stopped.pop(victim.pid, None)
        return self._record(fault, at_s, detail, back.result())

    async def _go_on(self, fault: PlannedFault, back: Comeback) -> None:
        """A process that is stopped for a while goes on afterwards, if it still can."""
        if fault.action == "stop" and fault.for_s is not None:
            await asyncio.sleep(fault.for_s)
            if self._continue(back.victim.pid):
                back.continued(self._clock())

    async def _hit_part(self, fault: PlannedFault, at_s: float, name: str) -> FaultRecord:
        part = self._parts.get(name)
        if part is None:
            raise Undoable(f"there is no part {name!r}; {_known(self._parts)}")
        pid = part.pid()
        if pid is None:
            raise Undoable(f"{name} does not run")
        hit_at = self._clock()
        self._signal(fault.action, pid)
        if fault.for_s is not None:
            await asyncio.sleep(fault.for_s)
        if fault.action == "stop" and fault.for_s is not None:
            self._continue(pid)
        elif fault.action != "stop" and part.start is not None:
            await part.start()
        recovery = await come_back(name, part, pid, hit_at, self._clock, self._recover_by_s)
        return self._record(fault, at_s, f"{name} ({pid})", recovery)

    async def _hit_launcher(self, fault: PlannedFault, at_s: float) -> FaultRecord:
        """With it dies all of the server. It is back when another root is ready."""
        if "launcher" not in self._parts:
            return await self._hit_lone_launcher(fault, at_s)
        before, hit_at = self._watch.root_pid, self._clock()
        record = await self._hit_part(fault, at_s, "launcher")
        first = record.recovery
        self._watch.launcher_pid = self._parts["launcher"].pid()
        if first is None or fault.action == "stop" or not self._watch.measures:
            return record
        lost = TreeProcess(first.pid, "root", "root")
        root = Comeback(lost, hit_at, (), before, self._watch.has_status)
        await self._watch.until_back(root, self._recover_by_s)
        told = root.result()
        recovery = Recovery(
            "launcher",
            "launcher",
            first.pid,
            told.recovered,
            first.gone_s,
            first.back_s,
            first.new_pid,
            told.not_ready_s,
            told.ready_s,
        )
        return self._record(fault, at_s, record.detail, recovery)

    async def _hit_lone_launcher(self, fault: PlannedFault, at_s: float) -> FaultRecord:
        pid = self._watch.launcher_pid
        if pid is None:
            raise Undoable("the launcher's process id is not known to this run")
        self._signal(fault.action, pid)
        victim = TreeProcess(pid, "launcher", "launcher")
        await self._go_on(fault, Comeback(victim, self._clock(), (), None))
        return self._record(fault, at_s, f"launcher ({pid})", None)

    def _victim(self, fault: PlannedFault, processes: Sequence[TreeProcess]) -> TreeProcess:
        if fault.target.kind == "pid":
            pid = int(fault.target.name)
            found = next((each for each in processes if each.pid == pid), None)
            return found or TreeProcess(pid, f"process {pid}", "")
        if not processes:
            raise Undoable("no process of the server is known")
        busy = self._watch.on_the_way_back | set(self._stopped)
        free = [each for each in processes if each.pid not in busy]
        victim = choose(fault.target, free, fault.choice)
        if victim is None:
            raise Undoable(f"no process is {fault.target} at the moment")
        return victim

    def _signal(self, action: str, pid: int) -> None:
        if action == "stop":
            self._stopped[pid] = targets.began(pid)
        try:
            os.kill(pid, _SIGNALS[action])
        except OSError as error:
            self._stopped.pop(pid, None)
            why = "is gone already" if isinstance(error, ProcessLookupError) else str(error)
            raise Undoable(f"process {pid} {why}") from None

    def _continue(self, pid: int) -> bool:
        """SIGCONT, if it is still the process that was stopped; whether it was."""
        began = self._stopped.pop(pid, None)
        if began is None or targets.began(pid) != began or not targets.is_running(pid):
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
            return True
        return False

    # --- what lasts ---

    async def _disturb_proxy(self, fault: PlannedFault, at_s: float) -> FaultRecord:
        proxy = self._proxies.get(fault.target.name)
        if proxy is None:
            raise Undoable(f"there is no proxy {fault.target.name!r}; {_known(self._proxies)}")
        before = proxy.apply(fault.settings)

        async def undo() -> None:
            proxy.set(before)

        return await self._lasting(fault, at_s, undo)

    async def _disturb_standin(self, fault: PlannedFault, at_s: float) -> FaultRecord:
        url = self._standins.get(fault.target.name)
        if url is None:
            raise Undoable(f"there is no stand-in {fault.target.name!r}; {_known(self._standins)}")
        unknown = set(fault.settings) - {"faults", "profile"}
        if unknown:
            raise Undoable(f"settings.{min(unknown)} is unknown; known are faults and profile")
        before = {what: await exchange("GET", f"{url}/standin/{what}") for what in fault.settings}
        for what, wanted in fault.settings.items():
            await exchange("PUT", f"{url}/standin/{what}", wanted)

        async def undo() -> None:
            for what, was in before.items():
                await exchange("PUT", f"{url}/standin/{what}", was)

        return await self._lasting(fault, at_s, undo)

    async def _lasting(
        self, fault: PlannedFault, at_s: float, undo: Callable[[], Awaitable[None]]
    ) -> FaultRecord:
        """Keep a change for `for_s`; without it, until the end of the run."""
        detail = ", ".join(f"{name} {value}" for name, value in fault.settings.items())
        self._undo[fault.number] = undo
        if fault.for_s is not None:
            await asyncio.sleep(fault.for_s)
            await self._undo.pop(fault.number)()
        return self._record(fault, at_s, detail, None)

    async def _take_everything_back(self) -> None:
        for pid in list(self._stopped):
            self._continue(pid)
        for undo in self._undo.values():
            with contextlib.suppress(Undoable):
                await undo()
        self._undo.clear()

    def _record(
        self, fault: PlannedFault, at_s: float, detail: str, recovery: Recovery | None
    ) -> FaultRecord:
        until_s = None if fault.for_s is None else at_s + fault.for_s
        return FaultRecord(
            at_s, fault.action, str(fault.target), detail, until_s, recovery=recovery
        )


def _known(names: Mapping[str, object]) -> str:
    return f"known are {', '.join(sorted(names))}" if names else "none was given to this run"
