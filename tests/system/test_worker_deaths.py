"""kill -9 of a worker in the middle of a turn: the turn is finished, the next one works.

One engine of each kind, so that only the replaced worker can finish the turn. The
stand-ins are slow while the blow falls, so that it surely falls in mid-turn.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sim.result import TurnResult
from tests.system.conftest import Start
from tests.system.server import Server
from tests.system.standins import NO_CACHES, StandIns
from tests.system.talker import SUM, Question, Talker, talker
from tests.system.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.faults]

ANSWER = "今天天气很好，我们出去走走。"


@pytest.fixture(scope="module")
def server(start_for_module: Start, _stand_ins: StandIns) -> Server:
    _stand_ins.heal()
    return start_for_module(
        {
            "asr": [{"kind": "vosk", "model": "tiny"}],
            "llm": [_stand_ins.ollama_llm()],
            "tts": [_stand_ins.openai_tts()],
            **NO_CACHES,
        }
    )


async def kill_in_turn(server: Server, worker: str) -> int:
    """kill -9 of the worker's process; how often it had been replaced before."""
    pid = await asyncio.to_thread(server.pid, worker)
    actor = await asyncio.to_thread(server.actor, worker)
    assert actor is not None
    await asyncio.to_thread(server.kill, pid)
    return int(actor["restarts"])


async def check_survived(
    server: Server, device: Talker, worker: str, restarts: int, first: TurnResult
) -> None:
    """The turn was right, with one end; one new worker; and the next turn is right too."""
    assert first.right, (first.verdict, first.sentences)
    assert first.trace.count("tts_start") == first.trace.count("tts_stop") == 1
    assert device.body.state == "listening"
    record = await asyncio.to_thread(server.last_turn, device.id, 1)
    assert record["outcome"] == "answered"
    actor = await asyncio.to_thread(server.actor, worker)
    assert actor is not None
    assert (actor["state"], actor["restarts"]) == ("ready", restarts + 1)
    following = await device.type(Question(SUM.words, "好了。"))
    assert following.right, following.verdict
    device.check_unbroken()


def test_a_recogniser_killed_while_the_user_speaks(server: Server, stand_ins: StandIns) -> None:
    """Its successor gets the speech from the beginning."""
    stand_ins.ollama.faults(answer="好了。")

    def hearing() -> bool:
        actor = server.actor("asr/vosk-0")
        return actor is not None and bool(actor["in_flight"])

    async def scenario() -> None:
        async with talker(server) as device:
            turn = asyncio.create_task(device.speak(Question(SUM.words, "好了。"), linger_ms=200))
            await device.until("speech_started")
            await eventually(hearing, 2.0, "the recogniser works")
            assert not device.count("speech_ended")
            restarts = await kill_in_turn(server, "asr/vosk-0")
            assert not device.count("speech_ended"), "the blow came too late to test anything"
            result = await turn
            assert result.understood == SUM.words
            await check_survived(server, device, "asr/vosk-0", restarts, result)

    asyncio.run(scenario())


async def type_and_kill(
    server: Server, device: Talker, worker: str, began: Any, answer: str, heal: Any
) -> tuple[int, TurnResult]:
    """A typed turn whose worker dies as soon as `began()` returns."""
    turn = asyncio.create_task(device.type(Question("你好", answer), linger_ms=200))
    await began()
    assert not device.count("tts_stop")
    restarts = await kill_in_turn(server, worker)
    await asyncio.to_thread(heal)
    return restarts, await turn


@pytest.mark.parametrize("victim", ["llm/ollama-0", "pool llm", "router"])
def test_killed_while_the_model_thinks(server: Server, stand_ins: StandIns, victim: str) -> None:
    """The worker, its supervisor with it, or who leased it: the answer still comes."""
    model = stand_ins.ollama
    model.faults(first_ms=20000 if victim != "router" else 1500, answer="好了。")
    asked = len(model.seen("chat"))

    def heal() -> None:
        if victim != "router":
            model.faults(answer="好了。")

    async def scenario() -> None:
        async with talker(server) as device:

            async def began() -> None:
                await eventually(lambda: len(model.seen("chat")) > asked, 5.0, "the model is asked")

            restarts, result = await type_and_kill(server, device, victim, began, "好了。", heal)
            assert result.sentences == ("好了。",)
            model.faults(answer="好了。")
            await check_survived(server, device, victim, restarts, result)

    asyncio.run(scenario())


def test_a_model_killed_in_mid_answer(server: Server, stand_ins: StandIns) -> None:
    """Its successor goes on behind the clauses that were said, and repeats none."""
    model = stand_ins.ollama
    model.faults(answer=ANSWER, next_ms=250)

    async def scenario() -> None:
        async with talker(server) as device:
            restarts, result = await type_and_kill(
                server,
                device,
                "llm/ollama-0",
                lambda: device.until("first_frame"),
                ANSWER,
                lambda: model.faults(answer=ANSWER),
            )
            assert "".join(result.sentences) == ANSWER
            model.faults(answer="好了。")
            await check_survived(server, device, "llm/ollama-0", restarts, result)

    asyncio.run(scenario())


def test_a_voice_killed_in_mid_sentence(server: Server, stand_ins: StandIns) -> None:
    """Its successor says the sentence again from the first frame that was not sent."""
    model, voice = stand_ins.ollama, stand_ins.voice
    model.faults(answer=ANSWER)
    voice.faults(next_ms=250)  # 100 ms of sound each: slower than it is played

    async def scenario() -> None:
        async with talker(server) as device:
            restarts, result = await type_and_kill(
                server,
                device,
                "tts/openai-0",
                lambda: device.until("first_frame"),
                ANSWER,
                voice.faults,
            )
            assert "".join(result.sentences) == ANSWER
            assert 1500 < result.timeline.audio_ms < 5000
            model.faults(answer="好了。")
            await check_survived(server, device, "tts/openai-0", restarts, result)

    asyncio.run(scenario())
