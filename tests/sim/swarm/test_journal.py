"""What was measured is on disk at once, and the live view shows where a run stands."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from sim.swarm.journal import Journal, Tally, collected
from sim.swarm.live import Live, line, screen
from sim.swarm.orders import Finish, PhaseOrder, from_line, to_line
from sim.swarm.records import (
    ActorSample,
    ConnectionRecord,
    CrowdSample,
    FaultRecord,
    HostSample,
    LagSample,
    Phase,
    ResourceSample,
    TurnRecord,
)

TURNS = [
    TurnRecord(0, 1, "talk", 12.0, "answered", started_s=12.0, ended_s=16.0, first_word_ms=310.0),
    TurnRecord(1, 0, "talk", 3.0, "unanswered", ended_s=13.0, problems=("no tts start",)),
]
OTHERS: list[Any] = [
    ConnectionRecord(0, 1.0, "connected", 15.0),
    ConnectionRecord(1, 14.0, "failed", detail="nothing listens there"),
    ConnectionRecord(1, 15.0, "failed", detail="nothing listens there"),
    FaultRecord(9.0, "kill", "asr"),
    LagSample(1.0, 0, 0.2, 4.0, 11.0, 2),
    HostSample(2.0, 60.0, 5.0, 40.0, 15.0),
    ResourceSample(2.0, ActorSample("total", 9, 80.0, 300.0)),
    CrowdSample(1.02, 5, 2, 1, 1, 0),
    CrowdSample(1.04, 4, 1, 0, 2, 1),
]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "records.jsonl")
    for record in (*TURNS, *OTHERS):
        made.add(record)
    made.flush()
    return made


def test_everything_comes_back_in_order_of_time(journal: Journal) -> None:
    found = collected(journal.path)
    assert [turn.intended_s for turn in found.turns] == [3.0, 12.0]
    assert [each.kind for each in found.connections] == ["connected", "failed", "failed"]
    assert len(found.faults) == len(found.lags) == len(found.hosts) == len(found.resources) == 1
    journal.close()


def test_everybody_has_left_when_each_generator_says_so() -> None:
    tally = Tally()
    tally.add(CrowdSample(10.5, 0, 0, 0, 0, 0))
    assert not tally.has_left([0, 1], 10.0)  # the other has not said anything
    tally.add(CrowdSample(10.6, 1, 0, 0, 0, 1))
    assert not tally.has_left([0, 1], 10.0)
    tally.add(CrowdSample(11.6, 0, 0, 0, 0, 1))
    assert tally.has_left([0, 1], 10.0)
    assert not tally.has_left([0, 1], 11.0)


def test_the_crowd_of_all_generators_is_summed(journal: Journal) -> None:
    assert collected(journal.path).crowd == (CrowdSample(1.0, 9, 3, 1, 3),)
    journal.close()


def test_a_line_cut_short_by_a_crash_is_left_out(journal: Journal) -> None:
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b'TurnRecord {"device":')
    assert len(collected(journal.path).turns) == 2


def test_orders_survive_their_lines() -> None:
    order = PhaseOrder("talk", 0.0, 60.0, frozenset({1, 2}))
    assert from_line(to_line(order)) == order
    assert from_line(to_line(Finish(3.0))) == Finish(3.0)
    with pytest.raises(ValueError, match="is no message"):
        from_line(b"Nonsense {}\n")


def test_failures_in_a_row_are_counted_from_the_last_success() -> None:
    tally = Tally()
    tally.add(ConnectionRecord(0, 1.0, "connected"))
    assert tally.failures == 0
    for at_s in (5.0, 6.0, 7.0):
        tally.add(ConnectionRecord(0, at_s, "failed"))
    assert (tally.succeeded_s, tally.failing_since_s, tally.failures) == (1.0, 5.0, 3)
    tally.add(TURNS[0])
    assert tally.failures == 0
    assert tally.failing_since_s is None


def test_the_screen_shows_where_a_run_stands(journal: Journal) -> None:
    phase = Phase("10 talkers", 0, 60, 10)
    text = "\n".join(screen(journal.tally, phase, 30.0, 3700.0))
    for words in (
        "00:30 of 1:01:40   10 talkers",
        "9 connected: 3 speaking, 1 waiting for the first word, 3 hearing",
        "2: 1 answered, 1 unanswered",
        "first word p50 310",
        "2 could not connect",
        "up to 4 ms late, 11 % of a core, 1 processes",
        "server 40 %, foreign 15 %; server 300 MiB in 9 processes",
        "00:09 kill asr",
        "device 1, turn 0: no tts start",
    ):
        assert words in text
    assert "2 turns, 1 lost" in line(journal.tally, phase, 30.0, 60.0)
    journal.close()


def test_nothing_yet_is_shown_too() -> None:
    assert "no first word yet" in "\n".join(screen(Tally(), None, -3.0, 60.0))


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_drawn_over_and_a_file_is_not() -> None:
    terminal, file = _Terminal(), io.StringIO()
    for stream in (terminal, file):
        live = Live(stream)
        live.show(Tally(), None, 0.0, 60.0)
        live.show(Tally(), None, 0.5, 60.0)
        live.say("a level ended")
    assert "\x1b[8A\x1b[J" in terminal.getvalue()
    assert terminal.getvalue().endswith("a level ended\n")
    assert "\x1b" not in file.getvalue()
    assert len(file.getvalue().splitlines()) == 2
