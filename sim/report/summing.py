"""The report for a terminal: what came out, who came back how fast, what grows.

Pure.
"""

from __future__ import annotations

from sim import soak
from sim.report import consumption, series
from sim.swarm import printout
from sim.swarm.records import Run


def summary(run: Run) -> str:
    """`printout.summary`, with recoveries by kind of actor and the soak's verdicts before it."""
    parts = [_recoveries(run)]
    trends = consumption.soaked(run)
    if trends:
        parts.append(soak.table(trends))
    parts.append(printout.summary(run))
    return "\n\n".join(part.strip("\n") for part in parts if part)


def _recoveries(run: Run) -> str:
    kinds = series.kinds_of_faults(run)
    if not kinds:
        return ""
    lines: list[tuple[str, ...]] = [
        ("actor", "fault", "times", "back", "gone s", "replaced s", "ready s")
    ]
    for kind in kinds:
        times = [
            "-" if pair is None else f"{pair[0]:.2f} (most {pair[1]:.2f})"
            for pair in (kind.gone, kind.back, kind.ready)
        ]
        lines.append((kind.actor_kind, kind.action, str(kind.count), str(kind.recovered), *times))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
