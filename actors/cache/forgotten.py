"""What was forgotten, and when: no copy that was learned before may come back.

Pure. An answer that was forgotten, or struck, lives on as a copy on the disk of whoever
was away. Each instance therefore keeps when it was forgotten, as long as a copy could
live: an answer's time to live. Bounded; the oldest go, a clearing never.
"""

from __future__ import annotations

from typing import Final

from actors.cache.pending import EVERYTHING, Forget

#: Forgotten answers that are remembered at once.
KEPT: Final = 5000

#: What is learned after a forgetting counts as so much later, where clocks disagree.
_STEP_S: Final = 0.001


class Forgotten:
    """The forgettings that this instance knows of. Times are seconds since the epoch."""

    def __init__(self, limit: int = KEPT) -> None:
        self._limit = limit
        self._all = Forget(EVERYTHING, 0.0, 0.0)
        self._one: dict[str, Forget] = {}

    def __len__(self) -> int:
        return len(self._one) + (self._all.at_s > 0)

    def add(self, fact: Forget, now_s: float) -> bool:
        """Take it in; whether it says more than what was known."""
        if fact.until_s <= now_s or fact.at_s <= self._at_s(fact.id):
            return False
        if fact.id == EVERYTHING:
            self._all = fact
            self._one = {i: one for i, one in self._one.items() if one.at_s > fact.at_s}
            return True
        self._one.pop(fact.id, None)
        self._one[fact.id] = fact
        if len(self._one) > self._limit:
            del self._one[next(iter(self._one))]
        return True

    def by(self, entry_id: str, learned_s: float) -> Forget | None:
        """The forgetting that an answer learned then falls under; None: it may live."""
        one = self._one.get(entry_id)
        if one is not None and learned_s <= one.at_s:
            return one
        return self._all if learned_s <= self._all.at_s else None

    def after(self, entry_id: str, now_s: float) -> float:
        """When an answer that is learned now counts as learned: after it was forgotten."""
        at_s = self._at_s(entry_id)
        return now_s if now_s > at_s else at_s + _STEP_S

    def facts(self, now_s: float) -> tuple[Forget, ...]:
        """Those that matter still, that of everything first."""
        found = (self._all, *self._one.values())
        return tuple(fact for fact in found if fact.until_s > now_s)

    def _at_s(self, entry_id: str) -> float:
        one = self._one.get(entry_id)
        return max(self._all.at_s, one.at_s if one is not None else 0.0)
