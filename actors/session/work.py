"""What the parts of one turn share: its id, its way out, its leased jobs, its trace. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from actors.effects import Effect, Note, SendText
from actors.leased import LeasedJob, Patience
from actors.messages import Busy, Kind, Leased, LeaseLost, TurnId, WorkFailed
from cfg.model import Settings

#: Called once when nobody could do a job: the reason, whether for want of a slot, and now.
GaveUp = Callable[[str, bool, float], None]

#: Messages about a lease, not about the work itself.
LeaseNews = Leased | Busy | LeaseLost | WorkFailed


class TurnWork:
    """One turn's jobs, at most one of each kind at a time; what goes out; what took how long."""

    def __init__(self, turn: TurnId, settings: Settings, out: list[Effect], now: float) -> None:
        self.turn = turn
        self.settings = settings
        self.out = out
        #: Where the trace counts from: the last sample of speech, once that is known.
        self.zero = now
        self.hops_ms: dict[str, float] = {}
        self.engines: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._jobs: dict[str, LeasedJob] = {}

    # --- out ---

    def text(self, text: str) -> None:
        self.out.append(SendText(text))

    def note(self, level: str, event: str, **members: Any) -> None:
        self.out.append(Note(level, event, members))

    # --- trace ---

    def since_ms(self, now: float) -> float:
        return round((now - self.zero) * 1000, 1)

    def mark(self, hop: str, now: float) -> None:
        """The first time that this hop was reached counts."""
        self.hops_ms.setdefault(hop, self.since_ms(now))

    # --- jobs ---

    def next_number(self) -> int:
        """A number that no other job or question of this turn has."""
        return next(self._numbers)

    def job(
        self, kind: Kind, work: Callable[[int], list[Any]], gave_up: GaveUp, prefer: str = ""
    ) -> LeasedJob:
        """A new job of this kind, which has none that still runs; the caller starts it."""
        limits = self.settings.deadlines
        first_ms, next_ms = {
            "asr": (limits.final_text_ms, limits.final_text_ms),
            "llm": (limits.first_clause_ms, limits.next_clause_ms),
            "tts": (limits.first_audio_ms, limits.next_audio_ms),
        }[kind]
        patience = Patience(limits.lease_ms / 1000, first_ms / 1000, next_ms / 1000)

        def with_kind(reason: str, busy: bool, now: float) -> None:
            gave_up(f"{kind}: {reason}", busy, now)

        job = LeasedJob(kind, self.turn, self._numbers, patience, work, with_kind, self.out, prefer)
        self._jobs[kind] = job
        return job

    def take(self, message: LeaseNews, now: float) -> None:
        """News of a lease; what belongs to no job of now is dropped."""
        if isinstance(message, WorkFailed):
            for job in self._running():
                job.failed(message, now)
            return
        job_of_kind = self._jobs.get(message.kind)
        if job_of_kind is None:
            return
        if isinstance(message, Leased):
            job_of_kind.leased(message, now)
            if job_of_kind.working:
                self.engines[message.kind] = job_of_kind.engine
        elif isinstance(message, Busy):
            job_of_kind.busy(message, now)
        else:
            job_of_kind.lost(message, now)

    def deadline(self) -> float | None:
        """When `time` wants to be called; None while no job runs."""
        times = [job.deadline() for job in self._running()]
        return min((time for time in times if time is not None), default=None)

    def time(self, now: float) -> None:
        for job in self._running():
            job.time(now)

    def cancel(self) -> None:
        """Every job stops, every lease is released."""
        for job in self._running():
            job.cancel()

    def _running(self) -> list[LeasedJob]:
        return [job for job in self._jobs.values() if not job.ended]
