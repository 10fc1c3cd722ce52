"""A run's file is what was measured, no more and no less."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.swarm.records import (
    Aggregate,
    Distribution,
    Machine,
    Run,
    RunInfo,
    TurnRecord,
    UnreadableRun,
    from_json,
    read,
    schema,
    to_json,
)

INFO = RunInfo(
    name="test",
    about="",
    seed=1,
    command="sim swarm",
    target="ws://127.0.0.1:1/",
    started_at="2026-01-01T00:00:00Z",
    planned_s=60,
    lasted_s=60,
    generators=1,
    machine=Machine("Linux", "3.11", "cpu", 2, 1000),
    versions={},
    scenario={"name": "test"},
)
TURN = TurnRecord(
    device=3,
    turn=1,
    phase="all",
    intended_s=1.25,
    outcome="answered",
    said="三加五等于几",
    hops={"stt_ms": 230.5},
    first_word_ms=300.0,
    faults=("misheard", "cross-talk"),
    problems=("words",),
)


def test_a_run_survives_its_file() -> None:
    spread = Distribution(1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    whole = Aggregate(
        "all",
        60.0,
        1,
        1,
        1,
        0,
        0,
        100.0,
        100.0,
        None,
        0,
        0,
        0,
        0,
        0.0,
        0,
        0,
        0,
        0,
        0,
        0,
        latencies={"first_word_ms": spread},
    )
    run = Run(INFO, turns=(TURN, TurnRecord(0, 0, "all", 0.5, "missed")), aggregates=(whole,))
    assert from_json(to_json(run)) == run


def test_what_is_at_its_default_costs_no_bytes() -> None:
    told = json.loads(to_json(Run(INFO, turns=(TURN,))))
    assert "underruns" not in told["turns"][0]
    assert told["turns"][0]["first_word_ms"] == 300.0


def test_a_wrong_file_is_named_with_the_member_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"info": {}}')
    with pytest.raises(UnreadableRun, match=r"run\.json.*info\."):
        read(path)
    with pytest.raises(UnreadableRun, match="cannot be read"):
        read(tmp_path / "none.json")


def test_the_schema_describes_turns() -> None:
    assert "first_word_ms" in schema()["$defs"]["TurnRecord"]["properties"]
