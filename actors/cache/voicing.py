"""One text at a time, spoken by a leased voice.

Pure. `begin` is followed by exactly one call of `spoken` or `failed`. Where an engine is
named no other one will do: what the router has instead is given back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from actors.effects import Effect
from actors.leased import LeasedJob, Patience
from actors.messages import Busy, FramesReady, Leased, LeaseLost, Synthesise, TurnId, WorkFailed
from actors.ordering import InOrder
from cfg.model import Settings

LeaseNews = Leased | Busy | LeaseLost | WorkFailed

#: engine, packets, now
Spoken = Callable[[str, tuple[bytes, ...], float], None]
#: reason, whether nobody had room, now
Failed = Callable[[str, bool, float], None]


class Voicing:
    """See the module. What is to be sent goes into `out`."""

    def __init__(
        self,
        settings: Settings,
        turn: TurnId,
        numbers: Iterator[int],
        out: list[Effect],
        spoken: Spoken,
        failed: Failed,
    ) -> None:
        limits = settings.deadlines
        self._patience = Patience(
            limits.lease_ms / 1000, limits.first_audio_ms / 1000, limits.next_audio_ms / 1000
        )
        self._downlink = settings.downlink
        self._turn = turn
        self._numbers = numbers
        self._out = out
        self._spoken = spoken
        self._failed = failed
        self._job: LeasedJob | None = None
        self._text = self._engine = ""
        self._frames: list[bytes] = []
        self._pieces: InOrder[FramesReady] = InOrder()

    @property
    def busy(self) -> bool:
        return self._job is not None

    def begin(self, text: str, engine: str, now: float, *, ahead: bool) -> None:
        """Have `text` spoken by this engine ('': by any); `ahead`: only where there is
        plenty of room."""
        self._text, self._engine = text, engine
        self._job = LeasedJob(
            *("tts", self._turn, self._numbers, self._patience, self._work, self._gave_up),
            out=self._out,
            prefer=engine,
        )
        self._job.ahead = ahead
        self._job.start(now)

    def _work(self, job: int) -> list[Any]:
        assert self._job is not None
        self._frames, self._pieces = [], InOrder()
        if self._engine not in ("", self._job.engine):
            return []  # `take` gives it back
        rate_hz, frame_ms = self._downlink.sample_rate_hz, self._downlink.frame_ms
        return [Synthesise(self._turn, job, 0, self._text, rate_hz, frame_ms)]

    def _gave_up(self, reason: str, busy: bool, now: float) -> None:
        self._job = None
        self._failed(reason, busy, now)

    def take(self, message: LeaseNews | FramesReady, now: float) -> None:
        """News of the work; of another's, too, which is dropped."""
        job = self._job
        if job is None:
            return
        if isinstance(message, FramesReady):
            self._synthesis(job, message, now)
            return
        news = {Leased: "leased", Busy: "busy", LeaseLost: "lost", WorkFailed: "failed"}
        getattr(job, news[type(message)])(message, now)
        if job is self._job and job.working and self._engine not in ("", job.engine):
            job.cancel()
            self._gave_up(f"{self._engine} does not serve", False, now)

    def _synthesis(self, job: LeasedJob, message: FramesReady, now: float) -> None:
        if not job.is_mine(message.job):
            return
        job.progress(now)
        for piece in self._pieces.push(message.sequence, message):
            self._frames += piece.frames
            if piece.last:
                job.done(now)
                self._job = None
                self._spoken(job.engine, tuple(self._frames), now)
                return

    def time(self, now: float) -> None:
        """A deadline may have passed."""
        if self._job is not None:
            self._job.time(now)
