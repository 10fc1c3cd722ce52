"""A scenario's stated limits against what was measured, and whether a run counts at all.

Pure. A limit is a figure and a bound, such as `first_word_ms.p95: "<= 500"`. A run is
*void* when the generator or something foreign on the host was in its way: then its
figures say nothing of the server, whether they look good or bad.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from sim.swarm.records import (
    Aggregate,
    Distribution,
    HostSample,
    LagSample,
    LimitResult,
    Phase,
    RunEnd,
    RunVerdict,
)
from sim.swarm.statistics import percentile

Relation = Literal["<=", ">=", "<", ">", "=="]

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda measured, bound: measured <= bound,
    ">=": lambda measured, bound: measured >= bound,
    "<": lambda measured, bound: measured < bound,
    ">": lambda measured, bound: measured > bound,
    "==": lambda measured, bound: measured == bound,
}
_BOUND = re.compile(r"\s*(<=|>=|<|>|==)\s*([-+]?[0-9]+(?:\.[0-9]+)?)\s*(?:ms|%|MiB)?\s*")

_PERCENTILES = tuple(each.name for each in fields(Distribution))
_COUNTS = tuple(
    each.name
    for each in fields(Aggregate)
    if each.name not in ("scope", "outcomes", "by_fault", "latencies", "slopes")
)
#: Latencies that exist in every run, for a scenario to be checked before it runs.
LATENCIES = (
    *("first_word_ms", "audible_ms", "answer_ms", "end_to_end_ms", "abort_to_stop_ms"),
    *("waited_ms", "connect_ms", "longest_gap_ms", "deepest_queue_ms"),
    *("speech_sent_ms", "stt_ms", "tts_start_ms", "emotion_ms", "sentence_ms"),
    *("first_frame_ms", "last_frame_ms", "heard_ms", "tts_stop_ms"),
)
SLOPES = ("first_word_ms", "pss_mib", "own_mib", "anon_mib", "fds", "threads", "cpu_percent")


class LimitError(ValueError):
    """A limit that cannot be understood; the text says what can."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`figure` as `figure_of` takes it; the measured value must be in `relation` to `bound`."""

    figure: str
    relation: Relation
    bound: float

    def __str__(self) -> str:
        return f"{self.relation} {self.bound:g}"


@dataclass(frozen=True)
class Trust:
    """When a run counts. Lag is the event loop's, the generator's CPU in per cent of a core
    per process, foreign CPU and `host_percent` in per cent of the whole host.

    `lag_ms` bounds the 99th percentile of each second's worst lag, `median_lag_ms` the
    median of the medians.
    """

    median_lag_ms: float = 5.0
    lag_ms: float = 60.0
    generator_percent: float = 80.0
    foreign_percent: float = 15.0


def read_limits(stated: Mapping[str, str | float | int]) -> tuple[Limit, ...]:
    """Limits as a scenario states them. Raises `LimitError` naming the figure and the fix."""
    return tuple(read_limit(figure, str(bound)) for figure, bound in stated.items())


def read_limit(figure: str, stated: str) -> Limit:
    """One limit. Raises `LimitError`."""
    found = _BOUND.fullmatch(stated)
    if found is None:
        raise LimitError(f'{figure}: {stated!r} is no bound; write for example "<= 500"')
    name, _, part = figure.partition(".")
    if name in LATENCIES and part not in _PERCENTILES:
        raise LimitError(f"{figure}: say which, as {name}.p95; there are {', '.join(_PERCENTILES)}")
    known = part in SLOPES if name == "slope" else name in LATENCIES or figure in _COUNTS
    if not known:
        raise LimitError(
            f"{figure}: is no figure; there are {', '.join(_COUNTS)}; with a percentile"
            f" behind a dot {', '.join(LATENCIES)}; and slope.{', slope.'.join(SLOPES)}"
        )
    return Limit(figure, found[1], float(found[2]))  # type: ignore[arg-type]


def figure_of(measured: Aggregate, figure: str) -> float | None:
    """A figure by its name: a member, `latency.p95`, or `slope.figure` (per hour; the end
    of its interval that is nearer to no change, so that noise alone breaks no limit)."""
    name, _, part = figure.partition(".")
    if name == "slope":
        line = next((each for each in measured.slopes if each.figure == part), None)
        if line is None:
            return None
        return 0.0 if line.low <= 0 <= line.high else min(line.low, line.high, key=abs)
    if part:
        spread = measured.latencies.get(name)
        value = getattr(spread, part) if spread else None
    else:
        value = getattr(measured, name)
    return None if value is None else float(value)


def check(limits: Sequence[Limit], measured: Aggregate) -> tuple[LimitResult, ...]:
    """Each limit in one scope. What was not measured is not held: no turn, no promise.

    The one exception are slopes, which short runs cannot have.
    """
    results = []
    for limit in limits:
        value = figure_of(measured, limit.figure)
        missing = limit.figure.startswith("slope.")
        holds = missing if value is None else _COMPARE[limit.relation](value, limit.bound)
        results.append(LimitResult(measured.scope, limit.figure, str(limit), value, holds))
    return tuple(results)


def distrust(
    trust: Trust,
    phases: Sequence[Phase],
    lags: Sequence[LagSample],
    hosts: Sequence[HostSample],
) -> tuple[str, ...]:
    """Why the run does not count: each reason in words; empty when it does."""
    spans = [(phase.start_s, phase.end_s) for phase in phases if phase.counted]
    lags = [each for each in lags if any(start <= each.at_s < end for start, end in spans)]
    hosts = [each for each in hosts if any(start <= each.at_s < end for start, end in spans)]
    reasons = []
    if lags:
        worst = percentile(sorted(each.worst_ms for each in lags), 0.99)
        middle = percentile(sorted(each.median_ms for each in lags), 0.5)
        busiest = _busiest_percent(lags)
        if worst > trust.lag_ms:
            reasons.append(
                f"the generator woke up to {worst:.0f} ms late (99 % of seconds; limit"
                f" {trust.lag_ms:g} ms): use more processes or a less busy machine"
            )
        if middle > trust.median_lag_ms:
            reasons.append(
                f"the generator woke {middle:.1f} ms late in the median (limit"
                f" {trust.median_lag_ms:g} ms): its latencies are wrong by that much"
            )
        if busiest > trust.generator_percent:
            reasons.append(
                f"a generator process used {busiest:.0f} % of a core (limit"
                f" {trust.generator_percent:g} %): use more of them"
            )
    foreign = [each.foreign_percent for each in hosts if each.foreign_percent is not None]
    if foreign and (mean := sum(foreign) / len(foreign)) > trust.foreign_percent:
        reasons.append(
            f"something foreign used {mean:.0f} % of the host (limit {trust.foreign_percent:g} %):"
            " stop it, or measure elsewhere"
        )
    return tuple(reasons)


def judge(
    ended: RunEnd, problem: str, limits: Sequence[LimitResult], void: tuple[str, ...]
) -> RunVerdict:
    """The run's one verdict."""
    missed = [each for each in limits if not each.held]
    if ended != "complete":
        return RunVerdict(False, f"{ended}: {problem or 'the run did not come to its end'}", void)
    if void:
        return RunVerdict(False, f"void: {void[0]}", void)
    if missed:
        words = "; ".join(_missed(each) for each in missed[:3])
        more = f"; and {len(missed) - 3} more" if len(missed) > 3 else ""
        return RunVerdict(False, f"{len(missed)} of {len(limits)} limits missed: {words}{more}")
    if not limits:
        return RunVerdict(True, "no limits were stated; the figures speak for themselves")
    return RunVerdict(True, f"all {len(limits)} limits held")


def _missed(result: LimitResult) -> str:
    measured = "was not measured" if result.measured is None else f"is {result.measured:.4g}"
    return f"{result.figure} {measured}, not {result.limit} ({result.scope})"


def _busiest_percent(lags: Sequence[LagSample]) -> float:
    by_generator: dict[int, list[float]] = {}
    for each in lags:
        by_generator.setdefault(each.generator, []).append(each.cpu_percent)
    return max(sum(each) / len(each) for each in by_generator.values())
