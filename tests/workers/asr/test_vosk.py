"""Vosk with the tiny model, on speech that eSpeak NG really spoke."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from actors.workers.asr import create
from actors.workers.asr.vosk import SAMPLE_RATE_HZ, VoskEngine, joined
from actors.workers.interface import EngineError, EngineUnavailable
from cfg.model import VoskAsr
from tests.workers.speech import spoken

CHUNK_BYTES = SAMPLE_RATE_HZ * 2 * 180 // 1000


async def heard(engine: VoskEngine, pcm: bytes) -> tuple[list[str], str]:
    stream = engine.stream()
    partials = []
    for start in range(0, len(pcm), CHUNK_BYTES):
        text = await stream.feed(pcm[start : start + CHUNK_BYTES])
        if text is not None:
            partials.append(text)
    final = await stream.finish()
    stream.close()
    return partials, final


async def opened(model: str = "tiny") -> VoskEngine:
    engine = create(VoskAsr(model=model))
    assert isinstance(engine, VoskEngine)
    await engine.open()
    return engine


@pytest.mark.parametrize(
    "text",
    ["打开客厅的灯", "现在几点了", "三加五等于几", "今天天气怎么样", "讲个笑话", "把音量调大一点"],
)
def test_what_espeak_says_is_what_vosk_hears(text: str) -> None:
    async def run() -> None:
        engine = await opened()
        partials, final = await heard(engine, await spoken(text))
        await engine.close()
        assert final == text
        assert partials, "no partial text came before the end"
        assert all(one != two for one, two in itertools.pairwise(partials))
        assert text.startswith(partials[-1][:2])

    asyncio.run(run())


def test_segments_at_pauses_inside_one_utterance_are_put_together() -> None:
    async def run() -> None:
        engine = await opened()
        pause = bytes(SAMPLE_RATE_HZ * 2 * 2)
        pcm = await spoken("打开客厅的灯") + pause + await spoken("现在几点了") + pause
        partials, final = await heard(engine, pcm)
        await engine.close()
        assert final == "打开客厅的灯现在几点了"
        assert "打开客厅的灯" in partials, "the first segment was not seen alone"
        assert partials[-1] == final, "a partial lost the segment before it"

    asyncio.run(run())


def test_streams_on_one_model_do_not_mix() -> None:
    async def run() -> None:
        engine = await opened()
        texts = ["打开客厅的灯", "现在几点了", "三加五等于几", "讲个笑话"] * 3
        speech = [await spoken(text) for text in texts]
        results = await asyncio.gather(*(heard(engine, pcm) for pcm in speech))
        await engine.close()
        assert [final for _, final in results] == texts

    asyncio.run(run())


def test_silence_is_no_text_and_no_partial() -> None:
    async def run() -> None:
        engine = await opened()
        partials, final = await heard(engine, bytes(SAMPLE_RATE_HZ * 2))
        assert (partials, final) == ([], "")
        stream = engine.stream()
        assert await stream.finish() == "", "an utterance without audio"
        await engine.close()

    asyncio.run(run())


def test_the_last_of_the_speech_comes_with_its_end_before_other_streams_are_fed() -> None:
    async def run() -> None:
        engine = await opened()
        speech = await spoken("讲个笑话")
        half = len(speech) // 4 * 2
        behind = [engine.stream() for _ in range(40)]
        stream = engine.stream()
        await stream.feed(speech[:half])
        fed = [asyncio.create_task(each.feed(speech)) for each in behind]
        assert await stream.finish(speech[half:]) == "讲个笑话"
        assert not all(task.done() for task in fed), "it waited for all of them"
        await asyncio.gather(*fed)
        with pytest.raises(EngineError, match="1 bytes"):
            await behind[0].finish(b"\0")
        await engine.close()

    asyncio.run(run())


def test_half_a_sample_is_refused_and_the_stream_goes_on() -> None:
    async def run() -> None:
        engine = await opened()
        stream = engine.stream()
        with pytest.raises(EngineError, match="3 bytes") as caught:
            await stream.feed(b"\0\0\0")
        assert not caught.value.retryable
        await stream.feed(await spoken("讲个笑话"))
        assert await stream.finish() == "讲个笑话"
        await engine.close()

    asyncio.run(run())


def test_a_closed_stream_takes_nothing_and_closes_twice() -> None:
    async def run() -> None:
        engine = await opened()
        stream = engine.stream()
        stream.close()
        stream.close()
        with pytest.raises(EngineError, match="closed"):
            await stream.feed(bytes(320))
        await engine.close()

    asyncio.run(run())


def test_cancelled_in_mid_call_leaves_the_others_working() -> None:
    async def run() -> None:
        engine = await opened()
        pcm = await spoken("打开客厅的灯")
        given_up = engine.stream()
        task = asyncio.create_task(given_up.feed(pcm * 4))
        await asyncio.sleep(0)
        task.cancel()
        given_up.close()
        with pytest.raises(asyncio.CancelledError):
            await task
        _, final = await heard(engine, pcm)
        await engine.close()
        assert final == "打开客厅的灯"

    asyncio.run(run())


def test_probe_hears_its_sentence_and_says_what_the_tiny_model_cannot() -> None:
    async def run() -> None:
        engine = await opened()
        health = await engine.probe()
        await engine.close()
        assert health.ok, health.reason
        assert health.detail["probe_heard"] == "打开客厅的灯"
        assert health.detail["tiny"] is True
        assert "human speech" in health.detail["understands"]
        closed = await engine.probe()
        assert not closed.ok
        assert "not open" in closed.reason

    asyncio.run(run())


def test_a_missing_model_names_the_setting_and_the_fix() -> None:
    async def run() -> None:
        engine = create(VoskAsr(model="no-such-model"))
        with pytest.raises(EngineUnavailable, match=r"asr model 'no-such-model'.*'tiny'"):
            await engine.open()

    asyncio.run(run())


def test_words_are_joined_as_people_write_them() -> None:
    assert joined("打开 客厅 的 灯") == "打开客厅的灯"
    assert joined("turn on the light") == "turn on the light"
    assert joined("播放 hello world 这 首 歌") == "播放hello world这首歌"
    assert joined("[unk] 你好 [unk]") == "你好"
    assert joined("") == ""
