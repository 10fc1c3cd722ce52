"""The command line says what is wrong with it, and keeps no secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sim.swarm import command, compare
from sim.swarm.aggregate import aggregates
from sim.swarm.limits import judge
from sim.swarm.printout import comparison, summary
from sim.swarm.records import (
    FaultRecord,
    LimitResult,
    Phase,
    Run,
    RunEnd,
    RunVerdict,
    TurnRecord,
    to_json,
)
from tests.sim.swarm.test_records import INFO


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The runs that were asked for, none of which is done."""
    asked: list[Any] = []

    async def conduct(job: Any, _live: Any) -> Run:
        asked.append(job)
        job.folder.mkdir(parents=True, exist_ok=True)
        return a_run()

    monkeypatch.setattr(command, "conduct", conduct)
    return asked


def a_run(first_word_ms: float = 300.0, ended: RunEnd = "complete", turns: int = 40) -> Run:
    phases = (Phase("warm-up", 0, 10, 2, counted=False), Phase("talk", 10, 70, 2))
    held = tuple(
        TurnRecord(
            device=number % 2,
            turn=number,
            phase="talk",
            intended_s=10.0 + number,
            started_s=10.0 + number,
            outcome="answered",
            first_word_ms=first_word_ms + number,
            answer_ms=first_word_ms + number,
            hops={"stt_ms": 200.0},
        )
        for number in range(turns)
    )
    limits = (LimitResult("all", "lost", "== 0", 0.0, True),)
    return Run(
        replace(INFO, ended=ended),
        phases=phases,
        turns=held,
        faults=(FaultRecord(20.0, "kill", "asr", "pid 7"),),
        aggregates=aggregates(phases, held, (), ()),
        limits=limits,
        verdict=judge(ended, "", limits, ()),
    )


def test_a_swarm_is_a_scenario_of_its_options(jobs: list[Any], tmp_path: Path) -> None:
    options = "--devices 7 --minutes 3 --seed 5 --mix modes=auto:3,manual --habit leaving=0.5"
    argv = [*options.split(), "--token", "hush", "--out", str(tmp_path), "--limit", "lost=== 0"]
    assert command.main_swarm(argv) == 0
    job = jobs[0]
    assert [phase.talkers for phase in job.scenario.phases] == [7, 7]
    assert [phase.counted for phase in job.scenario.phases] == [False, True]
    assert job.scenario.seed == 5
    assert job.scenario.mix.modes == {"auto": 3, "manual": 1}
    assert job.scenario.habits.leaving == 0.5
    assert job.scenario.limits == {"lost": "== 0"}
    assert job.target.token == "hush"
    assert "hush" not in job.command
    assert "hush" not in repr(job)
    assert (tmp_path / "run.json").exists()
    assert "<html" in (tmp_path / "report.html").read_text()


def test_without_limits_the_promises_count(jobs: list[Any], tmp_path: Path) -> None:
    command.main_swarm(["--out", str(tmp_path)])
    assert jobs[0].scenario.limits == command.DEFAULT_LIMITS
    assert jobs[0].target.url == command.DEFAULT_URL


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--mix", "modes"], "write NAME=VALUE"),
        (["--mix", "modes=never"], "mix.modes.never"),
        (["--devices", "-3"], "phases.0.talkers: is -3"),
        (["--limit", "lost=few"], "is no bound"),
        (["--url", "127.0.0.1:8000"], "is no WebSocket address"),
    ],
)
def test_a_wrong_command_line_is_told(
    argv: list[str], words: str, jobs: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main_swarm(argv) == command.USAGE
    assert words in capsys.readouterr().err
    assert not jobs


def test_run_takes_files_and_checks_them_all_first(
    jobs: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong = tmp_path / "right.yaml", tmp_path / "wrong.yaml"
    right.write_text("name: right\nphases: [{minutes: 1, talkers: 1}]\n")
    wrong.write_text("name: wrong\nphases: [{minutes: one, talkers: 1}]\n")
    assert command.main_run([str(right), str(wrong)]) == command.USAGE
    assert "wrong.yaml: phases.0.minutes: is 'one'" in capsys.readouterr().err
    assert command.main_run(["--check", str(right)]) == 0
    assert not jobs
    assert command.main_run([str(right), "--out", str(tmp_path / "out"), "--seed", "9"]) == 0
    assert (jobs[0].scenario.name, jobs[0].scenario.seed) == ("right", 9)


@pytest.mark.parametrize(
    ("ended", "verdict", "code"),
    [
        ("complete", RunVerdict(True, ""), 0),
        ("complete", RunVerdict(False, ""), 1),
        ("complete", RunVerdict(False, "", ("busy",)), 4),
        ("server lost", RunVerdict(False, ""), 1),
        ("server lost", RunVerdict(False, "", ("busy",)), 1),
        ("unreachable", RunVerdict(False, ""), 3),
        ("generator failed", RunVerdict(False, ""), 4),
        ("stopped", RunVerdict(False, ""), 130),
    ],
)
def test_the_exit_code_is_the_verdict(ended: RunEnd, verdict: RunVerdict, code: int) -> None:
    assert command.exit_code(replace(a_run(ended=ended), verdict=verdict)) == code


def test_the_summary_has_table_limits_faults_and_verdict() -> None:
    text = summary(a_run())
    for words in ("talk", "limit     held   lost", "fault     20.0 s kill asr", "PASSED", "stt_ms"):
        assert words in text


def test_two_runs_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = tmp_path / "before", tmp_path / "after.json"
    before.mkdir()
    (before / "run.json").write_bytes(to_json(a_run(300)))
    after.write_bytes(to_json(a_run(400)))
    page = tmp_path / "both.html"
    assert compare.main([str(before), str(after), "--html", str(page)]) == 0
    line = next(
        each for each in capsys.readouterr().out.splitlines() if "first_word_ms.p50" in each
    )
    assert line.split()[1:4] == ["319", "419", "+31.3"]
    assert "worse" in line
    assert page.exists()


def test_what_makes_two_runs_hard_to_compare_is_told() -> None:
    before, after = a_run(), a_run(ended="server lost")
    after = replace(after, info=replace(after.info, scenario={"phases": []}))
    text = comparison(before, after)
    assert "their scenarios differ in phases" in text
    assert "after did not come to its end: server lost" in text
    assert "within chance" not in text
    assert "on different machines" not in text


def test_compare_names_a_file_that_is_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare.main([str(tmp_path), str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err
