"""The actor base where it lives: in processes of a real actor system."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.supervisor.programs import KEEPER_LIMIT_S

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.system
def test_an_actor_streams_fails_and_serves_on() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.supervisor.base_program"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=KEEPER_LIMIT_S + 5,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "ready": "speaker-1",
        "in order": True,
        "failure": "ValueError: told to fail",
        "failures": 1,  # stock Thespian would have delivered the message twice
        "child": "ended",
        "after system messages": [0, 1, 2],
    }
    # The failure is a log line of the actor's own process.
    assert "handler failed" in done.stderr
