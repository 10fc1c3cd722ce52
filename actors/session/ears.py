"""A session's ears: packets in, utterances out. Pure.

Wraps the decoder and the uplink: bad packets cost only themselves, audio that
arrives before anybody listens is kept as pre-roll while it is fresh, and a connection
that delivers nothing while an utterance is open counts as silence after a while.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.audio import uplink
from actors.audio.opus import Decoder, OpusError, is_dtx
from cfg.model import Listening

RATE_HZ = 16000

#: No packet for so long in an open utterance is silence (a Wi-Fi stall is shorter).
GAP_S = 0.5
GAP_STEP_S = 0.1

#: Audio older than this when listening starts is no pre-roll of what follows: the tail
#: of the last utterance arrives after its end, and may lie minutes back.
FRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class Onset:
    """Speech began; `pcm` (s16le) starts with the pre-roll."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Speech:
    """The next samples of the open utterance."""

    pcm: bytes
    ms: int


@dataclass(frozen=True, slots=True)
class Paused:
    silence_ms: int


@dataclass(frozen=True, slots=True)
class Resumed:
    pause_ms: int


EarsEvent = Onset | Speech | Paused | Resumed


class Ears:
    """See the module. Times are seconds of the caller's monotonic clock."""

    def __init__(self, listening: Listening) -> None:
        self._decoder = Decoder(RATE_HZ)
        self._uplink = uplink.Uplink(listening)
        self._events: deque[EarsEvent] = deque()
        self._packet_at: float | None = None
        self._gap_from = 0.0
        self.silence_ms = 0
        self.speech_ms = 0
        self.bad_packets = 0

    def take(self, packet: bytes, now: float, *, listening: bool) -> str:
        """Decode one packet; '' or, for a packet that is not Opus, what is wrong."""
        if self._packet_at is not None and now - self._packet_at > FRESH_S:
            # A microphone that was off encodes anew: what was cut off must not ring on.
            self._decoder.reset()
        try:
            pcm = self._decoder.decode(packet)
        except OpusError as error:
            self.bad_packets += 1
            return str(error)
        self._packet_at = self._gap_from = now
        if not listening:
            self._uplink.keep(pcm)
            return ""
        for event in self._uplink.feed(pcm, is_dtx(packet)):
            self._translate(event)
        return ""

    def gap_due(self) -> float | None:
        """When `gap` wants to be called: only inside an open utterance."""
        if not self._uplink.open or self._packet_at is None:
            return None
        return max(self._packet_at + GAP_S, self._gap_from + GAP_STEP_S)

    def gap(self, now: float) -> None:
        """Nothing arrived: the time since the last packet is silence."""
        due = self.gap_due()
        if due is not None and now >= due:
            ms = int((now - self._gap_from) * 1000)
            self._gap_from = now
            for event in self._uplink.gap(ms):
                self._translate(event)

    def next_event(self) -> EarsEvent | None:
        """The next thing that was heard; None when that is all.

        `silence_ms` and `speech_ms` follow what was taken. What belongs to an utterance
        that the caller closes meanwhile is never returned.
        """
        if not self._events:
            return None
        event = self._events.popleft()
        if isinstance(event, Onset):
            # Pre-roll is no speech yet: the onset counts from here.
            self.speech_ms = self.silence_ms = 0
        elif isinstance(event, Speech):
            if self.silence_ms == 0:
                self.speech_ms += event.ms
        elif isinstance(event, Paused):
            self.silence_ms = event.silence_ms
        else:
            self.silence_ms = 0
        return event

    def _translate(self, event: uplink.UplinkEvent) -> None:
        if isinstance(event, uplink.SpeechStarted):
            self._events.append(Onset(_bytes(event.pcm)))
        elif isinstance(event, uplink.SpeechContinued):
            ms = len(event.pcm) * 1000 // RATE_HZ
            self._events.append(Speech(_bytes(event.pcm), ms))
        elif isinstance(event, uplink.Silence):
            self._events.append(Paused(event.silence_ms))
        else:
            self._events.append(Resumed(event.pause_ms))

    @property
    def open(self) -> bool:
        return self._uplink.open

    def listen(self, now: float) -> None:
        """Listening starts: what was just before stays as pre-roll."""
        fresh = self._packet_at is not None and now - self._packet_at <= FRESH_S
        self._uplink.reset(keep_preroll=fresh)
        self._clear()

    def resume(self, now: float) -> None:
        """What was heard so far was heard by another; the stream goes on now."""
        self._packet_at = self._gap_from = now

    def forget(self) -> None:
        """The wake word is no part of what follows."""
        self._uplink.reset(keep_preroll=False)
        self._clear()

    def end(self) -> None:
        """The utterance is over; the next one begins with what comes now."""
        self._uplink.end()
        self._clear()

    def finish(self) -> bytes:
        """Samples of the open utterance that did not fill a window; closes it."""
        rest = b""
        for event in self._uplink.finish():
            if isinstance(event, uplink.SpeechContinued):
                rest += _bytes(event.pcm)
        self._clear()
        return rest

    def _clear(self) -> None:
        self._events.clear()
        self.silence_ms = self.speech_ms = 0

    @property
    def statistics(self) -> uplink.UplinkStatistics:
        return self._uplink.statistics


def _bytes(pcm: NDArray[np.int16]) -> bytes:
    return pcm.astype("<i2", copy=False).tobytes()
