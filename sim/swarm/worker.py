"""A generator: one process that runs its share of the swarm's devices on one loop.

`python -m sim.swarm.worker` is started by the conductor, reads orders from standard
input and tells records on standard output (`sim.swarm.orders`). It ends when it is
told to finish, or when the conductor is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sim.swarm.lag import LoopLag
from sim.swarm.orders import Done, Finish, PhaseOrder, Ready, Report, Spec, from_line, to_line
from sim.swarm.quiet import Quiet
from sim.swarm.records import CrowdSample, LagSample
from sim.swarm.schedule import intended_turns
from sim.swarm.talker import Talker
from sim.swarm.utterances import load

#: How often a generator tells of itself.
SAMPLE_S = 1.0
_MAX_LINE_BYTES = 16 * 1024 * 1024


class Generator:
    """The devices of one process. `tell` takes every record at once and never blocks."""

    def __init__(self, spec: Spec, tell: Callable[[Report], None]) -> None:
        self._spec = spec
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._lag = LoopLag()
        talkers = [member for member in spec.members if member.role == "talker"]
        bank = load(Path(spec.bank), [member.index for member in talkers]) if talkers else {}
        self._talkers = {
            member.index: Talker(member, spec, bank[member.index], tell, self._lag)
            for member in talkers
        }
        self._quiet = {
            member.index: Quiet(member, spec, tell)
            for member in spec.members
            if member.role != "talker"
        }
        self._devices: list[Talker | Quiet] = [*self._talkers.values(), *self._quiet.values()]
        self._presences = [device.presence for device in self._devices]
        self._lives = [self._loop.create_task(device.live()) for device in self._devices]
        self._cpu_s, self._sampled_at = time.process_time(), self._loop.time()
        gc.collect()
        gc.freeze()  # the speech is kept for ever; no collection need look at it again

    def begin(self, order: PhaseOrder) -> None:
        """Let the devices take part in a phase."""
        spec = self._spec
        for index, talker in self._talkers.items():
            if index in order.active:
                turns = intended_turns(spec.seed, index, spec.talking, order.start_s, order.end_s)
                talker.add(turns, order.name)
            else:
                talker.leave_at(order.start_s)
        for index in order.active & self._quiet.keys():
            self._quiet[index].take_part(order.start_s, order.end_s)

    async def watch(self) -> None:
        """Tell of lag, CPU and crowd each second, for ever."""
        self._lag.start()
        while True:
            await asyncio.sleep(SAMPLE_S)
            self._sample()

    async def finish(self, within_s: float) -> None:
        """Let the running turns end; devices that need longer are switched off."""
        for device in self._devices:
            device.finish()
        if self._lives:
            await asyncio.wait(self._lives, timeout=within_s)
        for life in self._lives:
            life.cancel()
        ends = await asyncio.gather(*self._lives, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end
        self._lag.stop()
        self._sample()

    def _sample(self) -> None:
        spec, now, cpu_s = self._spec, self._loop.time(), time.process_time()
        span = self._lag.take()
        passed_s = max(1e-3, now - self._sampled_at)
        cpu_percent = 100 * (cpu_s - self._cpu_s) / passed_s
        self._cpu_s, self._sampled_at = cpu_s, now
        at_s = now - spec.base
        doing = [presence.doing for presence in self._presences if presence.connected]
        lag = LagSample(
            at_s, spec.generator, span.median_ms, span.worst_ms, cpu_percent, len(doing)
        )
        self._tell(lag)
        counts = (doing.count("speaking"), doing.count("waiting"), doing.count("hearing"))
        self._tell(CrowdSample(at_s, len(doing), *counts, spec.generator))


class _Writer:
    """Writes lines on a thread of its own, so that a slow reader never stops the loop."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def tell(self, report: Report) -> None:
        self._lines.put(to_line(report))

    def close(self) -> None:
        self._lines.put(None)
        self._thread.join(10)

    def _write(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            while (line := self._lines.get()) is not None:
                self._stream.write(line)
                if self._lines.empty():
                    self._stream.flush()
            self._stream.flush()


async def _generate(writer: _Writer) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_MAX_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    writer.tell(Ready(os.getpid()))
    spec = from_line(await reader.readline())
    if not isinstance(spec, Spec):
        raise ValueError("the first order to a generator is its Spec")
    generator = Generator(spec, writer.tell)
    watching = loop.create_task(generator.watch())
    within_s = 0.0  # when the conductor is gone, nobody waits for the rest
    while line := await reader.readline():
        order = from_line(line)
        if isinstance(order, Finish):
            within_s = order.within_s
            break
        generator.begin(order)
    await generator.finish(within_s)
    watching.cancel()
    writer.tell(Done(spec.generator))


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the conductor gets it too, and decides
    writer = _Writer(sys.stdout.buffer)
    try:
        asyncio.run(_generate(writer))
    finally:
        writer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
