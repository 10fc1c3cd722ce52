"""What a stand-in can do at once: slots and a queue before them, and the load it makes."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_BURNER = Path(__file__).with_name("burner.py")
_END_S = 1.0


class QueueFull(Exception):
    """All slots are taken and as many wait as may."""


class Capacity:
    """`slots` at once (None: any number), `queue` waiting in order; may be resized."""

    def __init__(self, slots: int | None = None, queue: int = 512) -> None:
        self.slots = slots
        self.queue = queue
        self.active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def resize(self, slots: int | None, queue: int) -> None:
        """Those who are served or wait already stay."""
        self.slots, self.queue = slots, queue
        self._let_in()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot and hold it; raises `QueueFull` at once."""
        await self._enter()
        try:
            yield
        finally:
            self.active -= 1
            self._let_in()

    async def _enter(self) -> None:
        if self._free() and not self._waiting:
            self.active += 1
            return
        if len(self._waiting) >= self.queue:
            raise QueueFull
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let in at the same moment
                self.active -= 1
                self._let_in()
            else:
                self._waiting.remove(turn)
            raise

    def _free(self) -> bool:
        return self.slots is None or self.active < self.slots

    def _let_in(self) -> None:
        while self._waiting and self._free():
            self._waiting.popleft().set_result(None)
            self.active += 1


class Burners:
    """Processes that burn CPU while somebody is served. They end with this process."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []
        self._burning = False

    def start(self, threads: int, share: float) -> None:
        """Have so many of them, each using `share` of a core; 0: none."""
        self.end()
        self._processes = [
            subprocess.Popen(  # noqa: S603 - our own file, a number as its argument
                [sys.executable, "-I", "-S", str(_BURNER), str(share)],
                stdin=subprocess.PIPE,
                text=True,
            )
            for _ in range(threads)
        ]
        self._tell()

    def burn(self, burning: bool) -> None:
        if burning != self._burning:
            self._burning = burning
            self._tell()

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(_END_S)
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
        self._processes = []

    def _tell(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write("1\n" if self._burning else "0\n")
                process.stdin.flush()
