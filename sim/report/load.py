"""What it cost: processors, memory, descriptors, the host, and the generator itself.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from sim.report import consumption, page, processor, scale, series
from sim.report.consumption import Measure
from sim.report.latency import phases_on, time_scale
from sim.report.page import Cell, Mood
from sim.report.plot import PALETTE, Plot, Point
from sim.swarm.records import LagSample, Run

#: The plan's budget for the first server: cores in per cent of one, and memory.
BUDGET_CPU_PERCENT = 150.0
BUDGET_MIB = 2048.0


def resources(run: Run) -> str:
    """The server's processes, by actor."""
    if not run.resources:
        return ""
    cpu = _stack(run, "Processor", " %", lambda a: a.cpu_percent, "per cent of one core")
    memory = _stack(run, "Memory", " MiB", lambda a: a.pss_mib, "proportional set size")
    counts = _counts(run)
    return page.section(
        "The server's processes",
        page.pair(cpu, memory),
        counts,
        page.folded("Each actor in figures", _table(run)),
        page.folded("Processor by actor and phase", processor.html(run)),
        page.soft(
            f"The plan's budget for one server on 4 cores: {BUDGET_CPU_PERCENT:.0f} % of a core"
            f" and {BUDGET_MIB:.0f} MiB, models and databases apart."
        ),
    )


def surroundings(run: Run) -> str:
    """The host, the devices, and whether the generator can be trusted."""
    return page.section(
        "Host and generator",
        page.pair(_host(run), _lag(run), _crowd(run)),
        about="whether the instrument was in its own way",
    )


def soak(run: Run) -> str:
    trends = consumption.soaked(run)
    if not trends:
        return ""
    moods: dict[str, Mood] = {"leak": "bad", "no leak": "good", "undecided": "warn"}
    rows = (
        [
            page.head(trend.figure),
            Cell(trend.verdict, moods[trend.verdict]),
            page.n(trend.level, "{:.4g}"),
            page.n(trend.slope.per_hour if trend.slope else None, "{:+.3g}"),
            Cell(_interval(trend.slope.low, trend.slope.high) if trend.slope else "–", number=True),
            page.n(trend.grown, "{:+.3g}"),
            page.n(trend.allowed, "{:.3g}"),
            Cell(trend.reason, wide=True),
        ]
        for trend in trends
    )
    columns = (
        *("figure", "verdict", "median", "an hour", "95 % interval", "in all", "allowed"),
        "why",
    )
    return page.section(
        "Does it grow?",
        page.table(columns, rows),
        about="robust slopes over the longest counted phase, its beginning left out",
    )


def _interval(low: float, high: float) -> str:
    return f"{low:+.3g} … {high:+.3g}"


def _stack(run: Run, title: str, unit: str, measure: Measure, about: str) -> str:
    names = consumption.actor_names(run.resources, measure)
    layers = consumption.stacked(run.resources, names, measure)
    if not layers or not any(value for _at, value in layers[-1][1]):
        return ""
    tops = [value for _at, value in layers[-1][1]]
    drawing = Plot(title, time_scale(run), scale.linear(tops, unit), about=about)
    phases_on(drawing, run)
    for (lower, upper), name, colour in zip(layers, names, PALETTE, strict=False):
        drawing.area(lower, upper, colour, name)
    return drawing.html()


def _counts(run: Run) -> str:
    samples = consumption.thinned(run.resources)
    plots = []
    for title, points in (
        ("Descriptors", [(s.at_s, s.total.fds) for s in samples]),
        ("Processes", [(s.at_s, float(s.total.processes)) for s in samples]),
    ):
        known: list[Point] = [(at, value) for at, value in points if value is not None]
        if known:
            y = scale.linear([value for _at, value in known])
            drawing = Plot(title, time_scale(run), y, height_rem=8)
            drawing.stairs(known, "c0")
            plots.append(drawing.html())
    return page.pair(*plots)


def _table(run: Run) -> str:
    columns = (
        *("actor", "processes", "CPU %", "most", "PSS MiB", "most"),
        *("MiB each", "descriptors", "threads"),
    )
    rows = (
        [
            page.head(cost.name),
            page.n(cost.processes),
            page.n(cost.cpu_percent, "{:.1f}"),
            page.n(cost.cpu_most, "{:.0f}"),
            page.n(cost.pss_mib, "{:.0f}"),
            page.n(cost.pss_most, "{:.0f}"),
            page.n(cost.pss_mib / cost.processes if cost.pss_mib else None, "{:.1f}"),
            page.n(cost.fds),
            page.n(cost.threads),
        ]
        for cost in consumption.costs(run)
    )
    return page.table(columns, rows)


def _host(run: Run) -> str:
    if not run.hosts:
        return ""
    lines: list[tuple[str, str, list[Point]]] = [
        ("all", "c7", [(h.at_s, h.busy_percent) for h in run.hosts]),
        ("generator", "c0", [(h.at_s, h.generator_percent) for h in run.hosts]),
        ("server", "c2", _known([(h.at_s, h.server_percent) for h in run.hosts])),
        ("foreign", "bad", _known([(h.at_s, h.foreign_percent) for h in run.hosts])),
        ("memory in use", "c3", [(h.at_s, h.memory_used_percent) for h in run.hosts]),
    ]
    about = "per cent of all cores; memory of all memory"
    drawing = Plot("Host", time_scale(run), scale.percent(), about=about)
    for name, colour, points in lines:
        drawing.line(points[:: max(1, len(points) // 400)], colour, name)
    return drawing.html()


def _lag(run: Run) -> str:
    if not run.lags:
        return ""
    worst = [(each.at_s, each.worst_ms) for each in run.lags]
    y = scale.linear([value for _at, value in worst], " ms", least=5.0)
    about = "how late its loop woke; its latencies are wrong by as much"
    drawing = Plot("Generator", time_scale(run), y, about=about)
    drawing.dots(_slowest(worst), "c1", "worst of a second")
    for generator in sorted({each.generator for each in run.lags})[:4]:
        drawing.line(_medians(run.lags, generator), "c0", "median" if not generator else "")
    return drawing.html()


def _crowd(run: Run) -> str:
    lines = series.crowd(run)
    if not any(lines.values()):
        return ""
    most = [value for points in lines.values() for _at, value in points]
    drawing = Plot("Devices", time_scale(run), scale.linear(most))
    for (name, points), colour in zip(lines.items(), ("c7", "c0", "c1", "c2"), strict=True):
        drawing.stairs(points, colour, name)
    return drawing.html()


def _slowest(points: list[Point], most: int = 1500) -> list[Point]:
    return sorted(points, key=lambda point: -point[1])[:most]


def _medians(lags: Sequence[LagSample], generator: int) -> list[Point]:
    found = [(each.at_s, each.median_ms) for each in lags if each.generator == generator]
    return found[:: max(1, len(found) // 400)]


def _known(points: Sequence[tuple[float, float | None]]) -> list[Point]:
    return [(at, value) for at, value in points if value is not None]
