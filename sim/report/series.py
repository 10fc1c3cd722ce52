"""From a run's record to what a plot or a table needs.

Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from sim.report.plot import Point
from sim.swarm.records import (
    Aggregate,
    FaultRecord,
    Phase,
    Run,
    TurnRecord,
)
from sim.swarm.statistics import percentile

#: Points of a line over time, about.
_BINS: Final = 80
_SHORTEST_BIN_S: Final = 5.0
#: Dots drawn of single turns at most.
MOST_DOTS: Final = 4000
#: Points of a cumulative curve.
_CURVE_POINTS: Final = 160
#: A turn within this much after a fault may have felt it, whoever was ready again sooner.
FELT_S: Final = 3.0


def kept(turn: TurnRecord) -> bool:
    return turn.outcome in ("answered", "interrupted")


def whole(run: Run) -> Aggregate | None:
    """The figures of all counted phases."""
    return run.aggregates[0] if run.aggregates else None


def counted_turns(run: Run) -> list[TurnRecord]:
    names = {phase.name for phase in run.phases if phase.counted}
    return [turn for turn in run.turns if turn.phase in names]


def values(turns: Iterable[TurnRecord], figure: str) -> list[float]:
    """A latency of the turns that have it; `figure` is a member or a hop."""
    found = []
    for turn in turns:
        value = turn.hops.get(figure) if figure in turn.hops else getattr(turn, figure, None)
        if value is not None:
            found.append(float(value))
    return found


# --- over time ------------------------------------------------------------------


def bins(run: Run) -> float:
    """The length of a bin on the run's time axis, seconds."""
    return max(_SHORTEST_BIN_S, run.info.lasted_s / _BINS)


def over_time(
    turns: Sequence[TurnRecord], figure: str, share: float, bin_s: float
) -> list[Point | None]:
    """A percentile of each bin; None (a gap) where no turn was."""
    by_bin: dict[int, list[float]] = defaultdict(list)
    for turn in turns:
        value = getattr(turn, figure)
        if value is not None:
            by_bin[int(turn.intended_s // bin_s)].append(value)
    if not by_bin:
        return []
    points: list[Point | None] = []
    for index in range(min(by_bin), max(by_bin) + 1):
        inside = sorted(by_bin.get(index, ()))
        points.append(((index + 0.5) * bin_s, percentile(inside, share)) if inside else None)
    return points


def dots(turns: Sequence[TurnRecord], figure: str) -> list[Point]:
    """Single turns as dots: all of them, or the slowest and an even choice of the rest."""
    found = [
        (turn.intended_s, value) for turn in turns if (value := getattr(turn, figure)) is not None
    ]
    if len(found) <= MOST_DOTS:
        return found
    found.sort(key=lambda point: -point[1])
    slowest, rest = found[: MOST_DOTS // 2], found[MOST_DOTS // 2 :]
    step = -(-len(rest) // (MOST_DOTS // 2))
    return slowest + rest[::step]


def crowd(run: Run) -> dict[str, list[Point]]:
    """How many devices did what, all generators together."""
    names = ("connected", "speaking", "waiting", "hearing")
    bin_s = max(1.0, bins(run) / 2)
    latest: dict[int, dict[int, tuple[int, ...]]] = defaultdict(dict)
    for sample in run.crowd:
        counts = (sample.connected, sample.speaking, sample.waiting, sample.hearing)
        latest[int(sample.at_s // bin_s)][sample.generator] = counts
    known: dict[int, tuple[int, ...]] = {}
    lines: dict[str, list[Point]] = {name: [] for name in names}
    for index in sorted(latest):
        known |= latest[index]
        for place, name in enumerate(names):
            lines[name].append((index * bin_s, sum(each[place] for each in known.values())))
    return lines


# --- distributions --------------------------------------------------------------


def cumulative(found: Sequence[float]) -> list[Point]:
    """(value, per cent of the turns that took no longer), a few points of it."""
    ordered = sorted(found)
    if not ordered:
        return []
    shares = [*(n / _CURVE_POINTS for n in range(1, _CURVE_POINTS)), 0.995, 0.999, 1.0]
    return [(percentile(ordered, share), share * 100) for share in shares]


def levels(run: Run) -> list[tuple[Phase, Aggregate]]:
    """Each phase with its figures, in order."""
    by_scope = {each.scope: each for each in run.aggregates[1:]}
    return [(phase, by_scope[phase.name]) for phase in run.phases if phase.name in by_scope]


# --- faults ---------------------------------------------------------------------


def fault_lane(fault: FaultRecord) -> str:
    """The row of a fault on the time line."""
    return fault.recovery.actor_kind if fault.recovery is not None else fault.target


def fault_end(fault: FaultRecord) -> float:
    """Until when a fault lasted, as far as that was seen; seconds of the run."""
    ends = [fault.at_s]
    if fault.until_s is not None:
        ends.append(fault.until_s)
    if fault.recovery is not None and fault.recovery.ready_s is not None:
        ends.append(fault.at_s + fault.recovery.ready_s)
    return max(ends)


def with_and_without_faults(run: Run) -> tuple[list[TurnRecord], list[TurnRecord]]:
    """The counted turns that were under way during a fault or just after it, and the others."""
    spans = _merged((fault.at_s, fault_end(fault) + FELT_S) for fault in run.faults if fault.ok)
    starts = [low for low, _high in spans]
    felt: list[TurnRecord] = []
    calm: list[TurnRecord] = []
    for turn in counted_turns(run):
        ended_s = turn.ended_s if turn.ended_s is not None else turn.intended_s
        place = bisect_right(starts, ended_s) - 1  # the last span that began before its end
        touched = place >= 0 and turn.intended_s <= spans[place][1]
        (felt if touched else calm).append(turn)
    return felt, calm


def _merged(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans in order, those that overlap made one."""
    merged: list[tuple[float, float]] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


# --- turns ----------------------------------------------------------------------


def worst(run: Run, lost: int = 15, slow: int = 10) -> list[TurnRecord]:
    """Lost and wrong turns of the counted phases, each kind of trouble early, then the slowest."""
    turns = counted_turns(run)
    bad = [turn for turn in turns if not kept(turn) or turn.faults]
    seen: Counter[tuple[str, ...]] = Counter()
    ranked = []
    for turn in bad:
        kind = (turn.outcome, *turn.faults)
        ranked.append((seen[kind], kept(turn), turn.intended_s, turn))
        seen[kind] += 1
    ranked.sort(key=lambda each: each[:3])
    chosen = [each[3] for each in ranked[:lost]]
    taken = {(turn.device, turn.turn) for turn in chosen}
    others = [
        turn
        for turn in turns
        if turn.answer_ms is not None and (turn.device, turn.turn) not in taken
    ]
    others.sort(key=lambda turn: -(turn.answer_ms or 0.0))
    return chosen + others[:slow]
