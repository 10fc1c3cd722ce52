"""The acceptor dies: who is in the middle of an answer gets the first session."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack

import pytest

from tests.system.conftest import Start
from tests.system.talker import LONG, talker
from tests.system.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.faults]

IDLERS = 20

#: Sessions are ready within milliseconds of each other and pass one another: so many of 21
#: may be ahead of the one that was served first. Without an order it would be the last.
AHEAD = 7


def test_a_device_that_is_spoken_to_comes_before_idle_ones(start: Start) -> None:
    server = start()

    async def run() -> None:
        async with AsyncExitStack() as stack:
            idle = [await stack.enter_async_context(talker(server)) for _ in range(IDLERS)]
            last = await stack.enter_async_context(talker(server))
            turn = asyncio.create_task(last.type(LONG, linger_ms=200))
            await last.until("first_frame")
            acceptor = server.actor("acceptor")
            assert acceptor is not None
            await asyncio.to_thread(server.kill, acceptor["pid"])
            await eventually(
                lambda: server.log().count("connection taken over") > IDLERS, 10.0, "all are taken"
            )
            await turn
            for device in (*idle, last):
                device.check_unbroken()
            taken = re.findall(r"connection taken over .*device=(\S+)", server.log())
            assert taken.index(last.id) <= AHEAD, (last.id, taken)

    asyncio.run(run())
