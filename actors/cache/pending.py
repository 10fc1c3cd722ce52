"""Changes that wait to be written somewhere, the latest of each answer only.

Pure. Bounded: when it is full the oldest goes, a change that only adds before one that
takes away, because an answer that somebody had dropped must not come back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

#: In place of an answer's id: all of them.
EVERYTHING: Final = ""


@dataclass(frozen=True, slots=True)
class Keep:
    """Store this body until then (seconds since the epoch)."""

    id: str
    until_s: float
    used_s: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Use:
    """It was asked for."""

    id: str
    used_s: float


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove it; `cause` as in `Follower.gone`."""

    id: str
    cause: str


@dataclass(frozen=True, slots=True)
class Ban:
    """This answer is not to be learned until then."""

    id: str
    answer: str
    until_s: float


@dataclass(frozen=True, slots=True)
class Forget:
    """What was learned under this id up to `at_s` is forgotten; remember that until then."""

    id: str
    at_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A copy that was offered, and the forgetting that it falls under."""

    id: str
    fact: Forget


Change = Keep | Use | Drop | Ban | Forget

#: What a later change replaces: the answer itself, its ban, its having been forgotten.
_Key = tuple[str, str]


class Pending:
    """At most `limit` changes, one for each answer (and its bans, and its forgetting)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changes: OrderedDict[_Key, Change] = OrderedDict()
        #: Everything that was stored before these changes must go.
        self.clears = False
        #: How many were given up because nothing could be written for too long.
        self.lost = 0

    def __len__(self) -> int:
        return len(self._changes) + self.clears

    def ids(self) -> set[str]:
        """Whose changes wait."""
        return {change.id for change in self._changes.values()}

    def push(self, change: Change) -> None:
        key = _key(change)
        before = self._changes.pop(key, None)
        if isinstance(change, Use) and before is not None:
            if isinstance(before, Keep):
                change = replace(before, used_s=change.used_s)
            elif isinstance(before, Drop):
                change = before
        self._changes[key] = change
        self._shrink()

    def discard(self, entry_ids: Collection[str]) -> None:
        """These answers are not to be added any more."""
        for entry_id in entry_ids:
            if isinstance(self._changes.get(("", entry_id)), Keep | Use):
                del self._changes[("", entry_id)]

    def clear(self) -> None:
        """Everything goes: what waited, and what is stored."""
        self._changes.clear()
        self.clears = True

    def take(self, count: int) -> tuple[bool, list[Change]]:
        """Whether to remove everything first, and the oldest changes."""
        clears, self.clears = self.clears, False
        taken = [
            self._changes.popitem(last=False)[1] for _ in range(min(count, len(self._changes)))
        ]
        return clears, taken

    def give_back(self, clears: bool, changes: list[Change]) -> None:
        """They could not be written; what came since is newer."""
        if self.clears:
            return
        self.clears = clears
        for change in reversed(changes):
            key = _key(change)
            since = self._changes.get(key)
            if since is None:
                self._changes[key] = change
            elif isinstance(since, Use) and isinstance(change, Keep):
                self._changes[key] = replace(change, used_s=since.used_s)
            self._changes.move_to_end(key, last=False)
        self._shrink()

    def _shrink(self) -> None:
        while len(self._changes) > self._limit:
            adding = (
                key for key, change in self._changes.items() if isinstance(change, Keep | Use)
            )
            del self._changes[next(adding, next(iter(self._changes)))]
            self.lost += 1


def _key(change: Change) -> _Key:
    if isinstance(change, Ban):
        return "ban", f"{change.id} {change.answer}"
    return "forget" if isinstance(change, Forget) else "", change.id
