"""What is wrong with a part that one can do without, and how long it is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from actors import log

Result = TypeVar("Result")


class Trouble:
    """What is wrong with one tier: said once when it begins and once when it ends."""

    def __init__(self, tier: str) -> None:
        self.tier = tier
        self.reason = ""
        #: Late work of it goes on; until it is through, nobody asks for more.
        self.late: set[asyncio.Future[Any]] = set()

    def begins(self, reason: str) -> None:
        if not self.reason:
            log.get().warning("speech tier failed", tier=self.tier, reason=reason)
        self.reason = reason

    def ends(self) -> None:
        if self.reason:
            log.get().info("speech tier serves again", tier=self.tier)
        self.reason = ""

    @property
    def serves(self) -> bool:
        return not self.reason and not self.late

    async def within(self, seconds: float, work: Awaitable[Result]) -> Result | None:
        """The result of `work`, or None when it is late; it goes on by itself then."""
        task = asyncio.ensure_future(work)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if done:
            return task.result()
        self.late.add(task)
        task.add_done_callback(self._through)
        return None

    def _through(self, task: asyncio.Future[Any]) -> None:
        self.late.discard(task)
        if not task.cancelled():
            task.exception()  # whoever did the work has said what was wrong
