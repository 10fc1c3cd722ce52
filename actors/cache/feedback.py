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


@dataclass(frozen=True, slots=True)
class Heard:
    """The last cached answer that somebody heard."""

    entry_id: str
    at_s: float
    similarity: float
    semantic: bool


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
        self._heard[asker] = Heard(hit.entry.id, now_s, hit.similarity, hit.tier == "semantic")
        self._heard.move_to_end(asker)
        while len(self._heard) > self._limit:
            self._heard.popitem(last=False)

    def repeats(self, asker: str, entry_id: str, now_s: float) -> bool:
        """Whether this asker just heard this entry; asked once, it is forgotten."""
        last = self._heard.get(asker)
        if last is None or last.entry_id != entry_id or not 0 <= now_s - last.at_s <= REPEAT_S:
            return False
        del self._heard[asker]
        return True

    def objected(self, asker: str, now_s: float) -> Heard | None:
        """What this asker objects to, if it was a cached answer."""
        last = self._heard.pop(asker, None)
        return last if last is not None and 0 <= now_s - last.at_s <= OBJECTION_S else None


def struck(entry: Entry, heard: Heard | None = None) -> Entry:
    """The entry with one strike more; one found by likeness demands more of it from now on."""
    threshold = entry.threshold
    if heard is not None and heard.semantic:
        threshold = max(threshold, heard.similarity + STRICTER)
    return replace(entry, strikes=entry.strikes + 1, threshold=threshold)
