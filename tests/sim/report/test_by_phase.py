"""Hops, processors and calls by phase, for a terminal and on the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sim import hops as command
from sim.report import calls, hops, html, processor, summary
from sim.swarm.hops import logged, summed
from sim.swarm.records import Run, from_json, to_json
from tests.sim.report import runs
from tests.sim.swarm import turnlog


@pytest.fixture(scope="module")
def run() -> Run:
    run = turnlog.run()
    return replace(run, server_turns=summed(run, logged(turnlog.LOG.splitlines())))


def rows(text: str) -> list[list[str]]:
    """The cells of each line, those of more than one word kept together."""
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()
    ]


def test_hops_in_a_terminal(run: Run) -> None:
    _explained, over, off, _empty, warm = rows(hops.text(run))
    assert over[:4] == ["phase", "answer", "turns", "end decided"]
    assert off == [
        *("off", "others", "1", "192.0 / 192.0", "34.2 / 34.2", "-", "943.8 / 943.8"),
        *("18.9 / 18.9", "0.3 / 0.3", "997.2 / 997.2"),
    ]
    assert warm[:3] == ["warm", "cache", "1"]
    assert warm[-1] == "39.9 / 39.9"


def test_processors_in_a_terminal(run: Run) -> None:
    told = rows(processor.text(run))
    assert told[1:] == [
        ["actor", "off", "empty", "warm"],
        ["asr", "20.0 / 30.0", "0.5 / 0.5", "-"],
        ["session", "1.0 / 5.0", "0.0 / 0.0", "-"],
        ["llm", "0.0 / 0.0", "3.0 / 3.0", "-"],
        ["total", "21.0 / 30.0", "3.5 / 3.5", "-"],
    ]


def test_many_actors_and_phases_stay_readable() -> None:
    many = runs.run(levels=tuple(range(10, 80, 10)), minutes=0.5)
    names = [name for name, _figures in processor.by_phase(many)]
    assert names[-1] == "total"
    assert len(names) == len(runs.ACTORS) + 1
    assert max(map(len, processor.text(many).splitlines())) < 120


def test_calls_in_a_terminal(run: Run) -> None:
    told = rows(calls.text(run))
    assert told[1:] == [
        [
            *("phase", "turns", "from the cache", "asked a model", "saved %"),
            *("asked a voice", "saved %", "llm calls", "tts calls", "standin:model"),
            *("first word p50", "p95"),
        ],
        ["off", "1", "0", "1", "-", "1", "-", "1", "1", "1", "1200", "1200"],
        # the model's count fell: it began anew
        ["empty", "1", "0", "1", "0.0", "1", "0.0", "-", "9", "1", "1200", "1200"],
        ["warm", "1", "1", "0", "100.0", "0", "100.0", "-", "-", "-", "240", "240"],
        [
            "settings",
            "off: answer_cache.enabled = False; sound_cache.enabled = False",
        ],
    ]


def test_phases_of_one_server_are_not_set_against_each_other(run: Run) -> None:
    same = replace(run, phases=tuple(replace(phase, settings={}) for phase in run.phases))
    assert "saved" not in calls.text(same).casefold()


def test_all_of_it_is_in_the_report(run: Run) -> None:
    told = summary(run)
    for text in (hops.text(run), processor.text(run), calls.text(run)):
        assert text in told
    page = html(run)
    for part in ("Hops inside the server", "Calls", "Processor by actor and phase", "39.9 / 39.9"):
        assert part in page


def test_without_a_log_a_count_or_processes_nothing_is_told() -> None:
    bare = replace(turnlog.run(), calls=(), resources=())
    assert hops.text(bare) == processor.text(bare) == calls.text(bare) == ""
    assert hops.section(bare) == processor.html(bare) == calls.section(bare) == ""
    assert "Hops inside the server" not in html(bare)


def test_the_record_keeps_it(run: Run) -> None:
    assert from_json(to_json(run)) == run


def test_the_command_reads_the_log_of_an_older_run(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = replace(run, info=replace(run.info, base_at_s=0.0), server_turns=())
    (tmp_path / "run.json").write_bytes(to_json(old))
    assert command.main([str(tmp_path)]) == 2
    assert "holds no turn of this run" in capsys.readouterr().err
    (tmp_path / "server.log").write_text(turnlog.LOG, encoding="utf-8")
    assert command.main([str(tmp_path / "run.json")]) == 0
    told = capsys.readouterr().out
    assert told.startswith(hops.text(run))
    assert processor.text(run) in told


def test_the_command_needs_no_log_when_the_record_has_it(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_bytes(to_json(run))
    assert command.main([str(tmp_path)]) == 0
    assert hops.text(run) in capsys.readouterr().out
    assert command.main([str(tmp_path / "none")]) == 2
