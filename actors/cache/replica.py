"""The index as a copy among copies: what disk and other instances know comes into it.

In slices of half a millisecond and only while nobody asks, so that a start with 50 000
answers holds up no question. What came from one place goes to the others, never back. What was
forgotten is not taken in from anywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from actors import log
from actors.cache.collecting import Collecting
from actors.cache.copies import Copies
from actors.cache.disk import DiskShelf
from actors.cache.entries import Entry
from actors.cache.index import AnswerIndex
from actors.cache.pending import EVERYTHING, Ban, Drop, Forget, Keep, Refused
from actors.cache.records import Stored, unpack

#: The engine's loop is given back after so much of taking in.
SLICE_S: Final = 0.0005

#: The name under which the disk remembers with which Redis it was compared.
_EPOCH: Final = "redis epoch"


class IndexReplica:
    """One owner: the answers actor's engine thread. `busy`: somebody waits for an answer."""

    def __init__(
        self,
        index: AnswerIndex,
        copies: Copies,
        disk: DiskShelf,
        space: str,
        *,
        busy: Callable[[], bool],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._index = index
        self._collecting = Collecting()
        self._copies = copies
        self._ledger = copies.ledger
        self._disk = disk
        self._space = space
        self._busy = busy
        self._clock = clock
        self._wall = wall
        self._slice_ends_s = 0.0
        self.restoring = True
        self.restored_count = 0

    # --- from the disk ---

    async def from_disk(self) -> None:
        """After a start: the most used first, until there is no room."""
        for fact in await self._disk.forgotten():
            self._ledger.add(fact, self._wall())
        for ban in await self._disk.bans():
            self._index.ban(ban.id, ban.answer, ban.until_s)
        async for piece in self._disk.pieces():
            for kept in piece:
                stored = self._read(kept.body)
                if stored is None:
                    pass
                elif self._forgetting(stored) is not None:
                    self._disk.push(Drop(kept.id, "forgotten"))
                elif self._restore(stored):
                    self.restored_count += 1
                await self._breathe()
            if len(self._index) >= self._index.capacity:
                break
        self.restoring = False

    async def epoch(self) -> str:
        return await self._disk.fact(_EPOCH)

    # --- for the sharing ---

    def ids(self) -> tuple[str, ...]:
        return self._index.ids()

    def keep_of(self, entry_id: str) -> Keep | None:
        entry = self._index.entry(entry_id)
        return self._copies.keep_of(entry) if entry is not None else None

    async def restored(self, bodies: Sequence[bytes]) -> list[str]:
        refused = []
        for body in bodies:
            stored = self._read(body)
            if stored is not None:
                entry = stored.entry
                mine = self._index.entry(entry.id)
                if self._forgetting(stored) is not None:
                    refused.append(entry.id)
                elif mine is None:
                    if self._restore(stored):
                        self._keep_on_disk(entry, body)
                elif _newer(entry, mine):
                    self._take(stored, body)
                elif _newer(mine, entry):  # learned here while nobody could be told
                    self._copies.kept(mine)
            await self._breathe()
        return refused

    def taken(self, body: bytes) -> Refused | None:
        stored = self._read(body)
        if stored is None:
            return None
        fact = self._forgetting(stored)
        if fact is not None:
            return Refused(stored.entry.id, fact)
        mine = self._index.entry(stored.entry.id)
        if mine is None or _newer(stored.entry, mine):
            self._take(stored, body)
        return None

    def dropped(self, entry_id: str) -> None:
        if self._index.forget(entry_id, told=False):
            self._disk.push(Drop(entry_id, "forgotten"))

    def banned(self, ban: Ban) -> None:
        if (ban.id, ban.answer, ban.until_s) in self._index.bans(self._wall()):
            return
        if self._index.ban(ban.id, ban.answer, ban.until_s):
            self._disk.push(Drop(ban.id, "struck"))
        self._disk.push(ban)

    def forget(self, fact: Forget) -> Sequence[str]:
        if not self._ledger.add(fact, self._wall()):
            return ()
        if fact.id == EVERYTHING:
            return self._forget_everything(fact)
        self._disk.push(fact)
        mine = self._index.entry(fact.id)
        if mine is None:
            return ()
        if mine.learned_s > fact.at_s:  # learned anew since; with the old one it may have gone
            self._copies.kept(mine)
            return ()
        self.dropped(fact.id)
        return (fact.id,)

    def facts(self) -> tuple[Forget | Ban, ...]:
        now_s = self._wall()
        bans = (Ban(*ban) for ban in self._index.bans(now_s))
        return (*self._ledger.facts(now_s), *bans)

    async def remember_epoch(self, epoch: str) -> None:
        await self._disk.fact(_EPOCH, epoch)

    # --- inside ---

    def _forget_everything(self, fact: Forget) -> tuple[str, ...]:
        since = [entry for entry in self._index.entries() if entry.learned_s > fact.at_s]
        vectors = [self._index.vector_of(entry.id) for entry in since]
        ids = self._index.ids()
        self._index.clear()
        self._disk.clear()
        for known in self._ledger.facts(self._wall()):
            self._disk.push(known)
        for entry, vector in zip(since, vectors, strict=True):
            self._index.put(entry, self._wall(), vector)
            self._copies.kept(entry)
        kept = {entry.id for entry in since}
        return tuple(entry_id for entry_id in ids if entry_id not in kept)

    def _forgetting(self, stored: Stored) -> Forget | None:
        return self._ledger.by(stored.entry.id, stored.entry.learned_s)

    def _read(self, body: bytes) -> Stored | None:
        try:
            return unpack(body, self._space)
        except ValueError as error:
            log.get().warning("a stored answer was passed over", reason=str(error))
            return None

    def _restore(self, stored: Stored) -> bool:
        self._collecting.kept()
        return self._index.restore(stored.entry, self._wall(), stored.vector)

    def _take(self, stored: Stored, body: bytes) -> None:
        if self._index.is_banned(stored.entry, self._wall()):
            return
        self._collecting.kept()
        self._index.put(stored.entry, self._wall(), stored.vector)
        self._keep_on_disk(stored.entry, body)

    def _keep_on_disk(self, entry: Entry, body: bytes) -> None:
        self._disk.push(Keep(entry.id, entry.expires_s, self._wall(), body))

    async def _breathe(self) -> None:
        """Give the loop back when a slice is over, and as long as somebody asks."""
        while self._clock() > self._slice_ends_s or self._busy():
            await asyncio.sleep(0)
            self._slice_ends_s = self._clock() + SLICE_S


def _newer(theirs: Entry, mine: Entry) -> bool:
    """The later answer counts; of the same, the one that was objected to more."""
    return (theirs.learned_s, theirs.strikes) > (mine.learned_s, mine.strikes)
