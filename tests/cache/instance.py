"""One instance's answers without an actor: index, disk, and Redis if it is to be shared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from actors.cache.connecting import end
from actors.cache.copies import Copies, Place
from actors.cache.disk import DiskShelf
from actors.cache.embed import NgramEmbedder
from actors.cache.entries import Hit, Scope
from actors.cache.index import AnswerIndex
from actors.cache.replica import IndexReplica
from actors.cache.sharing import RedisShelf

SCOPE = Scope("xiaozhi", "zh", "", "1")
SPACE = "test/1"
WAIT_S = 8.0


async def eventually(check: Callable[[], object], what: str) -> None:
    """Wait for a condition, with a deadline."""
    ends_s = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < ends_s, f"not within {WAIT_S:g} s: {what}"
        await asyncio.sleep(0.01)


class Instance:
    """Made by `instance`."""

    def __init__(self, folder: Path, capacity: int, ttl_s: float, dimensions: int) -> None:
        self.places: list[Place] = []
        self.disk = DiskShelf(folder, capacity)
        self.places.append(self.disk)
        self.copies = Copies(
            self.places, SPACE, lambda entry_id: self.index.vector_of(entry_id), time.time, ttl_s
        )
        self.index = AnswerIndex(
            NgramEmbedder(dimensions), capacity=capacity, ttl_s=ttl_s, follower=self.copies
        )
        self.replica = IndexReplica(
            self.index,
            self.copies,
            self.disk,
            SPACE,
            busy=lambda: self.asked,
            clock=time.monotonic,
            wall=time.time,
        )
        self.shelf: RedisShelf | None = None
        #: Somebody waits for an answer: nothing is restored meanwhile.
        self.asked = False

    def learn(self, question: str, answer: str) -> str:
        entry = self.index.learn(question, answer, SCOPE, time.time()).entry
        assert entry is not None
        return entry.id

    def ask(self, question: str, asker: str = "") -> str:
        """The answer, '' for none."""
        found = self.index.ask(question, SCOPE, time.time(), asker=asker)
        return found.answer if isinstance(found, Hit) else ""

    def clear(self) -> None:
        entries = self.index.entries()
        self.index.clear()
        self.copies.clear(entries)

    @property
    def redis(self) -> str:
        """State of the sharing."""
        assert self.shelf is not None
        return str(self.shelf.state()["redis"])

    def waiting(self) -> int:
        assert self.shelf is not None
        return int(self.shelf.state()["redis_waiting"])


@asynccontextmanager
async def instance(
    folder: Path,
    url: str = "",
    *,
    capacity: int = 1000,
    ttl_s: float = 600.0,
    dimensions: int = 64,
    **options: Any,
) -> AsyncIterator[Instance]:
    """Opened, restored, and sharing where there is a url; closed at the end."""
    made = Instance(folder, capacity, ttl_s, dimensions)
    tasks: list[asyncio.Task[None]] = []
    if url:
        options.setdefault("timeout_s", 0.3)
        made.shelf = RedisShelf(
            url, "test:", made.replica, capacity=capacity, ttl_s=ttl_s, **options
        )
        made.places.append(made.shelf)
    try:
        assert await made.disk.open()
        tasks.append(asyncio.create_task(made.disk.run()))
        await made.replica.from_disk()
        if made.shelf is not None:
            made.shelf.epoch = await made.replica.epoch()
            tasks.append(asyncio.create_task(made.shelf.run()))
        yield made
    finally:
        for task in tasks:
            await end(task)
        await made.disk.close()
