"""Percentiles, slopes with confidence, and intervals for a difference.

Pure. Percentiles are nearest rank: a value that was measured, never one in between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.swarm.records import Distribution, Slope

#: Samples that a slope needs to mean anything.
FEWEST_SAMPLES = 8
_RESAMPLES = 1000


def percentile(ordered: Sequence[float] | NDArray[np.float64], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the ordered values do not exceed."""
    rank = math.ceil(round(share * len(ordered), 9))
    return float(ordered[max(0, min(len(ordered), rank) - 1)])


def distribution(values: Sequence[float]) -> Distribution | None:
    """All percentiles of the values; None when there are none."""
    if not values:
        return None
    ordered = np.sort(np.asarray(values, np.float64))
    return Distribution(
        count=len(ordered),
        mean=float(ordered.mean()),
        least=float(ordered[0]),
        p50=percentile(ordered, 0.50),
        p90=percentile(ordered, 0.90),
        p95=percentile(ordered, 0.95),
        p99=percentile(ordered, 0.99),
        p999=percentile(ordered, 0.999),
        most=float(ordered[-1]),
    )


def slope(figure: str, at_s: Sequence[float], values: Sequence[float]) -> Slope | None:
    """A robust line through a figure over time (Theil and Sen: the median of the slopes
    of all pairs), per hour, with the 95 % interval of Kendall's test.

    None with fewer than `FEWEST_SAMPLES` different instants. Long series are thinned to
    300 means of neighbours, which changes neither slope nor, much, its interval.
    """
    if len(set(at_s)) < FEWEST_SAMPLES:
        return None
    times, figures = _thinned(np.asarray(at_s, np.float64), np.asarray(values, np.float64))
    count = len(times)
    first, second = np.triu_indices(count, 1)
    apart = times[second] - times[first]
    pairs = np.sort((figures[second] - figures[first])[apart > 0] / apart[apart > 0]) * 3600
    spread = 1.96 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, round((len(pairs) - spread) / 2))
    high = min(len(pairs) - 1, round((len(pairs) + spread) / 2))
    middle = float(np.median(pairs))
    return Slope(figure, middle, float(pairs[low]), float(pairs[high]), len(values))


def difference(
    before: Sequence[float], after: Sequence[float], share: float, seed: int = 0
) -> tuple[float, float]:
    """The 95 % bootstrap interval of a percentile's change, after minus before."""
    source = np.random.default_rng(seed)
    one, two = (_resampled(np.asarray(each, np.float64), share, source) for each in (before, after))
    changes = np.sort(two - one)
    return percentile(changes, 0.025), percentile(changes, 0.975)


def _resampled(
    values: NDArray[np.float64], share: float, source: np.random.Generator
) -> NDArray[np.float64]:
    """The percentile of each of many resamples, drawn by its rank's own distribution."""
    ordered, count = np.sort(values), len(values)
    rank = max(1, min(count, math.ceil(round(share * count, 9))))
    # The share of the population below the rank-th of `count` draws is beta distributed.
    shares = source.beta(rank, count + 1 - rank, _RESAMPLES)
    found: NDArray[np.float64] = ordered[np.minimum((shares * count).astype(int), count - 1)]
    return found


def _thinned(
    times: NDArray[np.float64], figures: NDArray[np.float64], most: int = 300
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = np.argsort(times, kind="stable")
    times, figures = times[order], figures[order]
    if len(times) <= most:
        return times, figures
    groups = np.array_split(np.arange(len(times)), most)
    return (
        np.array([times[group].mean() for group in groups]),
        np.array([figures[group].mean() for group in groups]),
    )
