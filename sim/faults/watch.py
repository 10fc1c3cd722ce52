"""Watches the server's processes and status while somebody in it is on the way back.

Then the process table is looked at every `SCAN_S` and the status asked every `ASK_S`;
otherwise the status is asked once a second, to know who serves which device.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from sim.faults import targets
from sim.faults.recovery import Comeback
from sim.faults.targets import Status, StatusReader, TreeProcess

SCAN_S: Final = 0.02
ASK_S: Final = 0.1
IDLE_ASK_S: Final = 1.0


class Watch:
    """One server under watch. Use as an async context manager."""

    def __init__(
        self, launcher_pid: int | None, status_url: str | None, clock: Callable[[], float]
    ) -> None:
        self.launcher_pid = launcher_pid
        self.status: Status | None = None
        self._reader = StatusReader(status_url, clock) if status_url else None
        self._clock = clock
        self._pending: dict[Comeback, asyncio.Event] = {}
        self._somebody = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Watch:
        if self._reader is not None:
            self.status = await self._reader.read()
            self._tasks.append(asyncio.create_task(self._watch_status(self._reader)))
        if self.launcher_pid is not None:
            self._tasks.append(asyncio.create_task(self._watch_processes()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        if self._reader is not None:
            await self._reader.close()

    @property
    def measures(self) -> bool:
        """Whether anything can be seen of a way back."""
        return self._reader is not None or self.launcher_pid is not None

    @property
    def has_status(self) -> bool:
        return self._reader is not None

    @property
    def root_pid(self) -> int | None:
        root = self.status.named("root") if self.status is not None else None
        return root.pid if root is not None else None

    @property
    def on_the_way_back(self) -> set[int]:
        """Pids of the victims that are waited for."""
        return {back.victim.pid for back in self._pending}

    def processes(self) -> tuple[TreeProcess, ...]:
        """Everybody there is now; empty when the launcher is gone."""
        tree = targets.scan(self.launcher_pid) if self.launcher_pid is not None else ()
        if self.launcher_pid is not None and not tree:
            return ()  # the status would only know who was there
        return targets.merged(tree, self.status)

    async def until_back(self, back: Comeback, within_s: float) -> None:
        """Return when the victim is ready again, or was not within `within_s`."""
        self._pending[back] = asyncio.Event()
        self._somebody.set()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._pending[back].wait()
        finally:
            del self._pending[back]
            if not self._pending:
                self._somebody.clear()

    async def _watch_processes(self) -> None:
        while self.launcher_pid is not None:
            await self._somebody.wait()
            self._look()
            await asyncio.sleep(SCAN_S)

    def _look(self) -> None:
        processes = targets.scan(self.launcher_pid) if self.launcher_pid is not None else ()
        now = self._clock()
        for back, ready in list(self._pending.items()):
            back.saw_processes(now, targets.is_running(back.victim.pid), processes)
            if back.done:
                ready.set()

    async def _watch_status(self, reader: StatusReader) -> None:
        while True:
            status = await reader.read()
            if status is not None:
                self.status = status
            if self._pending:
                self._look()  # what the status tells next has happened in the table already
            for back, ready in list(self._pending.items()):
                back.saw_status(status)
                if back.done:
                    ready.set()
            if self._somebody.is_set():
                await asyncio.sleep(ASK_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_ASK_S):
                    await self._somebody.wait()
