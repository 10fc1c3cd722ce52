"""Keeping full garbage collections short while tens of thousands of entries live on.

A full collection looks at every object: 0.3 s with 50 000 entries, and it comes again
and again while they grow (measured; it was the longest wait of a question at a warm
start). Entries hold no cycles and end by their reference count, so that those that are
kept are taken out of the collector's sight, some hundreds at a time.
"""

from __future__ import annotations

import gc
from typing import Final

#: Entries kept between two freezes.
EVERY: Final = 500


class Collecting:
    """Tell it of each entry that is kept; one a process."""

    def __init__(self) -> None:
        self._kept = 0

    def kept(self) -> None:
        self._kept += 1
        if self._kept >= EVERY:
            self._kept = 0
            gc.collect(1)  # what is garbage by now must not be frozen with them
            gc.freeze()
