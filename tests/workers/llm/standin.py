"""A stand-in as a real process, and what a test asks of it."""

from __future__ import annotations

import asyncio
import json
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
START_LIMIT_S = 30.0
CONDITION_LIMIT_S = 5.0


class StandIn:
    """Talks to the control addresses of a running stand-in."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def fault(self, **faults: Any) -> None:
        """Replace the faults in force; without members: none."""
        body = json.dumps(faults).encode()
        request = urllib.request.Request(f"{self.url}/standin/faults", data=body, method="PUT")
        with urllib.request.urlopen(request, timeout=5) as response:
            assert response.status == 200

    def seen(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/standin/requests", timeout=5) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def last(self, what: str) -> dict[str, Any]:
        """The latest request of this kind."""
        return [entry for entry in self.seen()["requests"] if entry["what"] == what][-1]

    async def until_cancelled(self, count: int) -> None:
        """Wait until the server saw so many streams closed by their clients."""
        deadline = time.monotonic() + CONDITION_LIMIT_S
        while (await asyncio.to_thread(self.seen))["cancelled"] < count:
            assert time.monotonic() < deadline, "the server never saw the request end"
            await asyncio.sleep(0.01)


@contextmanager
def running(*arguments: str) -> Iterator[StandIn]:
    """Start `python -m sim.standins …` on a free port and end it afterwards."""
    command = [sys.executable, "-m", "sim.standins", *arguments, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], START_LIMIT_S)
        assert ready, "the stand-in did not start in time"
        line = process.stdout.readline().decode()
        assert line.startswith("listening on "), line
        yield StandIn(int(line.split()[-1]))
        process.terminate()
        assert process.wait(10) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
