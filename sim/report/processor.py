"""What each actor used of the processor in each phase: for a terminal, and for a page.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sim.report import columns, page
from sim.report.consumption import OTHERS, actor_names, height
from sim.report.page import Cell
from sim.swarm.records import ActorSample, Phase, ResourceSample, Run
from sim.swarm.statistics import percentile

_MOST_ACTORS: Final = 12
#: Phases beside each other on a terminal.
_ABREAST: Final = 5
_EXPLAINED: Final = "per cent of one core, p50 / most of the samples"

#: An actor, and its figures (p50, most) in each phase; None: no sample fell into it.
Line = tuple[str, list[tuple[float, float] | None]]


def by_phase(run: Run) -> list[Line]:
    """The dearest actors first, the rest as one, the total at the end."""
    spans = [_within(run.resources, phase) for phase in run.phases]
    measured = [sample for span in spans for sample in span]
    if not measured:
        return []
    names = actor_names(measured, _cpu, _MOST_ACTORS)
    used: list[Line] = [
        (name, [_figures([height(each, name, names, _cpu) for each in span]) for span in spans])
        for name in names
    ]
    total = [_figures([each.total.cpu_percent for each in span]) for span in spans]
    used.sort(key=lambda line: line[0] == OTHERS)
    return [*used, ("total", total)]


def text(run: Run) -> str:
    """Lines for a terminal; '' when the server's processes are not known."""
    used = by_phase(run)
    if not used:
        return ""
    told = [f"processor {_EXPLAINED}"]
    for first in range(0, len(run.phases), _ABREAST):
        span = slice(first, first + _ABREAST)
        rows = [("actor", *(phase.name for phase in run.phases[span]))]
        rows += [(name, *map(_shown, figures[span])) for name, figures in used]
        told += columns.lines(rows)
    return "\n".join(told)


def html(run: Run) -> str:
    """A table for the page; '' without figures."""
    rows = (
        [page.head(name), *(Cell(_shown(each), number=True) for each in figures)]
        for name, figures in by_phase(run)
    )
    made = page.table(("actor", *(phase.name for phase in run.phases)), rows)
    return made + page.soft(_EXPLAINED) if made else ""


def _within(samples: Sequence[ResourceSample], phase: Phase) -> list[ResourceSample]:
    return [each for each in samples if phase.start_s <= each.at_s < phase.end_s]


def _cpu(actor: ActorSample) -> float:
    return actor.cpu_percent


def _figures(values: Sequence[float]) -> tuple[float, float] | None:
    return (percentile(sorted(values), 0.5), max(values)) if values else None


def _shown(figures: tuple[float, float] | None) -> str:
    return "-" if figures is None else f"{figures[0]:.1f} / {figures[1]:.1f}"
