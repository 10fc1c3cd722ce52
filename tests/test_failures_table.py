"""docs/failures.md: every node of the tree is in it, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import sim.__main__
from supervisor.root import TREE
from tests.system.test_hangs import EVERYBODY

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
ROWS = [line.split(" | ") for line in TEXT.splitlines() if line.startswith("| ") and "`" in line]
#: What the table in `supervisor.root` does not hold.
OTHERS = ("asr worker", "llm worker", "tts worker", "session", "spare session", "root")
OUTSIDE = ("MultiProcAdmin", "logger", "launcher")


def named() -> list[tuple[str, str, str]]:
    """(file, function, case) of every test in the text."""
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)(?:\[([^\]]+)\])?`", TEXT)


def test_every_node_has_a_row() -> None:
    names = {name for row in ROWS for name in re.split(r", | \(", row[0].removeprefix("| "))}
    wanted = {*(node.name for node in TREE), *OTHERS, *OUTSIDE}
    assert wanted <= names


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].removeprefix("| "))
def test_every_row_is_proved_and_whole(row: list[str]) -> None:
    assert len(row) == 5
    assert "::test_" in row[4]
    assert all(cell.strip(" |") for cell in row)


def test_every_test_that_is_named_exists() -> None:
    assert len(named()) > 30
    functions: dict[str, set[str]] = {}
    for file, function, _case in named():
        if file not in functions:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            functions[file] = {
                each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)
            }
        assert function in functions[file], f"{file}::{function}"


def test_every_case_that_is_named_exists() -> None:
    for file, _function, case in named():
        if file.endswith("test_hangs.py") and case:
            assert case in EVERYBODY
        elif case:
            assert f'"{case}"' in (ROOT / file).read_text(encoding="utf-8"), case


def test_every_hang_that_is_tested_is_in_the_table() -> None:
    assert set(EVERYBODY) == {case for file, _f, case in named() if "hangs" in file and case}


def test_the_commands_exist() -> None:
    shown = re.findall(r"python3 -m sim ([a-z-]+)", TEXT)
    assert set(shown) <= set(sim.__main__.COMMANDS)
    assert len(shown) == 4
