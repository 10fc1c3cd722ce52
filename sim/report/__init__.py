"""The report of a run: one HTML file that opens without a network, and text.

    write_html(run, path)                       the report of one run
    write_comparison(before, after, path)       two runs over each other
    html(run), comparison_html(before, after)   the same as text
    summary(run)                                for a terminal

Plots are inline SVG made here: a report of a five-minute run has 100 to 300 kB, needs
no script, no font and no library, and is readable at the width of a phone, by day and
by night.
"""

from __future__ import annotations

from pathlib import Path

from sim.report import calls, hops, latency, load, opening, page, trouble
from sim.report.comparing import comparison_html
from sim.report.summing import summary
from sim.swarm.records import Run

__all__ = ["comparison_html", "html", "summary", "write_comparison", "write_html"]


def html(run: Run) -> str:
    """The report as HTML; the verdict first."""
    return page.document(
        f"{opening.mood_of(run)[0]}: {run.info.name}",
        opening.opening(run),
        opening.limits(run),
        latency.latency(run),
        latency.by_level(run),
        calls.section(run),
        hops.section(run),
        trouble.faults(run),
        trouble.worst(run),
        load.resources(run),
        load.soak(run),
        latency.hops(run),
        load.surroundings(run),
        trouble.connections(run),
        trouble.appendix(run),
    )


def write_html(run: Run, path: Path) -> None:
    """Write the report to `path`. Raises `OSError`."""
    path.write_text(html(run), encoding="utf-8")


def write_comparison(before: Run, after: Run, path: Path) -> None:
    """Write the comparison of two runs to `path`. Raises `OSError`."""
    path.write_text(comparison_html(before, after), encoding="utf-8")
