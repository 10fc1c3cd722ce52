"""Answers on this host's disk: a start after anything, kill -9 too, is warm.

An SQLite file with a write-ahead log. Asking never touches it: changes wait in memory
and are written a few times a second, on a thread of their own. What cannot be opened
is put aside and begun anew; what cannot be written is tried again, and the state says
so. Holds no more than `capacity` answers; the least recently used go.
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
from actors.cache.pending import Ban, Change, Drop, Keep, Pending, Use

Found = TypeVar("Found")

FILE_NAME: Final = "answers.sqlite3"

#: A change is on disk so much later, at the latest.
WRITE_EVERY_S: Final = 0.2
#: Written in one transaction at most.
_BATCH: Final = 500
#: What waits while nothing can be written.
_WAITING: Final = 10_000
#: Read at once while the index is filled.
PIECE: Final = 200
#: Another process of this host may hold the file for so long.
_BUSY_S: Final = 1.0
_RETRY_S: Final = (0.5, 30.0)

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS answers(
    id TEXT PRIMARY KEY, until_s REAL NOT NULL, used_s REAL NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS answers_used ON answers(used_s, id);
CREATE TABLE IF NOT EXISTS bans(
    id TEXT NOT NULL, answer TEXT NOT NULL, until_s REAL NOT NULL, PRIMARY KEY(id, answer)
);
CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class DiskShelf:
    """Lives on one event loop. Open it, read its pieces, and let `run` write."""

    def __init__(
        self, folder: Path, capacity: int, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.file = folder / FILE_NAME
        self._capacity = capacity
        self._clock = clock
        self._pending = Pending(_WAITING)
        self._changed = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="answers on disk")
        self._database: sqlite3.Connection | None = None
        self._problem = ""
        self._count = 0
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
            "disk_entries": self._count,
            "disk_waiting": len(self._pending),
        }

    # --- life ---

    async def open(self) -> bool:
        """Whether the file can be used; the reason is in the state otherwise."""
        try:
            await self._on_thread(self._open)
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
        if self._database is None and not await self.open():
            return False
        self._changed.clear()
        while len(self._pending):
            clears, changes = self._pending.take(_BATCH)
            try:
                self._count = await self._on_thread(self._write, clears, changes)
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
        place = (float("inf"), "")
        while self._database is not None:
            try:
                piece = await self._on_thread(self._piece, place)
            except sqlite3.Error as error:
                self._failed("cannot be read", error)
                return
            if not piece:
                return
            place = (piece[-1].used_s, piece[-1].id)
            yield piece

    async def bans(self) -> list[Ban]:
        if self._database is None:
            return []
        try:
            return await self._on_thread(self._bans)
        except sqlite3.Error as error:
            self._failed("cannot be read", error)
            return []

    async def fact(self, name: str, value: str | None = None) -> str:
        """A remembered word; with `value` it is set. '' when there is none."""
        if self._database is None:
            return ""
        try:
            return await self._on_thread(self._fact, name, value)
        except sqlite3.Error as error:
            self._failed("cannot be used", error)
            return ""

    async def close(self) -> None:
        """Write what waits, once, and close."""
        if self._database is not None:
            await self.flush()
            with contextlib.suppress(sqlite3.Error):
                await self._on_thread(self._database.close)
            self._database = None
        self._thread.shutdown(wait=False)

    # --- on the thread ---

    async def _on_thread(self, work: Callable[..., Found], *arguments: Any) -> Found:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *arguments)

    def _open(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = self._connect()
        except sqlite3.OperationalError:
            raise  # not ours to mend: the disk is full, the file is locked, the folder is read-only
        except sqlite3.DatabaseError as error:
            aside = self.file.with_suffix(".damaged")
            log.get().error("stored answers are damaged", put_aside=aside.name, reason=str(error))
            self.file.replace(aside)
            for left in ("-wal", "-shm"):
                self.file.with_name(self.file.name + left).unlink(missing_ok=True)
            self._database = self._connect()

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.file, timeout=_BUSY_S, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing
            database.executescript(_TABLES)
            now_s = self._clock()
            with database:
                database.execute("DELETE FROM answers WHERE until_s <= ?", (now_s,))
                database.execute("DELETE FROM bans WHERE until_s <= ?", (now_s,))
            self._count = int(database.execute("SELECT COUNT(*) FROM answers").fetchone()[0])
        except BaseException:
            database.close()
            raise
        return database

    def _write(self, clears: bool, changes: list[Change]) -> int:
        """One transaction; how many answers are stored then."""
        assert self._database is not None
        with self._database as database:
            if clears:
                database.execute("DELETE FROM answers")
                database.execute("DELETE FROM bans")
            for change in changes:
                self._apply(database, change)
            count = int(database.execute("SELECT COUNT(*) FROM answers").fetchone()[0])
            excess = count - self._capacity
            if excess > 0:
                database.execute(
                    "DELETE FROM answers WHERE id IN"
                    " (SELECT id FROM answers ORDER BY used_s, id LIMIT ?)",
                    (excess,),
                )
        return count - max(excess, 0)

    def _apply(self, database: sqlite3.Connection, change: Change) -> None:
        match change:
            case Keep(entry_id, until_s, used_s, body):
                database.execute(
                    "INSERT OR REPLACE INTO answers VALUES(?, ?, ?, ?)",
                    (entry_id, until_s, used_s, body),
                )
            case Use(entry_id, used_s):
                database.execute("UPDATE answers SET used_s=? WHERE id=?", (used_s, entry_id))
            case Drop(entry_id, _):
                database.execute("DELETE FROM answers WHERE id=?", (entry_id,))
            case Ban(entry_id, answer, until_s):
                database.execute(
                    "INSERT OR REPLACE INTO bans VALUES(?, ?, ?)", (entry_id, answer, until_s)
                )
                database.execute("DELETE FROM bans WHERE until_s <= ?", (self._clock(),))

    def _piece(self, place: tuple[float, str]) -> list[Keep]:
        assert self._database is not None
        rows = self._database.execute(
            "SELECT id, until_s, used_s, body FROM answers WHERE (used_s, id) < (?, ?)"
            " ORDER BY used_s DESC, id DESC LIMIT ?",
            (*place, PIECE),
        )
        return [Keep(*row) for row in rows]

    def _bans(self) -> list[Ban]:
        assert self._database is not None
        return [Ban(*row) for row in self._database.execute("SELECT id, answer, until_s FROM bans")]

    def _fact(self, name: str, value: str | None) -> str:
        assert self._database is not None
        if value is not None:
            with self._database as database:
                database.execute("INSERT OR REPLACE INTO facts VALUES(?, ?)", (name, value))
            return value
        row = self._database.execute("SELECT value FROM facts WHERE name=?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def _failed(self, what: str, error: Exception) -> None:
        problem = f"{what}: {error}"
        if problem != self._problem:
            log.get().warning("answers on disk", file=self.file.name, problem=problem)
        self._problem = problem
