"""A stand-in as a process of its own, for engine tests."""

from __future__ import annotations

import json
import re
import select
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START_S = 20.0
CALL_S = 5.0


class StandIn:
    """`python -m sim.standins <kind>` on a free loopback port, until `stop`."""

    def __init__(self, kind: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sim.standins", kind, "--port", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_S)
        line = self._process.stdout.readline() if ready else ""
        found = re.match(r"listening on (\d+)", line)
        if found is None:
            self.stop()
            raise AssertionError(f"the {kind} stand-in did not start: {line!r}")
        self.port = int(found[1])

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(CALL_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def faults(self, **faults: Any) -> None:
        """Replace the faults in force; none given: no faults."""
        self._call("PUT", "/standin/faults", json.dumps(faults).encode())

    def seen(self, what: str) -> list[dict[str, Any]]:
        """The requests of this kind so far, oldest first."""
        requests = self._call("GET", "/standin/requests")["requests"]
        return [request for request in requests if request["what"] == what]

    def cancelled(self) -> int:
        """Streams that clients left early, so far."""
        return int(self._call("GET", "/standin/requests")["cancelled"])

    def wait_cancelled(self, count: int) -> None:
        """Return once `count` streams were left early; fails after `CALL_S`."""
        ends_at = time.monotonic() + CALL_S
        while self.cancelled() < count:
            assert time.monotonic() < ends_at, "the stand-in never saw the client leave"
            time.sleep(0.01)

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, body, method=method)
        with urllib.request.urlopen(request, timeout=CALL_S) as response:
            return json.load(response)
