"""From single turns to the figures of a run, by the definitions of the requirements.

Pure. *Availability*: the share of intended turns whose answer starts within 2 s of the
end of the user's words, waiting for the device included. *Completeness*: the share of
turns whose whole answer was played, the user's own interruptions apart. *Lost*: ended
otherwise than answered or interrupted; an apology counts as lost.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sim.soak import slope
from sim.swarm.numerals import numbers_in
from sim.swarm.questions import of_another
from sim.swarm.records import (
    Aggregate,
    ConnectionRecord,
    Distribution,
    Phase,
    ResourceSample,
    Slope,
    TurnRecord,
)
from sim.swarm.statistics import distribution

#: An answer that begins later than this was not available.
AVAILABLE_MS = 2000.0
#: The scope of all counted phases together.
WHOLE = "all"
#: Two turns of different devices can be mixed up when they are no further apart.
_MIXED_UP_S = 60.0

#: Faults after which an answer was not played as it should be.
_INCOMPLETE = frozenset({"no audio", "silence", "frames lost", "wrong length", "no tts stop"})
_NOT_RIGHT = frozenset({"misheard", "wrong answer", "cross-talk", "foreign session"})
#: Latencies that are members of a turn; the hops come beside them.
_FIGURES = ("first_word_ms", "audible_ms", "answer_ms", "end_to_end_ms", "abort_to_stop_ms")


def with_cross_talk(turns: Sequence[TurnRecord]) -> tuple[TurnRecord, ...]:
    """The turns, those with "cross-talk" among their faults that got another device's
    words: a transcript, an answer or the sound of one with the numbers of a question
    that was asked elsewhere at about that time."""
    asked = sorted(
        (turn for turn in turns if turn.expected and turn.started_s is not None),
        key=lambda turn: turn.intended_s,
    )
    starts = [turn.intended_s for turn in asked]
    suspects = {"misheard", "wrong answer"}
    marked = []
    for turn in turns:
        suspect = turn.heard or not suspects.isdisjoint(turn.faults)
        if not suspect or "cross-talk" in turn.faults:
            marked.append(turn)
            continue
        low = bisect_left(starts, turn.intended_s - _MIXED_UP_S)
        high = bisect_left(starts, turn.intended_s + _MIXED_UP_S)
        owner = _owner(turn, asked[low:high])
        marked.append(turn if owner is None else _crossed(turn, owner))
    return tuple(marked)


def aggregates(
    phases: Sequence[Phase],
    turns: Sequence[TurnRecord],
    connections: Sequence[ConnectionRecord],
    resources: Sequence[ResourceSample],
) -> tuple[Aggregate, ...]:
    """The whole of the counted phases first, then each phase, in order."""
    counted = [phase for phase in phases if phase.counted]
    by_phase: dict[str, list[TurnRecord]] = defaultdict(list)
    for turn in turns:
        by_phase[turn.phase].append(turn)
    scopes = [(WHOLE, counted), *((phase.name, [phase]) for phase in phases)]
    found = []
    for scope, spans in scopes:
        inside = [turn for phase in spans for turn in by_phase[phase.name]]
        during = [each for each in connections if _within(each.at_s, spans)]
        measured = [each for each in resources if _within(each.at_s, spans)]
        seconds = sum(phase.end_s - phase.start_s for phase in spans)
        found.append(aggregate(scope, seconds, inside, during, measured))
    return tuple(found)


def aggregate(
    scope: str,
    seconds: float,
    turns: Sequence[TurnRecord],
    connections: Sequence[ConnectionRecord] = (),
    resources: Sequence[ResourceSample] = (),
) -> Aggregate:
    """The figures of one scope from what belongs to it."""
    outcomes: Counter[str] = Counter(turn.outcome for turn in turns)
    by_fault: Counter[str] = Counter(fault for turn in turns for fault in turn.faults)
    answered, interrupted = outcomes["answered"], outcomes["interrupted"]
    held = [turn for turn in turns if turn.started_s is not None]
    own = [turn for turn in turns if turn.outcome != "interrupted"]
    kept = [turn for turn in turns if turn.outcome in ("answered", "interrupted")]
    return Aggregate(
        scope=scope,
        seconds=seconds,
        turns=len(turns),
        held=len(held),
        answered=answered,
        interrupted=interrupted,
        lost=len(turns) - answered - interrupted,
        availability=_percent(map(_available, turns)),
        completeness=_percent(map(_complete, own)),
        correctness=_percent(_NOT_RIGHT.isdisjoint(turn.faults) for turn in kept),
        misheard=by_fault["misheard"],
        wrong_answers=by_fault["wrong answer"],
        cross_talk=by_fault["cross-talk"] + by_fault["foreign session"],
        underruns=sum(turn.underruns for turn in turns),
        underrun_ms=sum(turn.underrun_ms for turn in turns),
        turns_with_underruns=by_fault["underrun"],
        lost_frames=sum(turn.lost_frames for turn in turns),
        late_frames=sum(turn.late_frames for turn in turns),
        stuck_devices=by_fault["stuck"],
        disconnects=sum(each.kind == "dropped" for each in connections),
        failed_connects=sum(each.kind == "failed" for each in connections),
        outcomes=dict(outcomes),
        by_fault=dict(by_fault),
        latencies=_latencies(turns, connections),
        slopes=_slopes(turns, resources),
        cpu_percent=_mean([each.total.cpu_percent for each in resources]),
        heard=sum(bool(turn.heard) for turn in turns),
        heard_right=sum(_heard_right(turn) for turn in turns),
        pss_mib_max=max(
            (each.total.pss_mib for each in resources if each.total.pss_mib is not None),
            default=None,
        ),
    )


def _owner(turn: TurnRecord, others: Iterable[TurnRecord]) -> TurnRecord | None:
    for other in others:
        if other.device == turn.device:
            continue
        # A recogniser mishears, and what follows from that may happen to be another's
        # result: only a right transcript with a foreign result proves anything.
        result = -1 if "misheard" in turn.faults else int(other.expected)
        for text, proof in ((turn.understood, -1), (turn.answer, result), (turn.heard, -1)):
            if text and of_another(turn.said, text, other.said, proof):
                return other
    return None


def _crossed(turn: TurnRecord, owner: TurnRecord) -> TurnRecord:
    words = f"got words of device {owner.device}, which asked {owner.said!r}"
    return replace(turn, faults=(*turn.faults, "cross-talk"), problems=(*turn.problems, words))


def _heard_right(turn: TurnRecord) -> bool:
    """Whether the marker was understood: the result, or the question repeated."""
    found = numbers_in(turn.heard)
    if not turn.heard or not turn.expected:
        return bool(turn.heard)
    return int(turn.expected) in found or set(numbers_in(turn.said)) <= set(found)


def _available(turn: TurnRecord) -> bool:
    return turn.answer_ms is not None and turn.answer_ms <= AVAILABLE_MS


def _complete(turn: TurnRecord) -> bool:
    return turn.outcome == "answered" and _INCOMPLETE.isdisjoint(turn.faults)


def _within(at_s: float, phases: Iterable[Phase]) -> bool:
    return any(phase.start_s <= at_s < phase.end_s for phase in phases)


def _latencies(
    turns: Sequence[TurnRecord], connections: Sequence[ConnectionRecord]
) -> dict[str, Distribution]:
    values: dict[str, list[float]] = defaultdict(list)
    for turn in turns:
        for figure in _FIGURES:
            value = getattr(turn, figure)
            if value is not None:
                values[figure].append(value)
        for hop, value in turn.hops.items():
            if hop != "audible_ms":
                values[hop].append(value)
        values["waited_ms"].append(turn.waited_ms)
        if turn.frames:
            values["longest_gap_ms"].append(turn.longest_gap_ms)
            values["deepest_queue_ms"].append(turn.deepest_queue_ms)
    values["connect_ms"] = [
        each.took_ms
        for each in connections
        if each.kind == "connected" and each.took_ms is not None
    ]
    found = {name: distribution(each) for name, each in values.items()}
    return {name: each for name, each in found.items() if each is not None}


def _slopes(turns: Sequence[TurnRecord], resources: Sequence[ResourceSample]) -> tuple[Slope, ...]:
    """How first word, memory, descriptors, threads and processes go over time."""
    spoken = [(turn.intended_s, turn.first_word_ms) for turn in turns]
    series: dict[str, list[tuple[float, float | None]]] = {
        "first_word_ms": [(at_s, value) for at_s, value in spoken],
        "pss_mib": [(each.at_s, each.total.pss_mib) for each in resources],
        "own_mib": [(each.at_s, each.total.own_mib) for each in resources],
        "anon_mib": [(each.at_s, each.total.anon_mib) for each in resources],
        "fds": [(each.at_s, each.total.fds) for each in resources],
        "threads": [(each.at_s, each.total.threads) for each in resources],
        "cpu_percent": [(each.at_s, each.total.cpu_percent) for each in resources],
    }
    found = []
    for figure, points in series.items():
        line = slope(figure, [at for at, _value in points], [value for _at, value in points])
        if line is not None:
            found.append(line)
    return tuple(found)


def _percent(holds: Iterable[bool]) -> float | None:
    every = list(holds)
    return 100 * sum(every) / len(every) if every else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
