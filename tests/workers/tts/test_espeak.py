"""eSpeak NG itself, in this process."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from actors.workers.interface import EngineUnavailable
from actors.workers.tts import create
from actors.workers.tts.espeak import CHUNK_MS, EspeakEngine
from cfg.model import EspeakTts


async def opened(**settings: object) -> EspeakEngine:
    engine = create(EspeakTts.model_validate(settings))
    assert isinstance(engine, EspeakEngine)
    await engine.open()
    return engine


async def spoken(engine: EspeakEngine, text: str) -> bytes:
    return b"".join([chunk async for chunk in engine.synthesise(text)])


def seconds(engine: EspeakEngine, pcm: bytes) -> float:
    return len(pcm) / 2 / engine.sample_rate_hz


def test_speech_comes_in_small_chunks_of_audible_samples() -> None:
    async def run() -> None:
        engine = await opened()
        chunks = [chunk async for chunk in engine.synthesise("今天天气怎么样？")]
        largest = engine.sample_rate_hz * CHUNK_MS // 1000 * 2
        assert len(chunks) > 5
        assert all(len(chunk) == largest for chunk in chunks[:-1])
        samples = np.frombuffer(b"".join(chunks), np.int16)
        assert 1.0 < len(samples) / engine.sample_rate_hz < 4.0
        assert np.abs(samples).max() > 3000

    asyncio.run(run())


@pytest.mark.parametrize("text", ["", "   ", "。。。", "😀", "——", "\0\n", "…？！"])
def test_text_without_sound_yields_nothing(text: str) -> None:
    async def run() -> None:
        assert await spoken(await opened(), text) == b""

    asyncio.run(run())


def test_a_nul_in_the_text_does_not_end_it() -> None:
    async def run() -> None:
        engine = await opened()
        whole = await spoken(engine, "打开\0客厅的灯")
        assert seconds(engine, whole) > 1.0

    asyncio.run(run())


def test_english_inside_chinese_is_spoken() -> None:
    async def run() -> None:
        engine = await opened()
        mixed = await spoken(engine, "播放Hello World这首歌")
        without = await spoken(engine, "播放这首歌")
        assert seconds(engine, mixed) > seconds(engine, without) + 0.4

    asyncio.run(run())


def test_settings_change_the_voice_and_two_engines_keep_theirs_apart() -> None:
    async def run() -> None:
        slow, quick = await opened(words_per_minute=120), await opened(words_per_minute=300)
        text = "现在几点了"
        first = await spoken(slow, text)
        assert len(await spoken(quick, text)) < 0.6 * len(first)
        again = await spoken(slow, text)
        # The voice has a little random flutter: its length tells the rate, not its bytes.
        assert abs(len(again) - len(first)) < 0.05 * len(first)

    asyncio.run(run())


def test_closing_the_stream_stops_between_clauses() -> None:
    async def run() -> None:
        engine = await opened()
        calls: list[str] = []
        library = engine._opened()
        say = library.say

        def counting(text: str, voice: tuple[str, int, int], *, pause: bool) -> bytes:
            calls.append(text)
            return say(text, voice, pause=pause)

        library.say = counting  # type: ignore[method-assign]
        try:
            stream = engine.synthesise("第一句话。第二句话。第三句话。")
            assert await anext(stream)
            await stream.aclose()
        finally:
            del library.say
        assert calls == ["第一句话。"], "later clauses were spoken although nobody listens"
        assert await spoken(engine, "你好")

    asyncio.run(run())


def test_other_work_runs_between_clauses() -> None:
    async def run() -> None:
        engine = await opened()
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        await spoken(engine, "第一句话。第二句话。第三句话。")
        task.cancel()
        assert turns >= 3

    asyncio.run(run())


@pytest.mark.parametrize("voice", ["no-such-voice", "", "cmn\0"])
def test_an_unknown_voice_names_itself_and_the_fix(voice: str) -> None:
    async def run() -> None:
        with pytest.raises(EngineUnavailable, match=r"tts voice .*'cmn'"):
            await opened(voice=voice)
        assert (await (await opened()).probe()).ok, "a wrong voice spoiled the library"

    asyncio.run(run())


def test_probe_speaks_and_a_closed_engine_says_so() -> None:
    async def run() -> None:
        engine = await opened()
        health = await engine.probe()
        assert health.ok
        assert health.detail["version"].startswith("1.52")
        await engine.close()
        assert not (await engine.probe()).ok
        with pytest.raises(EngineUnavailable, match="not open"):
            await spoken(engine, "你好")

    asyncio.run(run())
