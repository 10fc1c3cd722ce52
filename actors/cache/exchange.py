"""What is asked of Redis and written to it: the answers, and what was forgotten.

Each method is one or a few exchanges over a connection that is passed in, and fails as
that does. Keys, below the prefix: answer:<id> (bodies), answers:used (ids by last use,
which bounds them whatever the server's own limits), answers:forgotten (what must not come
back, and bans, by when that is over), answers:cleared (the last time that all of them
were forgotten), answers:epoch, channel answers:news.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from actors import log
from actors.cache import news
from actors.cache.forgotten import KEPT
from actors.cache.pending import EVERYTHING, Ban, Change, Drop, Forget, Keep, Use

#: Ids in one reading, and bodies.
_LISTED: Final = 2000
READ: Final = 50
#: Dropped in one go when it holds too many.
_EXCESS: Final = 500
#: Clearings that are remembered: the last, and what may be written at once with it.
_CLEARED: Final = 4


class Exchange:
    """`own` names this instance; `count` is how many answers Redis had, when last seen."""

    def __init__(self, prefix: str, own: bytes, capacity: int, ttl_s: float) -> None:
        self.count = 0
        self._own = own
        self._body = f"{prefix}answer:"
        self._used = f"{prefix}answers:used"
        self._forgotten = f"{prefix}answers:forgotten"
        self._cleared = f"{prefix}answers:cleared"
        self._epoch = f"{prefix}answers:epoch"
        self._news = f"{prefix}answers:news"
        self._capacity = capacity
        self._ttl_s = ttl_s

    async def subscribe(self, listener: PubSub) -> None:
        await listener.subscribe(self._news)

    # --- reading ---

    async def begin_epoch(self, redis: Redis) -> str:
        """The name of its life since it was empty last; a new one when it is empty."""
        await redis.set(self._epoch, uuid.uuid4().hex, nx=True)
        epoch = await self.epoch(redis)
        if not epoch:
            raise RedisError("it was emptied in between")
        return epoch

    async def epoch(self, redis: Redis) -> str:
        found: Any = await redis.get(self._epoch)
        return found.decode() if found is not None else ""

    async def facts(self, redis: Redis, now_s: float) -> list[news.Fact]:
        """What was forgotten and banned and is not over, everything first."""
        exchange = redis.pipeline(transaction=False)
        exchange.zrangebyscore(self._cleared, now_s, "+inf", withscores=True)
        exchange.zrangebyscore(self._forgotten, now_s, "+inf", withscores=True)
        cleared, others = await exchange.execute()
        found: list[news.Fact] = []
        for member, until_s in (*cleared, *others):
            try:
                found.append(news.fact_of(member, until_s))
            except ValueError as error:
                log.get().warning("a record in redis was passed over", reason=str(error))
        return found

    async def listed(self, redis: Redis) -> list[str]:
        """Ids by falling use, in pieces that hold up nobody; one may slip through meanwhile."""
        found: dict[str, None] = {}
        while piece := await redis.zrevrange(self._used, len(found), len(found) + _LISTED - 1):
            before = len(found)
            found.update(dict.fromkeys(_texts(piece)))
            if len(found) == before:
                break
            await asyncio.sleep(0)
        self.count = len(found)
        return list(found)

    async def bodies(self, redis: Redis, entry_ids: Sequence[str]) -> list[bytes | None]:
        """Of at most `READ`; None where there is none."""
        found: Any = await redis.mget([self._body + entry_id for entry_id in entry_ids])
        return list(found)

    # --- writing ---

    async def remove_all(self, redis: Redis) -> None:
        """All answers, and what was forgotten one by one; tell of it by a `Forget`."""
        listed = _texts(await redis.zrange(self._used, 0, -1))
        for at in range(0, len(listed), _EXCESS):
            keys = [self._body + entry_id for entry_id in listed[at : at + _EXCESS]]
            await redis.unlink(*keys)
        await redis.delete(self._used, self._forgotten)
        self.count = 0

    async def write(self, redis: Redis, changes: Sequence[Change], now_s: float) -> None:
        """One exchange, whose news go to everybody."""
        exchange = redis.pipeline(transaction=False)
        for change in changes:
            match change:
                case Keep(entry_id, until_s, used_s, body):
                    left_ms = int((until_s - now_s) * 1000)
                    if left_ms > 0:
                        exchange.set(self._body + entry_id, body, px=left_ms)
                        exchange.zadd(self._used, {entry_id: used_s})
                        exchange.publish(self._news, news.learned(self._own, change))
                case Use(entry_id, used_s):
                    exchange.zadd(self._used, {entry_id: used_s}, xx=True)
                case Drop(entry_id, _):
                    exchange.unlink(self._body + entry_id)
                    exchange.zrem(self._used, entry_id)
                case Ban() | Forget():
                    self._write_fact(exchange, change, now_s)
                    exchange.publish(self._news, news.told(self._own, change))
        # what was not used since then is over, and its key is gone
        exchange.zremrangebyscore(self._used, "-inf", now_s - self._ttl_s)
        exchange.zcard(self._used)
        self.count = int((await exchange.execute())[-1])
        if self.count > self._capacity:
            await self._drop_excess(redis)

    def _write_fact(self, exchange: Any, fact: news.Fact, now_s: float) -> None:
        """Members never change: whoever writes last takes nothing back."""
        key = self._cleared if fact.id == EVERYTHING else self._forgotten
        exchange.zadd(key, {news.fact_member(fact): fact.until_s})
        exchange.zremrangebyscore(key, "-inf", now_s)
        exchange.zremrangebyrank(key, 0, -(_CLEARED if fact.id == EVERYTHING else KEPT) - 1)
        exchange.pexpire(key, max(1, int((fact.until_s + self._ttl_s - now_s) * 1000)))

    async def _drop_excess(self, redis: Redis) -> None:
        """The least recently used of all instances' answers go."""
        gone: Any = await redis.zpopmin(self._used, min(self.count - self._capacity, _EXCESS))
        if gone:
            await redis.unlink(*(self._body + entry_id.decode() for entry_id, _ in gone))
            self.count -= len(gone)


def _texts(found: Any) -> list[str]:
    """Redis gives bytes."""
    return [text.decode() for text in found]
