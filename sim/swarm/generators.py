"""The generator processes of a run: started, ordered, listened to, ended.

A generator that ends before it was told to is a failure of the instrument, not of the
server: it is reported as such, with what it last said.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sim.swarm.orders import Done, Finish, Order, Ready, Report, from_line, to_line
from sim.swarm.population import Member

ROOT = Path(__file__).resolve().parents[2]
#: Starting an interpreter and importing takes about a second on an idle core.
START_WITHIN_S = 60.0
_END_WITHIN_S = 5.0
_MAX_LINE_BYTES = 16 * 1024 * 1024
_SHOWN_BYTES = 600

#: What one process carries with ease: full speech of so many talkers, or quiet devices.
TALKERS_EACH = 50
QUIET_EACH = 200


class GeneratorFailed(Exception):
    """A generator process ended by itself; the text has its last words."""


def how_many(members: Sequence[Member]) -> int:
    """Processes for these devices: enough for the load, never more than cores."""
    talkers = sum(member.role == "talker" for member in members)
    load = talkers / TALKERS_EACH + (len(members) - talkers) / QUIET_EACH
    return max(1, min(math.ceil(load), os.cpu_count() or 1))


def shares(members: Sequence[Member], count: int) -> list[tuple[Member, ...]]:
    """The devices dealt out one by one, so that each process has its part of each role."""
    return [tuple(members[first::count]) for first in range(count)]


class Generator:
    """One generator process. Make it with `start`; `end` it in any case."""

    def __init__(
        self,
        number: int,
        process: asyncio.subprocess.Process,
        errors: Path,
        hear: Callable[[Report], None],
    ) -> None:
        self.number = number
        self.done = False
        self._process = process
        self._errors = errors
        self._hear = hear
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, number: int, folder: Path, hear: Callable[[Report], None]) -> Generator:
        """Start the process and wait until it takes orders. Raises `GeneratorFailed`.

        What it writes on standard error goes to a file in `folder`.
        """
        errors = folder / f"generator-{number}.err"
        with errors.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sim.swarm.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
                limit=_MAX_LINE_BYTES,
                cwd=ROOT,
            )
        generator = cls(number, process, errors, hear)
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_WITHIN_S)
        except TimeoutError:
            await generator.end()
            raise GeneratorFailed(f"generator {number} did not start in time") from None
        if not line or not isinstance(from_line(line), Ready):
            await generator.end()
            raise GeneratorFailed(f"generator {number} did not start: {generator.last_words()}")
        generator._listening = asyncio.create_task(generator._listen())
        return generator

    @property
    def pid(self) -> int:
        return self._process.pid

    def order(self, order: Order) -> None:
        """Give an order; nothing happens when the process is gone."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(to_line(order))

    async def finish(self, within_s: float) -> None:
        """Let it end its running turns and tell the rest."""
        self.order(Finish(within_s))
        if self._listening is not None:
            await asyncio.wait([self._listening], timeout=within_s + _END_WITHIN_S)

    async def ended(self) -> None:
        """Return when the process has told everything. Raises `GeneratorFailed`."""
        assert self._listening is not None
        await asyncio.shield(self._listening)

    async def end(self) -> None:
        """See that the process is gone. Safe to repeat."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _END_WITHIN_S)
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        with contextlib.suppress(OSError):
            if not self._errors.stat().st_size:
                self._errors.unlink()

    def last_words(self) -> str:
        """The end of what it wrote on standard error."""
        with contextlib.suppress(OSError):
            text = self._errors.read_bytes()[-_SHOWN_BYTES:].decode("utf-8", "replace")
            return " ".join(text.split()) or "it said nothing"
        return "it said nothing"

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            report = from_line(line)
            if isinstance(report, Done):
                self.done = True
                return
            self._hear(report)
        raise GeneratorFailed(f"generator {self.number} ended by itself: {self.last_words()}")
