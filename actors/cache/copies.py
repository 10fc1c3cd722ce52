"""Everything that the index changes goes to wherever answers are stored or shared.

Writing never waits: each place has its own bounded queue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from actors.cache.collecting import Collecting
from actors.cache.entries import Entry
from actors.cache.pending import Ban, Change, Drop, Keep, Use
from actors.cache.records import pack


class Place(Protocol):
    """Where changes are written: the disk, Redis."""

    def push(self, change: Change) -> None: ...

    def clear(self) -> None: ...

    def state(self) -> dict[str, Any]: ...


class Copies:
    """The index's follower; `places` may grow later. `vector_of` gives an entry's vector, `wall` the time."""

    def __init__(
        self,
        places: list[Place],
        space: str,
        vector_of: Callable[[str], NDArray[np.float32] | None],
        wall: Callable[[], float],
    ) -> None:
        self._places = places
        self._space = space
        self._vector_of = vector_of
        self._wall = wall
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

    def banned(self, entry_id: str, answer: str, until_s: float) -> None:
        self._push(Ban(entry_id, answer, until_s))

    def clear(self) -> None:
        for place in self._places:
            place.clear()

    def state(self) -> dict[str, Any]:
        return {key: value for place in self._places for key, value in place.state().items()}

    def _push(self, change: Change) -> None:
        for place in self._places:
            place.push(change)
