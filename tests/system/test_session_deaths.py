"""kill -9 of a session: the device keeps its connection, and its turn goes on."""

from __future__ import annotations

import asyncio
from functools import partial

import psutil
import pytest

from tests.system.conftest import Start
from tests.system.server import Server, alive
from tests.system.side_by_side import Outcomes, side_by_side, takes_long
from tests.system.standins import FALLBACK, StandIns
from tests.system.talker import EXCUSES, LONG, SUM, Talker, TurnResult, talker
from tests.system.waiting import eventually
from tests.workers.standin import StandIn

pytestmark = [pytest.mark.system, pytest.mark.faults]


async def kill_session(server: Server, device: Talker, pid: int = 0) -> None:
    """kill -9 of the process that serves the device; returns when another one does."""
    pid = pid or await asyncio.to_thread(server.session_of, device.id)
    await asyncio.to_thread(server.kill, pid)

    def replaced() -> bool:
        return server.session_of(device.id) != pid

    await eventually(replaced, 3.0, "another session serves the device")


def check_gone_on(device: Talker, result: TurnResult) -> None:
    """The turn ended as if nothing had happened: all of the answer, nothing twice."""
    assert device.count("tts_start") == device.count("tts_stop") == 1
    assert result.verdict.outcome == "answered", result.verdict
    assert result.right, (result.verdict, result.understood, result.sentences)
    assert len(set(result.sentences)) == len(result.sentences)
    assert not set(EXCUSES) & set(result.sentences)


async def check_talks_on(server: Server, device: Talker) -> None:
    """Still connected by the same TCP connection, and a whole turn is right."""
    device.check_unbroken()
    await device.ask(SUM, linger_ms=200)
    device.check_unbroken()
    records = await asyncio.to_thread(server.turns, device.id)
    assert records[0]["outcome"] == "answered"
    assert len({record["turn"] for record in records}) == len(records), "a turn number came twice"


async def killed_in_mid_answer(server: Server, mode: str, version: int) -> None:
    async with talker(server, mode=mode, version=version) as device:
        turn = asyncio.create_task(device.type(LONG, linger_ms=200))
        await device.until("first_frame")
        await kill_session(server, device)
        result = await turn
        check_gone_on(device, result)
        assert device.body.state != "speaking"
        await check_talks_on(server, device)


async def stopped_in_mid_answer(server: Server) -> None:
    """A session that hangs is ended and replaced like one that died."""
    async with talker(server) as device:
        pid = await asyncio.to_thread(server.session_of, device.id)
        turn = asyncio.create_task(device.type(LONG, linger_ms=200))
        await device.until("first_frame")
        psutil.Process(pid).suspend()
        await eventually(lambda: not alive([pid]), 4.0, "the hung session is gone")
        check_gone_on(device, await turn)
        await check_talks_on(server, device)


async def killed_while_listening(server: Server, mode: str) -> None:
    """Nothing was going on: the user notices nothing at all."""
    async with talker(server, mode=mode) as device:
        await device.body.listen()
        await kill_session(server, device)
        assert device.body.state == "listening"
        assert not device.count("tts_start")
        await check_talks_on(server, device)
        assert device.count("tts_start") == 1


async def killed_while_idle(server: Server) -> None:
    """After a turn in manual mode the device only waits, with its channel open."""
    async with talker(server, mode="manual") as device:
        await device.ask(SUM)
        await kill_session(server, device)
        assert device.body.state == "idle"
        await check_talks_on(server, device)
        assert device.count("tts_start") == 2


async def killed_while_hearing(server: Server) -> None:
    """What was said before is heard again: the answer is right."""

    def both_heard() -> bool:
        recogniser = server.actor("asr/vosk-0")
        return recogniser is not None and recogniser["in_flight"] == 2

    async def one(device: Talker) -> None:
        pid = await asyncio.to_thread(server.session_of, device.id)
        turn = asyncio.create_task(device.speak(SUM, linger_ms=200))
        await device.until("speech_started")
        await eventually(both_heard, 2.0, "both are being heard")
        await kill_session(server, device, pid)
        check_gone_on(device, await turn)
        await check_talks_on(server, device)

    async with talker(server) as automatic, talker(server, mode="manual") as manual:
        await asyncio.gather(one(automatic), one(manual))


async def killed_while_thinking(server: Server, model: StandIn) -> None:
    """The model is asked again; the abandoned work does not come through."""
    model.faults(first_ms=1500, answer="这是旧的回答。")
    async with talker(server) as device:
        asked = len(model.seen("chat"))
        turn = asyncio.create_task(device.type(SUM, linger_ms=200))
        await eventually(lambda: len(model.seen("chat")) > asked, 5.0, "the model is asked")
        model.faults(answer=SUM.answer + "。")
        await kill_session(server, device)
        result = await turn
        check_gone_on(device, result)
        assert result.sentences == (SUM.answer + "。",)
        await check_talks_on(server, device)
        assert "这是旧的回答。" not in device.texts("sentence")


async def killed_again_and_again(server: Server) -> None:
    """Its input must be poison: the fourth time the connection is closed."""
    async with talker(server) as device:
        for _ in range(3):
            await kill_session(server, device)
            device.check_unbroken()
        pid = await asyncio.to_thread(server.session_of, device.id)
        await asyncio.to_thread(server.kill, pid)
        await device.until("closed")


async def a_witness(server: Server) -> None:
    """Nothing of all this touches another device."""
    async with talker(server) as device:
        await device.ask(SUM)
        await device.ask(SUM)
        device.check_unbroken()


CASES = {
    "mid answer, auto": partial(killed_in_mid_answer, mode="auto", version=1),
    "mid answer, manual": partial(killed_in_mid_answer, mode="manual", version=2),
    "mid answer, realtime": partial(killed_in_mid_answer, mode="realtime", version=3),
    "stopped, mid answer": stopped_in_mid_answer,
    "listening, auto": partial(killed_while_listening, mode="auto"),
    "listening, realtime": partial(killed_while_listening, mode="realtime"),
    "idle": killed_while_idle,
    "again and again": killed_again_and_again,
    "a witness": a_witness,
}
#: These watch the whole server, so they have it for themselves.
CASES_APART = ("hearing", "thinking")


@pytest.fixture(scope="module")
def outcomes(start_for_module: Start, _stand_ins: StandIns) -> Outcomes:
    """Three servers: one for the cases above, one for each of the others."""
    _stand_ins.heal()
    together, hearing, thinking = (
        start_for_module({"asr": FALLBACK["asr"]}),
        start_for_module({"asr": FALLBACK["asr"]}),
        start_for_module({"llm": [_stand_ins.ollama_llm()]}),
    )
    cases = {name: partial(case, together) for name, case in CASES.items()}
    cases["hearing"] = partial(killed_while_hearing, hearing)
    cases["thinking"] = partial(killed_while_thinking, thinking, _stand_ins.ollama)
    return side_by_side(cases)


@takes_long
@pytest.mark.slow
@pytest.mark.parametrize("name", [*CASES, *CASES_APART])
def test_session_killed(outcomes: Outcomes, name: str) -> None:
    """See the functions above."""
    outcomes.check(name)
