"""Where the server's own time went in each turn, phase by phase, by its log.

Pure. The server logs "turn ended" with the instant of each hop in ms from the last sample
of speech, by its own clock. A line belongs to the phase of the turn that its device held
then; both sides must be on one host, for their clocks to be one.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Final

from sim.faults.serverlog import LogLine, read
from sim.swarm.records import Run, ServerTurns
from sim.swarm.statistics import distribution

EVENT: Final = "turn ended"
#: Hops in the order of a turn, for those that fall on one instant; what comes behind the
#: first frame is how long the answer was.
ORDER: Final = (
    *("end_decided", "final_text", "answer_recalled", "first_clause", "first_audio"),
    "first_frame",
)
_BEHIND: Final = ("last_frame", "stop")
_UNIT: Final = "_ms"
#: The device's and the server's end of speech of one turn are no further apart than this.
_SAME_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class LoggedTurn:
    """One line: `at` in s since 1970, `hops` in ms from the last sample of speech."""

    at: float
    device: str
    heard: str
    engines: Mapping[str, str]
    hops: Mapping[str, float]
    stop_ms: float | None

    @property
    def spoken_at(self) -> float:
        """When the speech was over, in s since 1970."""
        return self.at - (self.stop_ms or 0.0) / 1000

    @property
    def cached(self) -> bool:
        return "answer" in self.engines


def logged(lines: Iterable[str]) -> Iterator[LoggedTurn]:
    """The turns of a server's log, in either of its styles."""
    for line in read(each for each in lines if EVENT in each):
        if line.event == EVENT:
            yield _turn(line)


def summed(run: Run, turns: Iterable[LoggedTurn]) -> tuple[ServerTurns, ...]:
    """The turns of each phase, in its order: those from the answer cache, then the others.

    `run` needs its phases, turns and devices, and the instant of its base.
    """
    found: dict[tuple[str, bool], list[LoggedTurn]] = defaultdict(list)
    every = list(turns)
    phases = _Phases(run, run.info.base_at_s or base_at_s(run, every))
    for turn in every:
        phase = phases.of(turn)
        if phase is not None:
            found[phase, turn.cached].append(turn)
    keys = [(phase.name, cached) for phase in run.phases for cached in (True, False)]
    return tuple(_summed(*key, found[key]) for key in keys if key in found)


def base_at_s(run: Run, turns: Iterable[LoggedTurn]) -> float:
    """When a run began, in s since 1970, where its record does not say so.

    Each device's n-th turn with the same words is the same turn on both sides; the median
    bears those that are missing on one of them. Without any: the record's own beginning.
    """
    ours: dict[tuple[str, str, int], float] = {}
    theirs: dict[tuple[str, str, int], float] = {}
    names = {device.index: device.device_id for device in run.devices}
    times: defaultdict[tuple[str, str], int] = defaultdict(int)
    for held in run.turns:
        if held.started_s is not None and held.understood and held.device in names:
            key = names[held.device], held.understood
            times[key] += 1
            ours[*key, times[key]] = held.started_s + held.speech_ms / 1000
    times.clear()
    for turn in turns:
        if turn.stop_ms is not None:
            key = turn.device, turn.heard
            times[key] += 1
            theirs[*key, times[key]] = turn.spoken_at
    apart = [theirs[each] - ours[each] for each in ours.keys() & theirs.keys()]
    return median(apart) if apart else datetime.fromisoformat(run.info.started_at).timestamp()


def durations(hops: Mapping[str, float]) -> dict[str, float]:
    """Each hop from the hop before it, in ms, in order of time."""
    rank = {name: place for place, name in enumerate(ORDER)}
    order = sorted(hops, key=lambda name: (hops[name], rank.get(name, len(rank)), name))
    first = {order[0]: hops[order[0]]} if order else {}
    return first | {
        later: round(hops[later] - hops[sooner], 3) for sooner, later in pairwise(order)
    }


class _Phases:
    """Which phase a logged turn belongs to; None for turns of nobody."""

    def __init__(self, run: Run, base: float) -> None:
        self._run, self._base = run, base
        names = {device.index: device.device_id for device in run.devices}
        spoken: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for held in run.turns:
            if held.started_s is not None and held.device in names:
                ended_s = held.started_s + held.speech_ms / 1000
                spoken[names[held.device]].append((ended_s, held.phase))
        self._spoken = {name: sorted(each) for name, each in spoken.items()}

    def of(self, turn: LoggedTurn) -> str | None:
        at_s = turn.spoken_at - self._base
        spoken = self._spoken.get(turn.device, [])
        place = bisect_left(spoken, (at_s, ""))
        near = spoken[max(0, place - 1) : place + 1]
        if near:
            ended_s, phase = min(near, key=lambda each: abs(each[0] - at_s))
            if abs(ended_s - at_s) <= _SAME_S:
                return phase
        inside = (each.name for each in self._run.phases if each.start_s <= at_s < each.end_s)
        return next(inside, None)


def _turn(line: LogLine) -> LoggedTurn:
    told = line.members
    hops = {
        name.removesuffix(_UNIT): ms
        for name, text in told.items()
        if name.endswith(_UNIT) and (ms := _number(text)) is not None
    }
    return LoggedTurn(
        line.at,
        told.get("device", ""),
        told.get("heard", ""),
        _engines(told.get("engines", "")),
        {name: ms for name, ms in hops.items() if name not in _BEHIND},
        hops.get("stop"),
    )


def _engines(text: str) -> dict[str, str]:
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _summed(phase: str, cached: bool, turns: Sequence[LoggedTurn]) -> ServerTurns:
    values: dict[str, list[float]] = defaultdict(list)
    for turn in turns:
        for name, ms in durations(turn.hops).items():
            values[name].append(ms)
    ends = [
        round(turn.hops["first_frame"] - turn.hops["end_decided"], 3)
        for turn in turns
        if {"first_frame", "end_decided"} <= turn.hops.keys()
    ]
    names = [*(name for name in ORDER if name in values), *sorted(values.keys() - set(ORDER))]
    spreads = ((name, distribution(values[name])) for name in names)
    return ServerTurns(
        phase=phase,
        cached=cached,
        turns=len(turns),
        model=sum("llm" in turn.engines and not turn.cached for turn in turns),
        voice=sum("tts" in turn.engines for turn in turns),
        to_first_frame=distribution(ends),
        hops={name: spread for name, spread in spreads if spread is not None},
    )
