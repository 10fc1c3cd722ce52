"""The server, with an acceptor that cannot start while the file $BLOCKED is there, and
with restarts at a quicker pace:

    python -m tests.system.blocked_acceptor serve …
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import run
from actors.messages import Start
from supervisor.acceptor import Acceptor
from supervisor.restart import RestartPolicy
from supervisor.supervising import Supervisor

BLOCKED = Path(os.environ["BLOCKED"])

_started = Acceptor.started


def started(self: Acceptor, message: Start) -> None:
    if BLOCKED.exists():
        raise OSError("the door is blocked")
    _started(self, message)


if __name__ == "__main__":
    Acceptor.started = started  # type: ignore[method-assign]  # inherited by every fork
    Supervisor.POLICY = RestartPolicy(
        first_backoff_s=0.02, max_backoff_s=0.1, early_limit=3, slow_retry_s=0.5
    )
    sys.exit(run.main(sys.argv[1:]))
