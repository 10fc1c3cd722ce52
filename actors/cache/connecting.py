"""One connection to Redis, and the tasks that live as long as it does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

#: A task that was cancelled in vain is cancelled again so much later.
_END_S: Final = 0.1


@contextlib.asynccontextmanager
async def connected(url: str, timeout_s: float) -> AsyncIterator[Redis]:
    """A client, each of whose exchanges may take so long. Raises `RedisError` for the url."""
    try:
        redis = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
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


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel it until it has ended: the client swallows a cancellation now and then (seen
    when one came while a reply was being read)."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=_END_S)
    if not task.cancelled():
        task.exception()  # looked at, whatever becomes of it


def raise_from(task: asyncio.Task[Any]) -> None:
    """What a task that has ended failed with, if it did."""
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
