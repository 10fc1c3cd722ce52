"""Killing one worker over and over: when the next may be hit, and whether anything grows.

Pure. A supervisor restarts at once a child that ran for `STABLE_S`, and one that ended
early if the end before it was no early one; everything else waits (supervisor.restart).
So each worker is hit in pairs: once after it was stable, once as soon as it is ready
again. That is the fastest rhythm in which no restart waits.

What grows is judged by the soak's mathematics, over cycles instead of hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Final

from sim import soak
from sim.soak import Allowance, Trend

#: The policy's own 5 s, and what lies between its clock and ours.
STABLE_S: Final = 5.3
#: A worker that is just ready is left alone for a moment: it would not be a worker yet.
JUST_READY_S: Final = 0.05
#: Slopes are told per so many cycles.
PER_CYCLES: Final = 1000

_ALLOWED: Final = {
    "anon_mib": Allowance(4.0, 0.02),
    # Thespian opens a second connection between two actors when the first is busy.
    "fds": Allowance(4.0, 0.02),
    "threads": Allowance(0.5, 0.0),
    "processes": Allowance(0.5, 0.0),
    "files": Allowance(0.5, 0.0),
    "shared": Allowance(0.5, 0.0),
    "memfds": Allowance(0.5, 0.0),
}


class Rhythm:
    """One worker: when it may be hit without its restart having to wait."""

    def __init__(self, stable_s: float = STABLE_S) -> None:
        self._stable_s = stable_s
        self._ready_at: float | None = None
        self._was_early = True  # of what was before the first look nothing is known

    @property
    def is_ready(self) -> bool:
        return self._ready_at is not None

    def ready(self, now: float) -> None:
        self._ready_at = now

    def may_be_hit(self, now: float) -> bool:
        if self._ready_at is None:
            return False
        least_s = self._stable_s if self._was_early else JUST_READY_S
        return now - self._ready_at >= least_s

    def hit(self, now: float) -> None:
        assert self._ready_at is not None
        self._was_early = now - self._ready_at < self._stable_s
        self._ready_at = None


@dataclass(frozen=True, slots=True)
class Weighed:
    """The whole tree after `cycles`, while nobody of it was on the way back.

    `files`: temporary files of the server, `shared`: entries of /dev/shm, `memfds`:
    different memory files that are open. Memory in MiB, None where it may not be read:
    `anon_mib` is what is no file's, and what is judged (see `sim.costs.Reading`).
    `actors_mib`: that of each actor, so that growth has a name.
    """

    cycles: int
    processes: int
    anon_mib: float | None
    fds: float | None
    threads: float
    files: int
    shared: int
    memfds: int
    pss_mib: float | None = None
    actors_mib: Mapping[str, float] = field(default_factory=dict)


_NO_FIGURES: Final = ("cycles", "pss_mib", "actors_mib")
FIGURES: Final = tuple(each.name for each in fields(Weighed) if each.name not in _NO_FIGURES)


@dataclass(frozen=True, slots=True)
class Growth:
    """One figure: first, last, and its trend with `slope` per `PER_CYCLES` cycles."""

    figure: str
    first: float
    last: float
    trend: Trend


def growth(samples: Sequence[Weighed]) -> tuple[Growth, ...]:
    """Each figure that was measured, judged."""
    found = []
    # The soak's mathematics counts in hours: so many cycles are one.
    at_s = [3600 * each.cycles / PER_CYCLES for each in samples]
    for figure in FIGURES:
        values = [getattr(each, figure) for each in samples]
        known = [float(value) for value in values if value is not None]
        if known:
            trend = soak.judge(figure, at_s, values, _ALLOWED[figure])
            found.append(Growth(figure, known[0], known[-1], trend))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Step:
    """The largest change of an actor's memory between two weighings, in MiB."""

    actor: str
    first_mib: float
    last_mib: float
    step_mib: float
    #: Cycles when the step was seen.
    at_cycles: int


def steps(samples: Sequence[Weighed]) -> tuple[Step, ...]:
    """What each actor that was there all the time weighed, the most changed first."""
    if not samples:
        return ()
    names = set.intersection(*(set(each.actors_mib) for each in samples))
    found = []
    for name in names:
        values = [each.actors_mib[name] for each in samples]
        changes = [after - before for before, after in pairwise(values)] or [0.0]
        at = max(range(len(changes)), key=lambda place: abs(changes[place]))
        cycles = samples[min(at + 1, len(samples) - 1)].cycles
        found.append(Step(name, values[0], values[-1], changes[at], cycles))
    return tuple(sorted(found, key=lambda each: (-abs(each.last_mib - each.first_mib), each.actor)))


def table(found: Sequence[Growth]) -> str:
    """One line a figure, for people."""
    lines: list[tuple[str, ...]] = [
        (
            "figure",
            "first",
            "last",
            f"per {PER_CYCLES} cycles",
            "95 % interval",
            "allowed",
            "verdict",
        )
    ]
    for each in found:
        trend, fitted = each.trend, each.trend.slope
        slope = interval = "-"
        if fitted is not None:
            slope = f"{fitted.per_hour:+.3g}"
            interval = f"{fitted.low:+.3g} … {fitted.high:+.3g}"
        lines.append(
            (
                *(each.figure, f"{each.first:.5g}", f"{each.last:.5g}", slope, interval),
                *(f"{trend.allowed:.3g}", f"{trend.verdict}: {trend.reason}"),
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:6], widths[1:]), line[6]])
        for line in lines
    )
