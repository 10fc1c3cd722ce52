"""The report for a terminal: what came out, who came back how fast, what grows.

Pure.
"""

from __future__ import annotations

from sim import soak
from sim.faults import toll
from sim.report import consumption, tolls
from sim.swarm import printout
from sim.swarm.records import Run


def summary(run: Run) -> str:
    """`printout.summary`, with recoveries by kind of actor and the soak's verdicts before it."""
    parts = [tolls.text(toll.tolls([run]))]
    trends = consumption.soaked(run)
    if trends:
        parts.append(soak.table(trends))
    parts.append(printout.summary(run))
    return "\n\n".join(part.strip("\n") for part in parts if part)
