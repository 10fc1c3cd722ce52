"""Slopes of a soak: their size, their confidence, and the verdict."""

from __future__ import annotations

import numpy as np
import pytest

from sim.soak import (
    DESCRIPTORS,
    LATENCY_MS,
    MEMORY_MIB,
    Allowance,
    holds,
    judge,
    judge_all,
    slope,
    table,
)

HOUR_S = 3600.0


def times(hours: float = 2.0, every_s: float = 5.0) -> list[float]:
    return list(np.arange(0.0, hours * HOUR_S, every_s))


def noise(count: int, seed: int, memory: float = 0.0) -> np.ndarray:
    """Noise of variance one; `memory` is the share that each sample keeps of the last."""
    source = np.random.default_rng(seed)
    fresh = source.standard_normal(count) * np.sqrt(1 - memory**2)
    out = np.empty(count)
    last = 0.0
    for index, value in enumerate(fresh):
        last = memory * last + value
        out[index] = last
    return out


def test_a_clean_line_has_its_slope_and_no_doubt() -> None:
    at = times()
    fitted = slope("memory", at, [100 + 3 * t / HOUR_S for t in at])
    assert fitted is not None
    assert fitted.per_hour == pytest.approx(3.0, rel=1e-6)
    assert fitted.low == pytest.approx(3.0, rel=1e-6)
    assert fitted.high == pytest.approx(3.0, rel=1e-6)
    assert fitted.samples == len(at)


def test_wild_outliers_do_not_move_the_line() -> None:
    at = times()
    values = 500 + 2 * np.array(at) / HOUR_S + noise(len(at), 1)
    values[::7] += 900
    fitted = slope("latency", at, list(values))
    assert fitted is not None
    assert fitted.per_hour == pytest.approx(2.0, abs=0.5)


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.99])
def test_the_interval_holds_the_truth_as_often_as_it_says(memory: float) -> None:
    at, true = times(hours=1.0, every_s=10.0), 4.0
    held = 0
    for seed in range(100):
        values = 100 + true * np.array(at) / HOUR_S + noise(len(at), seed, memory)
        fitted = slope("memory", at, list(values))
        assert fitted is not None
        held += fitted.low <= true <= fitted.high
    assert held >= 85  # 95 promised; correlation that is left costs some


def test_missing_values_and_any_order_are_taken() -> None:
    at = [*times(), 1.0, 2.0]
    values: list[float | None] = [t / HOUR_S for t in times()]
    fitted = slope("x", at[::-1], [None, float("nan"), *values[::-1]])
    assert fitted is not None
    assert fitted.per_hour == pytest.approx(1.0)
    assert fitted.samples == len(values)


@pytest.mark.parametrize("values", [[], [1.0] * 7, [None] * 20])
def test_too_few_samples_have_no_slope(values: list[float | None]) -> None:
    assert slope("x", [float(n) for n in range(len(values))], values) is None
    trend = judge("x", [float(n) for n in range(len(values))], values, MEMORY_MIB)
    assert trend.verdict == "undecided"


def test_samples_at_one_instant_have_no_slope() -> None:
    assert slope("x", [5.0] * 20, [float(n) for n in range(20)]) is None


def test_a_leak_is_found() -> None:
    at = times()
    trend = judge("memory", at, 800 + 60 * np.array(at) / HOUR_S + noise(len(at), 2), MEMORY_MIB)
    assert trend.verdict == "leak"
    assert trend.grown == pytest.approx(60 * trend.hours, rel=0.05)
    assert "allowed" in trend.reason


def test_one_descriptor_in_a_while_is_found() -> None:
    at = times(hours=12, every_s=60)
    trend = judge("descriptors", at, [float(300 + int(t / 1800)) for t in at], DESCRIPTORS)
    assert trend.verdict == "leak"


@pytest.mark.parametrize("seed", range(20))
def test_a_flat_figure_does_not_leak(seed: int) -> None:
    at = times()
    trend = judge("memory", at, 800 + 3 * noise(len(at), seed, 0.95), MEMORY_MIB)
    assert trend.verdict == "no leak"


def test_what_fills_and_settles_does_not_leak() -> None:
    at = times(hours=4)
    filled = 500 + 200 * (1 - np.exp(-np.array(at) / 1200)) + noise(len(at), 3)
    trend = judge("memory", at, filled, MEMORY_MIB)
    assert trend.verdict == "no leak"


def test_a_leak_that_begins_late_is_none_that_settles() -> None:
    at = times(hours=4)
    late = 500 + np.maximum(0.0, np.array(at) - 2 * HOUR_S) / HOUR_S * 100 + noise(len(at), 3)
    assert judge("memory", at, late, MEMORY_MIB).verdict == "leak"


def test_a_short_noisy_run_is_undecided() -> None:
    at = times(hours=0.05)
    trend = judge("latency", at, 300 + 100 * noise(len(at), 4, 0.9), LATENCY_MS)
    assert trend.verdict == "undecided"
    assert "run longer" in trend.reason
    assert not holds([trend])


def test_the_beginning_is_left_out() -> None:
    at = times()
    values = [900.0 if t < 600 else 100.0 for t in at]
    assert judge("memory", at, values, Allowance(1, 0)).level == 100.0
    assert judge("memory", at, values, Allowance(1, 0), settle_s=0.0).hours == pytest.approx(
        2.0, abs=0.01
    )


def test_several_figures_are_judged_and_printed() -> None:
    at = times()
    flat = [10.0] * len(at)
    grows = [10 + t / 60 for t in at]
    trends = judge_all(
        {"descriptors": (at, flat, DESCRIPTORS), "memory_mib": (at, grows, MEMORY_MIB)}
    )
    assert [trend.verdict for trend in trends] == ["no leak", "leak"]
    assert not holds(trends)
    assert holds(trends[:1])
    lines = table(trends).splitlines()
    assert lines[0].split()[0] == "figure"
    assert "no leak" in lines[1]
    assert "+60" in lines[2]
    assert "leak: +108 over the run, 8 is allowed" in lines[2]
