"""What the answers actor works with, put together from the settings, and how it begins.

Index and desk in memory, the disk behind them, and Redis where the settings name one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors import log
from actors.cache.bank import bank_of
from actors.cache.cacheable import Lists
from actors.cache.choosing import Chosen
from actors.cache.copies import Copies, Place
from actors.cache.desk import Desk
from actors.cache.disk import DiskShelf
from actors.cache.entries import RULES
from actors.cache.index import AnswerIndex
from actors.cache.replica import IndexReplica
from cfg.model import Settings

if TYPE_CHECKING:
    from actors.cache.sharing import RedisShelf

#: Where caches lie when the settings name no folder.
DEFAULT_FOLDER: Final = Path(__file__).parents[2] / "var" / "cache"


@dataclass(frozen=True, slots=True)
class Parts:
    """One owner: the answers actor's engine thread."""

    chosen: Chosen
    desk: Desk
    copies: Copies
    replica: IndexReplica
    disk: DiskShelf
    shelf: RedisShelf | None

    async def bring_back(self) -> None:
        """What the disk remembers first: Redis may be away, and then it knows less."""
        began_s = time.monotonic()
        await self.replica.from_disk()
        took_s = round(time.monotonic() - began_s, 2)
        log.get().info("answers restored", count=self.replica.restored_count, took_s=took_s)
        if self.shelf is not None:
            self.shelf.epoch = await self.replica.epoch()
            await self.shelf.run()

    def figures(self) -> dict[str, Any]:
        """Read on either thread: whole copies only, of what the engine's thread changes."""
        return {
            **self.desk.figures(),
            **named(self.chosen),
            "restored": self.replica.restored_count,
            "restoring": self.replica.restoring,
            **({} if self.shelf is not None else {"redis": "not used"}),
            **self.copies.state(),
        }


def named(chosen: Chosen) -> dict[str, Any]:
    """The embedder, and why it is not the one that was wanted."""
    found = {"embedder": chosen.embedder.name}
    return found | ({"embedder_problem": chosen.problem} if chosen.problem else {})


def assemble(settings: Settings, chosen: Chosen, busy: Callable[[], bool]) -> Parts:
    """`busy`: somebody waits for an answer. The disk is not opened yet."""
    options, ttl_s = settings.answer_cache, float(settings.answer_cache.ttl_s)
    # vectors of another embedder, or of other rules, are of no use
    space = f"{chosen.embedder.name}/{RULES}"
    disk = DiskShelf(_folder(settings), options.entries)
    places: list[Place] = [disk]
    copies = Copies(places, space, lambda entry_id: index.vector_of(entry_id), time.time, ttl_s)
    index = AnswerIndex(
        chosen.embedder,
        capacity=options.entries,
        ttl_s=ttl_s,
        threshold=options.threshold or None,
        lists=Lists(options.never, options.always),
        wake_words=settings.dialogue.wake_words,
        follower=copies,
    )
    replica = IndexReplica(
        index, copies, disk, space, busy=busy, clock=time.monotonic, wall=time.time
    )
    shelf = _shared(settings, replica)
    if shelf is not None:
        places.append(shelf)
    return Parts(chosen, _desk(settings, index), copies, replica, disk, shelf)


def _desk(settings: Settings, index: AnswerIndex) -> Desk:
    options = settings.answer_cache
    bank, problem = bank_of(settings)
    if problem:
        log.get().error("phrase bank", problem=problem)
    return Desk(
        index,
        bank,
        ask_s=options.ask_ms / 1000,
        together_s=options.together_ms / 1000,
        clock=time.monotonic,
        wall=time.time,
    )


def _shared(settings: Settings, replica: IndexReplica) -> RedisShelf | None:
    """With other instances, where the settings name a Redis."""
    options, redis = settings.answer_cache, settings.redis
    url = redis.url.get_secret_value()
    if not url:
        return None
    from actors.cache.sharing import RedisShelf  # 0.1 s that only those pay who use it

    return RedisShelf(
        url,
        redis.prefix,
        replica,
        timeout_s=redis.timeout_ms / 1000,
        capacity=options.entries,
        ttl_s=float(options.ttl_s),
    )


def _folder(settings: Settings) -> Path:
    folder = settings.storage.folder
    return Path(folder).expanduser() if folder else DEFAULT_FOLDER
