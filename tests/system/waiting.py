"""Conditions with deadlines: what these tests do instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

#: How often a condition is looked at.
LOOK_S = 0.02


def until(check: Callable[[], Found | None], within_s: float, what: str) -> Found:
    """Return what `check` finds as soon as that is true; fail when it never is."""
    ends_at = time.monotonic() + within_s
    while not (found := check()):
        assert time.monotonic() < ends_at, f"not within {within_s:g} s: {what}"
        time.sleep(LOOK_S)
    return found


async def eventually(check: Callable[[], Found | None], within_s: float, what: str) -> Found:
    """As `until`, without holding up the devices of this event loop."""
    ends_at = time.monotonic() + within_s
    while not (found := await asyncio.to_thread(check)):
        assert time.monotonic() < ends_at, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(LOOK_S)
    return found
