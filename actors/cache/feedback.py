"""What a listener's reaction says about an answer: objections and quick repeats.

Pure, on passed-in time. Whoever asks the same again at once was not served by the
answer; whoever says 那不对 said so. Both are strikes against the entry. An entry with
too many is dropped, and its answer is not learned again for a while.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from actors.cache.entries import Entry, Hit

#: The same question within this time counts against the answer.
REPEAT_S: Final = 20.0
#: An objection is believed about an answer not older than this.
OBJECTION_S: Final = 60.0
#: So many strikes drop an entry.
STRIKES: Final = 2
#: Similarity that a struck entry demands above the one that misled.
STRICTER: Final = 0.02
_ASKERS: Final = 4096
#: Answers that are banned at once, at most.
_BANNED: Final = 1024


@dataclass(frozen=True, slots=True)
class Heard:
    """The last cached answer that somebody heard."""

    entry_id: str
    at_s: float
    similarity: float
    semantic: bool
    #: It was the model's own answer, just learned: to ask again is no complaint then.
    fresh: bool = False


class Listeners:
    """The last hit of each asker; bounded, the longest silent forgotten first."""

    def __init__(self, limit: int = _ASKERS) -> None:
        self._limit = limit
        self._heard: OrderedDict[str, Heard] = OrderedDict()

    def __len__(self) -> int:
        return len(self._heard)

    def heard(self, asker: str, hit: Hit, now_s: float) -> None:
        if not asker:
            return
        semantic = hit.tier == "semantic"
        self._remember(asker, Heard(hit.entry.id, now_s, hit.similarity, semantic))

    def _remember(self, asker: str, heard: Heard) -> None:
        self._heard[asker] = heard
        self._heard.move_to_end(asker)
        while len(self._heard) > self._limit:
            self._heard.popitem(last=False)

    def told(self, asker: str, entry_id: str, now_s: float) -> None:
        """The model answered this asker, and the answer became this entry."""
        if asker:
            self._remember(asker, Heard(entry_id, now_s, 1.0, False, fresh=True))

    def forget(self, asker: str) -> None:
        """What this asker heard last is no cached answer."""
        self._heard.pop(asker, None)

    def repeats(self, asker: str, entry_id: str, now_s: float) -> bool:
        """Whether this asker just heard this entry; asked once, it is forgotten."""
        if not self.would_repeat(asker, entry_id, now_s):
            return False
        del self._heard[asker]
        return True

    def would_repeat(self, asker: str, entry_id: str, now_s: float) -> bool:
        """What `repeats` would say; nothing is forgotten."""
        last = self._heard.get(asker)
        if last is None or last.fresh or last.entry_id != entry_id:
            return False
        return 0 <= now_s - last.at_s <= REPEAT_S

    def objected(self, asker: str, now_s: float) -> Heard | None:
        """What this asker objects to, if it was a cached answer."""
        last = self._heard.pop(asker, None)
        return last if last is not None and 0 <= now_s - last.at_s <= OBJECTION_S else None


class Bans:
    """Answers that were objected to and may not be learned again for a while; bounded."""

    def __init__(self, limit: int = _BANNED) -> None:
        self._limit = limit
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()

    def add(self, entry_id: str, answer: str, until_s: float) -> None:
        self._until[(entry_id, answer)] = until_s
        while len(self._until) > self._limit:
            self._until.popitem(last=False)

    def holds(self, entry_id: str, answer: str, now_s: float) -> bool:
        return self._until.get((entry_id, answer), 0.0) > now_s

    def all(self, now_s: float) -> tuple[tuple[str, str, float], ...]:
        """(id, answer, until when) of those that are not over."""
        return tuple((*key, until_s) for key, until_s in self._until.items() if until_s > now_s)

    def sweep(self, now_s: float) -> None:
        for key in [key for key, until_s in self._until.items() if until_s <= now_s]:
            del self._until[key]

    def clear(self) -> None:
        self._until.clear()


def struck(entry: Entry, heard: Heard | None = None) -> Entry:
    """The entry with one strike more; one found by likeness demands more of it from now on."""
    threshold = entry.threshold
    if heard is not None and heard.semantic:
        threshold = max(threshold, heard.similarity + STRICTER)
    return replace(entry, strikes=entry.strikes + 1, threshold=threshold)
