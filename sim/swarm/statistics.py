"""Percentiles, and intervals for the difference of two.

Pure. Percentiles are nearest rank: a value that was measured, never one in between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.swarm.records import Distribution

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
