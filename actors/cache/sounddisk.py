"""Speech on disk: a `diskcache` (SQLite), bounded, whole after a crash, checked on read.

One thread uses it, and may wait for it. `DiskProblem` says why it cannot serve; a
database that is not one any more is thrown away and begun anew, for all in it can be
made again.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import diskcache

from actors.cache.sounds import MAX_ENTRY_BYTES, Kept, TierSize, unpack

#: SQLite's journal beside the database, which diskcache does not count.
_JOURNAL_BYTES: Final = 8_000_000

#: Another instance writes: longer than this its end is not waited for.
_LOCK_S: Final = 0.25

#: What cannot be locked so often in a row can not be written at all.
_MAX_LOCKED: Final = 5

#: What is seen to be writable before the tier serves: a full disk takes less than this.
_TRIAL_BYTES: Final = 64 * 1024

#: The pages that SQLite may hold in memory, of 4 KB each.
_PAGES: Final = 1024


class DiskProblem(Exception):
    """The disk cannot serve. `ruined`: what is there is no database."""

    def __init__(self, reason: str, *, ruined: bool = False) -> None:
        super().__init__(reason)
        self.ruined = ruined


class DiskTier:
    """See the module. Raises `DiskProblem`, also when it is made."""

    def __init__(self, folder: Path, limit_bytes: int, ttl_s: float) -> None:
        self.damaged = 0
        self._ttl_s = ttl_s
        self._locked = 0
        with self._problems():
            folder.mkdir(parents=True, exist_ok=True)
            self._cache = diskcache.Cache(
                str(folder),
                timeout=_LOCK_S,
                size_limit=max(limit_bytes - _JOURNAL_BYTES, limit_bytes // 2),
                # What is used is stored again (`renew_due`), so that reading needs no lock.
                eviction_policy="least-recently-stored",
                # All of it lies in the database: a file beside it would survive a crash
                # uncounted.
                disk_min_file_size=2 * MAX_ENTRY_BYTES,
                sqlite_cache_size=_PAGES,
                # A mapped file that somebody cuts short ends the process that reads it.
                sqlite_mmap_size=0,
            )

    def find(self, keys: Sequence[str]) -> tuple[str, Kept] | None:
        """The first of these that is there and whole; a damaged one is removed."""
        with self._problems():
            for key in keys:
                value, expires = self._cache.get(key, expire_time=True)
                if value is None:
                    continue
                if isinstance(value, bytes) and unpack(value) is not None:
                    return key, Kept(value, float(expires or 0.0))
                self.damaged += 1
                with contextlib.suppress(diskcache.Timeout):
                    self._cache.delete(key)
        return None

    def keep(self, key: str, value: bytes) -> None:
        """Keep it for the whole of its life from now, anew if it is there."""
        with self._problems():
            try:
                self._cache.set(key, value, expire=self._ttl_s)
                self._locked = 0
            except diskcache.Timeout:
                # Also what diskcache makes of a database that has become read-only.
                self._locked += 1
                if self._locked >= _MAX_LOCKED:
                    raise

    def try_writing(self) -> None:
        """See whether a sound of some length could be kept."""
        with self._problems():
            self._cache.set("", bytes(_TRIAL_BYTES), expire=self._ttl_s)
            self._cache.delete("")

    def size(self) -> TierSize:
        with self._problems():
            return TierSize(len(self._cache), int(self._cache.volume()))

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._cache.close()

    @contextlib.contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except diskcache.Timeout:
            reason = "its database is read-only, or locked for too long"
            raise DiskProblem(reason) from None
        except (sqlite3.OperationalError, OSError) as error:
            raise DiskProblem(str(error)) from error
        except (sqlite3.DatabaseError, ValueError, TypeError, EOFError) as error:
            raise DiskProblem(f"it is damaged: {error}", ruined=True) from error


def begin_anew(folder: Path) -> None:
    """Remove what `DiskTier` keeps there, and nothing else; raises `DiskProblem`."""
    try:
        for path in folder.glob("cache.db*"):
            path.unlink()
    except OSError as error:
        raise DiskProblem(str(error)) from error
