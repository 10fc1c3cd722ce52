"""Answers shared with other instances through Redis; asking never waits for it.

Each instance has all of them in memory and on its disk. What one learns, drops or bans
it writes to Redis, a key for each answer with its time to live, and publishes; the
others take it in. Redis dead, frozen or emptied costs the sharing only: changes wait in
a bounded queue, the connection is made again with growing pauses, and then both sides
are compared. An epoch tells a Redis that lost everything from one where answers were
dropped on purpose: to the former the answers are given anew.

Keys, below the prefix: answer:<id> (bodies), answers:used (ids by last use, which
bounds them whatever the server's own limits), answers:epoch, channel answers:news.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from actors import log
from actors.cache.pending import Ban, Change, Drop, Keep, Pending, Use

#: What waits while Redis is away.
_WAITING: Final = 10_000
#: Changes in one exchange, and bodies in one reading.
_BATCH: Final = 100
_READ: Final = 50
#: Ids in one reading.
_LISTED: Final = 2000
#: A change is written so much later, and the epoch is looked at so often.
_WRITE_EVERY_S: Final = 0.05
_CHECK_EVERY_S: Final = 2.0
#: Pauses between attempts to connect.
_RETRY_S: Final = (0.2, 5.0)
#: A task that was cancelled in vain is cancelled again so much later.
_END_S: Final = 0.1
#: A pause before each batch of what is given anew: some 5 000 a second.
_ANEW_S: Final = 0.02
#: Dropped from Redis in one go when it holds too many.
_EXCESS: Final = 500

_OWN_CHARS: Final = 12


class Replica(Protocol):
    """The answers of this instance, as the sharing sees them."""

    def ids(self) -> tuple[str, ...]: ...

    def keep_of(self, entry_id: str) -> Keep | None:
        """One answer as it is stored; None when it is not there."""
        ...

    def restored(self, bodies: Sequence[bytes]) -> Awaitable[None]:
        """What Redis has, the most used first; much of it is known. May take its time."""
        ...

    def taken(self, body: bytes) -> None:
        """Another instance learned this."""
        ...

    def dropped(self, entry_id: str) -> None: ...

    def banned(self, ban: Ban) -> None: ...

    def cleared(self) -> None: ...

    async def remember_epoch(self, epoch: str) -> None: ...


class RedisShelf:
    """Lives on one event loop; let `run` work."""

    def __init__(
        self,
        url: str,
        prefix: str,
        replica: Replica,
        *,
        timeout_s: float,
        capacity: int,
        ttl_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._body = f"{prefix}answer:"
        self._used = f"{prefix}answers:used"
        self._epoch_key = f"{prefix}answers:epoch"
        self._news = f"{prefix}answers:news"
        self._replica = replica
        self._timeout_s = timeout_s
        self._capacity = capacity
        self._ttl_s = ttl_s
        #: Of the Redis that got all of this instance's answers; set it before `run`.
        self.epoch = ""
        self._seen_epoch = ""
        self._clock = clock
        self._own = uuid.uuid4().hex[:_OWN_CHARS].encode()
        self._pending = Pending(_WAITING)
        self._changed = asyncio.Event()
        self._given_anew: deque[str] = deque()
        self._state = "connecting"
        self._count = 0
        self.connections = 0

    # --- for the index's follower ---

    def push(self, change: Change) -> None:
        if isinstance(change, Drop) and change.cause in ("evicted", "expired"):
            return  # others may have room for it; what is over ends there by itself
        self._pending.push(change)
        self._changed.set()

    def clear(self) -> None:
        self._pending.clear()
        self._given_anew.clear()
        self._changed.set()

    def state(self) -> dict[str, Any]:
        return {
            "redis": self._state,
            "redis_entries": self._count,
            "redis_waiting": len(self._pending) + len(self._given_anew),
            "redis_given_up": self._pending.lost,
        }

    # --- life ---

    async def run(self) -> None:
        """Connect, share, and connect again, until cancelled."""
        pause_s = _RETRY_S[0]
        while True:
            before = self.connections
            try:
                async with self._connected() as redis:
                    await self._share(redis)
            except (RedisError, OSError, TimeoutError) as error:
                self._lost(error)
            if self.connections > before:
                pause_s = _RETRY_S[0]
            await asyncio.sleep(pause_s * (0.5 + random.random()))  # noqa: S311 - jitter
            pause_s = min(pause_s * 2, _RETRY_S[1])

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[Redis]:
        try:
            redis = Redis.from_url(
                self._url,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=self._timeout_s,
                retry=Retry(NoBackoff(), 0),  # a silent second try would hide missed news
                protocol=2,
            )
        except ValueError as error:
            raise RedisError(f"redis.url: {error}") from None
        try:
            yield redis
        finally:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await redis.aclose()

    async def _share(self, redis: Redis) -> None:
        """One connection's life; raises when it is lost."""
        news = redis.pubsub(ignore_subscribe_messages=True)
        await news.subscribe(self._news)  # before comparing: nothing is missed in between
        reader = asyncio.create_task(self._read_news(news))
        try:
            await self._compare(redis)
            self._connected_now()
            writer = asyncio.create_task(self._write_on(redis))
            try:
                await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
            finally:
                await end(writer)
            _raise_from(writer)
        finally:
            await end(reader)
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await news.aclose()  # type: ignore[no-untyped-call]
        _raise_from(reader)

    # --- comparing ---

    async def _compare(self, redis: Redis) -> None:
        """Bring both sides together: at the start, after a loss, and when it was emptied."""
        mine = self._replica.ids()  # first: what comes from now on is no matter of this
        await redis.set(self._epoch_key, uuid.uuid4().hex, nx=True)
        found: Any = await redis.get(self._epoch_key)
        if found is None:
            raise RedisError("it was emptied in between")
        epoch = found.decode()
        theirs = await self._listed(redis)
        self._count = len(theirs)
        known = set(theirs)
        if epoch != self.epoch:
            self._given_anew = deque(entry_id for entry_id in mine if entry_id not in known)
        else:
            self._given_anew.clear()
            known |= self._pending.ids()
            await self._drop_forgotten(redis, [i for i in mine if i not in known])
        for at in range(0, len(theirs), _READ):
            keys = [self._body + entry_id for entry_id in theirs[at : at + _READ]]
            bodies: list[Any] = await redis.mget(keys)
            await self._replica.restored([body for body in bodies if body is not None])
        self._seen_epoch = epoch
        self._changed.set()

    async def _listed(self, redis: Redis) -> list[str]:
        """Ids by falling use, in pieces that hold up nobody; one may slip through meanwhile."""
        found: dict[str, None] = {}
        while piece := await redis.zrevrange(self._used, len(found), len(found) + _LISTED - 1):
            before = len(found)
            found.update(dict.fromkeys(_texts(piece)))
            if len(found) == before:
                break
            await asyncio.sleep(0)
        return list(found)

    async def _drop_forgotten(self, redis: Redis, entry_ids: Sequence[str]) -> None:
        """What is not in Redis any more was forgotten by others, or is over."""
        for at in range(0, len(entry_ids), _READ):
            some = entry_ids[at : at + _READ]
            bodies: list[Any] = await redis.mget([self._body + entry_id for entry_id in some])
            for entry_id, body in zip(some, bodies, strict=True):
                if body is None:
                    self._replica.dropped(entry_id)
            await asyncio.sleep(0)

    # --- writing ---

    async def _write_on(self, redis: Redis) -> None:
        checked_s = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_EVERY_S):
                    await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(_WRITE_EVERY_S)
            while len(self._pending) or self._given_anew:
                await self._write_some(redis)
            if self.epoch != self._seen_epoch:  # only now: what is there is all there was
                await self._replica.remember_epoch(self._seen_epoch)
                self.epoch = self._seen_epoch
            if time.monotonic() - checked_s >= _CHECK_EVERY_S:
                checked_s = time.monotonic()
                epoch: Any = await redis.get(self._epoch_key)
                if epoch is None or epoch.decode() != self._seen_epoch:
                    log.get().warning("redis was emptied; answers are given anew")
                    await self._compare(redis)

    async def _write_some(self, redis: Redis) -> None:
        """One exchange; what could not be written waits on."""
        if self._given_anew:  # so many at once that who reads the news would fall behind
            await asyncio.sleep(_ANEW_S)
        clears, changes = self._pending.take(_BATCH)
        while len(changes) < _BATCH and self._given_anew:
            keep = self._replica.keep_of(self._given_anew.popleft())
            if keep is not None:
                changes.append(keep)
        try:
            if clears:
                await self._remove_all(redis)
            if changes:
                await self._write(redis, changes)
        except BaseException:
            self._pending.give_back(clears, changes)
            raise

    async def _remove_all(self, redis: Redis) -> None:
        listed = _texts(await redis.zrange(self._used, 0, -1))
        for at in range(0, len(listed), _EXCESS):
            keys = [self._body + entry_id for entry_id in listed[at : at + _EXCESS]]
            await redis.unlink(*keys)
        await redis.delete(self._used)
        await redis.publish(self._news, b"C" + self._own)
        self._count = 0

    async def _write(self, redis: Redis, changes: Sequence[Change]) -> None:
        now_s = self._clock()
        exchange = redis.pipeline(transaction=False)
        for change in changes:
            match change:
                case Keep(entry_id, until_s, used_s, body):
                    left_ms = int((until_s - now_s) * 1000)
                    if left_ms > 0:
                        exchange.set(self._body + entry_id, body, px=left_ms)
                        exchange.zadd(self._used, {entry_id: used_s})
                        exchange.publish(self._news, b"K" + self._own + body)
                case Use(entry_id, used_s):
                    exchange.zadd(self._used, {entry_id: used_s}, xx=True)
                case Drop(entry_id, _):
                    exchange.unlink(self._body + entry_id)
                    exchange.zrem(self._used, entry_id)
                    exchange.publish(self._news, b"D" + self._own + entry_id.encode())
                case Ban(entry_id, answer, until_s):
                    told = f"{until_s!r} {entry_id} {answer}".encode()
                    exchange.publish(self._news, b"B" + self._own + told)
        # what was not used since then is over, and its key is gone
        exchange.zremrangebyscore(self._used, "-inf", now_s - self._ttl_s)
        exchange.zcard(self._used)
        self._count = int((await exchange.execute())[-1])
        if self._count > self._capacity:
            await self._drop_excess(redis)

    async def _drop_excess(self, redis: Redis) -> None:
        """The least recently used of all instances' answers go."""
        gone: Any = await redis.zpopmin(self._used, min(self._count - self._capacity, _EXCESS))
        if gone:
            await redis.unlink(*(self._body + entry_id.decode() for entry_id, _ in gone))
            self._count -= len(gone)

    # --- reading ---

    async def _read_news(self, news: Any) -> None:
        while True:
            message = await news.get_message(timeout=1.0)
            if message is not None:
                self._told(bytes(message["data"]))
                await asyncio.sleep(0)

    def _told(self, news: bytes) -> None:
        kind, sender, told = news[:1], news[1 : 1 + _OWN_CHARS], news[1 + _OWN_CHARS :]
        if sender == self._own:
            return
        if kind == b"K":
            self._replica.taken(told)
        elif kind == b"D":
            self._replica.dropped(told.decode())
        elif kind == b"C":
            self._replica.cleared()
        elif kind == b"B":
            until, entry_id, answer = told.decode().split(" ", 2)
            self._replica.banned(Ban(entry_id, answer, float(until)))

    # --- state ---

    def _connected_now(self) -> None:
        self.connections += 1
        self._state = "connected"
        log.get().info("redis connected", answers=self._count)

    def _lost(self, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        if not self._state.startswith("lost"):
            at = time.strftime("%H:%M:%S", time.localtime(self._clock()))
            self._state = f"lost since {at}: {reason}"
            log.get().warning("redis lost; answers are not shared", reason=reason)


def _texts(found: Any) -> list[str]:
    """Redis gives bytes."""
    return [text.decode() for text in found]


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel it until it has ended: the client swallows a cancellation now and then (seen
    when one came while a reply was being read)."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=_END_S)
    if not task.cancelled():
        task.exception()  # looked at, whatever becomes of it


def _raise_from(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
