"""Percentiles are measured values; a change is told from chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.swarm.statistics import difference, distribution, percentile


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.001, 1))
def test_a_percentile_is_the_least_value_that_covers_its_share(
    values: list[float], share: float
) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-6
    assert sum(value < found for value in ordered) < share * len(ordered) + 1e-6


def test_a_distribution_of_a_thousand() -> None:
    spread = distribution([float(value) for value in range(1, 1001)])
    assert spread is not None
    assert (spread.count, spread.least, spread.most) == (1000, 1, 1000)
    assert (spread.p50, spread.p90, spread.p95, spread.p99, spread.p999) == (
        500,
        900,
        950,
        990,
        999,
    )


def test_nothing_has_no_distribution() -> None:
    assert distribution([]) is None


def test_a_real_change_is_seen_and_chance_is_not() -> None:
    source = np.random.default_rng(1)
    before = list(source.normal(300, 30, 400))
    low, high = difference(before, list(source.normal(330, 30, 400)), 0.5)
    assert 20 < low < 30 < high < 40
    low, high = difference(before, list(source.normal(300, 30, 400)), 0.5)
    assert low < 0 < high


def test_the_interval_of_a_high_percentile_holds_it_as_often_as_it_says() -> None:
    source = np.random.default_rng(2)
    held = 0
    for round_ in range(200):
        before, after = source.exponential(100, 300), source.exponential(100, 300)
        low, high = difference(list(before), list(after), 0.95, seed=round_)
        held += low <= 0 <= high
    assert 180 <= held <= 200


def test_the_order_of_values_does_not_matter() -> None:
    assert difference([3, 1, 2], [6, 5, 4], 0.5) == difference([1, 2, 3], [4, 5, 6], 0.5)
    assert percentile([1.0], 0.5) == pytest.approx(1.0)
