"""What a simulated device hands back for each turn."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from sim.answer import audible_at, decode_answer
from sim.sound import Pcm
from sim.timeline import Timeline, TurnTrace, timeline
from sim.verdict import Verdict, judge


@dataclass(frozen=True)
class TurnResult:
    """One finished turn. `said` is what was spoken or typed, as the caller knows it.

    `timed_out`: the server had gone silent before the turn was over.
    """

    said: str
    trace: TurnTrace = field(repr=False)
    verdict: Verdict
    rate_hz: int
    timed_out: bool = False

    @cached_property
    def timeline(self) -> Timeline:
        return timeline(self.trace)

    @property
    def understood(self) -> str:
        """What the server says it heard (stt); empty if it said nothing."""
        return " ".join(self.trace.texts("stt"))

    @property
    def sentences(self) -> tuple[str, ...]:
        return self.trace.texts("sentence")

    @property
    def emotion(self) -> str:
        return next(iter(self.trace.texts("emotion")), "")

    @property
    def right(self) -> bool:
        return not self.verdict.problems

    @cached_property
    def pcm(self) -> Pcm:
        """The answer's sound at `rate_hz`, decoded now (about 1 ms for a second of it)."""
        return decode_answer(self.trace.heard_frames, self.rate_hz, self.trace.frame_ms)


def finished(
    said: str, trace: TurnTrace, rate_hz: int, *, timed_out: bool, expected: str
) -> TurnResult:
    """Find the first audible sample and judge. `expected` must be in the answer's text."""
    trace = replace(trace, audible_at=audible_at(trace.heard_frames, rate_hz))
    return TurnResult(said, trace, judge(trace, timed_out, expected), rate_hz, timed_out)
