"""The answer as it leaves: subtitles and frames in order, on the pacer's grid.

Pure. `sentence_start` goes out just before the first frame of its clause. The end
is known when everything was sent and must have been heard: playback position is
estimated from the schedule, since devices acknowledge nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from actors.audio.pacing import Pacer
from actors.session.checkpoint import Sent


@dataclass(frozen=True, slots=True)
class Subtitle:
    clause: int
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    clause: int
    opus: bytes
    timestamp_ms: int = 0


class Playout:
    """One answer's way out. All times are seconds of one monotonic clock."""

    def __init__(self, frame_ms: int, lead_frames: int, stop_margin_s: float) -> None:
        self._pacer = Pacer(frame_ms, lead_frames)
        self._frame_ms = frame_ms
        self._stop_margin_s = stop_margin_s
        self._queue: deque[Subtitle | Frame] = deque()
        self._frames_waiting = 0
        self._sent_of: dict[int, int] = {}
        self._sent = 0
        self._at_clause = 0
        self._not_before = 0.0
        self._begun = False
        self._complete = False

    # --- in ---

    def open(self, not_before: float) -> None:
        """Nothing leaves before this time: the device needs it to enter *speaking*."""
        self._not_before = not_before

    def resume(self, sent: Sent) -> None:
        """So much was sent by somebody before: it is not sent again."""
        self._sent, self._at_clause = sent.frames, sent.clause
        if sent.frames:
            self._sent_of = dict.fromkeys(range(sent.clause), 1)
            self._sent_of[sent.clause] = sent.frames_of_clause

    def subtitle(self, clause: int, text: str) -> None:
        """What the next frames of this clause say; not told again in its middle."""
        if clause not in self._sent_of:
            self._queue.append(Subtitle(clause, text))

    def frames(self, clause: int, packets: Sequence[bytes]) -> None:
        self._queue.extend(Frame(clause, packet) for packet in packets)
        self._frames_waiting += len(packets)

    def complete(self) -> None:
        """No more comes."""
        self._complete = True

    def reopen(self) -> None:
        """More comes after all."""
        self._complete = False

    def withdraw(self, clause: int) -> int:
        """Take back what was not sent of a clause; return how many of its frames were."""
        kept = deque(
            item for item in self._queue if item.clause != clause or isinstance(item, Subtitle)
        )
        self._frames_waiting -= len(self._queue) - len(kept)
        self._queue = kept
        return self._sent_of.get(clause, 0)

    def drop(self, clause: int) -> None:
        """Nobody can speak the rest of this clause: take it back, unheard with its subtitle."""
        self.withdraw(clause)
        self._queue = deque(item for item in self._queue if item.clause != clause)

    def clear(self) -> None:
        """Nothing more is sent (interruption)."""
        self._queue.clear()
        self._frames_waiting = 0
        self._complete = True

    # --- out ---

    def poll(self, now: float) -> list[Subtitle | Frame]:
        """What must be sent now."""
        if not self._queue or now < self._not_before:
            if self._begun and not self._complete:
                self._pacer.dry(now)  # a pause in the answer; its end is no pause
            return []
        if not self._begun:
            self._begun = True
            self._pacer.begin(now)
        ready: list[Subtitle | Frame] = []
        room = self._pacer.due(now)
        while self._queue and (room > 0 or isinstance(self._queue[0], Subtitle)):
            if isinstance(self._queue[0], Subtitle) and not self._first_frame_is_near(room):
                break
            item = self._queue.popleft()
            if isinstance(item, Frame):
                item = Frame(item.clause, item.opus, self._sent * self._frame_ms)
                room -= 1
                self._sent += 1
                self._at_clause = item.clause
                self._sent_of[item.clause] = self._sent_of.get(item.clause, 0) + 1
                self._frames_waiting -= 1
                self._pacer.sent(1, now)
            ready.append(item)
        return ready

    def _first_frame_is_near(self, room: int) -> bool:
        """A subtitle leaves with its clause's first frame, or when no frame follows it."""
        follower = next((item for item in self._queue if isinstance(item, Frame)), None)
        if follower is None:
            return self._complete
        return room > 0

    def next_due(self) -> float | None:
        """When `poll` wants to be called; None while there is nothing to send."""
        if self._frames_waiting == 0 and not (self._queue and self._complete):
            return None
        if not self._begun:
            return self._not_before
        due = self._pacer.next_due()
        return self._not_before if due is None else max(due, self._not_before)

    def finished_at(self) -> float | None:
        """When all was heard, the margin for slow devices included; None: not known yet."""
        if not self._complete or self._queue:
            return None
        if not self._begun:
            return self._not_before
        return self._pacer.played_until() + self._stop_margin_s

    @property
    def waiting_ms(self) -> int:
        """Audio made but not sent yet."""
        return self._frames_waiting * self._frame_ms

    @property
    def frames_sent(self) -> int:
        return self._sent

    @property
    def sent(self) -> Sent:
        """Where it stands."""
        return Sent(self._at_clause, self._sent_of.get(self._at_clause, 0), self._sent)

    def begun_clauses(self) -> set[int]:
        """Clauses of which at least one frame was sent."""
        return set(self._sent_of)
