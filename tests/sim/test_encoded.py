"""What a microphone sends: firmware's frames, quiet included, and where the words are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actors.audio.opus import Decoder, Encoder, FrameEncoder
from sim.answer import audible_at, decode_answer
from sim.encoded import encode_speech, quiet, recorded, spoken
from sim.sound import Pcm
from sim.speech import say, write_wav
from sim.timeline import Frame


def decoded(packets: tuple[bytes, ...], rate_hz: int = 16000) -> Pcm:
    decoder = Decoder(rate_hz)
    return np.concatenate([decoder.decode(packet) for packet in packets])


@pytest.mark.parametrize("frame_ms", [20, 40, 60])
def test_every_packet_holds_exactly_one_frame(frame_ms: int) -> None:
    speech = spoken("打开客厅的灯", frame_ms)
    for packets in (speech.packets, speech.tail, quiet(frame_ms)):
        assert len(decoded(packets)) == len(packets) * frame_ms * 16
    assert speech.duration_ms == len(speech.packets) * frame_ms


def test_speech_is_where_it_says() -> None:
    silence = np.zeros(16000, np.int16)
    pcm = np.concatenate([silence, say("你好"), silence])
    speech = encode_speech(pcm, "你好")
    assert 0 <= speech.first_audible_ms <= 60
    assert speech.duration_ms - 60 <= speech.last_audible_ms <= speech.duration_ms
    assert speech.duration_ms < len(say("你好")) / 16 + 90
    sound = decoded(speech.packets).astype(float)
    assert np.sqrt(np.mean(sound**2)) > 1000


def test_quiet_is_dtx_and_noise_is_not() -> None:
    still = quiet(60)
    assert sum(len(packet) <= 3 for packet in still) > 0.7 * len(still)
    assert max(len(packet) for packet in still) < 30
    noisy = quiet(60, -50.0)
    assert sum(map(len, noisy)) > 3 * sum(map(len, still))


def test_the_tail_falls_silent() -> None:
    tail = spoken("你好").tail
    assert all(len(packet) <= 20 for packet in tail[5:])


def test_silent_speech_still_has_an_end() -> None:
    speech = encode_speech(np.zeros(9600, np.int16), "nothing")
    assert speech.last_audible_ms == speech.duration_ms == 600


def test_speech_is_encoded_once(tmp_path: Path) -> None:
    assert spoken("你好") is spoken("你好", 60)
    assert spoken("你好") is not spoken("你好", voice="cmn+f2")
    path = tmp_path / "hello.wav"
    write_wav(path, say("你好"), 16000)
    assert recorded(str(path)).text == "hello.wav"
    assert recorded(str(path)).packets == spoken("你好").packets


# --- the answer's sound -----------------------------------------------------------


def frames_of(pcm: Pcm, starts_at: float = 5.0, hole_s: float = 0.0) -> list[Frame]:
    """24 kHz PCM as frames that play back to back, with a hole before the third."""
    packets = FrameEncoder(Encoder(24000, 60)).push(pcm)
    return [
        Frame(1.0, packet, "accepted", starts_at + index * 0.06 + (hole_s if index > 1 else 0))
        for index, packet in enumerate(packets)
    ]


def test_the_first_audible_sample_is_found_behind_silent_frames() -> None:
    pcm = np.concatenate([np.zeros(24000 * 18 // 100, np.int16), say("你好", rate_hz=24000)])
    at = audible_at(frames_of(pcm), 24000)
    assert at is not None
    assert 5.16 <= at <= 5.26
    assert audible_at(frames_of(np.zeros(14400, np.int16)), 24000) is None
    assert audible_at([], 24000) is None


def test_holes_are_kept_and_garbage_is_concealed() -> None:
    frames = frames_of(say("你好你好", rate_hz=24000)[: 1440 * 6], hole_s=0.1)
    assert len(decode_answer(frames, 24000, 60)) == 6 * 1440 + 2400
    garbage = [*frames[:3], Frame(1.0, b"\xff\xff\xff", "accepted", 5.28), *frames[4:]]
    assert len(decode_answer(garbage, 24000, 60)) == 6 * 1440 + 2400
    assert audible_at([Frame(1.0, b"\xff\xff\xff", "accepted", 5.0)], 24000) is None


def test_frames_that_never_played_are_not_heard() -> None:
    lost = [Frame(1.0, frame.opus, "queue full", None) for frame in frames_of(say("好"))]
    assert len(decode_answer(lost, 24000, 60)) == 0
