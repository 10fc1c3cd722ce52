"""Answers on this host's disk: a start after anything, kill -9 too, is warm.

An SQLite file with a write-ahead log. Asking never touches it: changes wait in memory
and are written a few times a second, on a thread of their own. What cannot be opened
is put aside and begun anew; what cannot be written is tried again, and the state says
so. Holds no more than `capacity` answers; the least recently used go. What was forgotten
is remembered as long as a copy of it could live somewhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from actors import log
from actors.cache.answersfile import AnswersFile
from actors.cache.pending import Ban, Change, Forget, Keep, Pending

Found = TypeVar("Found")

FILE_NAME: Final = "answers.sqlite3"

#: A change is on disk so much later, at the latest.
WRITE_EVERY_S: Final = 0.2
#: Written in one transaction at most.
_BATCH: Final = 500
#: What waits while nothing can be written.
_WAITING: Final = 10_000
_RETRY_S: Final = (0.5, 30.0)


class DiskShelf:
    """Lives on one event loop. Open it, read its pieces, and let `run` write."""

    def __init__(
        self, folder: Path, capacity: int, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.file = folder / FILE_NAME
        self._answers = AnswersFile(self.file, capacity, clock)
        self._pending = Pending(_WAITING)
        self._changed = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="answers on disk")
        self._problem = ""
        self.written = 0

    # --- for the index's follower ---

    def push(self, change: Change) -> None:
        self._pending.push(change)
        self._changed.set()

    def clear(self) -> None:
        self._pending.clear()
        self._changed.set()

    def state(self) -> dict[str, Any]:
        return {
            "disk": self._problem or "ok",
            "disk_entries": self._answers.count,
            "disk_waiting": len(self._pending),
        }

    # --- life ---

    async def open(self) -> bool:
        """Whether the file can be used; the reason is in the state otherwise."""
        try:
            await self._on_thread(self._answers.open)
        except (OSError, sqlite3.Error) as error:
            self._failed("cannot be opened", error)
            return False
        self._problem = ""
        return True

    async def run(self) -> None:
        """Write what changed, until cancelled."""
        wait_s = _RETRY_S[0]
        while True:
            await self._changed.wait()
            await asyncio.sleep(WRITE_EVERY_S)
            if await self.flush():
                wait_s = _RETRY_S[0]
            else:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _RETRY_S[1])

    async def flush(self) -> bool:
        """Write everything that waits; False when that failed, and it still waits."""
        async with self._flushing:  # what another is writing just now is not written yet
            return await self._flush()

    async def _flush(self) -> bool:
        if not self._answers.opened and not await self.open():
            return False
        self._changed.clear()
        while len(self._pending):
            clears, changes = self._pending.take(_BATCH)
            try:
                await self._on_thread(self._answers.write, clears, changes)
            except sqlite3.Error as error:
                self._pending.give_back(clears, changes)
                self._changed.set()
                self._failed("cannot be written", error)
                return False
            self.written += len(changes)
        self._problem = ""
        return True

    async def pieces(self) -> AsyncIterator[list[Keep]]:
        """What is stored and not over, the most recently used first."""
        place, nothing = (float("inf"), ""), list[Keep]()
        while piece := await self._read(nothing, self._answers.piece, place):
            place = (piece[-1].used_s, piece[-1].id)
            yield piece

    async def bans(self) -> list[Ban]:
        return await self._read([], self._answers.bans)

    async def forgotten(self) -> list[Forget]:
        """What was forgotten and must not come back, the latest last."""
        return await self._read([], self._answers.forgotten)

    async def fact(self, name: str, value: str | None = None) -> str:
        """A remembered word; with `value` it is set. '' when there is none."""
        return await self._read("", self._answers.fact, name, value)

    async def close(self) -> None:
        """Write what waits, once, and close."""
        if self._answers.opened:
            await self.flush()
            with contextlib.suppress(sqlite3.Error):
                await self._on_thread(self._answers.close)
        self._thread.shutdown(wait=False)

    # --- on the thread ---

    async def _read(self, otherwise: Found, work: Callable[..., Found], *arguments: Any) -> Found:
        """What was found; `otherwise` when the file cannot be used, which the state says."""
        if not self._answers.opened:
            return otherwise
        try:
            return await self._on_thread(work, *arguments)
        except sqlite3.Error as error:
            self._failed("cannot be used", error)
            return otherwise

    async def _on_thread(self, work: Callable[..., Found], *arguments: Any) -> Found:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *arguments)

    def _failed(self, what: str, error: Exception) -> None:
        problem = f"{what}: {error}"
        if problem != self._problem:
            log.get().warning("answers on disk", file=self.file.name, problem=problem)
        self._problem = problem
