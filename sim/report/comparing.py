"""Two runs over each other: the same figures, before and after.

Pure.
"""

from __future__ import annotations

from sim.report import consumption, page, scale, series
from sim.report.latency import LABELS, time_scale
from sim.report.opening import mood_of
from sim.report.page import Cell
from sim.report.plot import Plot
from sim.swarm.printout import comparison
from sim.swarm.records import Run

_COLOURS = ("c7", "c0")
_WORDS = ("before", "after")


def comparison_html(before: Run, after: Run) -> str:
    """The page; runs without figures are told apart by their verdicts alone."""
    runs = (before, after)
    return page.document(
        f"{before.info.name} / {after.info.name}",
        _opening(runs),
        page.section(
            "First word",
            _over_time(runs),
            page.pair(_curve(runs, "first_word_ms"), _curve(runs, "end_to_end_ms")),
        ),
        page.section("Where the time goes", _hops(runs), about="median, ms"),
        page.section("Cost", page.pair(_cost(runs, "Processor"), _cost(runs, "Memory"))),
        page.section("Every figure", page.verbatim(comparison(before, after))),
    )


def _opening(runs: tuple[Run, Run]) -> str:
    rows = []
    for word, run in zip(_WORDS, runs, strict=True):
        verdict, mood = mood_of(run)
        info = run.info
        rows.append(
            [
                page.head(word),
                Cell(verdict, mood),
                Cell(info.name),
                Cell(info.started_at),
                Cell(info.target),
                Cell(run.verdict.summary, wide=True),
            ]
        )
    columns = ("", "verdict", "run", "when", "server", "why")
    return f"<header><h1>Two runs compared</h1>{page.table(columns, rows)}</header>"


def _over_time(runs: tuple[Run, Run]) -> str:
    lines = [
        (word, colour, share, series.over_time(run.turns, "first_word_ms", share, series.bins(run)))
        for word, colour, run in zip(_WORDS, _COLOURS, runs, strict=True)
        for share in (0.5, 0.95)
    ]
    found = [point[1] for _w, _c, _s, points in lines for point in points if point is not None]
    if not found:
        return ""
    longest = max(runs, key=lambda run: run.info.lasted_s)
    drawing = Plot("Over time", time_scale(longest), scale.milliseconds(found))
    for word, colour, share, points in lines:
        name = f"{word}, {'median' if share == 0.5 else '95 %'}"
        drawing.line(points, colour if share == 0.5 else f"{colour} thin", name)
    return drawing.html()


def _curve(runs: tuple[Run, Run], figure: str) -> str:
    found = [series.values(series.counted_turns(run), figure) for run in runs]
    if not all(found):
        return ""
    x = scale.milliseconds([value for each in found for value in each])
    shares = scale.percent((0, 25, 50, 75, 90, 100))
    title = "First word" if figure == "first_word_ms" else "Whole answer heard"
    drawing = Plot(f"{title}: share of turns no slower than", x, shares)
    for word, colour, values in zip(_WORDS, _COLOURS, found, strict=True):
        drawing.line(series.cumulative(values), colour, word)
    return drawing.html()


def _hops(runs: tuple[Run, Run]) -> str:
    one, two = (series.whole(run) for run in runs)
    if one is None or two is None:
        return ""
    both = [name for name in one.latencies if name in two.latencies]
    medians = [(name, one.latencies[name].p50, two.latencies[name].p50) for name in both]
    rows = (
        [page.head(LABELS.get(name, name)), page.n(old), page.n(new), page.n(new - old, "{:+.0f}")]
        for name, old, new in medians
    )
    return page.table(("hop", "before", "after", "change"), rows)


def _cost(runs: tuple[Run, Run], title: str) -> str:
    lines = []
    for word, colour, run in zip(_WORDS, _COLOURS, runs, strict=True):
        samples = consumption.thinned(run.resources)
        points = [
            (each.at_s, each.total.cpu_percent if title == "Processor" else each.total.pss_mib)
            for each in samples
        ]
        known = [(at, value) for at, value in points if value is not None]
        if known:
            lines.append((word, colour, known))
    if not lines:
        return ""
    unit = " %" if title == "Processor" else " MiB"
    longest = max(runs, key=lambda run: run.info.lasted_s)
    top = scale.linear([value for _w, _c, known in lines for _at, value in known], unit)
    drawing = Plot(title, time_scale(longest), top)
    for word, colour, known in lines:
        drawing.line(known, colour, word)
    return drawing.html()
