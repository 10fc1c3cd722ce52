"""An event loop on a clock that jumps: hours of a swarm in milliseconds, always the same."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: Computing takes time, however little: what is due at this very moment comes to pass.
_STEP_S = 1e-8


class _JumpingSelector(selectors.SelectSelector):
    """Waits for nobody: what would be waited for, passes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for something that never comes"
            self.now += max(0.0, timeout)
        self.now += _STEP_S
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` moves only when everybody waits."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a clock of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
