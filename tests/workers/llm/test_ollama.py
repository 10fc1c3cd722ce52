"""The Ollama engine against the stand-in, which runs as a process of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from actors.workers.interface import EngineError, EngineUnavailable
from actors.workers.llm import create
from actors.workers.llm.ollama import OllamaEngine, keep_alive_of
from cfg.model import OllamaLlm
from tests.workers.llm.standin import StandIn, running

pytestmark = pytest.mark.system

QUESTION = (("system", "短"), ("user", "今天好吗"))
ANSWER = "好的，你刚才说的是：今天好吗。这是模拟模型的回答，它不会思考。"


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await work

    asyncio.run(limited())


@asynccontextmanager
async def engine_for(url: str, **settings: Any) -> AsyncIterator[OllamaEngine]:
    engine = create(OllamaLlm(kind="ollama", base_url=url, **settings))
    assert isinstance(engine, OllamaEngine)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


async def everything(engine: OllamaEngine, spoken: tuple[str, ...] = ()) -> str:
    return "".join([text async for text in engine.generate(QUESTION, spoken)])


def failing(
    standin: StandIn, error: type[EngineError] = EngineError, **settings: Any
) -> EngineError:
    """Generate and return the error that must come."""
    caught: list[EngineError] = []

    async def work() -> None:
        async with engine_for(standin.url, **settings) as engine:
            with pytest.raises(error) as info:
                await everything(engine)
            caught.append(info.value)

    run(work())
    return caught[0]


def test_it_streams_the_answer(ollama: StandIn) -> None:
    async def work() -> None:
        async with engine_for(ollama.url, temperature=0.5, max_tokens=64) as engine:
            pieces = [text async for text in engine.generate(QUESTION)]
        assert "".join(pieces) == ANSWER
        assert len(pieces) > 5

    run(work())
    asked = ollama.last("chat")
    assert asked["messages"][-1] == {"role": "user", "content": "今天好吗"}
    assert asked["think"] is False
    assert asked["keep_alive"] == -1
    assert asked["options"] == {"temperature": 0.5, "num_predict": 64}


def test_it_goes_on_after_what_was_spoken(ollama: StandIn) -> None:
    async def work() -> None:
        async with engine_for(ollama.url) as engine:
            rest = await everything(engine, ("好的，", "你刚才说的是：今天好吗。"))
            assert rest == "这是模拟模型的回答，它不会思考。"
            assert await everything(engine, (ANSWER,)) == ""

    run(work())
    assert ollama.last("chat")["messages"][-1] == {"role": "assistant", "content": ANSWER}


def test_opening_lets_the_server_load_the_model(ollama: StandIn) -> None:
    async def work() -> None:
        async with engine_for(ollama.url, model="qwen3:1.7b") as engine:
            while not (await engine.probe()).detail.get("loaded"):
                await asyncio.sleep(0.01)

    run(work())


def test_closing_the_iterator_stops_the_server(ollama: StandIn) -> None:
    async def work() -> None:
        before = ollama.seen()["cancelled"]
        ollama.fault(next_ms=20, answer="一二三四五六七八九十" * 50)
        async with engine_for(ollama.url) as engine:
            async with aclosing(engine.generate(QUESTION)) as answer:  # type: ignore[type-var]
                assert await anext(answer)
            await ollama.until_cancelled(before + 1)

    run(work())


@pytest.mark.parametrize("fault", [{"hang": True}, {"first_ms": 10000}, {"next_ms": 10000}])
def test_cancelling_the_task_stops_the_server(ollama: StandIn, fault: dict[str, Any]) -> None:
    async def work() -> None:
        before = ollama.seen()["cancelled"]
        chats = len(ollama.seen()["requests"])
        ollama.fault(**fault)
        async with engine_for(ollama.url) as engine:
            task = asyncio.create_task(everything(engine))
            while len((await asyncio.to_thread(ollama.seen))["requests"]) < chats + 2:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await ollama.until_cancelled(before + 1)

    run(work())


def test_a_missing_model_names_the_fix(ollama: StandIn) -> None:
    error = failing(ollama, EngineUnavailable, model="llama9:70b")
    assert "ollama pull llama9:70b" in error.reason
    assert error.retryable

    async def work() -> None:
        async with engine_for(ollama.url, model="llama9:70b") as engine:
            health = await engine.probe()
            assert not health.ok
            assert "ollama pull llama9:70b" in health.reason

    run(work())


def test_an_error_in_mid_stream(ollama: StandIn) -> None:
    ollama.fault(error_after=3)
    error = failing(ollama)
    assert "mid-answer" in error.reason
    assert error.retryable


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"no_done": True}, "ended its answer early"),
        ({"cut_after": 2}, "broke off"),
        ({"empty": True}, "without saying anything"),
        ({"status": 503}, "is busy"),
        ({"status": 500}, "HTTP 500"),
        ({"status": 401}, "check api_key"),
    ],
)
def test_what_fails_is_said(ollama: StandIn, fault: dict[str, Any], words: str) -> None:
    ollama.fault(**fault)
    error = failing(ollama)
    assert words in error.reason
    assert error.retryable


@pytest.mark.parametrize("fault", [{"hang": True}, {"first_ms": 10000}, {"next_ms": 10000}])
def test_waiting_ends_by_the_settings(ollama: StandIn, fault: dict[str, Any]) -> None:
    ollama.fault(**fault)
    assert "sent nothing for 0.2 s" in failing(ollama, read_timeout_s=0.2).reason


def test_an_absent_server_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert "cannot be reached" in failing(StandIn(unused.getsockname()[1])).reason

        async def work() -> None:
            async with engine_for(url) as engine:
                health = await engine.probe()
                assert not health.ok
                assert "cannot be reached" in health.reason

        run(work())


def test_another_server_is_recognised(openai: StandIn) -> None:
    error = failing(openai)
    assert "check base_url" in error.reason
    assert "pull" not in error.reason


def test_a_thinking_model_is_told_not_to(ollama: StandIn) -> None:
    async def work() -> None:
        async with engine_for(ollama.url, model="qwen3:1.7b") as engine:
            assert await everything(engine) == ANSWER

    run(work())


def test_the_probe_is_honest(ollama: StandIn) -> None:
    async def work() -> None:
        async with engine_for(ollama.url) as engine:
            health = await engine.probe()
            assert health.ok
            assert health.detail["model"] == "qwen2.5:1.5b"
            ollama.fault(status=500)
            assert not (await engine.probe()).ok

    run(work())


def test_a_server_that_refuses_think_is_asked_again_without() -> None:
    with running("ollama", "--refuse-think") as standin:

        async def work() -> None:
            async with engine_for(standin.url) as engine:
                assert await everything(engine) == ANSWER
                assert await everything(engine) == ANSWER

        run(work())
        asked = [entry for entry in standin.seen()["requests"] if entry["what"] == "chat"]
        assert ["think" in entry for entry in asked] == [True, False, False]


def test_slots_and_queue_are_the_servers() -> None:
    with running("ollama", "--parallel", "1", "--max-queue", "1") as standin:

        async def work() -> None:
            standin.fault(first_ms=300)
            async with engine_for(standin.url) as engine:
                asked = (everything(engine) for _ in range(3))
                answers = await asyncio.gather(*asked, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, EngineError)]
            assert len(refused) == 1
            assert refused[0].retryable
            assert "maximum pending requests" in refused[0].reason
            assert answers.count(ANSWER) == 2

        run(work())


@pytest.mark.parametrize(
    ("text", "sent"), [("-1", -1), ("300", 300), ("5m", "5m"), ("1h30m", "1h30m")]
)
def test_keep_alive_is_sent_as_the_server_reads_it(text: str, sent: float | str) -> None:
    assert keep_alive_of(text) == sent


def test_a_wrong_keep_alive_is_reported(ollama: StandIn) -> None:
    assert "invalid duration" in failing(ollama, keep_alive="for ever").reason


def test_a_wrong_address_is_named() -> None:
    async def work() -> None:
        with pytest.raises(EngineUnavailable, match="base_url"):
            await OllamaEngine(OllamaLlm(kind="ollama", base_url="localhost:11434")).open()

    run(work())
