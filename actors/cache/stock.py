"""The entries that an index holds: by id, by text, by likeness, and by use.

Pure. Says nothing about what may be answered: that is the index's part. One owner, no
locks. What was used last stands last; the first goes when there is no room.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from actors.cache.embed import Vectors as Rows
from actors.cache.entries import Entry
from actors.cache.neighbours import Neighbours, Place

#: Wordings of one question that are found as they are.
_WORDINGS: Final = 16

_Text = tuple[Place, str]


def place_of(entry: Entry) -> Place:
    """What an entry is looked for in: its scope and the question before it."""
    return str(entry.scope), entry.context


class Stock:
    """At most `capacity` entries with a vector of `dimensions` each."""

    def __init__(self, capacity: int, dimensions: int) -> None:
        self.capacity = capacity
        self._dimensions = dimensions
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._texts: dict[_Text, str] = {}
        self._wordings: dict[str, set[_Text]] = {}
        self._neighbours = Neighbours(dimensions, capacity)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry_id: str) -> bool:
        return entry_id in self._entries

    @property
    def full(self) -> bool:
        return len(self._entries) >= self.capacity

    @property
    def vector_bytes(self) -> int:
        return self._neighbours.size_bytes

    # --- looking ---

    def entries(self) -> tuple[Entry, ...]:
        """All, the least recently used first."""
        return tuple(self._entries.values())

    def ids(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def get(self, entry_id: str) -> Entry | None:
        return self._entries.get(entry_id)

    def live(self, entry_id: str | None, now_s: float) -> Entry | None:
        entry = self._entries.get(entry_id) if entry_id is not None else None
        return entry if entry is not None and entry.expires_s > now_s else None

    def by_text(self, place: Place, text: str) -> str | None:
        return self._texts.get((place, text))

    def nearest(
        self, vector: Rows, place: Place, count: int, at_least: float
    ) -> list[tuple[str, float]]:
        return self._neighbours.nearest(vector, place, count, at_least)

    def vector_of(self, entry_id: str) -> Rows | None:
        return self._neighbours.vector_of(entry_id)

    # --- changing ---

    def put(self, entry: Entry, vector: Rows, *, unused: bool = False) -> None:
        """Add or replace; `unused` puts it first among those that go. There must be room."""
        entry_id, place = entry.id, place_of(entry)
        self._neighbours.put(entry_id, vector, place)
        self._entries[entry_id] = entry
        self._entries.move_to_end(entry_id, last=not unused)
        wordings = self._wordings.setdefault(entry_id, set())
        if len(wordings) < _WORDINGS:
            wordings.add((place, entry.form.text))
            self._texts[(place, entry.form.text)] = entry_id

    def change(self, entry: Entry) -> None:
        """Another state of an entry that is there: hits, strikes; not its question."""
        self._entries[entry.id] = entry

    def used(self, entry_id: str) -> None:
        self._entries.move_to_end(entry_id)

    def make_room(self) -> tuple[str, ...]:
        """Drop the least recently used until one more fits; their ids."""
        evicted: list[str] = []
        while self._entries and self.full:
            evicted.append(next(iter(self._entries)))
            self.drop(evicted[-1])
        return tuple(evicted)

    def drop(self, entry_id: str) -> None:
        del self._entries[entry_id]
        self._neighbours.remove(entry_id)
        for wording in self._wordings.pop(entry_id, ()):
            self._texts.pop(wording, None)

    def clear(self) -> None:
        """Drop all at once."""
        self._entries.clear()
        self._texts.clear()
        self._wordings.clear()
        self._neighbours = Neighbours(self._dimensions, self.capacity)
