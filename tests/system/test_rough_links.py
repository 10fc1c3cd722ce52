"""A session dies under a device whose link is bad: frames in pieces, a small window, stalls."""

from __future__ import annotations

import asyncio
from functools import partial

import psutil
import pytest

from tests.system.conftest import Start
from tests.system.server import Server, alive
from tests.system.side_by_side import Outcomes, side_by_side, takes_long
from tests.system.talker import LONG, SUM, Talker, talker
from tests.system.test_session_deaths import kill_session
from tests.system.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.faults]


async def check_talks_on(device: Talker) -> None:
    """On the same connection: no frame was torn, in either direction.

    A link that stalls while an answer comes gives the device all of it at once, right
    behind `tts start`, and firmware loses that: then the user asks again.
    """
    device.check_unbroken()
    await device.body._body.until(lambda: device.body.state != "speaking", 15.0)
    for _ in range(4):
        result = await device.speak(SUM, linger_ms=200)
        device.check_unbroken()
        if result.right:
            return
        assert any("device loses" in remark for remark in result.verdict.remarks), result.verdict
    raise AssertionError("four answers in a row were lost by the link")


async def killed_inside_a_frame(server: Server, mode: str, version: int) -> None:
    """While the user speaks, part of a frame is in the server's socket at any moment."""
    async with talker(server, mode=mode, version=version, link="split") as device:
        turn = asyncio.create_task(device.speak(SUM, linger_ms=200))
        await device.until("speech_started")
        await kill_session(server, device)
        await turn
        assert device.count("tts_stop")
        await check_talks_on(device)


async def killed_while_nothing_is_read(server: Server) -> None:
    """Output waits in the socket and in the session when that dies."""
    async with talker(server, link="rough") as device:
        turn = asyncio.create_task(device.type(LONG, linger_ms=200))
        await device.until("first_frame")
        link = device.body._body.link
        assert link is not None
        await eventually(lambda: link.stalled, 8.0, "the device reads nothing")
        await kill_session(server, device)
        await turn
        await check_talks_on(device)


async def frozen_while_nothing_is_read(server: Server) -> None:
    async with talker(server, link="rough") as device:
        pid = await asyncio.to_thread(server.session_of, device.id)
        turn = asyncio.create_task(device.type(LONG, linger_ms=200))
        await device.until("first_frame")
        link = device.body._body.link
        assert link is not None
        await eventually(lambda: link.stalled, 8.0, "the device reads nothing")
        psutil.Process(pid).suspend()
        await eventually(lambda: not alive([pid]), 4.0, "the hung session is gone")
        await turn
        await check_talks_on(device)


CASES = {
    "split, auto": partial(killed_inside_a_frame, mode="auto", version=1),
    "split, manual": partial(killed_inside_a_frame, mode="manual", version=3),
    "split, realtime": partial(killed_inside_a_frame, mode="realtime", version=2),
    "stalled, killed": killed_while_nothing_is_read,
    "stalled, frozen": frozen_while_nothing_is_read,
}


@pytest.fixture(scope="module")
def outcomes(start_for_module: Start) -> Outcomes:
    server = start_for_module()
    return side_by_side({name: partial(case, server) for name, case in CASES.items()})


@takes_long
@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_session_dies_under_a_bad_link(outcomes: Outcomes, name: str) -> None:
    """See the functions above."""
    outcomes.check(name)
