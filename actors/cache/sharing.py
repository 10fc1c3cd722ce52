"""Answers shared with other instances through Redis; asking never waits for it.

Each instance has all of them in memory and on its disk. What one learns, drops or bans
it writes to Redis, a key for each answer with its time to live, and publishes; the
others take it in. Redis dead, frozen or emptied costs the sharing only: changes wait in
a bounded queue, the connection is made again with growing pauses, and then both sides
are compared. An epoch tells a Redis that lost everything from one where answers were
dropped on purpose: to the former the answers are given anew.

What was forgotten is known to each instance and to Redis, and is compared first: whoever
was away applies it before it offers its own answers, an emptied Redis is told of it
again, and a copy that comes in all the same is refused and removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from actors import log
from actors.cache import news
from actors.cache.connecting import connected, end, raise_from
from actors.cache.exchange import READ, Exchange
from actors.cache.pending import Ban, Change, Drop, Forget, Keep, Pending, Refused

#: What waits while Redis is away.
_WAITING: Final = 10_000
#: Changes in one exchange.
_BATCH: Final = 100
#: A change is written so much later, and the epoch is looked at so often.
_WRITE_EVERY_S: Final = 0.05
_CHECK_EVERY_S: Final = 2.0
#: Pauses between attempts to connect.
_RETRY_S: Final = (0.2, 5.0)
#: A pause before each batch of what is given anew: some 5 000 a second.
_ANEW_S: Final = 0.02


class Replica(Protocol):
    """The answers of this instance, as the sharing sees them."""

    def ids(self) -> tuple[str, ...]: ...

    def keep_of(self, entry_id: str) -> Keep | None:
        """One answer as it is stored; None when it is not there."""
        ...

    def restored(self, bodies: Sequence[bytes]) -> Awaitable[list[str]]:
        """What Redis has, the most used first; much of it is known. May take its time.
        Returns the ids of those that were forgotten."""
        ...

    def taken(self, body: bytes) -> Refused | None:
        """Another instance learned this; refused when it was forgotten since."""
        ...

    def dropped(self, entry_id: str) -> None: ...

    def banned(self, ban: Ban) -> None: ...

    def forget(self, fact: Forget) -> Sequence[str]:
        """It was forgotten elsewhere; returns the ids of what was dropped here for it."""
        ...

    def facts(self) -> tuple[news.Fact, ...]:
        """What was forgotten and banned, as far as this instance knows."""
        ...

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
        self._replica = replica
        self._timeout_s = timeout_s
        self._own = uuid.uuid4().hex[: news.OWN_CHARS].encode()
        self._exchange = Exchange(prefix, self._own, capacity, ttl_s)
        #: Of the Redis that got all of this instance's answers; set it before `run`.
        self.epoch = ""
        self._seen_epoch = ""
        self._clock = clock
        self._pending = Pending(_WAITING)
        self._changed = asyncio.Event()
        self._given_anew: deque[str] = deque()
        self._state = "connecting"
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
            "redis_entries": self._exchange.count,
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
                async with connected(self._url, self._timeout_s) as redis:
                    await self._share(redis)
            except (RedisError, OSError, TimeoutError) as error:
                self._lost(error)
            if self.connections > before:
                pause_s = _RETRY_S[0]
            await asyncio.sleep(pause_s * (0.5 + random.random()))  # noqa: S311 - jitter
            pause_s = min(pause_s * 2, _RETRY_S[1])

    async def _share(self, redis: Redis) -> None:
        """One connection's life; raises when it is lost."""
        listener = redis.pubsub(ignore_subscribe_messages=True)
        await self._exchange.subscribe(listener)  # before comparing: nothing is missed
        reader = asyncio.create_task(self._read_news(listener))
        try:
            await self._compare(redis)
            self._connected_now()
            writer = asyncio.create_task(self._write_on(redis))
            try:
                await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
            finally:
                await end(writer)
            raise_from(writer)
        finally:
            await end(reader)
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await listener.aclose()  # type: ignore[no-untyped-call]
        raise_from(reader)

    # --- comparing ---

    async def _compare(self, redis: Redis) -> None:
        """Bring both sides together: at the start, after a loss, and when it was emptied."""
        mine = self._replica.ids()  # first: what comes from now on is no matter of this
        epoch = await self._exchange.begin_epoch(redis)
        await self._compare_forgotten(redis)
        theirs = await self._exchange.listed(redis)
        known = set(theirs)
        if epoch != self.epoch:
            self._given_anew = deque(entry_id for entry_id in mine if entry_id not in known)
        else:
            self._given_anew.clear()
            known |= self._pending.ids()
            await self._drop_missing(redis, [i for i in mine if i not in known])
        for at in range(0, len(theirs), READ):
            bodies = await self._exchange.bodies(redis, theirs[at : at + READ])
            found = [body for body in bodies if body is not None]
            refused = [self._instead(i) for i in await self._replica.restored(found)]
            if refused:
                await self._exchange.write(redis, refused, self._clock())
        self._seen_epoch = epoch
        self._changed.set()

    async def _compare_forgotten(self, redis: Redis) -> None:
        """Before any answer is: what others know, and what they do not know."""
        theirs = await self._exchange.facts(redis, self._clock())
        for at in range(0, len(theirs), READ):
            for fact in theirs[at : at + READ]:
                self._apply(fact)
            await asyncio.sleep(0)
        known = set(theirs)
        for fact in self._replica.facts():
            if fact not in known:
                self.push(fact)

    async def _drop_missing(self, redis: Redis, entry_ids: Sequence[str]) -> None:
        """What is not in Redis any more was forgotten by others, or is over."""
        for at in range(0, len(entry_ids), READ):
            some = entry_ids[at : at + READ]
            bodies = await self._exchange.bodies(redis, some)
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
                if await self._exchange.epoch(redis) != self._seen_epoch:
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
                await self._exchange.remove_all(redis)
            if changes:
                await self._exchange.write(redis, changes, self._clock())
        except BaseException:
            self._pending.give_back(clears, changes)
            raise

    # --- reading ---

    async def _read_news(self, listener: PubSub) -> None:
        while True:
            message = await listener.get_message(timeout=1.0)
            if message is not None:
                self._told(bytes(message["data"]))
                await asyncio.sleep(0)

    def _told(self, said: bytes) -> None:
        try:
            found = news.heard(said, self._own)
        except ValueError as error:
            log.get().warning("news of answers were not understood", reason=str(error))
            return
        if isinstance(found, bytes):
            refused = self._replica.taken(found)
            if refused is not None:
                self.push(self._instead(refused.id))
                self.push(refused.fact)  # whoever offers it has not heard of that
        elif found is not None:
            self._apply(found)

    def _instead(self, entry_id: str) -> Keep | Drop:
        """What belongs into Redis where a forgotten answer is: what was learned since."""
        return self._replica.keep_of(entry_id) or Drop(entry_id, "forgotten")

    def _apply(self, fact: news.Fact) -> None:
        if isinstance(fact, Ban):
            self._replica.banned(fact)
        else:
            self._pending.discard(self._replica.forget(fact))

    # --- state ---

    def _connected_now(self) -> None:
        self.connections += 1
        self._state = "connected"
        log.get().info("redis connected", answers=self._exchange.count)

    def _lost(self, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        if not self._state.startswith("lost"):
            at = time.strftime("%H:%M:%S", time.localtime(self._clock()))
            self._state = f"lost since {at}: {reason}"
            log.get().warning("redis lost; answers are not shared", reason=reason)
