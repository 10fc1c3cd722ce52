"""Where the server's own time went in a turn, phase by phase: for a terminal, and a page.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from sim.report import columns, page
from sim.report.page import Cell
from sim.swarm.hops import ORDER
from sim.swarm.records import Distribution, Run, ServerTurns

_EXPLAINED = (
    "By the server's own clock, p50 / p95 in ms: each hop from the hop before it, the first"
    " from the last sample of speech; together: from the decision that speech was over to the"
    " first frame sent."
)
_SOURCES = {True: "cache", False: "others"}


def text(run: Run) -> str:
    """Lines for a terminal; '' when the log of the server is not known."""
    if not run.server_turns:
        return ""
    names = _names(run.server_turns)
    rows = [("phase", "answer", "turns", *map(_spoken, names), "together")]
    for each in run.server_turns:
        spreads = (*(each.hops.get(name) for name in names), each.to_first_frame)
        rows.append((each.phase, _SOURCES[each.cached], str(each.turns), *map(_shown, spreads)))
    return "\n".join([f"hops      {_EXPLAINED}", *columns.lines(rows, left=2)])


def section(run: Run) -> str:
    """The same as a part of the page."""
    if not run.server_turns:
        return ""
    names = _names(run.server_turns)
    over = ("phase", "answer from", "turns", *map(_spoken, names), "together")
    rows = (_row(each, names) for each in run.server_turns)
    return page.section(
        "Hops inside the server",
        page.table(over, rows),
        page.soft(_EXPLAINED),
        about="by phase; answers that were remembered apart from the others",
    )


def _row(each: ServerTurns, names: Sequence[str]) -> list[Cell]:
    spreads = (*(each.hops.get(name) for name in names), each.to_first_frame)
    return [
        page.head(each.phase),
        Cell(_SOURCES[each.cached]),
        page.n(each.turns),
        *(Cell(_shown(spread), number=True) for spread in spreads),
    ]


def _names(turns: Sequence[ServerTurns]) -> list[str]:
    """Every hop of any of them, in the order of a turn."""
    found = {name for each in turns for name in each.hops}
    return [*(name for name in ORDER if name in found), *sorted(found.difference(ORDER))]


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _shown(spread: Distribution | None) -> str:
    return "-" if spread is None else f"{spread.p50:.1f} / {spread.p95:.1f}"
