"""The knee is the last level that held; what can be promised is measured below it."""

from __future__ import annotations

from sim.swarm.ladder import Ladder
from sim.swarm.records import LimitResult
from sim.swarm.scenario import LadderSection

HELD = [LimitResult("x", "lost", "== 0", 0.0, True)]
MISSED = [LimitResult("x", "lost", "== 0", 4.0, False)]
SECTION = LadderSection(first=10, step=10, most=40, minutes=1, settle_s=6, hold_percent=(50, 90))


def climb(ladder: Ladder, breaks_at: int) -> list[tuple[str, int, bool]]:
    """Every phase of a run whose server breaks there, and that phases join."""
    seen, ends_s = [], 0.0
    while (step := ladder.next()) is not None:
        for phase, at_s in step:
            assert at_s == ends_s
            ends_s = at_s + phase.minutes * 60
            seen.append((phase.name, phase.talkers, phase.counted))
        if ladder.is_climbing:
            talkers = step[1][0].talkers
            assert step[1][0].name == ladder.level_name
            ladder.learn(talkers, MISSED if talkers >= breaks_at else HELD)
    return seen


def test_levels_rise_until_one_breaks_and_then_shares_are_held() -> None:
    ladder = Ladder(SECTION, 0.0)
    seen = climb(ladder, 30)
    assert [talkers for name, talkers, _ in seen if name == f"{talkers} talkers"] == [10, 20, 30]
    assert (ladder.knee.held, ladder.knee.broke, ladder.knee.missed) == (20, 30, ("lost == 0",))
    assert [phase for phase in seen if phase[2]] == [
        ("50 % of the knee, 10 talkers", 10, True),
        ("90 % of the knee, 18 talkers", 18, True),
    ]


def test_a_server_that_never_breaks_has_its_knee_at_the_top() -> None:
    ladder = Ladder(SECTION, 0.0)
    climb(ladder, 1000)
    assert (ladder.knee.held, ladder.knee.broke) == (40, None)


def test_a_server_that_breaks_at_once_has_nothing_to_hold() -> None:
    ladder = Ladder(SECTION, 0.0)
    seen = climb(ladder, 1)
    assert ladder.knee.held == 0
    assert not any(counted for _name, _talkers, counted in seen)


def test_the_longest_climb_is_known_before() -> None:
    assert Ladder.longest_s(SECTION) == 4 * (60 + 12) + 2 * (300 + 6)
