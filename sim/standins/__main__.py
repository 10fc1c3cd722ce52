"""`python -m sim.standins ollama --port N`: one stand-in in this process."""

from __future__ import annotations

import sys

from sim.standins.launcher import main

if __name__ == "__main__":
    sys.exit(main())
