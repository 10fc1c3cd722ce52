"""Speech: spoken, read, written, measured."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from actors.workers.tts.espeak import EspeakEngine
from cfg.model import EspeakTts
from sim.sound import add_noise, audible_span, first_audible
from sim.speech import SpeechError, read_wav, say, write_wav


def tone(samples: int, rate_hz: int = 16000, amplitude: int = 8000) -> np.ndarray:
    angle = 2 * np.pi * 440 * np.arange(samples) / rate_hz
    return (amplitude * np.sin(angle)).astype(np.int16)


def test_chinese_is_spoken_at_the_device_rate() -> None:
    spoken = say("打开客厅的灯")
    assert spoken.dtype == np.int16
    assert 0.8 < len(spoken) / 16000 < 2.5
    assert np.abs(spoken).max() > 3000


def test_faster_speech_is_shorter_and_voices_differ() -> None:
    assert len(say("今天天气怎么样", speed_wpm=300)) < len(say("今天天气怎么样", speed_wpm=120))
    male, female = say("你好", voice="cmn"), say("你好", voice="cmn+f2")
    assert len(male) != len(female) or not np.array_equal(male, female)


def test_repeated_speech_is_kept_and_read_only() -> None:
    first = say("几点了")
    assert say("几点了") is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_the_product_s_engine_in_the_same_process_takes_no_sound_away() -> None:
    say("先说一句")
    engine = EspeakEngine(EspeakTts(kind="espeak"))

    async def spoken() -> int:
        await engine.open()
        return sum([len(chunk) async for chunk in engine.synthesise("你好")])

    assert asyncio.run(spoken()) > 10000
    assert len(say("引擎说完以后再说")) > 8000
    assert asyncio.run(spoken()) > 10000


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_no_text_is_refused(text: str) -> None:
    with pytest.raises(SpeechError, match="no text to say"):
        say(text)


def test_unknown_voice_names_the_voice() -> None:
    with pytest.raises(SpeechError, match="'klingonese'"):
        say("你好", voice="klingonese")


def test_wav_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, tone(1600), 16000)
    assert np.array_equal(read_wav(path, 16000), tone(1600))


def test_wav_is_resampled(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, tone(48000, 48000), 48000)
    read = read_wav(path, 16000)
    assert abs(len(read) - 16000) <= 2
    assert np.abs(read[1000:15000] - tone(16000)[1000:15000].astype(int)).max() < 200


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_wav_widths_and_channels(tmp_path: Path, width: int, channels: int) -> None:
    path, level = tmp_path / "a.wav", 64
    top = (level + 128 if width == 1 else level).to_bytes(1, "little")
    sample = b"\0" * (width - 1) + top
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(16000)
        file.writeframes(sample * channels * 100)
    assert np.array_equal(read_wav(path, 16000), np.full(100, level << 8, np.int16))


def test_unreadable_wavs_name_the_path(tmp_path: Path) -> None:
    (tmp_path / "b.wav").write_bytes(b"not a wav")
    write_wav(tmp_path / "empty.wav", np.zeros(0, np.int16), 16000)
    for name in ("missing.wav", "b.wav", "empty.wav"):
        with pytest.raises(SpeechError, match=name):
            read_wav(tmp_path / name)


def test_unwritable_wav_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=r"a\.wav"):
        write_wav(tmp_path / "nowhere" / "a.wav", tone(100), 16000)


def test_audible_span_finds_speech_between_silences() -> None:
    pcm = np.concatenate([np.zeros(3200, np.int16), tone(1600), np.zeros(4800, np.int16)])
    assert audible_span(pcm, 16000) == (3200, 4800)


def test_background_noise_is_not_speech() -> None:
    pcm = np.concatenate([np.zeros(3200, np.int16), tone(1600), np.zeros(4800, np.int16)])
    assert audible_span(add_noise(pcm, -48, seed=1), 16000) == (3200, 4800)


def test_first_audible_sample_is_found_to_ten_ms() -> None:
    assert first_audible(np.concatenate([np.zeros(3210, np.int16), tone(1600)]), 16000) == 3200
    assert first_audible(np.zeros(960, np.int16), 16000) is None


def test_silence_has_no_span() -> None:
    assert audible_span(np.zeros(16000, np.int16), 16000) is None
    assert audible_span(np.zeros(0, np.int16), 16000) is None


def test_noise_is_repeatable_and_of_the_level_asked() -> None:
    silence = np.zeros(16000, np.int16)
    noise = add_noise(silence, -40, seed=7)
    assert np.array_equal(noise, add_noise(silence, -40, seed=7))
    level = 20 * np.log10(np.sqrt(np.mean(noise.astype(float) ** 2)) / 32768)
    assert abs(level + 40) < 0.5
