"""Whom the server asked in each phase, and what that saved: for a terminal, and for a page.

Pure. By the server's log, for how many turns a model and a voice were asked; and what was
finished between the samples at a phase's two ends, by the counts of our own server and of
the stand-ins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sim.report import columns, page
from sim.report.page import Cell
from sim.swarm.records import STANDIN, CallSample, Distribution, Phase, Run

#: Of an engine's name among the counts: its column.
_ENGINES: Final = {"llm/": "llm calls", "tts/": "tts calls"}
_ASKED: Final = ("model", "voice")
_EXPLAINED: Final = (
    "Turns by the server's log: answered from the cache; for which a model was asked; for"
    " which a voice was asked, or made ready and not needed. Calls: what was finished by the"
    " server's own count (an answer, a clause; speech made ahead of any turn too) and by"
    " each stand-in's."
)
_AGAINST: Final = " Saved: of the share of such turns, against the first counted phase."


@dataclass(frozen=True, slots=True)
class PhaseCalls:
    """One phase. `asked`: of the `logged` turns those that asked a "model" and a "voice"."""

    phase: Phase
    turns: int
    first_word: Distribution | None
    logged: int = 0
    cached: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def share(self, kind: str) -> float | None:
        """Of the logged turns, those that asked it; 0 to 1."""
        return self.asked[kind] / self.logged if self.logged else None


def by_phase(run: Run) -> list[PhaseCalls]:
    """Each phase; empty when neither a log nor a count is known."""
    if not run.server_turns and not run.calls:
        return []
    figures = {each.scope: each for each in run.aggregates[1:]}
    return [_phase(run, each) for each in run.phases if each.name in figures]


def saved(phases: Sequence[PhaseCalls], kind: str) -> list[float | None]:
    """By how many per cent the share of turns that asked is less than in the first counted
    phase. None for that itself, and where it is not known."""
    first = next((each for each in phases if each.phase.counted), None)
    before = first.share(kind) if first is not None else None
    return [
        None
        if each is first or not before or (now := each.share(kind)) is None
        else 100 * (1 - now / before)
        for each in phases
    ]


def text(run: Run) -> str:
    """Lines for a terminal; '' where nothing is known."""
    rows = _rows(run)
    if not rows:
        return ""
    told = [f"calls     {_explained(run)}", *columns.lines(rows)]
    return "\n".join(told + [f"settings  {each}" for each in _over(run)])


def section(run: Run) -> str:
    """The same as a part of the page."""
    rows = _rows(run)
    if not rows:
        return ""
    cells = (
        [page.head(name), *(Cell(each, number=True) for each in figures)]
        for name, *figures in rows[1:]
    )
    return page.section(
        "Calls",
        page.table(rows[0], cells),
        page.soft(_explained(run)),
        page.items(_over(run)),
        about="by phase",
    )


def _phase(run: Run, phase: Phase) -> PhaseCalls:
    figures = next(each for each in run.aggregates[1:] if each.scope == phase.name)
    mine = [each for each in run.server_turns if each.phase == phase.name]
    return PhaseCalls(
        phase,
        figures.turns,
        figures.latencies.get("first_word_ms"),
        logged=sum(each.turns for each in mine),
        cached=sum(each.turns for each in mine if each.cached),
        asked={
            "model": sum(each.model for each in mine),
            "voice": sum(each.voice for each in mine),
        },
        calls=_counted([each for each in run.calls if each.phase == phase.name]),
    )


def _counted(samples: Sequence[CallSample]) -> dict[str, int]:
    """What came to the counts between the first and the last sample, by column.

    A count that fell began anew with whoever counts: of it nothing is known.
    """
    counts: dict[str, list[int]] = {}
    for sample in samples:
        for name, served in sample.served.items():
            counts.setdefault(name, []).append(served)
    calls: dict[str, int] = {}
    for name, (first, *later) in counts.items():
        column = next((told for start, told in _ENGINES.items() if name.startswith(start)), name)
        known = later and later[-1] >= first
        if known and (column != name or name.startswith(STANDIN)):
            calls[column] = calls.get(column, 0) + later[-1] - first
    return calls


def _rows(run: Run) -> list[tuple[str, ...]]:
    found = by_phase(run)
    if not found:
        return []
    compares = _compares(run)
    savings = {kind: saved(found, kind) for kind in _ASKED}
    columns_of_calls = sorted(
        {name for each in found for name in each.calls},
        key=lambda name: (name.startswith(STANDIN), name),
    )
    over = ["phase", "turns", "from the cache"]
    for kind in _ASKED:
        over += [f"asked a {kind}", *(["saved %"] if compares else [])]
    rows = [(*over, *columns_of_calls, "first word p50", "p95")]
    for place, each in enumerate(found):
        row = [each.phase.name, str(each.turns), str(each.cached) if each.logged else "-"]
        for kind in _ASKED:
            row.append(str(each.asked[kind]) if each.logged else "-")
            row += [_number(savings[kind][place], "{:.1f}")] if compares else []
        row += [_number(each.calls.get(name)) for name in columns_of_calls]
        word = each.first_word
        row += [_number(word.p50 if word else None), _number(word.p95 if word else None)]
        rows.append(tuple(row))
    return rows


def _compares(run: Run) -> bool:
    """Whether the phases differ in settings: then they are set side by side."""
    return any(phase.settings != run.phases[0].settings for phase in run.phases)


def _explained(run: Run) -> str:
    return _EXPLAINED + (_AGAINST if _compares(run) else "")


def _over(run: Run) -> list[str]:
    """What phases had over the run's own settings, a line each."""
    return [f"{phase.name}: {_settings(phase)}" for phase in run.phases if phase.settings]


def _settings(phase: Phase) -> str:
    """A phase's own settings in a line: "section.name = value; ..."."""
    told = []
    for place, values in phase.settings.items():
        if isinstance(values, dict):
            told += [f"{place}.{name} = {value}" for name, value in values.items()]
        else:
            told.append(f"{place}: {values}")
    return "; ".join(told)


def _number(value: float | None, form: str = "{:.0f}") -> str:
    return "-" if value is None else form.format(value)
