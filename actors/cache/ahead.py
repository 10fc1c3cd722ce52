"""What is to be spoken ahead, in which order, and how far that is.

Pure. First come the phrases that sessions hold themselves, in any voice; then the phrase
bank, in the voice of every engine that has a share of the work, so that an answer has one
voice whichever it is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

#: The session part of the turn in which the phrasebook asks and speaks.
PHRASEBOOK: Final = "phrasebook"

#: An item that nobody could speak so often is left for the next round.
MAX_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Item:
    """`engine` '': any will do, and sessions wait for it."""

    text: str
    engine: str = ""

    @property
    def urgent(self) -> bool:
        return not self.engine


class Ahead:
    """The phrases of the settings once, those of the bank again in every round."""

    def __init__(
        self, urgent: tuple[str, ...], bank: tuple[str, ...], engines: tuple[str, ...]
    ) -> None:
        self.warm = self.spoken = self.failed = 0
        self.ready: set[Item] = set()
        self._bank = tuple(Item(text, engine) for engine in engines for text in bank)
        self._urgent = deque(Item(text) for text in urgent)
        self._others: deque[Item] = deque()
        self._tries: dict[Item, int] = {}

    @property
    def total(self) -> int:
        """Items of the bank; `ready` holds those that the sound cache was seen to have."""
        return len(self._bank)

    @property
    def left(self) -> int:
        return len(self._urgent) + len(self._others)

    def begin_round(self) -> None:
        """Look at everything of the bank again, from the first."""
        self._others = deque(self._bank)
        self._tries.clear()
        self.ready.clear()

    def end_round(self) -> None:
        """Nothing of the bank is wanted for the time being."""
        self._others.clear()

    def next(self) -> Item | None:
        return (self._urgent or self._others or (None,))[0]

    @property
    def urgent_left(self) -> bool:
        return bool(self._urgent)

    def done(self, item: Item, *, warm: bool) -> None:
        """It is there: it was (`warm`), or it was spoken now."""
        self.warm += warm
        self.spoken += not warm
        self._remove(item)
        if not item.urgent:
            self.ready.add(item)

    def put_off(self, item: Item, *, failed: bool) -> None:
        """Not now. What failed comes last, and only so often; what is urgent stays first."""
        self.failed += failed
        if item.urgent or not failed:
            return
        self._remove(item)
        self._tries[item] = self._tries.get(item, 0) + 1
        if self._tries[item] < MAX_TRIES:
            self._others.append(item)

    def _remove(self, item: Item) -> None:
        queue = self._urgent if item.urgent else self._others
        if item in queue:
            queue.remove(item)
