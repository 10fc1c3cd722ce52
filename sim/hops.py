"""`python3 -m sim hops RUN`: where the server's own time went in a run, phase by phase.

For a run of now the report holds the same; for one from before it did, the log beside
`run.json` is read. Exit codes: 0 told, 2 there is no run, or no log of its server.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sim.report import calls, hops, processor
from sim.swarm.outcome import with_hops
from sim.swarm.records import UnreadableRun, read
from sim.swarm.server import SERVER_LOG


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    made = argparse.ArgumentParser(
        prog="python3 -m sim hops",
        description="Print each phase's hops by the server's log, its processors and calls.",
    )
    made.add_argument("run", type=Path, help="folder of a run, or its run.json")
    made.add_argument("--log", type=Path, help=f"the server's log (default: {SERVER_LOG} there)")
    options = made.parse_args(argv)
    folder = options.run if options.run.is_dir() else options.run.parent
    try:
        run = read(folder / "run.json" if options.run.is_dir() else options.run)
        log = options.log or folder / SERVER_LOG
        if log.exists() or not run.server_turns:
            run = with_hops(replace(run, server_turns=()), log)
    except (UnreadableRun, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    parts = [hops.text(run), processor.text(run), calls.text(run)]
    if not run.server_turns:
        print(f"error: {log}: holds no turn of this run; give --log", file=sys.stderr)
        return 2
    print("\n\n".join(filter(None, parts)))
    return 0
