"""The phrasebook: what must be said when nobody can speak is spoken ahead.

At start, and whenever voices come or go, it leases a voice like any turn and keeps
the phrases of the settings as Opus packets. Sessions get them through the acceptor:
an apology needs no living voice then, and a greeting no time.

Receives: Start, Directory; Leased, Busy, LeaseLost (router); FramesReady, WorkFailed
(tts workers). Sends: Lease, Release (router); Synthesise (tts workers); Phrases
(acceptor).
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from typing import Any

from actors import log
from actors.base import BaseActor, handles
from actors.effects import Effect, Note, ToRouter, ToWorker
from actors.leased import LeasedJob, Patience
from actors.messages import (
    Address,
    Busy,
    FramesReady,
    Leased,
    LeaseLost,
    Phrases,
    Start,
    Synthesise,
    Tick,
    TurnId,
    WorkFailed,
)

#: Nobody could speak: try again so much later.
RETRY_S = 5.0

#: How often deadlines are looked at while a phrase is being made.
STEP_S = 0.2


class Phrasebook(BaseActor):
    KIND = "phrasebook"

    def __init__(self) -> None:
        super().__init__()
        self.turn = TurnId("phrasebook", 0)
        self.frames: dict[str, tuple[bytes, ...]] = {}
        self.missing: deque[str] = deque()
        self.making: list[bytes] = []
        self.job: LeasedJob | None = None
        self.out: list[Effect] = []
        self._numbers = itertools.count(1)
        self._told: Address | None = None

    def started(self, message: Start) -> None:
        dialogue = self.settings.dialogue
        wanted = (
            dialogue.apology,
            dialogue.busy,
            dialogue.not_understood,
            dialogue.goodbye,
            dialogue.wake_greeting,
        )
        self.missing = deque(phrase for phrase in dict.fromkeys(wanted) if phrase)
        self.ready()
        self._next(time.monotonic())

    def directory_changed(self) -> None:
        if self.job is None:
            self._next(time.monotonic())
        self._tell()

    # --- making phrases, one at a time ---

    def _next(self, now: float) -> None:
        if not self.missing or self.directory.router is None or self.job is not None:
            return
        limits = self.settings.deadlines
        patience = Patience(
            limits.lease_ms / 1000, limits.first_audio_ms / 1000, limits.next_audio_ms / 1000
        )
        self.job = LeasedJob(
            "tts", self.turn, self._numbers, patience, self._work, self._gave_up, self.out
        )
        self.job.start(now)
        self._carry_out()
        self.after(STEP_S, "step")

    def _work(self, job: int) -> list[Any]:
        self.making = []
        downlink = self.settings.downlink
        text = self.missing[0]
        rate_hz, frame_ms = downlink.sample_rate_hz, downlink.frame_ms
        return [Synthesise(self.turn, job, 0, text, rate_hz, frame_ms)]

    def _gave_up(self, reason: str, busy: bool, now: float) -> None:
        log.get().warning("phrase not spoken yet", phrase=self.missing[0], reason=reason)
        self.job = None
        self.after(RETRY_S, "retry")

    @handles(Leased, Busy, LeaseLost, WorkFailed)
    def on_job_news(self, message: Any, sender: Address) -> None:
        if self.job is None:
            return
        news = {Leased: "leased", Busy: "busy", LeaseLost: "lost", WorkFailed: "failed"}
        getattr(self.job, news[type(message)])(message, time.monotonic())
        self._carry_out()

    @handles(FramesReady)
    def on_frames(self, message: FramesReady, sender: Address) -> None:
        now = time.monotonic()
        if self.job is None or not self.job.is_mine(message.job):
            return
        self.job.progress(now)
        self.making += message.frames
        if message.last:
            self.job.done(now)
            self.job = None
            phrase = self.missing.popleft()
            if self.making:
                self.frames[phrase] = tuple(self.making)
            self._carry_out()
            self._next(now)
            if not self.missing:
                log.get().info("phrases ready", count=len(self.frames))
                self._told = None
                self._tell()

    @handles(Tick)
    def on_tick(self, message: Tick, sender: Address) -> None:
        now = time.monotonic()
        if message.purpose == "retry":
            self._next(now)
        elif self.job is not None:
            self.job.time(now)
            self._carry_out()
            self.after(STEP_S, "step")

    def _tell(self) -> None:
        acceptor = self.directory.acceptor
        if acceptor is None or acceptor == self._told or not self.frames:
            return
        self._told = acceptor
        downlink = self.settings.downlink
        self.send(acceptor, Phrases(downlink.sample_rate_hz, downlink.frame_ms, dict(self.frames)))

    def _carry_out(self) -> None:
        effects, self.out[:] = list(self.out), []
        for effect in effects:
            if isinstance(effect, ToRouter) and self.directory.router is not None:
                self.send(self.directory.router, effect.message)
            elif isinstance(effect, ToWorker):
                self.send(effect.address, effect.message)
            elif isinstance(effect, Note):
                log.get().info(effect.event, **effect.members)
