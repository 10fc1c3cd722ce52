"""The OpenAI-compatible chat engine against the stand-in, a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from actors.workers.interface import EngineError, EngineUnavailable
from actors.workers.llm import create
from actors.workers.llm.openai import OpenAiEngine
from cfg.model import OpenAiLlm
from tests.workers.llm.standin import StandIn

pytestmark = pytest.mark.system

QUESTION = (("system", "短"), ("user", "今天好吗"))
ANSWER = "好的，你刚才说的是：今天好吗。这是模拟模型的回答，它不会思考。"


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await work

    asyncio.run(limited())


@asynccontextmanager
async def engine_for(
    standin: StandIn, model: str = "qwen-plus", **settings: Any
) -> AsyncIterator[OpenAiEngine]:
    url = f"{standin.url}/v1"
    engine = create(OpenAiLlm(kind="openai", base_url=url, model=model, **settings))
    assert isinstance(engine, OpenAiEngine)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


async def everything(engine: OpenAiEngine, spoken: tuple[str, ...] = ()) -> str:
    return "".join([text async for text in engine.generate(QUESTION, spoken)])


def failing(standin: StandIn, **settings: Any) -> EngineError:
    """Generate and return the error that must come."""
    caught: list[EngineError] = []

    async def work() -> None:
        async with engine_for(standin, **settings) as engine:
            with pytest.raises(EngineError) as info:
                await everything(engine)
            caught.append(info.value)

    run(work())
    return caught[0]


def test_it_streams_the_answer(openai: StandIn) -> None:
    async def work() -> None:
        async with engine_for(openai, temperature=0.5, max_tokens=64) as engine:
            pieces = [text async for text in engine.generate(QUESTION)]
        assert "".join(pieces) == ANSWER
        assert len(pieces) > 5

    run(work())
    asked = openai.last("chat")
    assert asked["messages"][-1] == {"role": "user", "content": "今天好吗"}
    assert (asked["temperature"], asked["max_tokens"], asked["stream"]) == (0.5, 64, True)


def test_it_goes_on_after_what_was_spoken(openai: StandIn) -> None:
    async def work() -> None:
        async with engine_for(openai) as engine:
            rest = await everything(engine, ("好的，", "你刚才说的是：今天好吗。"))
            assert rest == "这是模拟模型的回答，它不会思考。"

    run(work())


def test_closing_the_iterator_stops_the_server(openai: StandIn) -> None:
    async def work() -> None:
        before = openai.seen()["cancelled"]
        openai.fault(next_ms=20, answer="一二三四五六七八九十" * 50)
        async with engine_for(openai) as engine:
            async with aclosing(engine.generate(QUESTION)) as answer:  # type: ignore[type-var]
                assert await anext(answer)
            await openai.until_cancelled(before + 1)

    run(work())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"no_done": True}, "ended its answer early"),
        ({"error_after": 3}, "mid-answer"),
        ({"cut_after": 2}, ""),
        ({"empty": True}, "without saying anything"),
        ({"status": 401}, "check api_key"),
        ({"status": 429}, "fewer slots"),
        ({"status": 500}, "HTTP 500"),
    ],
)
def test_what_fails_is_said(openai: StandIn, fault: dict[str, Any], words: str) -> None:
    openai.fault(**fault)
    before = len(openai.seen()["requests"])
    error = failing(openai)
    assert words in error.reason
    assert error.retryable
    assert len(openai.seen()["requests"]) == before + 1, "the package retried by itself"


@pytest.mark.parametrize("fault", [{"hang": True}, {"first_ms": 10000}, {"next_ms": 10000}])
def test_waiting_ends_by_the_settings(openai: StandIn, fault: dict[str, Any]) -> None:
    openai.fault(**fault)
    assert "in time" in failing(openai, read_timeout_s=0.2).reason


def test_a_wrong_key_is_named_and_not_shown(openai: StandIn) -> None:
    reason = failing(openai, api_key=SecretStr("wrong-secret")).reason
    assert "api_key" in reason
    assert "secret" not in reason
    assert "wrong" not in reason


def test_a_missing_model_is_named(openai: StandIn) -> None:
    assert "check base_url and model" in failing(openai, model="missing-1").reason


def test_an_absent_server_is_named() -> None:
    assert "cannot be reached" in failing(StandIn(1)).reason


def test_a_newer_model_gets_the_limit_by_its_new_name(openai: StandIn) -> None:
    async def work() -> None:
        async with engine_for(openai, model="newer-1") as engine:
            assert await everything(engine) == ANSWER

    run(work())
    asked = openai.last("chat")
    assert asked["max_completion_tokens"] == 300
    assert "max_tokens" not in asked


def test_the_probe_reads_the_list_or_asks_a_word(openai: StandIn) -> None:
    async def work() -> None:
        async with engine_for(openai) as engine:
            assert (await engine.probe()).detail["seen"] == "listed"
        async with engine_for(openai, model="unlisted-1") as engine:
            assert (await engine.probe()).detail["seen"] == "answered"
        async with engine_for(openai, model="missing-1") as engine:
            health = await engine.probe()
            assert not health.ok
            assert "model" in health.reason

    run(work())


def test_the_probe_believes_a_recent_answer_until_one_fails(openai: StandIn) -> None:
    async def work() -> None:
        async with engine_for(openai) as engine:
            await everything(engine)
            assert "seen_s_ago" in (await engine.probe()).detail
            openai.fault(status=500)
            with pytest.raises(EngineError):
                await everything(engine)
            assert not (await engine.probe()).ok

    run(work())


def test_a_wrong_address_is_named() -> None:
    async def work() -> None:
        settings = OpenAiLlm(kind="openai", base_url="api.example", model="m")
        with pytest.raises(EngineUnavailable, match="base_url"):
            await OpenAiEngine(settings).open()

    run(work())
