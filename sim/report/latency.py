"""How long people waited: over time, by level, as distributions, and hop by hop.

Pure.
"""

from __future__ import annotations

from itertools import pairwise

from sim.report import page, plot, scale, series
from sim.report.page import Cell
from sim.report.plot import Plot
from sim.swarm.records import Aggregate, Phase, Run, TurnRecord
from sim.timeline import HOPS

#: What each latency is called.
LABELS = dict(HOPS) | {
    "first_word_ms": "first word (first frame on the wire)",
    "audible_ms": "first audible sample",
    "answer_ms": "first word, waiting included",
    "end_to_end_ms": "whole answer heard",
    "waited_ms": "waited for the device",
    "connect_ms": "connecting, hello included",
    "abort_to_stop_ms": "interruption until it is silent",
    "longest_gap_ms": "longest time without a frame",
    "deepest_queue_ms": "most audio waiting in the device",
}
#: The plan's promise for the first word.
PROMISED_MS = 400.0
_NAME_CHARS = 18


def latency(run: Run) -> str:
    if not any(turn.first_word_ms is not None for turn in run.turns):
        return ""
    return page.section(
        "First word",
        _over_time(run),
        page.pair(_distribution(run), _curve(run)),
        about="from the last sample of the user's speech to the first audio frame of the answer",
    )


def by_level(run: Run) -> str:
    """Each phase with its figures; the load against the latency where levels differ."""
    found = series.levels(run)
    if len(found) < 2:
        return ""
    return page.section("By phase", page.pair(_ranges(found), _against_load(found)), _table(found))


def hops(run: Run) -> str:
    """Where the time of a turn goes, and every latency in full."""
    figures = series.whole(run)
    if figures is None or not figures.latencies:
        return ""
    return page.section(
        "Every latency", _waterfall(figures), _latencies(figures), about="milliseconds"
    )


def phases_on(drawing: Plot, run: Run) -> None:
    """Shade the phases, if there is more than one."""
    if len(run.phases) > 1:
        for number, phase in enumerate(run.phases):
            drawing.band(phase.start_s, phase.end_s, phase.name, odd=bool(number % 2))


def time_scale(run: Run) -> scale.Scale:
    ends = [run.info.lasted_s, *(turn.intended_s for turn in run.turns[-1:])]
    return scale.time(0.0, max(ends))


def _over_time(run: Run) -> str:
    turns, bin_s = run.turns, series.bins(run)
    single = series.dots(turns, "first_word_ms")
    lost = [turn for turn in turns if not series.kept(turn)]
    y = scale.milliseconds([value for _at, value in single])
    about = f"each dot a turn; lines over {scale.clock(bin_s)}"
    if len(single) == series.MOST_DOTS:
        about = f"a choice of the turns, the slowest among them; lines over {scale.clock(bin_s)}"
    drawing = Plot("Over time", time_scale(run), y, about=about, height_rem=17)
    phases_on(drawing, run)
    drawing.dots(single, "c7", "a turn")
    for share, colour, name in ((0.95, "c1", "95 %"), (0.5, "c0", "median")):
        drawing.line(series.over_time(turns, "first_word_ms", share, bin_s), colour, name)
    drawing.level(PROMISED_MS, "good", "the plan's 400 ms")
    drawing.marks((fault.at_s for fault in run.faults if fault.ok), "c3", "fault")
    drawing.dots(((turn.intended_s, y.high) for turn in lost), "bad", "lost turn", big=True)
    return drawing.html()


def _distribution(run: Run) -> str:
    found = series.values(series.counted_turns(run), "first_word_ms")
    if not found:
        return ""
    x = scale.milliseconds(found)
    edges = [x.low * (x.high / x.low) ** (n / 40) for n in range(41)]
    counts = [0] * 40
    for value in found:
        counts[min(39, int(x.place(value) * 40))] += 1
    drawing = Plot("Distribution", x, scale.linear(counts), about=f"{len(found)} turns")
    boxes = (
        (low, high, float(count))
        for (low, high), count in zip(pairwise(edges), counts, strict=True)
        if count
    )
    drawing.columns(boxes, "c0")
    figures = series.whole(run)
    spread = figures.latencies.get("first_word_ms") if figures else None
    if spread is not None:
        drawing.marks([spread.p50], "c2", f"median {spread.p50:.0f} ms")
        drawing.marks([spread.p95], "c1", f"95 % {spread.p95:.0f} ms")
        drawing.marks([spread.p99], "bad", f"99 % {spread.p99:.0f} ms")
    return drawing.html()


def _curve(run: Run) -> str:
    turns = series.counted_turns(run)
    lines = [
        (figure, colour, found)
        for figure, colour in (
            ("first_word_ms", "c0"),
            ("audible_ms", "c2"),
            ("end_to_end_ms", "c3"),
        )
        if (found := series.values(turns, figure))
    ]
    if not lines:
        return ""
    x = scale.milliseconds([value for _f, _c, found in lines for value in found])
    shares = scale.percent((0, 25, 50, 75, 90, 100))
    drawing = Plot("Share of turns no slower than", x, shares)
    for figure, colour, found in lines:
        drawing.line(series.cumulative(found), colour, LABELS[figure])
    return drawing.html()


# --- phases ---------------------------------------------------------------------


def _ranges(found: list[tuple[Phase, Aggregate]]) -> str:
    spreads = [
        (_name(phase.name), figures.latencies["first_word_ms"])
        for phase, figures in found
        if "first_word_ms" in figures.latencies
    ]
    if not spreads:
        return ""
    names = [name for name, _spread in spreads]
    reach = [value for _name, each in spreads for value in (each.p50, each.p99)]
    drawing = Plot(
        "First word by phase",
        scale.milliseconds(reach),
        plot.rows(names),
        height_rem=2.4 + 1.7 * len(names),
    )
    places = [plot.row_of(len(names), index) for index in range(len(names))]
    drawing.bars(
        ((each.p50, each.p95, y) for (_n, each), y in zip(spreads, places, strict=True)),
        "c0",
        "median to 95 %",
    )
    drawing.dots(
        ((each.p99, y) for (_n, each), y in zip(spreads, places, strict=True)), "bad", "99 %", True
    )
    return drawing.html()


def _against_load(found: list[tuple[Phase, Aggregate]]) -> str:
    """Latency over the number of talkers, where at least three levels differ."""
    points = (
        sorted(
            (
                (float(phase.talkers), figures.latencies["first_word_ms"])
                for phase, figures in found
                if phase.counted and "first_word_ms" in figures.latencies and phase.talkers
            ),
            key=lambda point: point[0],  # several phases may have one level
        )
        if len({phase.talkers for phase, _f in found if phase.counted}) >= 3
        else []
    )
    if not points:
        return ""
    reach = [value for _t, each in points for value in (each.p50, each.p99)]
    x = scale.linear([talkers for talkers, _each in points])
    drawing = Plot("First word by load", x, scale.milliseconds(reach), about="talkers")
    drawing.line([(talkers, each.p99) for talkers, each in points], "bad", "99 %")
    drawing.line([(talkers, each.p95) for talkers, each in points], "c1", "95 %")
    drawing.line([(talkers, each.p50) for talkers, each in points], "c0", "median")
    drawing.dots([(talkers, each.p50) for talkers, each in points], "c0", big=True)
    return drawing.html()


def _table(found: list[tuple[Phase, Aggregate]]) -> str:
    columns = (
        *("phase", "talkers", "turns", "lost", "available %", "whole %", "right %"),
        *("median", "95 %", "99 %", "99.9 %", "holes", "CPU %", "PSS MiB"),
    )
    return page.table(columns, (_phase_row(phase, figures) for phase, figures in found))


def _phase_row(phase: Phase, figures: Aggregate) -> list[Cell]:
    spread = figures.latencies.get("first_word_ms")
    waits = (spread.p50, spread.p95, spread.p99, spread.p999) if spread else (None,) * 4
    name = phase.name if phase.counted else f"{phase.name} (not counted)"
    return [
        page.head(name),
        page.n(phase.talkers),
        page.n(figures.turns),
        page.n(figures.lost, mood="bad" if figures.lost else ""),
        page.n(figures.availability, "{:.2f}"),
        page.n(figures.completeness, "{:.2f}"),
        page.n(figures.correctness, "{:.2f}"),
        *(page.n(wait) for wait in waits),
        page.n(figures.underruns),
        page.n(figures.cpu_percent),
        page.n(figures.pss_mib_max),
    ]


# --- hops -----------------------------------------------------------------------


def _waterfall(figures: Aggregate) -> str:
    order = [
        name for name, _label in HOPS if name not in ("last_frame_ms", "heard_ms", "tts_stop_ms")
    ]
    known = [
        (name, spread)
        for name in (*order, "audible_ms")
        if (spread := figures.latencies.get(name)) is not None and spread.p95 > 0
    ]
    known = list(dict(known).items())
    if not known:
        return ""
    names = [LABELS[name] for name, _spread in known]
    x = scale.linear([spread.p95 for _name, spread in known], " ms")
    drawing = Plot(
        "When it happened after the last sample of speech",
        x,
        plot.rows([_short(name) for name in names]),
        about="median to 95 %",
        height_rem=2.0 + 1.6 * len(names),
    )
    for index, (_hop, spread) in enumerate(known):
        y = plot.row_of(len(known), index)
        drawing.bars([(spread.p50, spread.p95, y)], "c0")
        drawing.dots([(spread.p50, y)], "c2", big=True)
    return drawing.html()


def _latencies(figures: Aggregate) -> str:
    columns = ("", "values", "mean", "median", "90 %", "95 %", "99 %", "99.9 %", "most")
    rows = (
        [
            page.head(LABELS.get(name, name)),
            page.n(each.count),
            *(
                page.n(value)
                for value in (
                    *(each.mean, each.p50, each.p90, each.p95, each.p99, each.p999, each.most),
                )
            ),
        ]
        for name, each in figures.latencies.items()
    )
    return page.table(columns, rows)


def hop_bar(turn: TurnRecord) -> str:
    """One turn's hops up to the first sound, as a bar and in words."""
    reached = sorted(
        (value, name)
        for name, value in turn.hops.items()
        if name in ("speech_sent_ms", "stt_ms", "tts_start_ms", "first_frame_ms", "audible_ms")
        and value >= 0
    )
    if not reached or reached[-1][0] <= 0:
        return ""
    end, before = reached[-1][0], 0.0
    parts: list[str] = []
    words: list[str] = []
    for index, (value, name) in enumerate(reached):
        share = (value - before) / end * 100
        colour = plot.PALETTE[index]
        parts.append(f'<i class="{colour}" style="width:{share:.1f}%"></i>')
        words.append(f'<i class="swatch {colour}"></i>{_short(LABELS[name])} {value:.0f}')
        before = value
    said = " ms · ".join(words)
    return f'<div class="hops">{"".join(parts)}</div><p class="soft">{said} ms</p>'


def _name(name: str) -> str:
    return name if len(name) <= _NAME_CHARS else name[: _NAME_CHARS - 1] + "…"


def _short(label: str) -> str:
    return label.partition(" (")[0].replace("audio frame on the wire", "frame")
