"""What the server's processes took, by actor; and whether that grows.

Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from sim import soak
from sim.report.plot import Point
from sim.swarm.records import ActorSample, ResourceSample, Run

#: Below this a run says nothing of a leak.
LEAST_SOAK_S: Final = 600.0

OTHERS: Final = "others"

Measure = Callable[[ActorSample], float | None]


def actor_names(samples: Sequence[ResourceSample], measure: Measure, most: int = 8) -> list[str]:
    """The dearest actors by their mean, then `OTHERS` if there are more."""
    sums: dict[str, float] = defaultdict(float)
    for sample in samples:
        for actor in sample.actors:
            sums[actor.name] += measure(actor) or 0.0
    names = sorted(sums, key=lambda name: -sums[name])
    return names if len(names) <= most else [*names[: most - 1], OTHERS]


def stacked(
    samples: Sequence[ResourceSample], names: Sequence[str], measure: Measure
) -> list[tuple[list[Point], list[Point]]]:
    """For each name the lower and upper edge of its layer, the first at the bottom."""
    samples = thinned(samples)
    layers: list[tuple[list[Point], list[Point]]] = []
    below = [0.0] * len(samples)
    for name in names:
        heights = [height(sample, name, names, measure) for sample in samples]
        lower = [(each.at_s, low) for each, low in zip(samples, below, strict=True)]
        below = [low + height for low, height in zip(below, heights, strict=True)]
        upper = [(each.at_s, top) for each, top in zip(samples, below, strict=True)]
        layers.append((lower, upper))
    return layers


def thinned(samples: Sequence[ResourceSample], most: int = 400) -> list[ResourceSample]:
    step = max(1, -(-len(samples) // most))
    return list(samples[::step])


@dataclass(frozen=True, slots=True)
class ActorCost:
    """One actor name over the counted time: means, and the most."""

    name: str
    processes: int
    cpu_percent: float
    cpu_most: float
    pss_mib: float | None
    pss_most: float | None
    fds: float | None
    threads: float


def costs(run: Run) -> list[ActorCost]:
    """Each actor name, the dearest first, and the total at the end."""
    by_name: dict[str, list[ActorSample]] = defaultdict(list)
    counted = [phase for phase in run.phases if phase.counted]
    for sample in run.resources:
        if counted and not any(p.start_s <= sample.at_s < p.end_s for p in counted):
            continue
        for actor in sample.actors:
            by_name[actor.name].append(actor)
        by_name[""].append(sample.total)
    total = by_name.pop("", [])
    found = [_cost(name, each) for name, each in by_name.items()]
    found.sort(key=lambda cost: -cost.cpu_percent)
    return [*found, _cost("total", total)] if total else found


def height(sample: ResourceSample, name: str, names: Sequence[str], measure: Measure) -> float:
    """What the actors of this name took in one sample; `OTHERS`: those not among `names`."""
    mine = (
        actor
        for actor in sample.actors
        if (actor.name not in names if name == OTHERS else actor.name == name)
    )
    return sum(measure(actor) or 0.0 for actor in mine)


def _cost(name: str, samples: Sequence[ActorSample]) -> ActorCost:
    pss = [each.pss_mib for each in samples if each.pss_mib is not None]
    fds = [each.fds for each in samples if each.fds is not None]
    return ActorCost(
        name,
        max(each.processes for each in samples),
        fmean(each.cpu_percent for each in samples),
        max(each.cpu_percent for each in samples),
        fmean(pss) if pss else None,
        max(pss, default=None),
        fmean(fds) if fds else None,
        fmean(each.threads for each in samples),
    )


def _memory(sample: ActorSample) -> float | None:
    """What is no file's: a program outside that maps our libraries moves the rest."""
    return sample.pss_mib if sample.anon_mib is None else sample.anon_mib


# --- the soak -------------------------------------------------------------------


def soaked(run: Run) -> tuple[soak.Trend, ...]:
    """Verdicts on memory, descriptors, processes and latency in the longest counted phase.

    Empty when that is shorter than `LEAST_SOAK_S`.
    """
    phase = max(
        (each for each in run.phases if each.counted),
        key=lambda each: each.end_s - each.start_s,
        default=None,
    )
    if phase is None or phase.end_s - phase.start_s < LEAST_SOAK_S:
        return ()
    inside = [each for each in run.resources if phase.start_s <= each.at_s < phase.end_s]
    at_s = [each.at_s for each in inside]
    turns = [turn for turn in run.turns if turn.phase == phase.name]
    first_word = [turn.first_word_ms for turn in turns]
    spoken_s = [turn.intended_s for turn in turns]
    found = soak.judge_all(
        {
            "memory, MiB": (at_s, [_memory(s.total) for s in inside], soak.MEMORY_MIB),
            "descriptors": (at_s, [s.total.fds for s in inside], soak.DESCRIPTORS),
            "processes": (at_s, [float(s.total.processes) for s in inside], soak.PROCESSES),
            "first word, ms": (spoken_s, first_word, soak.LATENCY_MS),
        }
    )
    return tuple(trend for trend in found if trend.reason != "no sample")
