"""A turn's speech on its way to text: kept, streamed to a recogniser, sent again elsewhere.

Pure. All speech of the utterance is kept until the turn ends, so that a recogniser
that dies costs no word of it. The recogniser is not timed while the user speaks: it
has nothing to answer then.
"""

from __future__ import annotations

from typing import Any

from actors.leased import LeasedJob
from actors.messages import Partial, Recognise, Recognised, SpeechChunk, SpeechEnded
from actors.session.work import GaveUp, TurnWork

#: 16 kHz, 16 bit, mono.
BYTES_PER_SECOND = 32000

#: PCM is sent in pieces of at least three 60 ms frames, the backlog in pieces of a second:
#: every message costs, whatever its size.
CHUNK_BYTES = 3 * 1920
BACKLOG_CHUNK_BYTES = BYTES_PER_SECOND

#: A recogniser that gets speech all at once is at least so many times faster than it.
BACKLOG_SPEED = 4


class Recognition:
    """One utterance. `partial` is the text as understood so far."""

    def __init__(self, work: TurnWork, gave_up: GaveUp) -> None:
        self.partial = ""
        self._work = work
        self._gave_up = gave_up
        self._job: LeasedJob | None = None
        self._speech = bytearray()
        self._sent_bytes = 0
        self._sequence = 0
        self._over = False

    @property
    def begun(self) -> bool:
        """Whether there is any speech."""
        return self._job is not None

    def hear(self, pcm: bytes, now: float) -> None:
        """The next samples, 16 kHz s16le."""
        self._speech += pcm
        if self._job is None:
            self._job = self._work.job("asr", self._begin, self._gave_up)
            self._job.expect(self._work.settings.listening.max_utterance_s * 2, now)
            self._job.start(now)
        else:
            self._stream(CHUNK_BYTES)

    def hurry(self) -> None:
        """The end may be near: the recogniser gets what is there, for its newest partial."""
        self._stream(1)

    def end(self, now: float) -> None:
        """No more speech comes: the text is due."""
        if self._job is None:
            return
        self._over = True
        final_s = self._work.settings.deadlines.final_text_ms / 1000
        if self._job.working:
            self._stream(1)
            self._job.send(SpeechEnded(self._work.turn, self._job.number, self._sequence))
            self._job.expect(final_s, now)
        # Another recogniser would get all of it at once.
        self._job.first_s = final_s + len(self._speech) / BYTES_PER_SECOND / BACKLOG_SPEED

    def stop(self) -> None:
        """The text is not wanted any more."""
        if self._job is not None:
            self._job.cancel()

    @property
    def full(self) -> bool:
        """Whether this is as much speech as one utterance may hold."""
        most_s = self._work.settings.listening.max_utterance_s
        return len(self._speech) >= most_s * BYTES_PER_SECOND

    def speech(self) -> bytes:
        """All speech so far, 16 kHz s16le."""
        return bytes(self._speech)

    def take(self, message: Partial | Recognised, now: float) -> str | None:
        """A result; returns the final text when it is that."""
        if self._job is None or not self._job.is_mine(message.job):
            return None
        if isinstance(message, Partial):
            self.partial = message.text
            return None
        self._job.done(now)
        return message.text

    def _begin(self, job: int) -> list[Any]:
        """Everything heard so far: a second recogniser starts where the first did."""
        turn = self._work.turn
        pieces: list[Any] = [Recognise(turn, job)]
        for at in range(0, len(self._speech), BACKLOG_CHUNK_BYTES):
            piece = bytes(self._speech[at : at + BACKLOG_CHUNK_BYTES])
            pieces.append(SpeechChunk(turn, job, len(pieces) - 1, piece))
        self._sequence, self._sent_bytes = len(pieces) - 1, len(self._speech)
        if self._over:
            pieces.append(SpeechEnded(turn, job, self._sequence))
        return pieces

    def _stream(self, least_bytes: int) -> None:
        """Send what was not sent yet, if it is at least so much."""
        if self._job is None or not self._job.working:
            return
        piece = bytes(self._speech[self._sent_bytes :])
        if len(piece) >= least_bytes:
            self._job.send(SpeechChunk(self._work.turn, self._job.number, self._sequence, piece))
            self._sequence += 1
            self._sent_bytes = len(self._speech)
