"""The record of a turn while it happens: events, and what became of every packet.

`Recording` is the one mutable thing here; it belongs to one device, which hands over
a frozen `TurnTrace` at the turn's end. Packets are matched with the facts of
`DevicePlayback`, whose queue is first in, first out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from actors.wire.playback import Lost, Played
from sim.timeline import Event, EventKind, Fate, Frame, TurnTrace, origin


class ArrivedFrame:
    """One packet and, later, what became of it. Seconds; `timestamp_ms` is of v2."""

    __slots__ = ("at", "fate", "opus", "plays_at", "timestamp_ms")

    def __init__(self, at: float, opus: bytes, timestamp_ms: int) -> None:
        self.at = at
        self.opus = opus
        self.timestamp_ms = timestamp_ms
        self.fate: Fate = "accepted"
        self.plays_at: float | None = None

    def frozen(self) -> Frame:
        return Frame(self.at, self.opus, self.fate, self.plays_at)


class Recording:
    """Events and frames of one turn; `on_event` sees each event as it is noted."""

    def __init__(self, on_event: Callable[[Event], None] | None = None) -> None:
        self.events: list[Event] = []
        self.frames: list[ArrivedFrame] = []
        self._on_event = on_event

    def note(self, kind: EventKind, at: float, text: str = "") -> None:
        event = Event(at, kind, text)
        self.events.append(event)
        if self._on_event is not None:
            self._on_event(event)

    def arrived(self, frame: ArrivedFrame) -> None:
        if not self.frames:
            self.note("first_frame", frame.at)
        self.frames.append(frame)

    def has(self, kind: EventKind) -> bool:
        return any(event.kind == kind for event in self.events)

    @property
    def stopped(self) -> bool:
        """Whether the server has ended what it began, and that after the user's words.

        An answer that began and ended while the user still spoke (an apology of a session
        that took over, interrupted by the speech) is not the one to wait for.
        """
        stop = self._last("tts_stop")
        start = self._last("tts_start")
        begun = start if start is not None else self._last("abort")
        if stop is None or begun is None or stop < begun:
            return False
        said = origin(self.events)
        return said is None or self.has("abort") or stop >= said

    def _last(self, *kinds: EventKind) -> float | None:
        return max((event.at for event in self.events if event.kind in kinds), default=None)

    def trace(self, frame_ms: int) -> TurnTrace:
        """A frozen copy, events in order of time."""
        events = tuple(sorted(self.events, key=lambda event: event.at))
        return TurnTrace(events, tuple(frame.frozen() for frame in self.frames), frame_ms)


class Pending:
    """Packets whose fate is not known yet, oldest first; across turns."""

    def __init__(self) -> None:
        self._frames: deque[ArrivedFrame] = deque()

    def add(self, frame: ArrivedFrame) -> None:
        self._frames.append(frame)

    def settle(self, fact: Played | Lost) -> ArrivedFrame | None:
        """Note a fact of the playback model on the packet that it speaks of.

        What was cleared or played is the oldest; a packet that was not let in is the newest.
        """
        if not self._frames:
            return None
        if isinstance(fact, Played):
            frame = self._frames.popleft()
            frame.plays_at = fact.at_ms / 1000
            return frame
        newest = fact.reason != "cleared"
        frame = self._frames.pop() if newest else self._frames.popleft()
        frame.fate = fact.reason
        return frame
