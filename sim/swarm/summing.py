"""From what a run has collected to its record: aggregates, limits, verdict.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sim.swarm.aggregate import WHOLE, aggregates, with_cross_talk
from sim.swarm.journal import Collected
from sim.swarm.limits import Limit, Trust, check, distrust, judge
from sim.swarm.records import Aggregate, DeviceRecord, Knee, LimitResult, Phase, Run, RunInfo


def summed(
    info: RunInfo,
    phases: Sequence[Phase],
    devices: Sequence[DeviceRecord],
    found: Collected,
    limits: Sequence[Limit] = (),
    each_phase: Sequence[Limit] = (),
    trust: Trust | None = None,
    knee: Knee | None = None,
) -> Run:
    """The whole record. A limit of `each_phase` holds for every counted phase alone."""
    turns = with_cross_talk(found.turns)
    figures = aggregates(phases, turns, found.connections, found.resources)
    results = checked(figures, phases, limits, each_phase)
    void = distrust(trust or Trust(), phases, found.lags, found.hosts)
    return Run(
        info=info,
        phases=tuple(phases),
        devices=tuple(devices),
        turns=turns,
        connections=found.connections,
        faults=found.faults,
        crowd=found.crowd,
        resources=found.resources,
        hosts=found.hosts,
        lags=found.lags,
        calls=found.calls,
        aggregates=figures,
        limits=results,
        knee=knee,
        verdict=judge(info.ended, info.problem, results, void),
    )


def checked(
    figures: Sequence[Aggregate],
    phases: Sequence[Phase],
    limits: Sequence[Limit],
    each_phase: Sequence[Limit],
) -> tuple[LimitResult, ...]:
    """Every limit in its scope."""
    counted = {phase.name for phase in phases if phase.counted}
    results: list[LimitResult] = []
    for figure in figures:
        if figure.scope == WHOLE:
            results += check(limits, figure)
        elif figure.scope in counted:
            results += check(each_phase, figure)
    return tuple(results)


def shortened(phases: Sequence[Phase], lasted_s: float) -> tuple[Phase, ...]:
    """The phases as far as a run went that ended before its time."""
    return tuple(
        replace(phase, end_s=min(phase.end_s, lasted_s))
        for phase in phases
        if phase.start_s < lasted_s
    )
