"""kill -9 of everything else: devices stay connected, and their next turn works.

And of the launcher, which holds what must survive: then nothing is left.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest

from sim.result import TurnResult
from tests.system.conftest import Start
from tests.system.server import Server, alive
from tests.system.side_by_side import Outcomes, side_by_side, takes_long
from tests.system.talker import HELLO, LONG, SUM, WHO, talker
from tests.system.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.faults]

#: So many share the deaths: fewer would take longer, more would keep two cores busy.
SERVERS = 3

#: Who dies.
VICTIMS = (
    "router",
    "console",
    "answers",
    "sounds",
    "phrasebook",
    "pool asr",
    "pool llm",
    "pool tts",
    "acceptor",
    "root",
    "MultiProcAdmin",
    "logger",
)


def wait_whole(server: Server, victim: str, killed: int) -> None:
    """Wait until the victim was replaced and a device would be answered."""
    if victim in ("MultiProcAdmin", "logger"):
        until(lambda: server.pid(victim) != killed, 10.0, f"{victim} is back")
    else:
        server.wait_replaced(victim, killed)
    until(lambda: server.get("/readyz"), 10.0, "the server is ready again")


async def outlive(server: Server, victim: str) -> None:
    """One device is being answered, one listens, one is idle; none is cut off, and the
    answer is heard to its end."""
    pid = await asyncio.to_thread(server.pid, victim)
    async with (
        talker(server) as speaking,
        talker(server, version=2) as listening,
        talker(server, mode="manual", version=3) as idle,
    ):
        await listening.body.listen()
        turn = asyncio.create_task(speaking.type(WHO))
        await speaking.until("first_frame")
        await asyncio.to_thread(server.kill, pid)
        assert not speaking.count("tts_stop"), "the blow came too late to test anything"
        await asyncio.to_thread(wait_whole, server, victim, pid)

        async def talk_on() -> TurnResult:
            result = await turn
            assert speaking.count("tts_stop") == 1
            assert speaking.body.state == "listening"
            assert result.right, result.verdict
            assert result.verdict.outcome == "answered"
            return await speaking.type(HELLO)

        answers = await asyncio.gather(talk_on(), listening.ask(SUM), idle.type(HELLO))
        assert all(answer.right for answer in answers), [a.verdict for a in answers]
        for device in (speaking, listening, idle):
            device.check_unbroken()


@pytest.fixture(scope="module")
def outcomes(start_for_module: Start) -> Outcomes:
    """Several servers side by side, on each one death after another."""
    servers = [start_for_module() for _ in range(SERVERS)]
    turns = [asyncio.Lock() for _ in servers]

    async def die(number: int) -> None:
        async with turns[number % SERVERS]:
            await outlive(servers[number % SERVERS], VICTIMS[number])

    return side_by_side({victim: partial(die, n) for n, victim in enumerate(VICTIMS)})


@takes_long
@pytest.mark.slow
@pytest.mark.parametrize("victim", VICTIMS)
def test_devices_outlive(outcomes: Outcomes, victim: str) -> None:
    """See `outlive`."""
    outcomes.check(victim)


def test_nothing_is_left_of_a_killed_launcher(start: Start) -> None:
    """And a start right after it, on the same ports, serves."""

    async def scenario() -> None:
        server = start()
        async with talker(server) as device:
            turn = asyncio.create_task(device.type(LONG))
            await device.until("first_frame")
            pids = server.pids()
            assert len(pids) > 12
            began = time.monotonic()
            server.kill(server.process.pid)
            server.process.wait()
            until(lambda: not alive(pids), 5.0, "nothing of it is left")
            assert time.monotonic() - began < 5.0
            await device.until("closed")
            await turn
        again = start(ports=(server.device_port, server.http_port))
        async with talker(again) as device:
            await device.ask(SUM)

    asyncio.run(scenario())


def test_a_launcher_killed_at_the_start_leaves_nothing(start_unready: Start) -> None:
    """As early as its first actors are there."""
    server = start_unready()
    until(lambda: len(server.pids()) > 4, 10.0, "the first actors are there")
    pids = server.pids()
    server.kill(server.process.pid)
    server.process.wait()
    until(lambda: not alive(pids), 5.0, "nothing of it is left")
