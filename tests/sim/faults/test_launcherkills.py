"""Kills of the first process: when, who is left, and what the devices had of it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from sim.faults.launcherkills import (
    LauncherKill,
    generation,
    judged,
    moments,
    remaining,
    scenario_of,
    table,
    writers,
)
from sim.swarm.records import ConnectionRecord, Phase
from tests.sim.faults.test_toll import run, turn

KILL = LauncherKill(100.0, 30, 0.1, 2.0, 1, ())


def test_moments_are_random_repeatable_and_leave_time_to_come_back() -> None:
    at_s = moments(20, 24.0, 20.0, seed=3)
    assert at_s == moments(20, 24.0, 20.0, seed=3) != moments(20, 24.0, 20.0, seed=4)
    assert len(at_s) == 20
    assert at_s[0] >= 20
    assert all(16 <= after - before <= 32 for before, after in pairwise(at_s))
    whole_s = 60 * sum(phase.minutes for phase in scenario_of(20, 24.0, 5, 3).phases)
    assert whole_s > at_s[-1] + 12


def test_turns_after_the_return_must_be_answered_those_before_may_break() -> None:
    turns = (
        turn(0, 98, "disconnected"),
        turn(1, 101, "not connected"),
        turn(2, 103),
        turn(3, 110, "unanswered"),
    )
    connected = (
        ConnectionRecord(0, 102.1, "connected", 10),
        ConnectionRecord(1, 101.5, "failed"),
        ConnectionRecord(1, 104, "connected", 10),
        ConnectionRecord(1, 106, "connected", 10),
        ConnectionRecord(2, 50, "connected", 10),
    )
    (after,) = judged(run(turns, connections=connected), [KILL])
    assert (after.broken, after.turns, after.answered) == (2, 2, 1)
    assert after.came_back == 2
    assert after.back_s == (pytest.approx(4.0), pytest.approx(4.0))
    assert after.problems == ("1 of 2 turns lost afterwards",)


def test_each_kill_answers_until_the_next() -> None:
    later = replace(KILL, at_s=130.0, ready_s=None, left=("xiaozhi: router",), starts=2)
    first, second = judged(run((turn(0, 126, "disconnected"), turn(1, 110))), [KILL, later])
    assert (first.turns, first.answered, first.problems) == (1, 1, ())
    assert second.broken == 1
    assert second.problems == (
        "xiaozhi: router left after 5 s",
        "it did not get ready again",
        "it had to be started 2 times",
    )
    lines = table([first, second]).splitlines()
    assert len(lines) == 3
    assert lines[2].split()[3] == "1"


def test_whoever_writes_to_the_log_belongs_to_the_server(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    orphan = "import os, sys\nif os.fork(): os._exit(0)\nos.setsid()\nprint(os.getpid(), flush=True)\nsys.stdin.read()"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", orphan],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        pid = int(process.stdout.readline())
        process.wait()
        assert list(writers(str(log))) == [pid]
        old = generation(process.pid, str(log))
        assert set(old) == {pid}
        assert [who for who, _title in remaining(old)] == [pid]
        assert not list(remaining({pid: (old[pid][0] - 1, "a later one of the same pid")}))
    assert os.path.exists(log)


def test_the_phases_hold_the_kills() -> None:
    scenario = scenario_of(2, 24.0, 7, 1)
    assert [(phase.name, phase.counted) for phase in scenario.phases] == [
        ("before", False),
        ("kills", True),
    ]
    assert Phase("kills", 0, 1, 7).talkers == scenario.phases[1].talkers
