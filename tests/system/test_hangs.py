"""SIGSTOP of every kind of actor: it is noticed, ended and replaced; devices stay connected.

And of what it took along: no process of the old generation is left.
"""

from __future__ import annotations

import asyncio
from functools import partial

import psutil
import pytest

from tests.system.conftest import Start
from tests.system.server import Server, alive
from tests.system.side_by_side import Outcomes, side_by_side, takes_long
from tests.system.talker import HELLO, SUM, WHO, talker
from tests.system.test_actor_deaths import VICTIMS, wait_whole
from tests.system.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.faults]

#: So many share the hangs, as in `test_actor_deaths`.
SERVERS = 3

WORKERS = ("asr/vosk-0", "llm/rules-0", "tts/espeak-0")
EVERYBODY = (*VICTIMS, *WORKERS)

#: Nothing of what hung, or hung below it, may be there so long afterwards.
LEFT_S = 5.0


def below(pid: int) -> list[int]:
    """A process and all that hang on it: they end with it."""
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


async def outlive_a_hang(server: Server, victim: str) -> None:
    """One device is being answered, one listens; both talk on, on the same connections."""
    pid = await asyncio.to_thread(server.pid, victim)
    async with talker(server) as speaking, talker(server, version=2) as listening:
        await listening.body.listen()
        turn = asyncio.create_task(speaking.type(WHO))
        await speaking.until("first_frame")
        old = below(pid)
        psutil.Process(pid).suspend()
        assert not speaking.count("tts_stop"), "the blow came too late to test anything"
        await asyncio.to_thread(wait_whole, server, victim, pid)
        await eventually(lambda: not alive(old), LEFT_S, f"nothing of the old {victim} is left")
        result = await turn
        assert result.right, result.verdict
        answers = await asyncio.gather(speaking.type(HELLO), listening.ask(SUM))
        assert all(answer.right for answer in answers), [a.verdict for a in answers]
        speaking.check_unbroken()
        listening.check_unbroken()


@pytest.fixture(scope="module")
def outcomes(start_for_module: Start) -> Outcomes:
    """Several servers side by side, on each one hang after another."""
    servers = [start_for_module() for _ in range(SERVERS)]
    turns = [asyncio.Lock() for _ in servers]

    async def hang(number: int) -> None:
        async with turns[number % SERVERS]:
            await outlive_a_hang(servers[number % SERVERS], EVERYBODY[number])

    return side_by_side({victim: partial(hang, n) for n, victim in enumerate(EVERYBODY)})


@takes_long
@pytest.mark.slow
@pytest.mark.parametrize("victim", EVERYBODY)
def test_devices_outlive_a_hang(outcomes: Outcomes, victim: str) -> None:
    """See `outlive_a_hang`."""
    outcomes.check(victim)


def test_a_spare_session_that_ends_is_made_anew(start: Start) -> None:
    """Nobody notices, and the next device finds one ready."""
    server = start()

    def spares() -> dict[str, int]:
        """Of those that are ready and serve nobody: name and pid."""
        return {
            actor["name"]: actor["pid"]
            for actor in server.status()["actors"]
            if actor["kind"] == "session"
            and actor["state"] == "ready"
            and not actor["detail"].get("device")
        }

    async def end_one(how: str, wanted: int) -> None:
        pid = min(spares().values())
        getattr(psutil.Process(pid), how)()
        await eventually(lambda: not alive([pid]), 5.0, "it is gone")
        await eventually(
            lambda: len(spares()) == wanted and pid not in spares().values(),
            5.0,
            "as many are ready as before",
        )

    async def scenario() -> None:
        wanted = len(await eventually(spares, 5.0, "spare sessions are ready"))
        await end_one("kill", wanted)
        await end_one("suspend", wanted)
        async with talker(server) as device:
            await device.ask(SUM)

    asyncio.run(scenario())
