"""Decoding MP3 as it arrives."""

from __future__ import annotations

import numpy as np
import pytest

from actors.workers.tts.mp3 import Mp3Decoder, Mp3Error
from sim.standins.edge import CHUNK_BYTES, RATE_HZ, encode_mp3


def tone(seconds: float) -> np.ndarray:
    time_s = np.arange(int(RATE_HZ * seconds)) / RATE_HZ
    return (8000 * np.sin(2 * np.pi * 440 * time_s)).astype(np.int16)


def test_the_first_chunk_already_sounds() -> None:
    mp3 = encode_mp3(tone(1.0))
    first = Mp3Decoder(RATE_HZ).push(mp3[:CHUNK_BYTES])
    assert len(first) == RATE_HZ * 120 // 1000 * 2
    assert np.abs(np.frombuffer(first, np.int16)).max() > 7000


@pytest.mark.parametrize("chunk_bytes", [1, 100, CHUNK_BYTES, 10**6])
def test_any_chunking_gives_the_same_sound(chunk_bytes: int) -> None:
    mp3 = encode_mp3(tone(0.5))
    whole = Mp3Decoder(RATE_HZ)
    expected = whole.push(mp3) + whole.flush()
    decoder, pcm = Mp3Decoder(RATE_HZ), b""
    for start in range(0, len(mp3), chunk_bytes):
        pcm += decoder.push(mp3[start : start + chunk_bytes])
    assert pcm + decoder.flush() == expected
    assert 0.5 <= len(expected) / 2 / RATE_HZ < 0.6


def test_another_rate_is_resampled_to_its_full_length() -> None:
    decoder = Mp3Decoder(16000)
    pcm = decoder.push(encode_mp3(tone(1.0))) + decoder.flush()
    assert 1.0 <= len(pcm) / 2 / 16000 < 1.1


def test_what_is_not_mp3_says_so() -> None:
    decoder = Mp3Decoder(RATE_HZ)
    with pytest.raises(Mp3Error, match="not decodable as MP3"):
        decoder.push(b"<html>not audio</html>" * 500) + decoder.flush()


def test_nothing_is_nothing() -> None:
    decoder = Mp3Decoder(RATE_HZ)
    assert decoder.push(b"") + decoder.flush() == b""
