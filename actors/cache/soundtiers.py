"""The sound tiers below memory, on the engine thread: the disk, then Redis.

Lookups are answered in the order in which they came, each within `DISK_S` + `REDIS_S`
whatever the tiers do: who is late goes on, and is passed over until it is through. A
tier that fails is left alone for a while and tried again aside; nobody's request is the
trial. What fails is said once in the log, and stands in the report until it is mended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from actors import log
from actors.cache.sounddisk import DiskProblem, DiskTier, begin_anew
from actors.cache.soundredis import RedisTier
from actors.cache.sounds import Kept, TierSize
from actors.cache.trouble import Trouble
from cfg.model import Settings

#: Longer than this nobody waits for a tier. A disk that has to seek needs some 10 ms.
DISK_S: Final = 0.1
REDIS_S: Final = 0.005

#: Opening, before the first request: a host that just starts is busy.
OPEN_S: Final = 1.0

#: A tier that failed is tried again after this; Redis sooner, it may only be starting.
DISK_RETRY_S: Final = 60.0
REDIS_RETRY_S: Final = (0.5, 30.0)

#: Sounds that wait to be written; one more is dropped, and made again one day.
MAX_WRITES: Final = 64

#: How often the tiers are asked how full they are, at most.
SIZE_S: Final = 2.0

PROGRAM: Final = Path(__file__).parents[2]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Found:
    """A sound in one of the tiers; `tier` is disk or redis."""

    tier: str
    key: str
    kept: Kept


@dataclass(frozen=True, slots=True)
class Sizes:
    """How full the tiers were a moment ago."""

    disk: TierSize = field(default_factory=TierSize)
    redis: TierSize = field(default_factory=TierSize)


class SoundTiers:
    """See the module. All of it but `report` is called on the engine thread."""

    def __init__(self, settings: Settings, answer: Callable[[Any, Found | None], None]) -> None:
        """`answer(asked, found)` is called for each `find`, in order."""
        self.dropped = 0
        #: Sounds on their way to the tiers.
        self.writing = 0
        self._section = settings.sound_cache
        self._redis_settings = settings.redis
        self._answer = answer
        folder = settings.storage.folder
        self._folder = (Path(folder) if folder else PROGRAM / "var" / "cache") / "sounds"
        self._thread = ThreadPoolExecutor(1, "sounds on disk")
        self._disk: DiskTier | None = None
        self._redis: RedisTier | None = None
        self._of_disk = Trouble("disk")
        self._of_redis = Trouble("redis")
        self._sizes = Sizes()
        self._sized_at = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lookups: asyncio.Queue[tuple[Any, asyncio.Task[Found | None]]] = asyncio.Queue()
        self._writes: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(MAX_WRITES)

    async def open(self) -> None:
        """Open what the settings ask for; returns within `OPEN_S`, opened or not."""
        self._spawn(self._answer_in_order())
        self._spawn(self._write())
        work = []
        if self._section.disk_mb:
            work.append(self._of_disk.within(OPEN_S, self._open_disk()))
        if self._section.redis_mb and self._redis_settings.url.get_secret_value():
            work.append(self._of_redis.within(OPEN_S, self._open_redis()))
        await asyncio.gather(*work)

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- looking up ---

    def find(self, asked: Any, keys: tuple[str, ...]) -> None:
        """Look for the first of `keys` that is there, and answer."""
        self._lookups.put_nowait((asked, self._spawn(self._find(keys))))

    async def _answer_in_order(self) -> None:
        while True:
            asked, lookup = await self._lookups.get()
            found = None
            try:
                found = await lookup
            except Exception as error:  # a tier's own bug must not end all answers
                log.get().error("speech lookup failed", exc_info=error)
            self._answer(asked, found)

    async def _find(self, keys: tuple[str, ...]) -> Found | None:
        disk, redis = self._disk, self._redis
        if disk is not None and self._of_disk.serves:
            found = await self._of_disk.within(DISK_S, self._ask_disk(disk, keys))
            if found is not None:
                return Found("disk", *found)
        if redis is not None and self._of_redis.serves:
            found = await self._of_redis.within(REDIS_S, self._ask_redis(redis, keys))
            if found is not None:
                return Found("redis", *found)
        return None

    async def _ask_disk(self, disk: DiskTier, keys: tuple[str, ...]) -> tuple[str, Kept] | None:
        try:
            return await self._on_disk(disk.find, keys)
        except DiskProblem as problem:
            self._lose_disk(problem)
            return None

    async def _ask_redis(self, redis: RedisTier, keys: tuple[str, ...]) -> tuple[str, Kept] | None:
        try:
            return await redis.find(keys, time.time())
        except Exception as error:  # the client raises whatever its connection does
            self._lose_redis(error)
            return None

    # --- keeping ---

    def keep(self, key: str, value: bytes) -> None:
        """Write it when there is time."""
        if self._writes.full():
            self.dropped += 1
        else:
            self.writing += 1
            self._writes.put_nowait((key, value))

    async def _write(self) -> None:
        """One at a time, so that a lookup waits for one write at most."""
        while True:
            key, value = await self._writes.get()
            await self._write_to_disk(key, value)
            await self._write_to_redis(key, value)
            await self._measure()
            self.writing -= 1

    async def _write_to_disk(self, key: str, value: bytes) -> None:
        disk = self._disk
        if disk is None:
            return
        if not self._of_disk.serves:
            self.dropped += 1
            return
        try:
            await self._on_disk(disk.keep, key, value)
        except DiskProblem as problem:
            self._lose_disk(problem)

    async def _write_to_redis(self, key: str, value: bytes) -> None:
        redis = self._redis
        if redis is None or not self._of_redis.serves:
            return
        try:
            size = await redis.keep(key, value, time.time())
            self._sizes = Sizes(self._sizes.disk, size)
        except Exception as error:  # the client raises whatever its connection does
            self._lose_redis(error)

    async def _measure(self) -> None:
        now = time.monotonic()
        if self._disk is None or not self._of_disk.serves or now - self._sized_at < SIZE_S:
            return
        self._sized_at = now
        try:
            self._sizes = Sizes(await self._on_disk(self._disk.size), self._sizes.redis)
        except DiskProblem as problem:
            self._lose_disk(problem)

    def _on_disk(self, function: Callable[..., Result], *arguments: Any) -> asyncio.Future[Result]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, function, *arguments)

    # --- opening, failing, trying again ---

    async def _open_disk(self, pause_s: float = 0.0) -> None:
        """Until it is open; whoever does not want to wait for that need not."""
        while True:
            await asyncio.sleep(pause_s)
            try:
                self._disk = await self._on_disk(self._opened_disk)
            except DiskProblem as problem:
                self._disk_fails(problem)
                pause_s = DISK_RETRY_S
                continue
            self._of_disk.ends()
            await self._measure()
            return

    def _opened_disk(self) -> DiskTier:
        """On the disk's thread: open it, anew where what is there is ruined."""
        limit_bytes = self._section.disk_mb * 1_000_000
        for last in (False, True):
            try:
                tier = DiskTier(self._folder, limit_bytes, self._section.ttl_s)
                tier.try_writing()
                return tier
            except DiskProblem as problem:
                if last or not problem.ruined:
                    raise
                log.get().warning("speech on disk begun anew", reason=str(problem))
                begin_anew(self._folder)
        raise AssertionError

    def _disk_fails(self, problem: DiskProblem) -> None:
        self._of_disk.begins(f"{problem} ({self._folder}); speech is kept in memory only")

    def _lose_disk(self, problem: DiskProblem) -> None:
        disk, self._disk = self._disk, None
        if disk is not None:  # else another request met it, too
            self._disk_fails(problem)
            self._spawn(self._mend_disk(disk, 0.0 if problem.ruined else DISK_RETRY_S))

    async def _mend_disk(self, disk: DiskTier, pause_s: float) -> None:
        await self._on_disk(disk.close)
        await self._open_disk(pause_s)

    async def _open_redis(self) -> None:
        try:
            limit_bytes = self._section.redis_mb * 1_000_000
            tier = RedisTier(self._redis_settings, limit_bytes, self._section.ttl_s)
        except ImportError as error:
            self._of_redis.begins(f"{error}; install the package redis")
            return
        except ValueError:  # its text may hold a part of the password
            self._of_redis.begins("redis.url is no such address as redis://127.0.0.1:6379/0")
            return
        self._redis = tier
        await self._try_redis(tier, "")

    def _lose_redis(self, error: Exception) -> None:
        if not self._of_redis.reason and self._redis is not None:
            self._of_redis.begins(str(error) or type(error).__name__)
            self._spawn(self._try_redis(self._redis, self._of_redis.reason))

    async def _try_redis(self, redis: RedisTier, reason: str) -> None:
        """Until it answers, with longer and longer pauses; at once when `reason` is ''."""
        pause_s, longest_s = REDIS_RETRY_S
        while True:
            if reason:
                await asyncio.sleep(pause_s)
                pause_s = min(longest_s, 2 * pause_s)
            try:
                size = await redis.size()
            except Exception as error:  # the client raises whatever its connection does
                reason = str(error) or type(error).__name__
                self._of_redis.begins(reason)
                continue
            self._sizes = Sizes(self._sizes.disk, size)
            self._of_redis.ends()
            return

    async def close(self) -> None:
        """Stop, and leave the disk to the next who opens it."""
        tasks = [*self._tasks, *self._of_disk.late, *self._of_redis.late]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._redis is not None:
            await self._redis.close()
        if self._disk is not None:
            await self._on_disk(self._disk.close)
        self._thread.shutdown(wait=False)

    # --- for the report, on any thread: each value is replaced as a whole ---

    def report(self) -> dict[str, Any]:
        detail: dict[str, Any] = {"writing": self.writing, "writes_dropped": self.dropped}
        sizes, disk, redis = self._sizes, self._disk, self._redis
        if self._section.disk_mb:
            detail["disk"] = self._of_disk.reason or ("serves" if disk is not None else "opening")
            detail["disk_entries"], detail["disk_bytes"] = sizes.disk.entries, sizes.disk.bytes
        if self._section.redis_mb:
            detail["redis"] = self._of_redis.reason or (
                "serves" if redis is not None else "no redis.url"
            )
            detail["redis_entries"], detail["redis_bytes"] = sizes.redis.entries, sizes.redis.bytes
        detail["damaged"] = sum(tier.damaged for tier in (disk, redis) if tier is not None)
        return detail
