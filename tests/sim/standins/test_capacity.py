"""Slots, the queue before them, and the processes that burn CPU."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import psutil
import pytest

from sim.standins.capacity import Burners, Capacity, QueueFull


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(10):
            await work()

    asyncio.run(limited())


class Guests:
    """Those who hold or want a slot, by name."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.inside: list[str] = []
        self.go: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str) -> None:
        self.go[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._visit(name))
        await asyncio.sleep(0)

    async def _visit(self, name: str) -> None:
        async with self.capacity.slot():
            self.inside.append(name)
            await self.go[name].wait()
            self.inside.remove(name)

    async def leave(self, name: str) -> None:
        self.go[name].set()
        await self.tasks[name]
        await asyncio.sleep(0)


def test_slots_then_queue_then_full() -> None:
    async def work() -> None:
        guests = Guests(Capacity(slots=2, queue=1))
        for name in "abc":
            await guests.come(name)
        assert guests.inside == ["a", "b"]
        assert (guests.capacity.active, guests.capacity.waiting) == (2, 1)
        with pytest.raises(QueueFull):
            async with guests.capacity.slot():
                pass
        await guests.leave("a")
        assert guests.inside == ["b", "c"]
        await guests.leave("b")
        await guests.leave("c")
        assert (guests.capacity.active, guests.capacity.waiting) == (0, 0)

    run(work)


def test_those_who_wait_come_in_their_order() -> None:
    async def work() -> None:
        guests = Guests(Capacity(slots=1))
        for name in "abcd":
            await guests.come(name)
        for leaving, inside in zip("abc", "bcd", strict=True):
            await guests.leave(leaving)
            assert guests.inside == [inside]
        await guests.leave("d")

    run(work)


def test_one_who_gives_up_takes_no_slot() -> None:
    async def work() -> None:
        guests = Guests(Capacity(slots=1))
        for name in "abc":
            await guests.come(name)
        guests.tasks["b"].cancel()
        await asyncio.wait([guests.tasks["b"]])
        assert guests.capacity.waiting == 1
        await guests.leave("a")
        assert guests.inside == ["c"]
        await guests.leave("c")
        assert guests.capacity.active == 0

    run(work)


def test_one_who_gives_up_when_let_in_passes_the_slot_on() -> None:
    async def work() -> None:
        guests = Guests(Capacity(slots=1))
        async with guests.capacity.slot():
            await guests.come("b")
            await guests.come("c")
        guests.tasks["b"].cancel()  # it was let in and did not run yet
        await asyncio.wait([guests.tasks["b"]])
        await asyncio.sleep(0)
        assert guests.inside == ["c"]
        await guests.leave("c")
        assert guests.capacity.active == 0

    run(work)


def test_more_slots_let_those_in_who_wait() -> None:
    async def work() -> None:
        guests = Guests(Capacity(slots=1, queue=5))
        for name in "abc":
            await guests.come(name)
        guests.capacity.resize(None, 5)
        await asyncio.sleep(0)
        assert guests.inside == ["a", "b", "c"]
        for name in "abc":
            await guests.leave(name)

    run(work)


@pytest.mark.system
def test_burners_burn_only_when_told_and_end_with_their_owner() -> None:
    burners = Burners()
    burners.start(1, 0.5)
    (child,) = [p for p in psutil.Process().children() if "burner.py" in " ".join(p.cmdline())]

    def used_s() -> float:
        times = child.cpu_times()
        return float(times.user + times.system)

    try:
        burners.burn(True)
        deadline = time.monotonic() + 10
        while used_s() < 0.1:
            assert time.monotonic() < deadline, "it does not burn"
            time.sleep(0.01)
        burners.burn(False)
        before = -1.0
        while used_s() != before:  # it has paused once nothing is added within a look
            assert time.monotonic() < deadline, "it does not pause"
            before = used_s()
            time.sleep(0.1)
    finally:
        burners.end()
    assert not child.is_running()
