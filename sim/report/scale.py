"""Axes: where a value lies between two ends, and which values to write beside it.

Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_TIME_STEPS_S: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 14400, 21600, 43200, 86400),
)
#: Room above the highest value, as a share of a step.
_HEADROOM: Final = 0.1
#: Labels on an axis, about.
_TICKS: Final = 5


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high`; `ticks` are values with their labels."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def place(self, value: float) -> float:
        """0 at `low`, 1 at `high`, held between them."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = (math.log(max(each, self.low)) for each in (value, low, high))
        share = (value - low) / (high - low) if high > low else 0.0
        return min(1.0, max(0.0, share))


def linear(values: Iterable[float], unit: str = "", least: float = 1.0, zero: bool = True) -> Scale:
    """An axis that holds all values, from 0 unless `zero` is False; at least `least` long."""
    found = [value for value in values if math.isfinite(value)]
    low = min(found, default=0.0)
    if zero:
        low = min(0.0, low)
    high = max([*found, low + least])
    step = _nice((high - low) / _TICKS)
    # what is drawn at the very edge is hard to see
    first, last = math.floor(low / step), math.ceil(high / step + _HEADROOM)
    ticks = tuple((n * step, number(n * step) + unit) for n in range(first, last + 1))
    return Scale(first * step, last * step, ticks)


def percent(shares: Iterable[int] = (0, 25, 50, 75, 100)) -> Scale:
    """From 0 to 100 %, with these labels."""
    return Scale(0.0, 100.0, tuple((float(share), f"{share} %") for share in shares))


def milliseconds(values: Iterable[float]) -> Scale:
    """An axis for waits: 1, 2, 5 and their decades, holding all values above 0."""
    found = [value for value in values if value > 0 and math.isfinite(value)]
    low, high = min(found, default=1.0), max(found, default=10.0)
    grid = [
        factor * 10.0**power
        for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
        for factor in (1, 2, 5)
    ]
    first = max((each for each in grid if each <= low), default=grid[0])
    last = min((each for each in grid if each >= high and each > first), default=grid[-1])
    shown = [each for each in grid if first <= each <= last]
    while len(shown) > _TICKS + 2:  # every second or third is enough
        kept = [each for each in shown if f"{each:e}"[0] == "1"]
        shown = kept if len(kept) >= 3 else shown[::2]
        if len(kept) >= 3:
            break
    return Scale(first, last, tuple((each, wait(each)) for each in shown), log=True)


def time(low_s: float, high_s: float) -> Scale:
    """Seconds of a run."""
    high_s = max(high_s, low_s + 1.0)
    wanted = (high_s - low_s) / _TICKS
    step = next((each for each in _TIME_STEPS_S if each >= wanted), None)
    if step is None:
        step = math.ceil(wanted / 86400) * 86400
    first = math.ceil(low_s / step)
    ticks = tuple(
        (float(n * step), clock(n * step)) for n in range(first, math.floor(high_s / step) + 1)
    )
    return Scale(low_s, high_s, ticks)


def number(value: float) -> str:
    """A figure in a few characters: 12, 1.5, 12k."""
    if abs(value) >= 100_000:
        return f"{value / 1000:g}k"
    return f"{value:.4g}" if abs(value) < 1 else f"{value:.6g}"


def wait(ms: float) -> str:
    """Milliseconds in a few characters: 0.5 ms, 200 ms, 1.5 s."""
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"


def clock(seconds: float) -> str:
    """A time in a run as people write it: 45 s, 12:30, 3:05:00."""
    sign, whole = ("-" if seconds < 0 else ""), abs(round(seconds))
    if whole < 60:
        return f"{sign}{whole} s"
    if whole < 3600:
        return f"{sign}{whole // 60}:{whole % 60:02}"
    return f"{sign}{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"


def _nice(step: float) -> float:
    """The next of 1, 2, 5 and their decades."""
    if step <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)
