"""The rhythm of a worker that is killed over and over, and what is said of growth."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from sim.faults import cycles
from sim.faults.cycles import Outcome, memory_files, verdict, weigh
from sim.faults.cycling import Rhythm, Weighed, growth, steps, table
from supervisor.restart import RestartHistory

FLAT = Weighed(0, 30, 300.0, 500.0, 60.0, 3, 0, 4)


def test_the_rhythm_never_makes_a_restart_wait() -> None:
    """The policy itself is asked; the supervisor notices a little later than we see it."""
    history, rhythm, hits, now = RestartHistory(), Rhythm(), 0, 100.0
    history.became_ready(now)
    rhythm.ready(now + 0.02)
    while now < 400.0:
        now += 0.02
        if rhythm.may_be_hit(now):
            rhythm.hit(now)
            assert history.ended(now + 0.01, "killed", 0.5) == 0.0
            assert not history.given_up
            hits += 1
            now += 0.1
            history.became_ready(now)
            rhythm.ready(now + 0.02)
    assert hits == pytest.approx(300 / 2.8, abs=4)


def test_a_worker_that_is_away_is_not_hit() -> None:
    rhythm = Rhythm()
    assert not rhythm.may_be_hit(1000.0)
    rhythm.ready(0.0)
    assert not rhythm.may_be_hit(5.0), "nothing is known of what it did before"
    assert rhythm.may_be_hit(5.4)
    rhythm.hit(5.4)
    assert not rhythm.is_ready


def samples(**per_cycle: float) -> list[Weighed]:
    source = Random(3)
    return [
        replace(
            FLAT,
            cycles=cycle,
            anon_mib=300 + source.gauss(0, 0.5) + per_cycle.get("anon_mib", 0.0) * cycle,
            fds=500 + round(per_cycle.get("fds", 0.0) * cycle),
            files=3 + int(per_cycle.get("files", 0.0) * cycle),
        )
        for cycle in range(0, 1001, 10)
    ]


def outcome(found: list[Weighed], **members: object) -> Outcome:
    made = Outcome("tts", "kill", 1000, cycles=1000, samples=found)
    for name, value in members.items():
        setattr(made, name, value)
    return made


def test_what_stays_as_it_is_does_not_grow() -> None:
    found = growth(samples())
    assert [each.trend.verdict for each in found] == ["no leak"] * len(found)
    assert verdict(outcome(samples()), found) == (0, "nothing grows")
    assert (found[0].figure, found[0].first, found[0].last) == ("processes", 30, 30)


@pytest.mark.parametrize(
    ("figure", "a_cycle"), [("anon_mib", 0.02), ("fds", 0.02), ("files", 0.01)]
)
def test_a_leak_is_found_and_told_by_its_slope(figure: str, a_cycle: float) -> None:
    leaking = samples(**{figure: a_cycle})
    found = {each.figure: each for each in growth(leaking)}
    slope = found[figure].trend.slope
    assert slope is not None
    assert slope.per_hour == pytest.approx(1000 * a_cycle, rel=0.1)
    code, why = verdict(outcome(leaking), list(found.values()))
    assert (code, why) == (1, f"{figure} grew")
    assert f"{1000 * a_cycle:+.3g}"[:2] in table(list(found.values()))


def test_other_verdicts() -> None:
    calm = growth(samples())
    assert verdict(outcome(samples(), problem="asr/0 did not come back"), calm)[0] == 1
    assert verdict(outcome(samples(), cycles=7), calm)[0] == 1
    assert verdict(outcome(samples(), waited=30), calm)[0] == 4
    few = samples()[:3]
    assert verdict(outcome(few), growth(few))[0] == 4


def test_a_tree_is_weighed_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "left").touch()
    fileno = os.memfd_create("weighed")
    second = os.dup(fileno)
    try:
        assert os.fstat(fileno).st_ino in set(memory_files(os.getpid()))
        weighed = weigh(os.getpid(), 5, tmp_path)
    finally:
        os.close(fileno)
        os.close(second)
    assert (weighed.cycles, weighed.files) == (5, 2)
    assert weighed.processes >= 1
    assert weighed.memfds >= 1
    assert weighed.threads >= 1


def test_only_new_and_whole_lines_of_a_log_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first = "2026-11-24T08:49:10.0 [info     ] restarted  actor=root child=router pid=1\n"
    path.write_text(first + "2026-11-24T08:49:11.0 [info     ] restar", encoding="utf-8")
    tail = cycles._Tail(path)
    assert [line.members["child"] for line in tail.lines()] == ["router"]
    with path.open("a", encoding="utf-8") as file:
        file.write("ted  actor=root child=console pid=2\n")
    assert [line.members["child"] for line in tail.lines()] == ["console"]
    assert tail.lines() == []


def test_growth_has_a_name() -> None:
    """Of the actors that were there all the time, who grew, by how much, and when."""
    series = [
        replace(
            FLAT,
            cycles=cycle,
            actors_mib={"root": 20.0, "answers": 60.0 + 32 * (cycle >= 760), f"tts-{cycle}": 9.0},
        )
        for cycle in range(0, 1001, 10)
    ]
    first, second = steps(series)
    assert (first.actor, first.first_mib, first.last_mib) == ("answers", 60.0, 92.0)
    assert (first.step_mib, first.at_cycles) == (32.0, 760)
    assert (second.actor, second.step_mib) == ("root", 0.0)
    assert steps([]) == ()
