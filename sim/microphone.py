"""A simulated microphone: encoded packets on an absolute grid of real time.

Runs on timer callbacks of the asyncio loop, without a task of its own, so that an
open microphone costs one callback a frame. While nobody speaks it sends what a real
one sends: encoded quiet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import chain, cycle
from typing import Protocol

from sim.encoded import EncodedSpeech, quiet
from sim.timeline import EventKind

#: Firmware discards this much after it enables the input (protocol section 2.2).
WARM_UP_MS = 120


class Sink(Protocol):
    """Takes one packet; `mark` names what is written with it."""

    def __call__(self, packet: bytes, mark: EventKind | None) -> None: ...


class Microphone:
    """One device's microphone.

    `send` takes the packets; `note(kind, at)` is told when speech starts, ends, or is
    cut off by `close`, with the instant of the sample itself.
    """

    def __init__(
        self,
        frame_ms: int,
        ambient_dbfs: float | None,
        send: Sink,
        note: Callable[[EventKind, float], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._frame_s = frame_ms / 1000
        self._frame_ms = frame_ms
        self._send = send
        self._note = note
        self._quiet: Iterator[bytes] = cycle(quiet(frame_ms, ambient_dbfs))
        self._between: Iterator[bytes] = self._quiet
        self._timer: asyncio.TimerHandle | None = None
        self._next_at = 0.0
        self._speech: EncodedSpeech | None = None
        self._index = 0
        self._began_at = 0.0
        self._said: asyncio.Future[bool] | None = None
        #: The longest that a packet left after its time: the simulator's own lag, seconds.
        self.worst_lag_s = 0.0

    @property
    def is_open(self) -> bool:
        return self._timer is not None

    def open(self) -> None:
        """Start to send, after the warm-up. Nothing happens when it is open already."""
        if self._timer is None:
            self._next_at = self._loop.time() + WARM_UP_MS / 1000 + self._frame_s
            self._timer = self._loop.call_at(self._next_at, self._tick)

    def close(self) -> None:
        """Stop at once; speech that is not over is cut."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        speech, self._speech = self._speech, None
        if speech is not None:
            over = self._index * self._frame_ms >= speech.last_audible_ms
            if not over:
                self._note("speech_cut", self._loop.time())
            self._finish(over)
        self._between = self._quiet

    async def speak(self, speech: EncodedSpeech) -> bool:
        """Speak from the next frame on; True when all was sent, False when it was cut.

        The microphone must be open, nobody may speak already, and the frame lengths
        must agree; else ValueError.
        """
        if self._timer is None or self._speech is not None:
            raise ValueError("the microphone is closed or somebody is speaking already")
        if speech.frame_ms != self._frame_ms:
            raise ValueError(f"speech is in frames of {speech.frame_ms}, not {self._frame_ms} ms")
        said: asyncio.Future[bool] = self._loop.create_future()
        self._said = said
        # The frame that is being recorded now began before the first word: it stays quiet.
        self._speech, self._index, self._began_at = speech, -1, self._next_at
        return await said

    def late_packets(self, count: int) -> list[bytes]:
        """What was recorded and not yet sent when a button was released."""
        return [next(self._between) for _ in range(count)]

    def _tick(self) -> None:
        now = self._loop.time()
        while self._next_at <= now + 0.0005:  # a late loop catches up, packet by packet
            self.worst_lag_s = max(self.worst_lag_s, now - self._next_at)
            self._next_at += self._frame_s
            self._send_next()
        self._timer = self._loop.call_at(self._next_at, self._tick)

    def _send_next(self) -> None:
        speech = self._speech
        index, frame_ms = self._index, self._frame_ms
        self._index += 1
        if speech is None or index < 0:
            self._send(next(self._between), None)
            return
        start_ms, end_ms = index * frame_ms, (index + 1) * frame_ms
        if start_ms <= speech.first_audible_ms < end_ms:
            self._note("speech_started", self._began_at + speech.first_audible_ms / 1000)
        last = start_ms < speech.last_audible_ms <= end_ms
        if last:
            self._note("speech_ended", self._began_at + speech.last_audible_ms / 1000)
        self._send(speech.packets[index], "speech_sent" if last else None)
        if self._index == len(speech.packets):
            self._speech, self._between = None, chain(speech.tail, self._quiet)
            self._finish(True)

    def _finish(self, complete: bool) -> None:
        said, self._said = self._said, None
        if said is not None and not said.done():
            said.set_result(complete)
