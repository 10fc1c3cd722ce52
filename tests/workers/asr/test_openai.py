"""The OpenAI-compatible recogniser against its stand-in, which really recognises."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from actors.workers.asr import create
from actors.workers.asr.models import PROBE_PCM, PROBE_TEXT
from actors.workers.asr.openai import MAX_PCM_BYTES, OpenAiTranscriptionEngine
from actors.workers.interface import EngineError, EngineUnavailable
from cfg.model import OpenAiAsr
from tests.workers.speech import spoken
from tests.workers.standin import StandIn

PATH = "/v1/audio/transcriptions"
PROMPT_S = 2.0


@pytest.fixture(scope="module")
def process() -> Iterator[StandIn]:
    started = StandIn("openai")
    yield started
    started.stop()


@pytest.fixture
def service(process: StandIn) -> StandIn:
    process.faults()
    return process


async def opened(port: int, **settings: object) -> OpenAiTranscriptionEngine:
    values = {
        "kind": "openai",
        "base_url": f"http://127.0.0.1:{port}/v1",
        "api_key": "sk-very-secret",
        "connect_timeout_s": 1,
        "read_timeout_s": 5,
    }
    engine = create(OpenAiAsr.model_validate(values | settings))
    assert isinstance(engine, OpenAiTranscriptionEngine)
    await engine.open()
    return engine


async def heard(engine: OpenAiTranscriptionEngine, pcm: bytes) -> str:
    stream = engine.stream()
    for start in range(0, len(pcm), 5760):
        assert await stream.feed(pcm[start : start + 5760]) is None
    text = await stream.finish()
    stream.close()
    return text


@pytest.mark.parametrize("text", ["打开客厅的灯", "现在几点了", "三加五等于几"])
def test_what_espeak_says_is_what_the_service_hears(service: StandIn, text: str) -> None:
    async def run() -> None:
        engine = await opened(service.port)
        assert await heard(engine, await spoken(text)) == text
        await engine.close()

    asyncio.run(run())


def test_next_to_no_speech_is_not_posted(service: StandIn) -> None:
    async def run() -> None:
        engine = await opened(service.port)
        asked = len(service.seen(PATH))
        assert await heard(engine, b"") == ""
        assert await heard(engine, bytes(3000)) == ""
        assert len(service.seen(PATH)) == asked
        await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize("fault", [{"hang": True}, {"first_ms": 30000}])
def test_a_silent_service_is_given_up_at_the_deadline(
    service: StandIn, fault: dict[str, object]
) -> None:
    async def run() -> None:
        service.faults(**fault)
        engine = await opened(service.port, read_timeout_s=0.2)
        began = time.monotonic()
        with pytest.raises(EngineError, match="in time"):
            await heard(engine, PROBE_PCM.read_bytes())
        assert time.monotonic() - began < PROMPT_S
        await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize("give_up", ["cancel", "close"])
def test_giving_up_is_seen_by_the_service(service: StandIn, give_up: str) -> None:
    async def run() -> None:
        service.faults(first_ms=30000)
        engine = await opened(service.port, read_timeout_s=30)
        asked, left = len(service.seen(PATH)), service.cancelled()
        stream = engine.stream()
        await stream.feed(PROBE_PCM.read_bytes())
        task = asyncio.create_task(stream.finish())
        while len(service.seen(PATH)) == asked:
            await asyncio.sleep(0.01)
        if give_up == "cancel":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        stream.close()
        if give_up == "close":
            with pytest.raises(EngineError, match="closed"):
                await task
        service.wait_cancelled(left + 1)
        await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 401}, "HTTP 401; check api_key"),
        ({"status": 429}, "fewer slots"),
        ({"status": 503}, "HTTP 503"),
        ({"cut_after": 0}, "cannot be reached|broke off"),
    ],
)
def test_a_failure_names_itself_and_no_secret(
    service: StandIn, fault: dict[str, object], words: str
) -> None:
    async def run() -> None:
        service.faults(**fault)
        engine = await opened(service.port)
        asked = len(service.seen(PATH))
        with pytest.raises(EngineError, match=words) as caught:
            await heard(engine, PROBE_PCM.read_bytes())
        assert "secret" not in caught.value.reason
        assert len(service.seen(PATH)) <= asked + 1, "the client tried again by itself"
        assert not (await engine.probe()).ok
        await engine.close()

    asyncio.run(run())


def test_nothing_understood_is_an_empty_text(service: StandIn) -> None:
    async def run() -> None:
        service.faults(empty=True)
        engine = await opened(service.port)
        assert await heard(engine, PROBE_PCM.read_bytes()) == ""
        await engine.close()

    asyncio.run(run())


def test_too_long_an_utterance_is_refused() -> None:
    async def run() -> None:
        engine = await opened(1)
        stream = engine.stream()
        await stream.feed(bytes(MAX_PCM_BYTES))
        with pytest.raises(EngineError, match="longer than 120 s") as caught:
            await stream.feed(b"\0\0")
        assert not caught.value.retryable
        stream.close()
        with pytest.raises(EngineError, match="closed"):
            await stream.finish()
        await engine.close()

    asyncio.run(run())


def test_probe_has_a_sentence_transcribed_once(service: StandIn) -> None:
    async def run() -> None:
        engine = await opened(service.port)
        assert (await engine.probe()).detail["probe_heard"] == PROBE_TEXT
        asked = len(service.seen(PATH))
        assert "worked_s_ago" in (await engine.probe()).detail
        assert len(service.seen(PATH)) == asked
        await engine.close()
        with pytest.raises(EngineUnavailable, match="not open"):
            await heard(engine, PROBE_PCM.read_bytes())

    asyncio.run(run())


def test_nobody_there_is_said_at_once() -> None:
    async def run() -> None:
        with socket.socket() as taken:  # bound, never listening: connections are refused
            taken.bind(("127.0.0.1", 0))
            engine = await opened(taken.getsockname()[1])
            with pytest.raises(EngineError, match="cannot be reached; check base_url"):
                await heard(engine, PROBE_PCM.read_bytes())
            await engine.close()

    asyncio.run(run())
