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
    assert ends[:2] == ["the starter failed", "it did not get ready"]
    assert ends[2] == "the root ended"
    # Both are gone: which of the two is seen first is a matter of luck.
    assert ends[3] in ("the root ended", "Thespian's admin ended")
    assert ends[4:] == ["acceptor was given up: no port", "Thespian's admin ended"]
    assert [line["reason"] for line in log if line["event"].startswith("started anew in vain")] == [
        "still no port"
    ]
    assert log[-1]["event"] == "stopped"
