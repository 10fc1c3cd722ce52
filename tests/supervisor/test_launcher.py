"""The launcher keeps exactly one actor system running, whatever becomes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.supervisor.programs import KEEPER_LIMIT_S

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.system
def test_every_way_to_end_leads_to_one_new_system() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.supervisor.launcher_program"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=KEEPER_LIMIT_S + 5,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "code": 0,
        "systems": 7,
        "alone": True,  # nothing of the six systems before was left beside the last one
        "left": 0,
    }
    log = [json.loads(line) for line in done.stderr.splitlines()]
    ends = [line["reason"] for line in log if line["event"].startswith("actor system ended")]
    assert ends == [
        "the starter failed",
        "it did not get ready",
        *ends[2:5],  # whether the root's parent was still seen is a matter of luck
        "Thespian's admin ended",
    ]
    assert log[-1]["event"] == "stopped"
