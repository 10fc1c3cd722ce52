"""Style, form and types of the whole tree: the same tools for everybody, nothing hidden."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run_tool(*arguments: str) -> None:
    """Run a tool of this environment on the tree; its complaints are the failure's text."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(arguments)}\n{done.stdout}", pytrace=False)


def test_ruff_finds_nothing() -> None:
    run_tool("ruff", "check", ".")


def test_code_has_the_form_that_ruff_gives_it() -> None:
    run_tool("ruff", "format", "--check", ".")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_types_are_strict() -> None:
    run_tool("mypy", "actors", "supervisor", "cfg", "sim", "run.py")
