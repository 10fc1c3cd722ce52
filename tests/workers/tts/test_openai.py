"""The OpenAI-compatible voice against its stand-in, with the `openai` client."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from actors.workers.interface import EngineError, EngineUnavailable
from actors.workers.tts import create
from actors.workers.tts.openai import OpenAiSpeechEngine, _check_is_pcm
from cfg.model import OpenAiTts
from tests.workers.speech import understood
from tests.workers.standin import StandIn

TEXT = "今天天气怎么样"
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


async def opened(port: int, **settings: object) -> OpenAiSpeechEngine:
    values = {
        "kind": "openai",
        "base_url": f"http://127.0.0.1:{port}/v1",
        "api_key": "sk-very-secret",
        "connect_timeout_s": 1,
        "read_timeout_s": 2,
    }
    engine = create(OpenAiTts.model_validate(values | settings))
    assert isinstance(engine, OpenAiSpeechEngine)
    await engine.open()
    return engine


async def spoken(engine: OpenAiSpeechEngine, text: str) -> bytes:
    return b"".join([chunk async for chunk in engine.synthesise(text)])


def test_the_voice_says_the_text(service: StandIn) -> None:
    async def run() -> None:
        engine = await opened(service.port)
        assert engine.sample_rate_hz == 24000
        chunks = [chunk async for chunk in engine.synthesise(TEXT)]
        await engine.close()
        assert all(len(chunk) % 2 == 0 for chunk in chunks), "half a sample came alone"
        assert await understood(b"".join(chunks), engine.sample_rate_hz) == TEXT
        asked = service.seen("/v1/audio/speech")[-1]
        assert (asked["input"], asked["response_format"]) == (TEXT, "pcm")

    asyncio.run(run())


def test_sound_comes_early_and_closing_is_seen_by_the_service(service: StandIn) -> None:
    async def run() -> None:
        service.faults(next_ms=400)
        engine = await opened(service.port)
        left = service.cancelled()
        stream = engine.synthesise(TEXT)
        began = time.monotonic()
        assert await anext(stream)
        assert time.monotonic() - began < PROMPT_S, "the whole text takes six seconds"
        await stream.aclose()
        service.wait_cancelled(left + 1)
        service.faults()
        assert await spoken(engine, TEXT), "the next text works"
        await engine.close()

    asyncio.run(run())


def test_a_cancelled_task_is_seen_by_the_service(service: StandIn) -> None:
    async def run() -> None:
        service.faults(first_ms=30000)
        engine = await opened(service.port, read_timeout_s=30)
        asked, left = len(service.seen("/v1/audio/speech")), service.cancelled()
        task = asyncio.create_task(spoken(engine, TEXT))
        while len(service.seen("/v1/audio/speech")) == asked:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        service.wait_cancelled(left + 1)
        await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize("fault", [{"hang": True}, {"first_ms": 30000}, {"next_ms": 30000}])
def test_a_silent_service_is_given_up_at_the_deadline(
    service: StandIn, fault: dict[str, object]
) -> None:
    async def run() -> None:
        service.faults(**fault)
        engine = await opened(service.port, read_timeout_s=0.2)
        began = time.monotonic()
        with pytest.raises(EngineError, match=r"in time \(connect 1 s, read 0.2 s\)"):
            await spoken(engine, TEXT)
        assert time.monotonic() - began < PROMPT_S
        await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize("fault", [{"cut_after": 2}, {"error_after": 2}, {"no_done": True}])
def test_a_broken_stream_is_an_error_after_what_came(
    service: StandIn, fault: dict[str, object]
) -> None:
    async def run() -> None:
        service.faults(**fault)
        engine = await opened(service.port)
        stream = engine.synthesise(TEXT)
        assert await anext(stream)
        with pytest.raises(EngineError, match="broke off"):
            async for _ in stream:
                pass
        await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "check api_key"), (429, "fewer slots"), (500, "HTTP 500"), (404, "check base_url")],
)
def test_a_refusal_names_the_status_and_the_fix_once(
    service: StandIn, status: int, words: str
) -> None:
    async def run() -> None:
        service.faults(status=status)
        engine = await opened(service.port)
        with pytest.raises(EngineError, match=rf"127\.0\.0\.1.*{words}") as caught:
            await spoken(engine, TEXT)
        assert "secret" not in caught.value.reason
        health = await engine.probe()
        assert not health.ok
        assert str(status) in health.reason
        await engine.close()

    asyncio.run(run())


def test_an_answer_without_audio_is_an_error(service: StandIn) -> None:
    async def run() -> None:
        service.faults(empty=True)
        engine = await opened(service.port)
        with pytest.raises(EngineError, match="without audio; check model and voice"):
            await spoken(engine, TEXT)
        await engine.close()

    asyncio.run(run())


def test_text_without_sound_is_not_sent(service: StandIn) -> None:
    async def run() -> None:
        engine = await opened(service.port)
        asked = len(service.seen("/v1/audio/speech"))
        assert await spoken(engine, "……😀") == b""
        assert len(service.seen("/v1/audio/speech")) == asked
        await engine.close()

    asyncio.run(run())


def test_probe_speaks_once_and_then_trusts_that(service: StandIn) -> None:
    async def run() -> None:
        engine = await opened(service.port)
        assert (await engine.probe()).ok
        asked = len(service.seen("/v1/audio/speech"))
        assert "worked_s_ago" in (await engine.probe()).detail
        assert len(service.seen("/v1/audio/speech")) == asked
        await engine.close()
        with pytest.raises(EngineUnavailable, match="not open"):
            await spoken(engine, TEXT)

    asyncio.run(run())


def test_nobody_there_is_said_at_once() -> None:
    async def run() -> None:
        with socket.socket() as taken:  # bound, never listening: connections are refused
            taken.bind(("127.0.0.1", 0))
            engine = await opened(taken.getsockname()[1])
            with pytest.raises(EngineError, match="cannot be reached; check base_url"):
                await spoken(engine, TEXT)
            await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("audio/mpeg", b"\xff\xf3"),
        ("application/json; charset=utf-8", b"{}"),
        ("audio/pcm", b"RIFF\0\0"),
        ("", b"ID3\4"),
    ],
)
def test_a_file_instead_of_samples_is_refused(content_type: str, data: bytes) -> None:
    with pytest.raises(EngineError, match="although pcm was asked for"):
        _check_is_pcm(content_type, data)


def test_samples_under_any_plain_type_are_taken() -> None:
    for content_type in ("audio/pcm", "application/octet-stream", "audio/L16; rate=24000", ""):
        _check_is_pcm(content_type, b"\0\0\1\0")
