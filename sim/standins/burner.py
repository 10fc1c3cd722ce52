"""Burns processor time while it is told to: a model's threads on the stand-in's host.

Run as a process of its own: `python burner.py SHARE`. A line "1" on standard input
starts, "0" pauses, the end of input ends it. SHARE of a core, 0 to 1.
"""

from __future__ import annotations

import os
import select
import sys
import time

#: Burning and sleeping alternate within this.
PERIOD_S = 0.01


def main(share: float) -> None:
    burning = False
    while True:
        readable, _, _ = select.select([0], [], [], 0 if burning else None)
        if readable:
            told = os.read(0, 4096)
            if not told:
                return
            burning = told.split()[-1:] == [b"1"]
        if burning:
            ends_at = time.perf_counter() + PERIOD_S * share
            while time.perf_counter() < ends_at:
                pass
            if share < 1:
                time.sleep(PERIOD_S * (1 - share))


if __name__ == "__main__":
    main(float(sys.argv[1]))
