"""Each repair of Thespian is needed, and does what it says.

Every test looks at one program twice: with the repairs, where it must be right, and
on stock Thespian, where the misbehaviour must be seen. A test that fails on its
stock half after an upgrade says that this repair can go.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.programs import KEEPER_LIMIT_S

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.system


class Seen:
    """What one program saw, with the repairs and on stock Thespian, and what was logged."""

    def __init__(self, program: str) -> None:
        started = [start(program, variant) for variant in ("repaired", "stock")]
        (self.repaired, self.repaired_log), (self.stock, self.stock_log) = map(finish, started)


def start(program: str, variant: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.supervisor.programs", program, variant],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    output, log = process.communicate(timeout=KEEPER_LIMIT_S + 5)
    assert process.returncode == 0, log
    return json.loads(output), log


def test_everything_listens_on_loopback_only() -> None:
    seen = Seen("listening")
    assert seen.repaired == {"addresses": ["127.0.0.1"]}
    assert "0.0.0.0" in seen.stock["addresses"]


def test_no_end_of_a_child_is_lost() -> None:
    seen = Seen("exits")
    assert seen.repaired == {"told": 3}
    assert seen.stock["told"] < 3


def test_nothing_outlives_the_launcher() -> None:
    seen = Seen("launcher_killed")
    assert seen.repaired["survivors"] == 0
    assert seen.stock["survivors"] == seen.stock["of"]


def test_nothing_outlives_the_admin_but_the_launcher() -> None:
    seen = Seen("admin_killed")
    assert seen.repaired == {"survivors": 0, "of": 5, "launcher": True}
    assert seen.stock["survivors"] == seen.stock["of"]


def test_nothing_outlives_its_supervisor() -> None:
    seen = Seen("parent_killed")
    assert seen.repaired == {"survivors": 0, "of": 3, "admin": True}
    assert seen.stock["survivors"] == seen.stock["of"]


def test_an_actor_holds_its_own_descriptors_only() -> None:
    seen = Seen("inherited")
    assert seen.repaired == {
        "launcher's in parent": False,
        "launcher's in child": False,
        "parent's in child": False,
        "parent's in parent": True,
    }
    assert all(seen.stock.values())


def test_every_record_is_written_by_the_process_that_logs_it() -> None:
    seen = Seen("logged")
    assert seen.repaired == {"handler ended": True}
    assert "written" in seen.repaired_log.splitlines()
    # The forwarder cannot send the record, and raises in the handler that logged.
    assert seen.stock == {"handler ended": False}


def test_the_whole_system_ends_with_its_logger() -> None:
    seen = Seen("logger_killed")
    assert seen.repaired == {"admin": False, "survivors": 0, "launcher": True}
    # Stock code means to start another logger, and dies of a missing attribute.
    assert not seen.stock["admin"]
    assert seen.stock["survivors"] > 0


def test_who_asks_for_a_system_becomes_its_admin() -> None:
    seen = Seen("one_admin")
    assert seen.repaired == {"it is who asked": True, "starter": True, "left": False}
    # Two forks and an exit away, and it knows nothing of who asked for it.
    assert seen.stock == {"it is who asked": False, "starter": False, "left": True}


def test_a_parent_knows_the_pid_of_a_child_that_has_not_spoken() -> None:
    """`newest_child_pid` reads what Thespian keeps to itself: an upgrade may move it."""
    answer, _ = finish(start("newest", "repaired"))
    assert answer["told"] == answer["pids"]
    assert len(set(answer["pids"])) == 3
