"""A run and a comparison of two as text. Pure: records in, lines out."""

from __future__ import annotations

from collections.abc import Sequence

from sim.swarm.limits import figure_of
from sim.swarm.records import Aggregate, Run
from sim.swarm.statistics import difference

#: Figures of the table, with their unit.
_COLUMNS = (
    ("turns", "turns", "{:.0f}"),
    ("lost", "lost", "{:.0f}"),
    ("available %", "availability", "{:.2f}"),
    ("complete %", "completeness", "{:.2f}"),
    ("right %", "correctness", "{:.2f}"),
    ("first word p50", "first_word_ms.p50", "{:.0f}"),
    ("p95", "first_word_ms.p95", "{:.0f}"),
    ("p99", "first_word_ms.p99", "{:.0f}"),
    ("audible p95", "audible_ms.p95", "{:.0f}"),
    ("holes", "underruns", "{:.0f}"),
    ("CPU %", "cpu_percent", "{:.0f}"),
    ("PSS MiB", "pss_mib_max", "{:.0f}"),
)
#: Figures that `compare` sets side by side, and whether more is better.
_COMPARED: tuple[tuple[str, bool], ...] = (
    ("turns", True),
    ("lost", False),
    ("availability", True),
    ("completeness", True),
    ("correctness", True),
    ("cross_talk", False),
    ("underruns", False),
    ("lost_frames", False),
    ("disconnects", False),
    ("first_word_ms.p50", False),
    ("first_word_ms.p95", False),
    ("first_word_ms.p99", False),
    ("audible_ms.p50", False),
    ("audible_ms.p95", False),
    ("answer_ms.p95", False),
    ("end_to_end_ms.p50", False),
    ("stt_ms.p50", False),
    ("stt_ms.p95", False),
    ("connect_ms.p95", False),
    ("cpu_percent", False),
    ("pss_mib_max", False),
)
#: Latencies whose change gets an interval, with their share.
_TESTED = {"p50": 0.5, "p95": 0.95}


def summary(run: Run) -> str:
    """What came out of a run."""
    lines = [f"\n{run.info.name}: {run.info.target or '(no server)'}, seed {run.info.seed}"]
    if run.aggregates:
        lines += table(run.aggregates)
        whole = run.aggregates[0]
        if whole.by_fault:
            faults = sorted(whole.by_fault.items(), key=lambda pair: -pair[1])
            lines.append("wrong     " + ", ".join(f"{name} {count}" for name, count in faults))
        if whole.heard:
            lines.append(
                f"by ear    {whole.heard_right} of {whole.heard} answers listened to were understood"
            )
        if whole.latencies:
            lines += _hops(whole)
    if run.knee is not None:
        broke = "" if run.knee.broke is None else f"; {run.knee.broke} missed {run.knee.missed[0]}"
        lines.append(f"knee      {run.knee.held} talkers held every limit{broke}")
    for each in run.faults:
        how = each.detail if each.ok else f"could not be done: {each.detail}"
        lines.append(f"fault     {each.at_s:.1f} s {each.kind} {each.target}: {how}")
    lines += [_limit(run, index) for index in range(len(run.limits))]
    lines += [f"void      {reason}" for reason in run.verdict.void]
    lines.append(f"verdict   {'PASSED' if run.verdict.passed else 'FAILED'}: {run.verdict.summary}")
    return "\n".join(lines)


def table(aggregates: Sequence[Aggregate]) -> list[str]:
    """One line a scope."""
    rows = [("scope", *(name for name, _figure, _form in _COLUMNS))]
    for each in aggregates:
        cells = [_cell(figure_of(each, figure), form) for _name, figure, form in _COLUMNS]
        rows.append((each.scope, *cells))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]


def comparison(before: Run, after: Run) -> str:
    """Two runs side by side: every figure, its change, and whether the change is more than
    chance (the 95 % bootstrap interval of a percentile's change leaves out zero)."""
    lines = [
        f"before  {before.info.name}, {before.info.started_at}, {before.info.target}",
        f"after   {after.info.name}, {after.info.started_at}, {after.info.target}",
    ]
    lines += [f"note    {note}" for note in _differences(before, after)]
    if not (before.aggregates and after.aggregates):
        return "\n".join([*lines, "one of them holds no figures"])
    rows = [("figure", "before", "after", "change", "")]
    one, two = before.aggregates[0], after.aggregates[0]
    for figure, more_is_better in _COMPARED:
        old, new = figure_of(one, figure), figure_of(two, figure)
        if old is None and new is None:
            continue
        change = "" if old is None or new is None else _change(old, new)
        note = ""
        if old is not None and new is not None and old != new:
            note = _judged(before, after, figure, (new > old) == more_is_better)
        rows.append((figure, _cell(old, "{:.6g}"), _cell(new, "{:.6g}"), change, note))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines += [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:4], widths[1:]), row[4]]).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def _judged(before: Run, after: Run, figure: str, better: bool) -> str:
    word = "better" if better else "worse"
    name, _, part = figure.partition(".")
    if part not in _TESTED:
        return word if not part else ""
    samples = [_values(run, name) for run in (before, after)]
    if not all(samples):
        return ""
    low, high = difference(samples[0], samples[1], _TESTED[part])
    interval = f"{low:+.3g} … {high:+.3g}"
    return f"within chance ({interval})" if low <= 0 <= high else f"{word} ({interval})"


def _values(run: Run, name: str) -> list[float]:
    counted = {phase.name for phase in run.phases if phase.counted}
    found = []
    for turn in run.turns:
        if turn.phase in counted:
            value = getattr(turn, name, None) if name not in turn.hops else turn.hops[name]
            if value is not None:
                found.append(float(value))
    return found


def _differences(before: Run, after: Run) -> list[str]:
    """What makes two runs hard to compare."""
    notes = []
    if before.info.machine != after.info.machine:
        notes.append("they ran on different machines")
    ignored = ("name", "about", "target", "trust", "limits", "each_phase", "seed")
    one, two = (
        {name: value for name, value in run.info.scenario.items() if name not in ignored}
        for run in (before, after)
    )
    changed = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    if changed:
        notes.append(f"their scenarios differ in {', '.join(changed)}")
    for word, run in (("before", before), ("after", after)):
        notes += [f"{word} is void: {reason}" for reason in run.verdict.void]
        if run.info.ended != "complete":
            notes.append(f"{word} did not come to its end: {run.info.ended}")
    return notes


def _hops(whole: Aggregate) -> list[str]:
    lines = ["latency   ms, from the last speech sample:   p50    p90    p95    p99   p999   most"]
    for name, spread in whole.latencies.items():
        figures = (spread.p50, spread.p90, spread.p95, spread.p99, spread.p999, spread.most)
        cells = "".join(f"{figure:7.0f}" for figure in figures)
        lines.append(f"          {name:18}{spread.count:7} values{cells}")
    return lines


def _limit(run: Run, index: int) -> str:
    result = run.limits[index]
    measured = "not measured" if result.measured is None else f"{result.measured:.6g}"
    held = "held  " if result.held else "MISSED"
    return f"limit     {held} {result.figure} {result.limit}: {measured} ({result.scope})"


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _change(old: float, new: float) -> str:
    if not old:
        return f"{new - old:+.4g}"
    return f"{100 * (new - old) / abs(old):+.1f} %"
