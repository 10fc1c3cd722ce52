"""What went wrong: the faults that were made, the turns that were lost, what is odd.

Pure.
"""

from __future__ import annotations

import json
from html import escape

from sim.faults import toll
from sim.report import page, plot, series, tolls
from sim.report.latency import hop_bar, time_scale
from sim.report.page import Cell, Mood
from sim.report.plot import Plot
from sim.report.scale import clock
from sim.swarm.aggregate import aggregate
from sim.swarm.records import FaultRecord, Run, TurnRecord

#: Turns shown; the others are folded.
_OPEN_TURNS = 6
_SHOWN_CONNECTIONS = 40


def faults(run: Run) -> str:
    """The fault time line, how each kind of actor came back, and what turns felt of it."""
    if not run.faults:
        return ""
    done = sum(fault.ok for fault in run.faults)
    return page.section(
        "Faults",
        _time_line(run),
        tolls.html(toll.tolls([run])),
        _felt(run),
        page.folded("Every fault", _every(run)),
        about=f"{done} made, {len(run.faults) - done} could not be",
    )


def _time_line(run: Run) -> str:
    made = [fault for fault in run.faults if fault.ok]
    if not made:
        return ""
    names = sorted({series.fault_lane(fault) for fault in made})
    drawing = Plot(
        "When, and until it was ready again",
        time_scale(run),
        plot.rows(names),
        height_rem=2.2 + 1.5 * len(names),
    )
    good: list[tuple[float, float, float]] = []
    bad: list[tuple[float, float, float]] = []
    for fault in made:
        y = plot.row_of(len(names), names.index(series.fault_lane(fault)))
        failed = fault.recovery is not None and not fault.recovery.recovered
        (bad if failed else good).append((fault.at_s, series.fault_end(fault), y))
    drawing.bars(good, "c3", "fault")
    drawing.bars(bad, "bad", "did not come back")
    return drawing.html()


def _felt(run: Run) -> str:
    felt, calm = series.with_and_without_faults(run)
    if not felt or not calm:
        return ""
    columns = ("turns", "number", "lost", "available %", "whole %", "median", "95 %", "99 %")
    rows = []
    for name, turns in (("during a fault or just after", felt), ("at other times", calm)):
        figures = aggregate(name, 0.0, turns)
        spread = figures.latencies.get("first_word_ms")
        rows.append(
            [
                page.head(name),
                page.n(figures.turns),
                page.n(figures.lost),
                page.n(figures.availability, "{:.2f}"),
                page.n(figures.completeness, "{:.2f}"),
                page.n(spread.p50 if spread else None),
                page.n(spread.p95 if spread else None),
                page.n(spread.p99 if spread else None),
            ]
        )
    return page.table(columns, rows)


def _every(run: Run) -> str:
    columns = ("at", "fault", "target", "what", "gone", "replaced", "ready", "")
    return page.table(columns, (_fault_row(fault) for fault in run.faults))


def _fault_row(fault: FaultRecord) -> list[Cell]:
    back = fault.recovery
    if not fault.ok:
        outcome = Cell("not done", "warn")
    elif back is None:
        outcome = Cell("")
    else:
        outcome = Cell("back", "good") if back.recovered else Cell("not back", "bad")
    return [
        page.head(clock(fault.at_s)),
        Cell(fault.kind),
        Cell(fault.target),
        Cell(fault.detail, wide=True),
        page.n(back.gone_s if back else None, "{:.2f}"),
        page.n(back.back_s if back else None, "{:.2f}"),
        page.n(back.ready_s if back else None, "{:.2f}"),
        outcome,
    ]


# --- turns ----------------------------------------------------------------------


def worst(run: Run) -> str:
    """The turns to look at first."""
    turns = series.worst(run)
    rest = "".join(_turn(run, turn) for turn in turns[_OPEN_TURNS:])
    return page.section(
        "Turns to look at",
        _by_fault(run),
        *(_turn(run, turn) for turn in turns[:_OPEN_TURNS]),
        page.folded(f"{len(turns) - _OPEN_TURNS} more", rest),
        about="lost and wrong ones, each kind of trouble early; then the slowest",
    )


def _by_fault(run: Run) -> str:
    figures = series.whole(run)
    if figures is None:
        return ""
    lost = {
        name: count
        for name, count in figures.outcomes.items()
        if name not in ("answered", "interrupted")
    }
    counts = sorted([*lost.items(), *figures.by_fault.items()], key=lambda pair: -pair[1])
    inside = " ".join(page.badge(f"{name} {count}", "warn") for name, count in dict(counts).items())
    return f"<p>{inside}</p>" if inside else page.text("Nothing was wrong with any turn.")


def _turn(run: Run, turn: TurnRecord) -> str:
    mood: Mood = "bad" if not series.kept(turn) else "warn" if turn.faults else "good"
    device = next((each for each in run.devices if each.index == turn.device), None)
    who = f"device {turn.device}, turn {turn.turn}, at {clock(turn.intended_s)} ({turn.phase})"
    if device is not None:
        who += f"; {device.mode}, firmware {device.generation}, {device.voice}"
    wait = "" if turn.answer_ms is None else f" first word after {turn.answer_ms:.0f} ms"
    lines = [
        f"<p>{page.badge(turn.outcome, mood)}{escape(wait)} <small>{escape(who)}</small></p>",
        page.text("; ".join(turn.problems)),
        _words("said", turn.said),
        _words("understood", turn.understood),
        _words("answered", turn.answer),
        hop_bar(turn),
        page.soft("; ".join(turn.remarks)),
    ]
    return f'<div class="turn">{"".join(lines)}</div>'


def _words(what: str, words: str) -> str:
    return f"<p><small>{what}</small> {escape(words)}</p>" if words else ""


def connections(run: Run) -> str:
    """Connections that failed or ended by themselves."""
    troubled = [each for each in run.connections if each.kind in ("failed", "dropped")]
    rows = (
        [
            page.head(clock(each.at_s)),
            page.n(each.device),
            Cell(f"{each.kind}{', cut' if each.cut else ''}", "bad"),
            Cell(each.detail, wide=True),
        ]
        for each in troubled[:_SHOWN_CONNECTIONS]
    )
    more = len(troubled) - _SHOWN_CONNECTIONS
    return page.section(
        "Connections that failed or were lost",
        page.table(("at", "device", "", "detail"), rows),
        page.soft(f"and {more} more") if more > 0 else "",
        about=str(len(troubled)) if troubled else "",
    )


def appendix(run: Run) -> str:
    """What is needed to do it again, and what the words mean."""
    versions = ", ".join(f"{name} {version}" for name, version in run.info.versions.items())
    machine = run.info.machine
    scenario = json.dumps(run.info.scenario, ensure_ascii=False, indent=2)
    return page.section(
        "To do it again",
        page.verbatim(run.info.command) if run.info.command else "",
        page.soft(
            f"{machine.system}, Python {machine.python}, {machine.cpu_model}, {machine.cores} cores,"
            f" {machine.memory_mib} MiB. {versions}"
        ),
        page.folded("The scenario", page.verbatim(scenario) if run.info.scenario else ""),
        page.folded(
            "What the words mean",
            page.items(
                (
                    "First word: from the last sample of speech to the first audio frame received.",
                    "Answered within 2 s (availability): share of intended turns whose answer began within 2 s,"
                    " waiting for a device that was not ready included.",
                    "Played whole (completeness): share of turns whose whole answer was heard, the user's own"
                    " interruptions apart.",
                    "Lost: every turn that ended otherwise than answered or interrupted by the user;"
                    " an apology counts as lost.",
                    "Hole: the loudspeaker ran dry inside a sentence for 20 ms or more.",
                    "Percentiles are measured values (nearest rank) of all turns, none left out.",
                    "Void: the generator or something foreign on the host was in the way, so that the figures say"
                    " nothing of the server.",
                )
            ),
        ),
    )
