"""`python3 -m sim compare BEFORE AFTER`: two runs side by side.

Exit codes: 0 compared, 2 a file is no run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sim.report import write_comparison
from sim.swarm.printout import comparison
from sim.swarm.records import UnreadableRun, read


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    made = argparse.ArgumentParser(
        prog="python3 -m sim compare", description="Set the figures of two runs side by side."
    )
    made.add_argument("before", type=Path, help="run.json, or the folder of a run")
    made.add_argument("after", type=Path, help="run.json, or the folder of a run")
    made.add_argument("--html", type=Path, metavar="FILE", help="also as a page with plots")
    options = made.parse_args(argv)
    try:
        before, after = (read(_file(path)) for path in (options.before, options.after))
    except UnreadableRun as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(comparison(before, after))
    if options.html is not None:
        write_comparison(before, after, options.html)
        print(f"kept    {options.html}")
    return 0


def _file(path: Path) -> Path:
    return path / "run.json" if path.is_dir() else path
