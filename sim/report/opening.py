"""The top of a report: the verdict first, then the figures that decide it.

Pure.
"""

from __future__ import annotations

from html import escape

from sim.report import page
from sim.report.page import Cell, Mood
from sim.report.scale import clock
from sim.report.series import whole
from sim.swarm.limits import figure_of
from sim.swarm.records import Aggregate, LimitResult, Run

#: Figures of the tiles: name, figure, form; a limit on the figure colours its tile.
_TILES = (
    ("of turns answered within 2 s", "availability", "{:.2f} %"),
    ("of answers played whole", "completeness", "{:.2f} %"),
    ("of answers right", "correctness", "{:.2f} %"),
    ("turns", "turns", "{:.0f}"),
    ("turns lost", "lost", "{:.0f}"),
    ("first word, median", "first_word_ms.p50", "{:.0f} ms"),
    ("first word, 95 %", "first_word_ms.p95", "{:.0f} ms"),
    ("first word, 99 %", "first_word_ms.p99", "{:.0f} ms"),
    ("first word, 99.9 %", "first_word_ms.p999", "{:.0f} ms"),
    ("got another device's words", "cross_talk", "{:.0f}"),
    ("holes in the sound", "underruns", "{:.0f}"),
    ("disconnects", "disconnects", "{:.0f}"),
    ("stuck devices", "stuck_devices", "{:.0f}"),
)
#: What should be zero is coloured though no limit says so.
_ZERO = frozenset({"lost", "cross_talk", "disconnects", "stuck_devices"})
#: More limits than this are folded, those that were missed apart.
_SHOWN_LIMITS = 12


def opening(run: Run) -> str:
    """Name, verdict, facts and tiles."""
    figures = whole(run)
    shown = page.tiles(_tile(run, figures, *each) for each in _TILES) if figures else ""
    title = f"<h1>{escape(run.info.name)}</h1>"
    about = page.soft(run.info.about)
    return f"<header>{title}{about}{_verdict(run)}{_facts(run)}{shown}</header>"


def mood_of(run: Run) -> tuple[str, Mood]:
    """The verdict in a word, and how it looks."""
    if run.verdict.void:
        return "VOID", "warn"
    if run.verdict.passed:
        return "PASSED", "good"
    return ("FAILED", "bad") if run.info.ended == "complete" else ("CUT SHORT", "bad")


def _verdict(run: Run) -> str:
    word, mood = mood_of(run)
    told = escape(run.verdict.summary.removeprefix("void: "))
    knee = ""
    if run.knee is not None:
        broke = "nothing higher was tried"
        if run.knee.broke is not None:
            broke = f"{run.knee.broke} missed {'; '.join(run.knee.missed)}"
        knee = page.text(f"Knee: {run.knee.held} talking devices held every limit; {broke}.")
    return (
        f'<div class="verdict {mood}"><b>{word}</b>{told}'
        f"{page.items(run.verdict.void[1:])}{knee}</div>"
    )


def _facts(run: Run) -> str:
    info = run.info
    facts = [
        info.target,
        info.started_at,
        f"{clock(info.lasted_s)} of {clock(info.planned_s)}",
        f"{len(run.devices)} devices",
        f"seed {info.seed}",
        f"{info.generators} generator process{'' if info.generators == 1 else 'es'}",
        f"{info.machine.cores} cores, {info.machine.cpu_model}",
    ]
    inside = "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact)
    return f'<p class="facts">{inside}</p>'


def _tile(run: Run, figures: Aggregate, name: str, figure: str, form: str) -> str:
    value = figure_of(figures, figure)
    told = page.NOTHING if value is None else form.format(value)
    return page.tile(told, name, _mood(run, figures, figure, value))


def _mood(run: Run, figures: Aggregate, figure: str, value: float | None) -> Mood:
    stated = [each for each in run.limits if (each.scope, each.figure) == (figures.scope, figure)]
    if stated:
        return "good" if all(each.held for each in stated) else "bad"
    if figure in _ZERO and value is not None:
        return "warn" if value else "good"
    return ""


def limits(run: Run) -> str:
    """Every stated limit, those that were missed first."""
    ordered = sorted(run.limits, key=lambda each: each.held)
    missed = sum(not each.held for each in ordered)
    shown = max(missed, _SHOWN_LIMITS)
    rest = _limit_table(ordered[shown:])
    return page.section(
        "Limits",
        _limit_table(ordered[:shown]),
        page.folded(f"{len(ordered) - shown} more, all held", rest),
        about=f"{len(ordered) - missed} of {len(ordered)} held",
    )


def _limit_table(results: list[LimitResult]) -> str:
    columns = ("", "figure", "measured", "limit", "where")
    return page.table(columns, (_limit_row(each) for each in results))


def _limit_row(result: LimitResult) -> list[Cell]:
    mood: Mood = "good" if result.held else "bad"
    return [
        Cell("held" if result.held else "missed", mood),
        page.head(result.figure),
        page.n(result.measured, "{:.4g}"),
        Cell(result.limit, number=True),
        Cell("whole run" if result.scope == "all" else result.scope),
    ]
