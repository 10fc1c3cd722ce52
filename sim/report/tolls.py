"""What faults cost, as a table: for a terminal, and for a page.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sim.faults.toll import LostTurn, Spread, Toll, is_lost, missed
from sim.report import page
from sim.report.page import Cell, Mood
from sim.report.scale import clock

_COLUMNS = (
    *("actor", "fault", "times", "over", "noticed", "most", "back", "most", "devices", "most"),
    *("touched", "lost", "damaged", "dropped", "crossed", "stuck"),
)
_EXPLAINED = (
    "Seconds since the fault, median and most: noticed by whoever watches; back: its successor"
    " is ready; devices: the last one that had lost its session has another. By the server's"
    " log where this run has it, else as seen from outside (the status may be 0.6 s old)."
    " Touched: turns that ran while it was away. Lost: not answered, an apology included;"
    " damaged: answered, but cut, misheard or another's."
)


def text(tolls: Sequence[Toll]) -> str:
    """Lines for a terminal: the table, why turns were lost, which promises are broken."""
    if not any(toll.wanted for toll in tolls):
        return ""
    lines = [_COLUMNS, *(tuple(_cells(toll)) for toll in tolls)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    told = [
        "  ".join(
            [
                *map(str.ljust, line[:2], widths[:2]),
                *map(str.rjust, line[2:], widths[2:]),
            ]
        ).rstrip()
        for line in lines
    ]
    told += [f"lost      {_name(each)}: {each.reasons}" for each in tolls if each.lost]
    told += [
        f"broken    {_name(each)}: {'; '.join(missed(each))}" for each in tolls if missed(each)
    ]
    return "\n".join(told)


def html(tolls: Sequence[Toll]) -> str:
    """The table, and every turn that was lost with where it stood; '' without faults."""
    if not any(toll.wanted for toll in tolls):
        return ""
    lost = [(toll, each) for toll in tolls for each in toll.lost]
    why = [f"{_name(toll)}: {toll.reasons}" for toll in tolls if toll.lost]
    return "".join(
        (
            page.table(_COLUMNS, map(_row, tolls)),
            page.soft(_EXPLAINED),
            page.items(why),
            page.folded("Every turn that a fault cost or damaged", _every(lost)),
        )
    )


def write_html(tolls: Sequence[Toll], title: str, about: str, path: Path) -> None:
    """A page with the tolls of several runs together. Raises `OSError`."""
    told = page.section(title, html(tolls), about=about)
    path.write_text(page.document(title, told), encoding="utf-8")


def _name(toll: Toll) -> str:
    return f"{toll.actor} {toll.signal}".rstrip()


def _cells(toll: Toll) -> list[str]:
    spreads = (toll.noticed, toll.back, toll.devices)
    times = [value for spread in spreads for value in _times(spread)]
    counts = (toll.touched, toll.lost_count, len(toll.lost) - toll.lost_count)
    return [
        toll.actor,
        toll.signal,
        str(toll.made) if toll.made == toll.wanted else f"{toll.made} of {toll.wanted}",
        str(toll.recovered),
        *times,
        *map(str, (*counts, toll.disconnects, toll.cross_talk, toll.stuck)),
    ]


def _times(spread: Spread | None) -> tuple[str, str]:
    return ("-", "-") if spread is None else (f"{spread.p50:.2f}", f"{spread.most:.2f}")


def _row(toll: Toll) -> list[Cell]:
    cells = _cells(toll)
    over: Mood = "good" if toll.recovered == toll.made else "bad"
    row = [page.head(cells[0]), Cell(cells[1]), Cell(cells[2], number=True)]
    row.append(Cell(cells[3], over, number=True))
    row += [Cell(cell, number=True) for cell in cells[4:11]]
    row += [Cell(cell, "" if cell == "0" else "bad", number=True) for cell in cells[11:]]
    return row


def _every(lost: Sequence[tuple[Toll, LostTurn]]) -> str:
    columns = ("fault at", "of", "device", "turn", "it was", "it became", "what was wrong")
    return page.table(
        columns,
        (
            [
                page.head("-" if each.fault_s is None else clock(each.fault_s)),
                Cell(f"{toll.signal} {each.victim or toll.actor}".strip()),
                page.n(each.device),
                page.n(each.turn),
                Cell(each.stage),
                Cell(each.outcome, "bad" if is_lost(each) else "warn"),
                Cell(each.problem or ", ".join(each.faults), wide=True),
            ]
            for toll, each in lost
        ),
    )
