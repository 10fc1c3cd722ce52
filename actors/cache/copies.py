"""Everything that the index changes goes to wherever answers are stored or shared.

Writing never waits: each place has its own bounded queue. What is forgotten is written
down as such, so that no copy that was elsewhere meanwhile brings it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from actors.cache.collecting import Collecting
from actors.cache.entries import Entry
from actors.cache.forgotten import Forgotten
from actors.cache.pending import EVERYTHING, Ban, Change, Drop, Forget, Keep, Use
from actors.cache.records import pack


class Place(Protocol):
    """Where changes are written: the disk, Redis."""

    def push(self, change: Change) -> None: ...

    def clear(self) -> None: ...

    def state(self) -> dict[str, Any]: ...


class Copies:
    """The index's follower; `places` may grow later.

    `vector_of` gives an entry's vector, `wall` the time; no answer lives longer than
    `ttl_s`.
    """

    def __init__(
        self,
        places: list[Place],
        space: str,
        vector_of: Callable[[str], NDArray[np.float32] | None],
        wall: Callable[[], float],
        ttl_s: float,
    ) -> None:
        #: What was forgotten, here or elsewhere.
        self.ledger = Forgotten()
        self._places = places
        self._space = space
        self._vector_of = vector_of
        self._wall = wall
        self._ttl_s = ttl_s
        self._collecting = Collecting()

    def kept(self, entry: Entry) -> None:
        self._collecting.kept()
        keep = self.keep_of(entry)
        if keep is not None:
            self._push(keep)

    def keep_of(self, entry: Entry) -> Keep | None:
        """An entry as it is stored; None when it has just gone."""
        vector = self._vector_of(entry.id)
        if vector is None or not self._places:
            return None
        body = pack(entry, vector, self._space)
        return Keep(entry.id, entry.expires_s, self._wall(), body)

    def used(self, entry_id: str, now_s: float) -> None:
        self._push(Use(entry_id, now_s))

    def gone(self, entry_ids: tuple[str, ...], cause: str) -> None:
        for entry_id in entry_ids:
            self._push(Drop(entry_id, cause))

    def forgotten(self, entry: Entry, cause: str) -> None:
        """Whoever learned it may have a clock that is ahead of this one."""
        at_s = max(self._wall(), entry.learned_s)
        fact = Forget(entry.id, at_s, max(at_s + self._ttl_s, entry.expires_s))
        self.ledger.add(fact, self._wall())
        self._push(Drop(entry.id, cause))
        self._push(fact)

    def learned_s(self, entry_id: str, now_s: float) -> float:
        return self.ledger.after(entry_id, now_s)

    def banned(self, entry_id: str, answer: str, until_s: float) -> None:
        self._push(Ban(entry_id, answer, until_s))

    def clear(self, entries: Iterable[Entry]) -> None:
        """Everything was forgotten; `entries` are those that were here."""
        at_s, until_s = self._wall(), 0.0
        for entry in entries:
            at_s, until_s = max(at_s, entry.learned_s), max(until_s, entry.expires_s)
        at_s = self.ledger.after(EVERYTHING, at_s)
        self.ledger.add(Forget(EVERYTHING, at_s, max(at_s + self._ttl_s, until_s)), self._wall())
        for place in self._places:
            place.clear()
            for fact in self.ledger.facts(self._wall()):
                place.push(fact)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {"remembered_forgotten": len(self.ledger)}
        return found | {
            key: value for place in self._places for key, value in place.state().items()
        }

    def _push(self, change: Change) -> None:
        for place in self._places:
            place.push(change)
