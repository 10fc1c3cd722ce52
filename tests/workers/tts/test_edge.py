"""The Edge voice against its stand-in, with the unchanged `edge-tts` client."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from actors.workers.interface import EngineError, EngineUnavailable
from actors.workers.tts import create
from actors.workers.tts.breaker import FAILURES
from actors.workers.tts.edge import RATE_HZ, EdgeEngine
from cfg.model import EdgeTts
from tests.workers.speech import understood
from tests.workers.standin import StandIn

TEXT = "今天天气怎么样"
#: An engine gives up or stops well within this, however long the service would take.
PROMPT_S = 2.0


@pytest.fixture(scope="module")
def process() -> Iterator[StandIn]:
    started = StandIn("edge")
    yield started
    started.stop()


@pytest.fixture
def service(process: StandIn) -> StandIn:
    process.faults()
    return process


async def opened(service: StandIn, **settings: object) -> EdgeEngine:
    url = f"ws://127.0.0.1:{service.port}/edge/v1?TrustedClientToken=any"
    values = {"kind": "edge", "service_url": url, "connect_timeout_s": 1, "read_timeout_s": 2}
    engine = create(EdgeTts.model_validate(values | settings))
    assert isinstance(engine, EdgeEngine)
    await engine.open()
    return engine


async def spoken(engine: EdgeEngine, text: str) -> bytes:
    return b"".join([chunk async for chunk in engine.synthesise(text)])


def test_the_voice_says_the_text(service: StandIn) -> None:
    async def run() -> None:
        engine = await opened(service)
        pcm = await spoken(engine, TEXT)
        assert await understood(pcm, RATE_HZ) == TEXT
        assert service.seen("ssml")[-1]["text"] == TEXT

    asyncio.run(run())


def test_sound_comes_before_the_service_has_finished(service: StandIn) -> None:
    async def run() -> None:
        service.faults(next_ms=400)
        engine = await opened(service)
        left_before = service.cancelled()
        stream = engine.synthesise(TEXT)
        began = time.monotonic()
        first = await anext(stream)
        assert time.monotonic() - began < PROMPT_S, "the whole text takes six seconds"
        assert len(first) >= RATE_HZ * 120 // 1000 * 2, "120 ms lie in the first message"
        await stream.aclose()
        service.wait_cancelled(left_before + 1)

    asyncio.run(run())


def test_a_cancelled_task_lets_go_of_a_silent_service(service: StandIn) -> None:
    async def run() -> None:
        service.faults(hang=True)
        engine = await opened(service, read_timeout_s=30)
        asked, left = len(service.seen("ssml")), service.cancelled()
        task = asyncio.create_task(spoken(engine, TEXT))
        while len(service.seen("ssml")) == asked:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < PROMPT_S
        service.wait_cancelled(left + 1)

    asyncio.run(run())


def test_a_silent_service_is_given_up_at_the_deadline(service: StandIn) -> None:
    async def run() -> None:
        service.faults(hang=True)
        engine = await opened(service, connect_timeout_s=0.1, read_timeout_s=0.2)
        began = time.monotonic()
        with pytest.raises(EngineError, match=r"in time \(connect 0.1 s, read 0.2 s\)"):
            await spoken(engine, TEXT)
        assert 0.2 <= time.monotonic() - began < PROMPT_S

    asyncio.run(run())


def test_a_slow_handshake_is_given_up_at_the_deadline(service: StandIn) -> None:
    async def run() -> None:
        service.faults(connect_ms=30000)
        engine = await opened(service, connect_timeout_s=0.1, read_timeout_s=0.2)
        began = time.monotonic()
        with pytest.raises(EngineError, match="in time"):
            await spoken(engine, TEXT)
        assert time.monotonic() - began < PROMPT_S

    asyncio.run(run())


@pytest.mark.parametrize("fault", [{"cut_after": 2}, {"error_after": 2}, {"no_done": True}])
def test_a_broken_stream_is_an_error_after_what_came(
    service: StandIn, fault: dict[str, object]
) -> None:
    async def run() -> None:
        engine = await opened(service)
        service.faults(**fault)
        stream = engine.synthesise(TEXT)
        heard = [await anext(stream)]
        with pytest.raises(EngineError, match=r"broke off|failed") as caught:
            heard += [chunk async for chunk in stream]
        assert caught.value.retryable
        service.faults()
        assert await spoken(engine, TEXT), "the next text works"

    asyncio.run(run())


def test_refusals_open_the_breaker_and_name_the_status(service: StandIn) -> None:
    async def run() -> None:
        service.faults(status=403)
        engine = await opened(service)
        before = len(service.seen("connect"))
        for _ in range(FAILURES):
            with pytest.raises(EngineError, match=r"HTTP 403"):
                await spoken(engine, TEXT)
        asked = len(service.seen("connect"))
        assert asked - before == 2 * FAILURES, "the client tries twice: its clock may be wrong"
        with pytest.raises(EngineUnavailable, match=r"HTTP 403.*next try in \d+ s"):
            await spoken(engine, TEXT)
        assert len(service.seen("connect")) == asked, "the open breaker let a call through"
        health = await engine.probe()
        assert not health.ok
        assert "403" in health.reason

    asyncio.run(run())


def test_throttling_and_server_errors_are_told_apart(service: StandIn) -> None:
    async def run() -> None:
        engine = await opened(service)
        service.faults(status=429)
        with pytest.raises(EngineError, match=r"HTTP 429.*keeps this host away"):
            await spoken(engine, TEXT)
        service.faults(status=500)
        with pytest.raises(EngineError, match=r"HTTP 500.*check service_url"):
            await spoken(engine, TEXT)

    asyncio.run(run())


def test_no_audio_is_no_speech_once_and_an_error_when_it_goes_on(service: StandIn) -> None:
    async def run() -> None:
        service.faults(empty=True)
        engine = await opened(service)
        assert await spoken(engine, TEXT) == b""
        assert not (await engine.probe()).ok
        with pytest.raises(EngineError, match=r"3 texts in a row.*XiaoxiaoNeural"):
            await spoken(engine, TEXT)

    asyncio.run(run())


def test_text_without_sound_is_not_sent(service: StandIn) -> None:
    async def run() -> None:
        engine = await opened(service)
        asked = len(service.seen("connect"))
        for text in ("", "……", "😀"):
            assert await spoken(engine, text) == b""
        assert len(service.seen("connect")) == asked

    asyncio.run(run())


def test_several_texts_at_once_do_not_mix(service: StandIn) -> None:
    async def run() -> None:
        engine = await opened(service)
        texts = ["打开客厅的灯", "现在几点了", "讲个笑话", TEXT]
        sounds = await asyncio.gather(*(spoken(engine, text) for text in texts))
        assert [await understood(pcm, RATE_HZ) for pcm in sounds] == texts

    asyncio.run(run())


def test_probe_speaks_once_and_then_trusts_that(service: StandIn) -> None:
    async def run() -> None:
        engine = await opened(service)
        assert (await engine.probe()).ok
        asked = len(service.seen("connect"))
        health = await engine.probe()
        assert health.ok
        assert health.detail["worked_s_ago"] >= 0
        assert len(service.seen("connect")) == asked

    asyncio.run(run())


def test_markup_in_the_text_is_text(service: StandIn) -> None:
    async def run() -> None:
        engine = await opened(service)
        assert await spoken(engine, "1<2 & </prosody>好")
        assert service.seen("ssml")[-1]["text"] == "1<2 & </prosody>好"

    asyncio.run(run())


@pytest.mark.parametrize(
    "wrong",
    [
        {"service_url": "ws://127.0.0.1:1/without-query"},
        {"service_url": "http://127.0.0.1:1/?a=b"},
        {"voice": "小晓"},
    ],
)
def test_wrong_settings_show_at_open(service: StandIn, wrong: dict[str, str]) -> None:
    async def run() -> None:
        with pytest.raises(EngineUnavailable, match=r"tts (service_url|voice)"):
            await opened(service, **wrong)

    asyncio.run(run())


def test_nobody_there_is_said_at_once(service: StandIn) -> None:
    async def run() -> None:
        with socket.socket() as taken:  # bound, never listening: connections are refused
            taken.bind(("127.0.0.1", 0))
            url = f"ws://127.0.0.1:{taken.getsockname()[1]}/edge/v1?TrustedClientToken=any"
            engine = await opened(service, service_url=url)
            with pytest.raises(EngineError, match="cannot be reached"):
                await spoken(engine, TEXT)

    asyncio.run(run())
