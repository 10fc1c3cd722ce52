"""The SQLite file in which one host keeps its answers, and what was forgotten of them.

For one thread at a time; every method may wait for the disk, and raises `sqlite3.Error`
when that fails. Holds no more than `capacity` answers; the least recently used go.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from actors import log
from actors.cache.forgotten import KEPT
from actors.cache.pending import EVERYTHING, Ban, Change, Drop, Forget, Keep, Use

#: Read at once while the index is filled.
PIECE: Final = 200
#: Another process of this host may hold the file for so long.
_BUSY_S: Final = 1.0

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS answers(
    id TEXT PRIMARY KEY, until_s REAL NOT NULL, used_s REAL NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS answers_used ON answers(used_s, id);
CREATE TABLE IF NOT EXISTS bans(
    id TEXT NOT NULL, answer TEXT NOT NULL, until_s REAL NOT NULL, PRIMARY KEY(id, answer)
);
CREATE TABLE IF NOT EXISTS forgotten(
    id TEXT PRIMARY KEY, at_s REAL NOT NULL, until_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class AnswersFile:
    """`open` it first. `count` is how many answers it holds."""

    def __init__(self, path: Path, capacity: int, clock: Callable[[], float]) -> None:
        self.path = path
        self.count = 0
        self._capacity = capacity
        self._clock = clock
        self._database: sqlite3.Connection | None = None

    @property
    def opened(self) -> bool:
        return self._database is not None

    def open(self) -> None:
        """Raises `OSError` or `sqlite3.Error`; a damaged file is put aside instead."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = self._connect()
        except sqlite3.OperationalError:
            raise  # not ours to mend: the disk is full, the file is locked, the folder is read-only
        except sqlite3.DatabaseError as error:
            aside = self.path.with_suffix(".damaged")
            log.get().error("stored answers are damaged", put_aside=aside.name, reason=str(error))
            self.path.replace(aside)
            for left in ("-wal", "-shm"):
                self.path.with_name(self.path.name + left).unlink(missing_ok=True)
            self._database = self._connect()

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=_BUSY_S, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing
            database.executescript(_TABLES)
            now_s = self._clock()
            with database:
                database.execute("DELETE FROM answers WHERE until_s <= ?", (now_s,))
                database.execute("DELETE FROM bans WHERE until_s <= ?", (now_s,))
                database.execute("DELETE FROM forgotten WHERE until_s <= ?", (now_s,))
            self.count = int(database.execute("SELECT COUNT(*) FROM answers").fetchone()[0])
        except BaseException:
            database.close()
            raise
        return database

    # --- writing ---

    def write(self, clears: bool, changes: list[Change]) -> None:
        """One transaction. `clears`: every answer and ban goes first."""
        assert self._database is not None
        with self._database as database:
            if clears:
                database.execute("DELETE FROM answers")
                database.execute("DELETE FROM bans")
            for change in changes:
                self._apply(database, change)
            if any(isinstance(change, Forget) for change in changes):
                self._bound_forgotten(database)
            count = int(database.execute("SELECT COUNT(*) FROM answers").fetchone()[0])
            excess = count - self._capacity
            if excess > 0:
                database.execute(
                    "DELETE FROM answers WHERE id IN"
                    " (SELECT id FROM answers ORDER BY used_s, id LIMIT ?)",
                    (excess,),
                )
        self.count = count - max(excess, 0)

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
            case Forget():
                self._remember(database, change)

    def _remember(self, database: sqlite3.Connection, fact: Forget) -> None:
        """The later forgetting counts; that of everything says all that the older ones do."""
        database.execute(
            "INSERT INTO forgotten VALUES(?, ?, ?) ON CONFLICT(id) DO UPDATE"
            " SET at_s = excluded.at_s, until_s = excluded.until_s WHERE excluded.at_s > at_s",
            (fact.id, fact.at_s, fact.until_s),
        )
        if fact.id == EVERYTHING:
            database.execute(
                "DELETE FROM forgotten WHERE at_s <= ? AND id != ?", (fact.at_s, EVERYTHING)
            )

    def _bound_forgotten(self, database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM forgotten WHERE until_s <= ?", (self._clock(),))
        database.execute(
            "DELETE FROM forgotten WHERE id IN (SELECT id FROM forgotten WHERE id != ?"
            " ORDER BY at_s DESC LIMIT -1 OFFSET ?)",
            (EVERYTHING, KEPT),
        )

    # --- reading ---

    def piece(self, place: tuple[float, str]) -> list[Keep]:
        """Those used before `place`, (when, id), the last first."""
        assert self._database is not None
        rows = self._database.execute(
            "SELECT id, until_s, used_s, body FROM answers WHERE (used_s, id) < (?, ?)"
            " ORDER BY used_s DESC, id DESC LIMIT ?",
            (*place, PIECE),
        )
        return [Keep(*row) for row in rows]

    def bans(self) -> list[Ban]:
        assert self._database is not None
        return [Ban(*row) for row in self._database.execute("SELECT id, answer, until_s FROM bans")]

    def forgotten(self) -> list[Forget]:
        """The latest last."""
        assert self._database is not None
        rows = self._database.execute("SELECT id, at_s, until_s FROM forgotten ORDER BY at_s")
        return [Forget(*row) for row in rows]

    def fact(self, name: str, value: str | None) -> str:
        """A remembered word, '' for none; with `value` it is set."""
        assert self._database is not None
        if value is not None:
            with self._database as database:
                database.execute("INSERT OR REPLACE INTO facts VALUES(?, ?)", (name, value))
            return value
        row = self._database.execute("SELECT value FROM facts WHERE name=?", (name,)).fetchone()
        return str(row[0]) if row else ""
