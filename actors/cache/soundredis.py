"""Speech that instances share: a small hot tier in Redis, bounded by ourselves.

Redis does not bound what one user of it holds; so a sorted set knows when each sound was
last used and a hash how much memory it takes, and a script that runs as one step removes
the least recently used beyond the limit. Every method raises `redis.RedisError` or
`OSError`; how long anybody waits is decided by whoever calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from actors.cache.sounds import Kept, TierSize, unpack

if TYPE_CHECKING:
    from cfg.model import Redis as RedisSettings

#: What Redis needs for a sound beside its value: two keys' worth of names, hash, set.
_OVERHEAD_BYTES: Final = 450

#: Sounds that one call removes at most: the script must not hold up the others.
_MOST_REMOVED: Final = 64

#: Connections to Redis of one instance.
_CONNECTIONS: Final = 8

#: KEYS: the value, the set of last uses, the hash of sizes ('' holds their sum).
#: ARGV: key, value, its memory, life in ms, now in ms, limit, prefix of values, most removed.
_KEEP: Final = """
local sum = redis.call('HINCRBY', KEYS[3], '',
    ARGV[3] - (redis.call('HGET', KEYS[3], ARGV[1]) or 0))
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
local function remove(key)
    sum = redis.call('HINCRBY', KEYS[3], '', -(redis.call('HGET', KEYS[3], key) or 0))
    redis.call('HDEL', KEYS[3], key)
    redis.call('ZREM', KEYS[2], key)
    redis.call('DEL', ARGV[7] .. key)
end
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[5] - ARGV[4],
    'LIMIT', 0, ARGV[8])
for _, key in ipairs(old) do remove(key) end
for _ = 1, tonumber(ARGV[8]) do
    if sum <= tonumber(ARGV[6]) then break end
    local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    if not oldest then
        redis.call('DEL', KEYS[3])
        sum = 0
        break
    end
    remove(oldest)
end
redis.call('PEXPIRE', KEYS[2], 2 * ARGV[4])
redis.call('PEXPIRE', KEYS[3], 2 * ARGV[4])
return {redis.call('ZCARD', KEYS[2]), sum}
"""


class RedisTier:
    """See the module."""

    def __init__(self, settings: RedisSettings, limit_bytes: int, ttl_s: float) -> None:
        import redis.asyncio as client
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError

        self.damaged = 0
        self._limit_bytes = limit_bytes
        self._life_ms = int(ttl_s * 1000)
        self._values = f"{settings.prefix}sound:"
        self._used = f"{settings.prefix}sounds:used"
        self._sizes = f"{settings.prefix}sounds:sizes"
        patience_s = settings.timeout_ms / 1000
        self._redis: Any = client.Redis.from_url(
            settings.url.get_secret_value(),
            socket_timeout=patience_s,
            socket_connect_timeout=patience_s,
            max_connections=_CONNECTIONS,
            # A connection from before Redis was restarted is noticed by using it.
            retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        )
        self._keep_script = self._redis.register_script(_KEEP)

    async def find(self, keys: Sequence[str], now: float) -> tuple[str, Kept] | None:
        """The first of these that is there and whole; it has just been used."""
        values = await self._redis.mget([self._values + key for key in keys])
        for key, value in zip(keys, values, strict=True):
            if value is None:
                continue
            if unpack(value) is None:
                self.damaged += 1
                await self._redis.delete(self._values + key)
                continue
            left_ms = await self._use(key, now)
            return key, Kept(value, now + left_ms / 1000)
        return None

    async def _use(self, key: str, now: float) -> int:
        """Note the use; returns how long the value still lives, in ms."""
        steps = self._redis.pipeline(transaction=False)
        steps.zadd(self._used, {key: round(now * 1000)}, xx=True)
        steps.pttl(self._values + key)
        _, left_ms = await steps.execute()
        return max(0, int(left_ms))

    async def keep(self, key: str, value: bytes, now: float) -> TierSize:
        """Keep it for the whole of its life from now; returns what there is then."""
        entries, size = await self._keep_script(
            keys=[self._values + key, self._used, self._sizes],
            args=[
                *(key, value, _allocated(len(value)) + _OVERHEAD_BYTES, self._life_ms),
                *(round(now * 1000), self._limit_bytes, self._values, _MOST_REMOVED),
            ],
        )
        return TierSize(int(entries), int(size))

    async def size(self) -> TierSize:
        """Ask what there is; also the way to see whether Redis answers."""
        steps = self._redis.pipeline(transaction=False)
        steps.zcard(self._used)
        steps.hget(self._sizes, "")
        entries, size = await steps.execute()
        return TierSize(int(entries), int(size or 0))

    async def close(self) -> None:
        await self._redis.aclose()


def _allocated(length: int) -> int:
    """What jemalloc takes for so many bytes: four sizes between two powers of two."""
    step = max(16, 1 << max(0, (length - 1).bit_length() - 3))
    return -(-length // step) * step
