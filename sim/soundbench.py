"""`sim sound-bench`: what the sound cache costs, measured by hand on this host.

The program itself needs the server's own parts, which a simulated device must not know
(rule 5); so it lies with their tests, and runs as a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(argv: list[str]) -> int:
    command = [sys.executable, "-m", "tests.cache.soundbench", *argv]
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 - our own
