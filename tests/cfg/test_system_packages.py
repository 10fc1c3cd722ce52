"""System programs for tests: installed when allowed, else named with their command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cfg.system_packages import SystemPackage, missing_packages, provide

WANTED = (SystemPackage("no-such-daemon", "daemon-package", "the daemon"),)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(path: Path, text: str = "") -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def test_what_is_there_is_left_alone(programs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program(programs / "no-such-daemon")
    assert missing_packages(WANTED) == []
    assert provide(WANTED) == []
    assert capfd.readouterr().err == ""


def test_ordinary_user_is_told_the_command(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    program(programs / "apt-get", "echo called >&2")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert provide(WANTED) == list(WANTED)
    errors = capfd.readouterr().err
    assert errors == "Skipping tests of the daemon: sudo apt install daemon-package brings it.\n"


def test_root_has_apt_bring_it(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = programs / "no-such-daemon"
    program(
        programs / "apt-get", f'[ "$1" = update ] || {{ : > {daemon}; /bin/chmod +x {daemon}; }}'
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert provide(WANTED) == []
    assert daemon.exists()


def test_apt_that_fails_leaves_it_missing(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs / "apt-get", "exit 100")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert provide(WANTED) == list(WANTED)
