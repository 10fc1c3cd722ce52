"""Heartbeats: how a supervisor sees that a child hangs, without asking it.

A board is a piece of memory that a supervisor shares with the children that it
forks. Each child has a slot in it and writes the time there: its actor's thread
and its engine's loop apart. The supervisor only reads; a process that is stopped,
or whose thread is stuck, stops writing.

Times are `time.monotonic` seconds, which all processes of a host share. Each is
written as one aligned word: `struct.pack_into` clears its place first, and a reader
that looked then saw a child that had been silent since the host's start.
"""

from __future__ import annotations

import mmap

#: Children that one supervisor can have at once.
SLOTS = 2048

#: A slot holds two doubles: the actor's time and its engine's.
_SLOT_TIMES = 2
_TIME_BYTES = 8

#: An actor's thread and an engine's loop write so often.
BEAT_S = 0.5


class Board:
    """Slots for one supervisor's children; made before the first of them is forked."""

    def __init__(self) -> None:
        memory = mmap.mmap(-1, SLOTS * _SLOT_TIMES * _TIME_BYTES)  # anonymous and shared
        self._times = memoryview(memory).cast("d")
        self._free = list(range(SLOTS - 1, -1, -1))

    def take(self, now: float) -> int:
        """A slot for a new child; its silence counts from now."""
        slot = self._free.pop()
        at = slot * _SLOT_TIMES
        self._times[at] = self._times[at + 1] = now
        return slot

    def give_back(self, slot: int) -> None:
        self._free.append(slot)

    def pulse(self, slot: int) -> Pulse:
        return Pulse(self._times, slot)

    def silence(self, slot: int, now: float) -> tuple[float, float]:
        """Seconds since the actor's thread and since the engine's loop last wrote."""
        at = slot * _SLOT_TIMES
        return now - self._times[at], now - self._times[at + 1]


class Pulse:
    """One child's slot, in the child."""

    def __init__(self, times: memoryview[float], slot: int) -> None:
        self._times = times
        self._at = slot * _SLOT_TIMES
        self.has_engine = False

    def beat(self, now: float) -> None:
        """The actor's thread runs; without an engine that is all there is to say."""
        self._times[self._at] = now
        if not self.has_engine:
            self.beat_engine(now)

    def beat_engine(self, now: float) -> None:
        self._times[self._at + 1] = now


_inherited: Board | None = None


def inherited_board() -> Board | None:
    """The board of the process that forked this one; None outside the actor system."""
    return _inherited


def own_board() -> Board:
    """Make the board for this process's own children; they inherit it by the fork."""
    global _inherited
    _inherited = Board()
    return _inherited
