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
        """`cause`: evicted, expired, forgotten, struck."""
        ...

    def banned(self, entry_id: str, answer: str, until_s: float) -> None: ...


class Nobody:
    """Follows nothing."""

    def kept(self, entry: Entry) -> None: ...

    def used(self, entry_id: str, now_s: float) -> None: ...

    def gone(self, entry_ids: tuple[str, ...], cause: str) -> None: ...

    def banned(self, entry_id: str, answer: str, until_s: float) -> None: ...
