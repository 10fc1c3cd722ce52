"""The production clients against stand-ins that speak the real protocols, and their failures.

Two servers: one with Ollama and Edge, one with an OpenAI-compatible service for
everything. Each has the embedded engine of each kind behind it, with weight 0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actors.workers.llm.rules import BRIDGE_ZH
from sim.hearing import understand
from tests.system.conftest import Start
from tests.system.server import Server
from tests.system.standins import EMBEDDED, FALLBACK, NO_CACHES, StandIns
from tests.system.talker import SUM, Question, Talker, talker

pytestmark = pytest.mark.system

#: The first gives up on a silent service by its own time-out, the second by the turn's.
PARTS = {
    "ollama and edge": {"asr": "vosk", "llm": "ollama", "tts": "edge"},
    "openai": {"asr": "openai", "llm": "openai", "tts": "openai"},
}


@pytest.fixture(scope="module")
def servers(start_for_module: Start, _stand_ins: StandIns) -> dict[str, Server]:
    services = _stand_ins
    services.heal()
    short = {"read_timeout_s": 1.0}
    return {
        "ollama and edge": start_for_module(
            {
                "asr": [{"kind": "vosk", "model": "tiny"}],
                "llm": [services.ollama_llm(**short), *FALLBACK["llm"]],
                "tts": [services.edge_tts(**short), *FALLBACK["tts"]],
                **NO_CACHES,
            }
        ),
        "openai": start_for_module(
            {
                "deadlines": {
                    "final_text_ms": 1000,
                    "first_clause_ms": 1000,
                    "next_clause_ms": 1000,
                    "first_audio_ms": 1000,
                    "next_audio_ms": 1000,
                },
                "asr": [services.openai_asr(), *FALLBACK["asr"]],
                "llm": [services.openai_llm(), *FALLBACK["llm"]],
                "tts": [services.openai_tts(), *FALLBACK["tts"]],
                **NO_CACHES,
            }
        ),
    }


def services_of(stand_ins: StandIns, parts: str) -> dict[str, Any]:
    """The stand-ins behind a server's engines, by kind."""
    if parts == "openai":
        return {"asr": stand_ins.recognition, "llm": stand_ins.chat, "tts": stand_ins.voice}
    return {"llm": stand_ins.ollama, "tts": stand_ins.edge}


async def spoken_turn(server: Server, device: Talker, number: int, answer: str) -> dict[str, Any]:
    """One right turn of this device, and its record in the console."""
    await device.ask(Question(SUM.words, answer), linger_ms=200)
    return await asyncio.to_thread(server.last_turn, device.id, number)


def on_both(scenario: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    """Run the scenario on both servers at the same time; what fails names its parts."""

    async def everything() -> None:
        await asyncio.gather(*map(scenario, PARTS))

    asyncio.run(everything())


def test_production_parts_answer(servers: dict[str, Server], stand_ins: StandIns) -> None:
    """Heard, thought and spoken by the services; their own words and voice reach the device."""

    async def scenario(parts: str) -> None:
        services = services_of(stand_ins, parts)
        for service in services.values():
            service.faults(first_ms=50, next_ms=10)
        services["llm"].faults(answer="好的，三加五等于八。", first_ms=50, next_ms=10)
        async with talker(servers[parts]) as device:
            result = await device.ask(SUM)
            record = await asyncio.to_thread(servers[parts].last_turn, device.id, 1)
        assert result.understood == SUM.words, parts
        assert result.sentences == ("好的，", "三加五等于八。"), parts
        assert record["engines"] == PARTS[parts]
        assert record["outcome"] == "answered"
        heard = understand(result.pcm, result.rate_hz)
        assert "三加五" in heard or "等于八" in heard, (parts, heard)
        asked = services["llm"].seen("chat")[-1]["messages"]
        assert [message["role"] for message in asked] == ["system", "user"]
        assert asked[-1]["content"] == SUM.words
        if parts == "openai":
            said = [text["input"] for text in services["tts"].seen("/v1/audio/speech")]
            assert services["asr"].seen("/v1/audio/transcriptions")[-1]["seconds"] > 1
        else:
            said = [text["text"] for text in services["tts"].seen("ssml")]
        assert said[-2:] == list(result.sentences)

    on_both(scenario)


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("fault", [{"status": 503}, {"hang": True}, {"cut_after": 0}], ids=str)
def test_the_embedded_parts_take_over_when_every_service_fails(
    servers: dict[str, Server], stand_ins: StandIns, fault: dict[str, Any]
) -> None:
    """And the services serve again as soon as they work."""

    async def scenario(parts: str) -> None:
        server, services = servers[parts], services_of(stand_ins, parts)
        async with talker(server) as device:
            failed = await asyncio.to_thread(failures, server, parts)
            for service in services.values():
                service.faults(**fault)
            record = await spoken_turn(server, device, 1, SUM.answer)
            assert record["outcome"] == "answered"
            assert record["engines"] == EMBEDDED
            now_failed = await asyncio.to_thread(failures, server, parts)
            assert all(now_failed[kind] > failed[kind] for kind in services), now_failed
            for service in services.values():
                service.faults()
            services["llm"].faults(answer="我好了。")
            record = await spoken_turn(server, device, 2, "我好了。")
            assert record["engines"] == PARTS[parts]
            device.check_unbroken()

    on_both(scenario)


def failures(server: Server, parts: str) -> dict[str, int]:
    """How often each production engine failed so far, as the router counts."""
    router = server.actor("router")
    assert router is not None
    engines = router["detail"]["engines"]
    return {kind: engines[f"{kind}/{name}"]["failed"] for kind, name in PARTS[parts].items()}


@pytest.mark.faults
def test_a_model_cut_off_in_mid_answer_is_bridged(
    servers: dict[str, Server], stand_ins: StandIns
) -> None:
    """The user heard a part of it: that is not said again, and the end is not silence."""

    async def scenario(parts: str) -> None:
        model = services_of(stand_ins, parts)["llm"]
        model.faults(answer="今天天气很好，我们出去走走吧。", cut_after=6, next_ms=20)
        async with talker(servers[parts]) as device:
            result = await device.type(SUM, linger_ms=200)
            record = await asyncio.to_thread(servers[parts].last_turn, device.id, 1)
        assert result.verdict.outcome == "answered", parts
        assert result.trace.count("tts_start") == result.trace.count("tts_stop") == 1
        assert result.sentences[0] == "今天天气很好，"
        assert "".join(result.sentences[1:]) == BRIDGE_ZH
        assert record["engines"]["llm"] == "rules"

    on_both(scenario)


@pytest.mark.faults
def test_a_voice_cut_off_in_mid_sentence_is_finished_by_another(
    servers: dict[str, Server], stand_ins: StandIns
) -> None:
    """The sentence goes on where it was: what was sent already is not said twice."""
    answer = "今天的天气很好所以我们可以去公园里走走。"

    async def scenario(parts: str) -> None:
        services = services_of(stand_ins, parts)
        services["llm"].faults(answer=answer)
        services["tts"].faults(cut_after=8, next_ms=60)
        async with talker(servers[parts]) as device:
            result = await device.type(Question("你好", answer), linger_ms=200)
            record = await asyncio.to_thread(servers[parts].last_turn, device.id, 1)
        assert result.right, (parts, result.verdict)
        assert "".join(result.sentences) == answer
        assert record["engines"]["tts"] == "espeak"
        assert 2500 < result.timeline.audio_ms < 5500, parts

    on_both(scenario)
