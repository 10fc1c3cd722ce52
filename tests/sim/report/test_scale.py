"""Axes hold what they must, and label what people expect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.report import scale

FIGURES = st.floats(0.1, 1e6)


@given(st.lists(FIGURES, min_size=1))
def test_a_linear_axis_holds_all_values_with_room_above(values: list[float]) -> None:
    axis = scale.linear(values)
    assert axis.low <= 0
    assert max(values) < axis.high
    assert 2 <= len(axis.ticks) <= 9
    assert all(0 <= axis.place(value) < 1 for value in values)


@given(st.lists(FIGURES, min_size=1))
def test_an_axis_of_waits_holds_all_values(values: list[float]) -> None:
    axis = scale.milliseconds(values)
    assert axis.low <= min(values) <= max(values) <= axis.high
    places = [axis.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert 2 <= len(axis.ticks) <= 9
    assert len({label for _value, label in axis.ticks}) == len(axis.ticks)


@given(st.integers(0, 100_000), st.floats(0.1, 1e6))
def test_an_axis_of_time_has_a_few_labels_inside(low: int, length: float) -> None:
    axis = scale.time(float(low), low + length)
    assert len(axis.ticks) <= 7
    assert all(axis.low <= value <= axis.high for value, _label in axis.ticks)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (45, "45 s"), (-5, "-5 s"), (750, "12:30"), (11100, "3:05:00"), (59.7, "1:00")],
)
def test_times_read_as_people_write_them(seconds: float, words: str) -> None:
    assert scale.clock(seconds) == words


@pytest.mark.parametrize(("ms", "words"), [(0.5, "0.5 ms"), (200, "200 ms"), (1500, "1.5 s")])
def test_waits_are_short(ms: float, words: str) -> None:
    assert scale.wait(ms) == words


@pytest.mark.parametrize(("value", "words"), [(12.0, "12"), (0.25, "0.25"), (250_000, "250k")])
def test_numbers_are_short(value: float, words: str) -> None:
    assert scale.number(value) == words


def test_what_is_outside_is_drawn_at_the_edge() -> None:
    axis = scale.milliseconds([100, 1000])
    assert axis.place(1) == 0.0
    assert axis.place(1e9) == 1.0
    assert scale.percent().place(50) == 0.5


def test_nothing_to_show_has_an_axis_all_the_same() -> None:
    assert scale.linear([]).high >= 1.0
    assert scale.milliseconds([]).high > 0
    assert scale.time(0.0, 0.0).high == 1.0
