"""The report for a terminal: what came out, who came back how fast, what grows, and
where time, processors and calls went.

Pure.
"""

from __future__ import annotations

from sim import soak
from sim.faults import toll
from sim.report import calls, consumption, hops, processor, tolls
from sim.swarm import printout
from sim.swarm.records import Run


def summary(run: Run) -> str:
    """`printout.summary`; before it recoveries by kind of actor, the soak's verdicts, and by
    phase what the server used, where its time went, and whom it asked."""
    parts = [tolls.text(toll.tolls([run]))]
    trends = consumption.soaked(run)
    if trends:
        parts.append(soak.table(trends))
    parts += [processor.text(run), hops.text(run), calls.text(run)]
    parts.append(printout.summary(run))
    return "\n\n".join(part.strip("\n") for part in parts if part)
