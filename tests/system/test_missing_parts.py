"""A part that is missing: the rest serves, says what is missing, and takes it in when it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import starter
from tests.system.server import Server
from tests.system.side_by_side import Outcomes, side_by_side, takes_long
from tests.system.standins import FALLBACK, NO_CACHES, StandIns
from tests.system.talker import EXCUSES, SUM, Question, talker
from tests.system.waiting import eventually, until
from tests.workers.standin import StandIn

pytestmark = pytest.mark.system


def problem_of(server: Server, kind: str, words: str) -> dict[str, Any]:
    """What the status says is missing, once it says so in these words."""

    def told() -> dict[str, Any] | None:
        answer = server.get("/status")
        if answer is None or "Ready after" not in server.log():
            return None
        missing = answer["readiness"]["missing"]
        found = next((item for item in missing if item["part"] == kind), None)
        return found if found and words in found["problem"] else None

    return until(told, 10.0, f"the status misses {kind}: {words}")


async def a_missing_recogniser(server: Server, folder: Path) -> None:
    """It starts and says which folder is wrong; speech gets an apology, text an answer."""
    missing = await asyncio.to_thread(problem_of, server, "asr", str(folder))
    assert missing["fix"]
    assert server.get("/readyz") is None
    part = next(part for part in server.status()["parts"] if part["kind"] == "asr")
    assert (part["ready"], part["workers"]) == (0, 1)
    assert str(folder) in server.log()
    async with talker(server) as device:
        result = await device.speak(SUM, linger_ms=200)
        assert "".join(result.sentences) in EXCUSES
        assert result.trace.count("tts_stop") == 1
        assert result.timeline.audio_ms > 1000
        assert device.body.state == "listening"
        assert (await device.type(SUM)).right
        device.check_unbroken()


async def a_missing_voice(server: Server) -> None:
    """Nobody can speak, not even the apology: the device leaves speaking all the same."""
    await asyncio.to_thread(problem_of, server, "tts", "cannot be reached")
    async with talker(server) as device:
        result = await device.type(SUM, linger_ms=200)
        assert result.trace.count("tts_start") == result.trace.count("tts_stop") == 1
        assert device.body.state == "listening"
        device.check_unbroken()


async def a_model_that_comes_up_later(server: Server, model: StandIn) -> None:
    """Until then the fallback answers; nothing has to be started again."""

    def ollama() -> dict[str, Any]:
        parts = server.status()["parts"]
        return next(part for part in parts if part["name"] == "ollama")

    async def ask(answer: str) -> None:
        async with talker(server) as device:
            result = await device.type(Question(SUM.words, answer))
            assert result.right, result.verdict

    await asyncio.to_thread(server.wait_ready)
    await eventually(lambda: "is busy" in ollama()["problem"], 5.0, "the status tells why")
    await ask(SUM.answer)
    model.faults(answer="我来了。")
    await eventually(lambda: ollama()["ready"], 15.0, "Ollama serves")
    await ask("我来了。")


CASES = ("recogniser", "voice", "model")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory, _stand_ins: StandIns) -> Iterator[Outcomes]:
    """Each has its own server, which is not ready when its case begins."""
    folder = tmp_path_factory.mktemp("missing")
    wrong = folder / "no-such-model"
    nowhere = "ws://127.0.0.1:9/edge/v1?TrustedClientToken=any"
    _stand_ins.ollama.faults(status=503)
    for start in starter(folder, ready=False):
        recogniser = start({"asr": [{"kind": "vosk", "model": str(wrong)}]})
        voice = start({"tts": [{"kind": "edge", "service_url": nowhere}]})
        model = start({"llm": [_stand_ins.ollama_llm(), *FALLBACK["llm"]], **NO_CACHES})
        yield side_by_side(
            {
                "recogniser": partial(a_missing_recogniser, recogniser, wrong),
                "voice": partial(a_missing_voice, voice),
                "model": partial(a_model_that_comes_up_later, model, _stand_ins.ollama),
            }
        )


@takes_long
@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_missing(outcomes: Outcomes, name: str) -> None:
    """See the functions above."""
    outcomes.check(name)
