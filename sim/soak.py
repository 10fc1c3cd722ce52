"""Does a figure grow with time? Slopes with their confidence, and a verdict on a leak.

Pure. A soak's samples are noisy, full of outliers and depend on each other: a busy
minute is followed by a busy minute. So the line is Theil and Sen's (the median of the
slopes of all pairs; up to 29 % of the samples may be wild), laid through the medians
of at most `BLOCKS` spans of time, and its interval is Sen's from the variance of
Kendall's S, widened by (1 + r) / (1 - r) for the correlation r that neighbours keep.

A verdict needs a tolerance, since no run proves a slope of exactly zero: `Allowance`
says how much a figure may grow *over the run*. What goes on in the second half
of the run decides, where that can be told. "undecided" means that the run was too
short or too noisy to say either, which is no pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sim.swarm.records import Slope

Floats = NDArray[np.float64]
Verdict = Literal["leak", "no leak", "undecided"]

CONFIDENCE: Final = 0.95
BLOCKS: Final = 60
#: Fewer samples than this say nothing about a slope.
LEAST_SAMPLES: Final = 8
#: Share of the run that is left out at its beginning (caches fill, pools grow), and the
#: most that is.
SETTLE_SHARE: Final = 0.1
SETTLE_MOST_S: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a figure may grow over the whole run: `least`, or a `share` of its median."""

    least: float
    share: float

    def of(self, level: float) -> float:
        return max(self.least, self.share * abs(level))


#: By what is measured. Memory moves with the allocator's mood, descriptors do not.
MEMORY_MIB: Final = Allowance(8.0, 0.05)
DESCRIPTORS: Final = Allowance(2.0, 0.02)
PROCESSES: Final = Allowance(0.5, 0.0)
LATENCY_MS: Final = Allowance(10.0, 0.05)


@dataclass(frozen=True, slots=True)
class Trend:
    """One figure over a soak. `level` is its median, `grown` the slope over `hours`.

    `allowed` is in the figure's unit over the run. `slope` None: too few samples.
    """

    figure: str
    hours: float
    level: float
    slope: Slope | None
    grown: float
    allowed: float
    verdict: Verdict
    reason: str


def slope(
    figure: str,
    at_s: Sequence[float],
    values: Iterable[float | None],
    confidence: float = CONFIDENCE,
) -> Slope | None:
    """The figure's growth per hour with its interval; None for too few samples.

    `values` may hold None where there was no figure; times in any order.
    """
    times_h, kept = _usable(at_s, values)
    if len(kept) < LEAST_SAMPLES or times_h[-1] <= times_h[0]:
        return None
    block_h, block = _blocks(times_h, kept)
    if len(block) < LEAST_SAMPLES:
        block_h, block = times_h, kept
    middle, low, high = _theil_sen(block_h, block, confidence)
    return Slope(figure, middle, low, high, len(kept))


def judge(
    figure: str,
    at_s: Sequence[float],
    values: Iterable[float | None],
    allowance: Allowance,
    settle_s: float | None = None,
    confidence: float = CONFIDENCE,
) -> Trend:
    """Say whether the figure leaks. `settle_s` at the start are left out (None: a tenth)."""
    series = [(at, value) for at, value in zip(at_s, values, strict=True) if value is not None]
    series.sort()
    if not series:
        return Trend(figure, 0.0, 0.0, None, 0.0, allowance.least, "undecided", "no sample")
    began, ended = series[0][0], series[-1][0]
    if settle_s is None:
        settle_s = min(SETTLE_MOST_S, SETTLE_SHARE * (ended - began))
    settled = [(at, value) for at, value in series if at >= began + settle_s]
    whole = _fitted(figure, settled, confidence)
    hours = (ended - began - settle_s) / 3600
    level = float(np.median([value for _, value in settled])) if settled else 0.0
    allowed = allowance.of(level)
    if whole is None:
        reason = f"{len(settled)} samples; {LEAST_SAMPLES} are the least"
        return Trend(figure, hours, level, None, 0.0, allowed, "undecided", reason)
    later = _fitted(figure, [s for s in settled if s[0] >= (settled[0][0] + ended) / 2])
    verdict, reason = _verdict(whole, hours, allowed)
    if later is not None:
        verdict, reason = _with_later(verdict, reason, later, hours, allowed)
    return Trend(figure, hours, level, whole, whole.per_hour * hours, allowed, verdict, reason)


def judge_all(
    series: Mapping[str, tuple[Sequence[float], Sequence[float | None], Allowance]],
    settle_s: float | None = None,
) -> tuple[Trend, ...]:
    """Judge several figures: name → (times in seconds, values, allowance)."""
    return tuple(
        judge(name, at_s, values, allowance, settle_s)
        for name, (at_s, values, allowance) in series.items()
    )


def holds(trends: Iterable[Trend]) -> bool:
    """Whether the soak passes: nothing leaks and nothing is undecided."""
    return all(trend.verdict == "no leak" for trend in trends)


def table(trends: Sequence[Trend]) -> str:
    """Lay the trends out for people, one line each."""
    lines = [("figure", "median", "per hour", "95 % interval", "over the run", "allowed", "")]
    for trend in trends:
        fitted = trend.slope
        cells = ("-", "-", "-")
        if fitted is not None:
            interval = f"{fitted.low:+.3g} … {fitted.high:+.3g}"
            cells = (f"{fitted.per_hour:+.3g}", interval, f"{trend.grown:+.3g}")
        lines.append((trend.figure, f"{trend.level:.4g}", *cells, f"{trend.allowed:.3g}", ""))
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    verdicts = ["verdict", *(f"{trend.verdict}: {trend.reason}" for trend in trends)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:6], widths[1:]), verdict])
        for line, verdict in zip(lines, verdicts, strict=True)
    )


def _verdict(fitted: Slope, hours: float, allowed: float) -> tuple[Verdict, str]:
    grown = f"{fitted.per_hour * hours:+.3g} over the run"
    if fitted.low > 0 and fitted.per_hour * hours > allowed:
        return "leak", f"{grown}, {allowed:.3g} is allowed"
    if fitted.high * hours <= allowed:
        return "no leak", f"{grown}, at most {fitted.high * hours:+.3g}"
    return "undecided", f"{grown}, but it may be {fitted.high * hours:+.3g}: run longer"


def _with_later(
    verdict: Verdict, reason: str, later: Slope, hours: float, allowed: float
) -> tuple[Verdict, str]:
    """What goes on in the second half counts: a leak goes on, a cache that fills does not."""
    then, _ = _verdict(later, hours, allowed)
    if then in (verdict, "undecided"):
        if verdict == "leak" and later.low <= 0:
            return "undecided", f"{reason}; whether it settled needs a longer run"
        return verdict, reason
    if then == "leak":
        return then, f"grows in the second half: {_per_hour(later)}"
    return then, f"{_per_hour(later)} in the second half: it grew at first and settled"


def _per_hour(fitted: Slope) -> str:
    return f"{fitted.per_hour:+.3g} an hour"


def _fitted(
    figure: str, series: Sequence[tuple[float, float]], confidence: float = CONFIDENCE
) -> Slope | None:
    return slope(figure, [at for at, _ in series], [value for _, value in series], confidence)


def _usable(at_s: Sequence[float], values: Iterable[float | None]) -> tuple[Floats, Floats]:
    """Times in hours and values, in order of time; None and NaN are left out."""
    pairs = [
        (at / 3600, value)
        for at, value in zip(at_s, values, strict=True)
        if value is not None and math.isfinite(value)
    ]
    pairs.sort()
    return np.array([at for at, _ in pairs]), np.array([value for _, value in pairs])


def _blocks(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Medians of spans of equal length; as they are when there are no more than `BLOCKS`."""
    if len(values) <= BLOCKS:
        return times, values
    edges = np.linspace(times[0], times[-1], BLOCKS + 1)
    place = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, BLOCKS - 1)
    used = np.unique(place)
    return (
        np.array([np.median(times[place == block]) for block in used]),
        np.array([np.median(values[place == block]) for block in used]),
    )


def _theil_sen(times: Floats, values: Floats, confidence: float) -> tuple[float, float, float]:
    """Slope and interval. Pairs at one instant say nothing and are left out."""
    first, second = np.triu_indices(len(times), k=1)
    spans = times[second] - times[first]
    apart = spans > 0
    slopes = np.sort((values[second] - values[first])[apart] / spans[apart])
    middle = float(np.median(slopes))
    spread = math.sqrt(_variance_of_s(times, values, middle))
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * spread
    last = len(slopes) - 1
    low = math.floor((len(slopes) - reach) / 2)
    high = math.ceil((len(slopes) + reach) / 2)
    return middle, float(slopes[max(0, low)]), float(slopes[min(last, high)])


def _variance_of_s(times: Floats, values: Floats, fitted: float) -> float:
    """Variance of Kendall's S without a trend, corrected for correlated residuals."""
    count = len(values)
    plain = count * (count - 1) * (2 * count + 5) / 18
    ranks = np.argsort(np.argsort(values - fitted * times)).astype(np.float64)
    ranks -= ranks.mean()
    total = float(ranks @ ranks)
    kept = float(ranks[:-1] @ ranks[1:]) / total if total else 0.0
    # a short series with its trend taken out shows less correlation than it has (Kendall)
    kept = min(0.98, kept + (1 + 4 * kept) / count)
    factor = (1 + kept) / (1 - kept)
    # a negative correlation would narrow the interval: that is not believed
    return plain * max(1.0, factor)
