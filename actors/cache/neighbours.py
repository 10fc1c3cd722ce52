"""Entries by likeness: ids and places over the numbered slots of `Vectors`.

Pure. A place (scope and context) is searched by itself; one without entries left
costs nothing.
"""

from __future__ import annotations

from actors.cache.embed import Vectors as Rows
from actors.cache.vectors import Vectors

Place = tuple[str, str]


class Neighbours:
    """At most `capacity` ids with a unit vector of `dimensions` each."""

    def __init__(self, dimensions: int, capacity: int) -> None:
        self._vectors = Vectors(dimensions, capacity)
        self._slots: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._free: list[int] = []
        self._places: dict[Place, int] = {}
        self._place_of: dict[str, Place] = {}
        self._members: dict[Place, int] = {}
        self._next_place = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def size_bytes(self) -> int:
        return self._vectors.size_bytes

    def put(self, entry_id: str, vector: Rows, place: Place) -> None:
        """Add an id, or give it another vector."""
        if entry_id not in self._slots:
            slot = self._free.pop() if self._free else len(self._slots)
            self._slots[entry_id] = slot
            self._ids[slot] = entry_id
            self._place_of[entry_id] = place
            self._members[place] = self._members.get(place, 0) + 1
            if place not in self._places:
                self._places[place] = self._next_place
                self._next_place += 1
        self._vectors.set(self._slots[entry_id], vector, self._places[place])

    def remove(self, entry_id: str) -> None:
        slot = self._slots.pop(entry_id)
        del self._ids[slot]
        self._vectors.clear(slot)
        self._free.append(slot)
        place = self._place_of.pop(entry_id)
        self._members[place] -= 1
        if not self._members[place]:
            del self._members[place], self._places[place]

    def nearest(
        self, vector: Rows, place: Place, count: int, at_least: float
    ) -> list[tuple[str, float]]:
        """Ids of this place with their cosine, the nearest first, none below `at_least`."""
        group = self._places.get(place)
        if group is None:
            return []
        found = self._vectors.nearest(vector, group, count, at_least)
        return [(self._ids[slot], similarity) for slot, similarity in found]

    def vector_of(self, entry_id: str) -> Rows | None:
        slot = self._slots.get(entry_id)
        return None if slot is None else self._vectors.get(slot)
