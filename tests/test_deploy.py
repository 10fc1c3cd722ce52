"""The systemd unit does what the design relies on: the launcher always comes back."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

import run
from cfg.model import Settings

UNIT = Path(__file__).resolve().parent.parent / "deploy" / "systemd" / "xiaozhi.service"


@pytest.fixture
def unit() -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=True, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # names have capitals
    parsed.read_string(UNIT.read_text(encoding="utf-8"))
    return parsed


def test_it_is_started_again_whatever_ended_it_and_for_ever(
    unit: configparser.ConfigParser,
) -> None:
    service = unit["Service"]
    assert service["Restart"] == "always"
    assert 0 < float(service["RestartSec"]) <= 1
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    # Only what the operator has to mend is not tried again.
    assert service["RestartPreventExitStatus"] == "2"


def test_a_stop_lets_turns_end_and_leaves_nothing(unit: configparser.ConfigParser) -> None:
    """SIGTERM goes to the launcher alone, which drains; what is left then is killed."""
    service = unit["Service"]
    assert service["KillMode"] == "mixed"
    assert "KillSignal" not in service
    assert "SendSIGKILL" not in service
    assert float(service["TimeoutStopSec"]) > Settings().server.drain_timeout_s + 3


def test_it_starts_what_there_is_and_may_do_what_it_must(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    assert service["ExecStart"].split()[1:] == ["run.py", "serve"]
    assert "serve" in run.COMMANDS
    assert {"AF_INET", "AF_INET6", "AF_UNIX"} <= set(service["RestrictAddressFamilies"].split())
    assert int(service["LimitNOFILE"]) >= 10 * Settings().server.max_sessions
    assert int(service["TasksMax"]) >= 8 * Settings().server.max_sessions


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_finds_nothing_wrong() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(UNIT)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
