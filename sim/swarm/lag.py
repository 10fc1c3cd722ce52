"""How late a generator's event loop is: the error of everything that it measures.

A timer wakes every 20 ms and notes how much later than asked it ran. What kept it
away (a busy machine, a long computation) kept every device of this process away too.
"""

from __future__ import annotations

import asyncio
import statistics
from collections import deque
from typing import NamedTuple

_EVERY_S = 0.02
#: Lags below this are not kept one by one.
_WORTH_KEEPING_MS = 1.0
_KEPT = 4096


class Span(NamedTuple):
    """Lag in ms over the time since the span before."""

    median_ms: float
    worst_ms: float


class LoopLag:
    """Watches the running loop from `start` to `stop`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._span: list[float] = []
        self._recent: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def start(self) -> None:
        self._due = self._loop.time() + _EVERY_S
        self._timer = self._loop.call_at(self._due, self._woke)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def take(self) -> Span:
        """The lag since the last call."""
        span, self._span = self._span, []
        return Span(statistics.median(span), max(span)) if span else Span(0.0, 0.0)

    def worst_since(self, at: float) -> float:
        """The worst lag in ms since this instant of the loop's clock."""
        return max((lag_ms for when, lag_ms in self._recent if when >= at), default=0.0)

    def _woke(self) -> None:
        now = self._loop.time()
        lag_ms = (now - self._due) * 1000
        self._span.append(lag_ms)
        if lag_ms >= _WORTH_KEEPING_MS:
            self._recent.append((now, lag_ms))
        self._due = max(self._due + _EVERY_S, now)
        self._timer = self._loop.call_at(self._due, self._woke)
