"""What people see of pip: its progress, and why it failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfg.installing import announcement, failure_text, progress_line

LOG = Path("install.log")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "  Downloading numpy-2.4.6-cp311-cp311-linux.whl (16.9 MB)\n",
            "  fetching numpy-2.4.6 (16.9 MB)",
        ),
        (
            "  Downloading https://host/a/av-18.1.0-cp311.whl (30 kB)",
            "  fetching av-18.1.0 (30 kB)",
        ),
        (
            "  Using cached attrs-26.1.0-py3-none-any.whl (64 kB)",
            "  from cache attrs-26.1.0 (64 kB)",
        ),
        ("  Building wheel for thespian (pyproject.toml): started", "  building thespian"),
        ("Installing collected packages: a, b, c", "  installing 3 packages, this takes a while"),
        (
            "WARNING: Retrying (Retry(total=1,",
            "  the package registry does not answer, trying again",
        ),
        ("Requirement already satisfied: numpy in /x", None),
        ("", None),
    ],
)
def test_progress_is_short(line: str, shown: str | None) -> None:
    assert progress_line(line) == shown


def test_each_package_is_announced_with_its_purpose() -> None:
    lines = list(announcement("base", ["vosk==0.3.45", "soxr>=0.5", "unheard-of"]))
    assert lines[0] == "The server needs:"
    assert lines[1].split(maxsplit=1) == ["vosk==0.3.45", "speech recognition on this machine"]
    assert lines[3] == "  unheard-of"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "Failed to establish: [Errno -3] Temporary failure in name resolution",
            "cannot be reached",
        ),
        ("urllib3.exceptions.NewConnectionError: x", "https_proxy"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: No matching distribution found for vosk==0.3.45", "No package vosk==0.3.45"),
        ("ERROR: something else", "    ERROR: something else"),
    ],
)
def test_failure_is_a_sentence(output: str, expected: str) -> None:
    text = failure_text(["Collecting things", output], LOG)
    assert expected in text
    assert "Start again" in text or "known to have them" in text
