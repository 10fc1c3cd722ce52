"""Messages of one stream in their order, whatever order they came in.

Pure. Thespian may open a second socket to the same actor when the first is busy, and
then messages between the same two actors overtake each other (seen when something
stalls). Who depends on their order numbers them from 0 and puts them in order here.
"""

from __future__ import annotations

from typing import Generic, TypeVar

Item = TypeVar("Item")

#: So far ahead no message can be: what is missing in between is lost.
MAX_AHEAD = 256


class InOrder(Generic[Item]):
    """One stream's next items."""

    def __init__(self) -> None:
        self._next = 0
        self._early: dict[int, Item] = {}

    def push(self, sequence: int, item: Item) -> list[Item]:
        """Take one item; return those whose turn it is now. One that came before is dropped."""
        if sequence < self._next or sequence > self._next + MAX_AHEAD:
            return []
        self._early.setdefault(sequence, item)
        ready: list[Item] = []
        while self._next in self._early:
            ready.append(self._early.pop(self._next))
            self._next += 1
        return ready
