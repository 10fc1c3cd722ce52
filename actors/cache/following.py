"""Who keeps a copy of the answer index, on disk or elsewhere, and what it is told.

Pure.
"""

from __future__ import annotations

from typing import Protocol

from actors.cache.entries import Entry


class Follower(Protocol):
    """Whoever keeps a copy of the index: told of every change that the index itself made.

    What was put in or dropped by `put`, `restore` and the forgetting with `told=False`
    came from such a copy and is not told.
    """

    def kept(self, entry: Entry) -> None: ...

    def used(self, entry_id: str, now_s: float) -> None: ...

    def gone(self, entry_ids: tuple[str, ...], cause: str) -> None:
        """There was no room for them, or they were over; `cause`: evicted, expired."""
        ...

    def forgotten(self, entry: Entry, cause: str) -> None:
        """It must not come back from anywhere; `cause`: forgotten, struck."""
        ...

    def learned_s(self, entry_id: str, now_s: float) -> float:
        """When an answer that is learned now counts as learned, in all copies."""
        ...

    def banned(self, entry_id: str, answer: str, until_s: float) -> None: ...


class Nobody:
    """Follows nothing."""

    def kept(self, entry: Entry) -> None: ...

    def used(self, entry_id: str, now_s: float) -> None: ...

    def gone(self, entry_ids: tuple[str, ...], cause: str) -> None: ...

    def forgotten(self, entry: Entry, cause: str) -> None: ...

    def learned_s(self, entry_id: str, now_s: float) -> float:
        return now_s

    def banned(self, entry_id: str, answer: str, until_s: float) -> None: ...
