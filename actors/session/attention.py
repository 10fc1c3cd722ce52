"""When the session listens, and what it makes of what it hears. Pure.

*Armed*, what is heard is an utterance: it begins, grows and ends, by silence or by
`listen stop`. Not armed, audio is only kept as pre-roll, unless the caller wants it
*overheard* (an answer is being made or spoken): then speech that is long enough to be
no cough barges in, and is an utterance from there on.

Give it packets and the time, then take facts until there is none: the caller reacts
to each before it asks for the next.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from actors.audio.endpoint import Completeness, Endpointer, EndReason
from actors.session.ears import Ears, EarsEvent, Onset, Paused, Resumed, Speech
from actors.session.recognition import BYTES_PER_SECOND
from cfg.model import Listening

#: After `listen stop` the utterance ends when so much silence was heard, or when the
#: time for late frames is over.
LATE_SILENCE_MS = 90

#: Silence behind which the utterance may be over: long before it is decided.
FORESEE_SILENCE_MS = 60

#: An utterance whose audio does not come ends after this multiple of its longest length.
STALLED_FACTOR = 1.5

#: A device that sends audio for so long believes that it is listened to.
DEAF_LIMIT_S = 3.0


@dataclass(frozen=True, slots=True)
class Began:
    """An utterance began; `pcm` (16 kHz s16le) starts with the pre-roll."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Grew:
    """The next samples of the utterance."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The utterance is over, `silence_s` after its last speech; `pcm` are its last samples.

    After `listen stop` also when none had begun. Nothing is armed any more.
    """

    pcm: bytes
    silence_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class BargedIn:
    """Somebody speaks over the answer; `pcm` is all of it so far. It is armed now."""

    pcm: bytes


Fact = Began | Grew | Ended | BargedIn


class Attention:
    """See the module. Times are seconds of the caller's monotonic clock."""

    def __init__(self, listening: Listening, language: Literal["zh", "en"]) -> None:
        self.armed = False
        #: In manual mode silence ends nothing.
        self.manual = False
        self._listening = listening
        self._ears = Ears(listening)
        self._endpointer = Endpointer(listening, language)
        self._facts: deque[Fact] = deque()
        self._overheard: list[bytes] = []
        self._stop_by: float | None = None
        self._end_by: float | None = None
        self._deaf_since: float | None = None
        self._packet_at = 0.0

    # --- control ---

    def arm(self, now: float) -> None:
        """Listen from now on; what was just before stays as pre-roll."""
        self._reset()
        self.armed = True
        self._ears.listen(now)
        self._endpointer.begin()

    def disarm(self) -> None:
        """Stop listening; an open utterance is forgotten."""
        self._reset()
        self._ears.end()

    def _reset(self) -> None:
        self.armed = False
        self._stop_by = self._end_by = self._deaf_since = None
        self._facts.clear()
        self._overheard.clear()

    def forget(self) -> None:
        """What was heard so far (a wake word) is no part of what follows."""
        self.disarm()
        self._ears.forget()

    def stop(self, now: float) -> None:
        """`listen stop`: the utterance ends when its late frames are here."""
        if self.armed:
            self._stop_by = now + self._listening.late_frames_ms / 1000
            self._end_if_silent()

    def end(self, reason: str) -> None:
        """The utterance is over, as somebody else has decided."""
        if self.armed:
            self._end(reason)

    @property
    def stopping(self) -> bool:
        """`listen stop` came; the last frames are waited for."""
        return self._stop_by is not None

    def resume(self, now: float) -> None:
        """The packets of another session were heard again; what follows comes now."""
        self._ears.resume(now)

    def partial(self, text: str) -> None:
        """The utterance as it is understood by now."""
        self._endpointer.partial(text)

    def continues(self, pcm: bytes) -> None:
        """The utterance that barged in continues an earlier one, which counts as well."""
        self._endpointer.speech(_ms(pcm))

    def wait_ms(self) -> int:
        """The silence that ends the utterance as things are."""
        return self._endpointer.wait_ms()

    # --- what comes ---

    def packet(self, packet: bytes, now: float, *, overhear: bool) -> str:
        """One Opus packet; '' or, for a packet that is not Opus, what is wrong."""
        listening = self.armed or overhear
        if listening:
            self._deaf_since = None
        elif self._deaf_since is None or now > self._packet_at + DEAF_LIMIT_S / 2:
            self._deaf_since = now
        self._packet_at = now
        return self._ears.take(packet, now, listening=listening)

    @property
    def pausing(self) -> bool:
        """An utterance is open, and the user is silent at the moment."""
        return self.armed and self._ears.open and self._ears.silence_ms > 0

    @property
    def may_be_over(self) -> bool:
        """The open utterance may end here: `listen stop`, or silence behind a whole sentence."""
        if not (self.armed and self._ears.open):
            return False
        if self.stopping:
            return True
        silent = self._ears.silence_ms >= FORESEE_SILENCE_MS
        return silent and self._endpointer.look is not Completeness.INCOMPLETE

    @property
    def is_deaf(self) -> bool:
        """Audio has been coming for so long that the device must think it is listened to."""
        since = self._deaf_since
        return since is not None and self._packet_at - since >= DEAF_LIMIT_S

    def deadline(self) -> float | None:
        """When `time` wants to be called; None while nothing is open."""
        if not self.armed:
            return None
        times = (self._stop_by, self._end_by, self._ears.gap_due())
        return min((time for time in times if time is not None), default=None)

    def time(self, now: float) -> None:
        if not self.armed:
            return
        self._ears.gap(now)
        for due, reason in ((self._stop_by, "listen stop"), (self._end_by, "stalled")):
            if self.armed and due is not None and now >= due:
                self._end(reason)

    def next_fact(self, now: float) -> Fact | None:
        """The next thing that the caller must know; None when that is all."""
        while not self._facts:
            event = self._ears.next_event()
            if event is None:
                self._end_if_silent()
                break
            if self.armed:
                self._heard(event, now)
            else:
                self._overhear(event, now)
        return self._facts.popleft() if self._facts else None

    # --- an utterance ---

    def _heard(self, event: EarsEvent, now: float) -> None:
        reason: EndReason | None = None
        if isinstance(event, Onset):
            self._begin(event.pcm, now)
            self._facts.append(Began(event.pcm))
        elif isinstance(event, Speech):
            reason = self._endpointer.speech(event.ms)
            self._facts.append(Grew(event.pcm))
        elif isinstance(event, Resumed):
            self._endpointer.resumed(event.pause_ms)
        else:
            reason = self._endpointer.silence(event.silence_ms)
        if reason is not None and (not self.manual or reason is EndReason.TOO_LONG):
            self._end(reason.value)

    def _begin(self, pcm: bytes, now: float) -> None:
        self._end_by = now + self._listening.max_utterance_s * STALLED_FACTOR
        self._endpointer.begin()
        self._endpointer.speech(_ms(pcm))

    def _end_if_silent(self) -> None:
        silent = self._ears.open and self._ears.silence_ms >= LATE_SILENCE_MS
        if self._stop_by is not None and silent:
            self._end("listen stop")

    def _end(self, reason: str) -> None:
        silence_s = self._ears.silence_ms / 1000
        ended = Ended(self._ears.finish(), silence_s, reason)
        facts = [*self._facts, ended]
        self.disarm()
        self._facts.extend(facts)

    # --- while an answer is made or spoken ---

    def _overhear(self, event: EarsEvent, now: float) -> None:
        if isinstance(event, Onset):
            self._overheard = [event.pcm]
        elif isinstance(event, Speech):
            self._overheard.append(event.pcm)
        elif isinstance(event, Paused) and event.silence_ms >= self._listening.endpoint_unsure_ms:
            self._ears.end()  # a noise too short to interrupt
            self._overheard.clear()
            return
        if self._ears.speech_ms >= self._listening.barge_in_ms:
            pcm = b"".join(self._overheard)
            self._overheard.clear()
            self.armed = True
            self._begin(pcm, now)
            self._facts.append(BargedIn(pcm))


def _ms(pcm: bytes) -> int:
    return len(pcm) * 1000 // BYTES_PER_SECOND
