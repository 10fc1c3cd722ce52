"""Packets there and back, and whatever else a device may send."""

from __future__ import annotations

import contextlib
import gc
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.audio import opus
from actors.audio.opus import Decoder, Encoder, FrameEncoder, OpusError, is_dtx
from tests.audio.conftest import RATE_HZ, Pcm, level, packets, say, silence


def similarity(first: Pcm, second: Pcm, most_delay_samples: int) -> float:
    """The best correlation of `second` with `first`, over the codec's possible delays."""
    best = 0.0
    for delay in range(most_delay_samples):
        a = first[: len(first) - delay].astype(np.float64)
        b = second[delay : delay + len(a)].astype(np.float64)
        best = max(best, float(a @ b / np.sqrt((a @ a) * (b @ b))))
    return best


def test_the_library_says_what_it_is() -> None:
    assert opus.version().startswith("libopus ")


@pytest.mark.parametrize("rate_hz", opus.RATES_HZ)
@pytest.mark.parametrize("frame_ms", opus.FRAME_DURATIONS_MS)
def test_a_frame_comes_back_as_long_as_it_was(rate_hz: int, frame_ms: int) -> None:
    encoder = Encoder(rate_hz, frame_ms)
    assert encoder.frame_samples == rate_hz * frame_ms // 1000
    packet = encoder.encode(np.zeros(encoder.frame_samples, np.int16))
    assert len(Decoder(rate_hz).decode(packet)) == encoder.frame_samples


def test_a_decoder_takes_any_rate_and_duration_in_one_stream() -> None:
    decoder = Decoder(16000)
    for rate_hz, frame_ms in ((24000, 20), (16000, 60), (48000, 120), (8000, 40)):
        encoder = Encoder(rate_hz, frame_ms)
        packet = encoder.encode(np.zeros(encoder.frame_samples, np.int16))
        assert len(decoder.decode(packet)) == 16 * frame_ms


@pytest.mark.parametrize("application", ["voip", "audio"])
@pytest.mark.parametrize("vbr", [True, False])
def test_speech_survives(application: str, vbr: bool) -> None:
    speech = level(say("打开客厅的灯"), -20)
    encoder = FrameEncoder(
        Encoder(RATE_HZ, 60, bitrate=32000, application=application, vbr=vbr)  # type: ignore[arg-type]
    )
    decoder = Decoder(RATE_HZ)
    made = encoder.push(speech) + encoder.flush()
    heard = np.concatenate([decoder.decode(packet) for packet in made])
    assert similarity(speech, heard, 16 * 10) > 0.9


def test_dtx_packets_are_decoded_as_silence() -> None:
    made = packets(np.concatenate((level(say("好"), -20), silence(3000))))
    tail = made[-30:]
    assert sum(map(is_dtx, tail)) > 20
    decoder = Decoder()
    heard = [decoder.decode(packet) for packet in made]
    assert {len(frame) for frame in heard} == {960}
    assert np.abs(np.concatenate(heard[-30:])).max() < 50


def test_every_short_packet_has_a_length() -> None:
    for toc in range(256):
        packet = bytes([toc])
        try:
            samples = Decoder().decode(packet)
        except OpusError:
            continue
        assert 0 <= len(samples) <= 1920
        assert is_dtx(packet)


def test_an_empty_packet_is_no_audio_and_no_dtx() -> None:
    assert len(Decoder().decode(b"")) == 0
    assert not is_dtx(b"")


def test_garbage_is_an_opus_error_in_the_librarys_words() -> None:
    with pytest.raises(OpusError, match=r"packet of 3 bytes: corrupted stream"):
        Decoder().decode(b"\xff" * 3)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_arbitrary_bytes_give_samples_or_an_opus_error(stream: list[bytes]) -> None:
    decoder = Decoder()
    for packet in stream:
        try:
            samples = decoder.decode(packet)
        except OpusError:
            continue
        assert samples.dtype == np.int16
        assert len(samples) <= 16 * opus.MAX_PACKET_MS
    good = Encoder(16000, 60).encode(np.zeros(960, np.int16))
    assert len(decoder.decode(good)) == 960


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 400), st.integers(0, 7), st.integers(0, 200))
def test_damaged_packets_give_samples_or_an_opus_error(
    seed: int, at: int, bit: int, cut: int
) -> None:
    noise = np.random.default_rng(seed).integers(-9000, 9000, 960).astype(np.int16)
    packet = bytearray(Encoder(16000, 60).encode(noise))
    packet[at % len(packet)] ^= 1 << bit
    with contextlib.suppress(OpusError):
        assert len(Decoder().decode(bytes(packet[: max(1, len(packet) - cut)]))) <= 1920


def test_a_decoded_frame_is_the_callers_own() -> None:
    decoder = Decoder()
    made = packets(level(say("好"), -20))
    first = decoder.decode(made[0])
    kept = first.copy()
    decoder.decode(made[1])
    np.testing.assert_array_equal(first, kept)


def test_conceal_fills_a_gap() -> None:
    decoder = Decoder()
    for packet in packets(level(say("好"), -20))[:3]:
        decoder.decode(packet)
    assert len(decoder.conceal(960)) == 960
    assert len(decoder.conceal(0)) == 0
    for impossible in (-1, 1921, 961):
        with pytest.raises(OpusError, match="conceal"):
            decoder.conceal(impossible)


def test_reset_makes_coders_new() -> None:
    speech = level(say("好"), -20)[:960]
    encoder, decoder = Encoder(16000, 60), Decoder()
    packet = encoder.encode(speech)
    frame = decoder.decode(packet)
    encoder.encode(speech[::-1].copy())
    decoder.decode(packet)
    encoder.reset()
    decoder.reset()
    assert encoder.encode(speech) == packet
    np.testing.assert_array_equal(decoder.decode(packet), frame)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"rate_hz": 44100}, "rate_hz is 44100"),
        ({"frame_ms": 30}, "frame_ms is 30"),
        ({"bitrate": -5}, "bitrate -5: invalid argument"),
        ({"complexity": 11}, "complexity 11: invalid argument"),
        ({"application": "music"}, "application is 'music'"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, int], named: str) -> None:
    with pytest.raises(OpusError, match=named):
        Encoder(**{"rate_hz": 16000, "frame_ms": 60, **settings})  # type: ignore[arg-type]


def test_a_wrong_decoder_rate_is_named() -> None:
    with pytest.raises(OpusError, match="rate_hz is 22050"):
        Decoder(22050)


@pytest.mark.parametrize(
    "pcm", [np.zeros(959, np.int16), np.zeros(960, np.float32), np.zeros((2, 480), np.int16)]
)
def test_only_whole_int16_frames_are_encoded(pcm: Pcm) -> None:
    with pytest.raises(ValueError, match=r"int16\[960\] is encoded"):
        Encoder(16000, 60).encode(pcm)


def test_a_strided_frame_is_encoded_like_its_copy() -> None:
    stereo = np.arange(1920, dtype=np.int16)
    assert Encoder(16000, 60).encode(stereo[::2]) == Encoder(16000, 60).encode(stereo[::2].copy())


class Recording(Encoder):
    """An encoder whose packets are the samples themselves."""

    def encode(self, pcm: Pcm) -> bytes:
        assert len(pcm) == self.frame_samples
        return pcm.tobytes()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=20), st.sampled_from([20, 40, 60]))
def test_the_frame_encoder_loses_and_doubles_no_sample(sizes: list[int], frame_ms: int) -> None:
    encoder = FrameEncoder(Recording(16000, frame_ms))
    stream = np.arange(sum(sizes)).astype(np.int16)
    made: list[bytes] = []
    at = 0
    for size in sizes:
        made += encoder.push(stream[at : at + size])
        at += size
        assert len(made) == at // (16 * frame_ms)
    made += encoder.flush()
    assert encoder.flush() == []
    heard = np.frombuffer(b"".join(made), np.int16)
    np.testing.assert_array_equal(heard[: len(stream)], stream)
    assert not heard[len(stream) :].any()
    assert len(heard) - len(stream) < 16 * frame_ms


def test_the_frame_encoder_keeps_its_own_rest() -> None:
    encoder = FrameEncoder(Recording(16000, 20))
    buffer = np.ones(100, np.int16)
    encoder.push(buffer)
    buffer[:] = 7
    assert set(np.frombuffer(encoder.flush()[0], np.int16)) == {0, 1}


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_coders_work_after_a_fork() -> None:
    encoder, decoder = Encoder(16000, 60), Decoder()
    frame = level(say("好"), -20)[:960]
    packet = encoder.encode(frame)
    encoder.reset()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            good = encoder.encode(frame) == packet and len(decoder.decode(packet)) == 960
            os._exit(0 if good else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert encoder.encode(frame) == packet


def test_coders_are_freed() -> None:
    for _ in range(200):
        Decoder()
        Encoder(16000, 60)
    gc.collect()
    with open("/proc/self/statm") as file:
        before = int(file.read().split()[1])
    for _ in range(500):
        Decoder()
        Encoder(16000, 60)
    gc.collect()
    with open("/proc/self/statm") as file:
        grown_pages = int(file.read().split()[1]) - before
    assert grown_pages < 500, "500 coders of some 50 kB each must not stay"


def test_without_the_wheel_the_systems_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert opus._library_path() == "libopus.so.0"


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opus, "_library_path", lambda: "libno-such-opus.so.9")
    with pytest.raises(OpusError, match="install the package 'av'"):
        opus._library.__wrapped__()
