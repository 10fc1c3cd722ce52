"""A whole stream in is a whole stream out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.audio.resample import Resampler

#: soxr rounds to int16 with a random dither.
DITHER = 4


def tone(hz: int, rate_hz: int, ms: int = 1000) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    t = np.arange(rate_hz * ms // 1000) / rate_hz
    return (np.sin(2 * np.pi * hz * t) * 10000).astype(np.int16)


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(24000, 16000), (16000, 24000), (22050, 16000), (22050, 24000)]
)
def test_a_tone_stays_the_tone(from_hz: int, to_hz: int) -> None:
    out = Resampler(from_hz, to_hz).push(tone(440, from_hz), last=True)
    assert out.dtype == np.int16
    assert len(out) == to_hz
    middle = slice(to_hz // 4, 3 * to_hz // 4)
    difference = out[middle].astype(int) - tone(440, to_hz)[middle]
    assert np.abs(difference).max() <= DITHER


def test_what_does_not_fit_the_lower_rate_is_removed() -> None:
    out = Resampler(24000, 16000).push(tone(10000, 24000), last=True)
    assert np.abs(out[4000:12000]).max() < 10


def test_equal_rates_pass_through() -> None:
    pcm = tone(440, 16000)
    np.testing.assert_array_equal(Resampler(16000, 16000).push(pcm), pcm)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2000), min_size=1, max_size=15))
def test_pieces_give_what_the_whole_gives(sizes: list[int]) -> None:
    stream = tone(300, 24000)[: sum(sizes)]
    whole = Resampler(24000, 16000).push(stream, last=True)
    cut = Resampler(24000, 16000)
    parts, at = [], 0
    for size in sizes:
        parts.append(cut.push(stream[at : at + size]))
        at += size
    parts.append(cut.push(np.zeros(0, np.int16), last=True))
    joined = np.concatenate(parts)
    assert len(joined) == len(whole)
    assert np.abs(joined.astype(int) - whole).max(initial=0) <= DITHER


def test_after_the_last_push_another_stream_begins() -> None:
    resampler = Resampler(22050, 16000)
    first = resampler.push(tone(440, 22050), last=True)
    again = resampler.push(tone(440, 22050), last=True)
    assert len(first) == len(again)
    assert np.abs(first.astype(int) - again).max() <= DITHER


def test_rates_must_be_positive() -> None:
    with pytest.raises(ValueError, match="from_hz 0"):
        Resampler(0, 16000)
