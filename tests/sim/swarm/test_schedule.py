"""An open schedule is fixed by its seed and waits for nobody."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.swarm.schedule import Talking, intended_turns, waited_ms


def test_one_turn_a_period_and_device() -> None:
    turns = intended_turns(1, 5, Talking(), 0, 120)
    assert [turn.turn for turn in turns] == list(range(10))
    gaps = {round(b.at_s - a.at_s, 6) for a, b in pairwise(turns)}
    assert gaps == {12.0}


def test_about_a_quarter_speaks_at_any_moment() -> None:
    """13 of 50, as the figures are counted."""
    starts = [
        turn.at_s for device in range(50) for turn in intended_turns(3, device, Talking(), 0, 600)
    ]
    speaking = [sum(start <= at < start + 3 for start in starts) for at in range(60, 540)]
    assert 12 <= sum(speaking) / len(speaking) <= 13


def test_devices_and_seeds_have_phases_of_their_own() -> None:
    firsts = {
        intended_turns(seed, device, Talking(), 0, 12)[0].at_s
        for seed in (1, 2)
        for device in range(20)
    }
    assert len(firsts) == 40


def test_all_at_once_when_asked() -> None:
    together = Talking(start="together")
    assert {intended_turns(1, device, together, 0, 12)[0].at_s for device in range(9)} == {6.0}


@given(
    seed=st.integers(0, 99),
    jitter=st.floats(0, 1),
    cut_s=st.floats(0, 100),
    start_s=st.floats(0, 50),
)
def test_phases_join_without_a_seam(seed: int, jitter: float, cut_s: float, start_s: float) -> None:
    talking = Talking(period_s=7, jitter=jitter)
    end_s = start_s + 100
    middle_s = start_s + cut_s
    whole = intended_turns(seed, 3, talking, start_s, end_s)
    parts = (
        *intended_turns(seed, 3, talking, start_s, middle_s),
        *intended_turns(seed, 3, talking, middle_s, end_s),
    )
    assert parts == whole
    assert all(start_s <= turn.at_s < end_s for turn in whole)
    assert len({turn.turn for turn in whole}) == len(whole)


def test_waiting_is_what_goes_beyond_the_grid() -> None:
    assert waited_ms(10.0, 10.08, grid_ms=100) == 0
    assert waited_ms(10.0, 12.1, grid_ms=100) == pytest.approx(2000)


@pytest.mark.parametrize("wrong", [{"period_s": 0.1}, {"speech_s": 0.0}, {"jitter": 2.0}])
def test_what_makes_no_sense_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Talking(**wrong)  # type: ignore[arg-type]
