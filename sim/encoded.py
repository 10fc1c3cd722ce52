"""What a simulated microphone sends, encoded once and shared by every device.

Packets are made with the firmware's encoder settings (protocol section 3: 16 kHz
mono, AUDIO application, VBR, complexity 0, DTX on). An encoder that runs for each of
50 devices would cost more than the server under test; packets from memory cost
nothing. The stream that a device sends is quiet → speech → its own tail → quiet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from actors.audio.opus import Encoder
from sim.sound import DEVICE_RATE_HZ, Pcm, add_noise, audible_span
from sim.speech import read_wav, say

#: The firmware says OPUS_AUTO; for speech at 16 kHz libopus then takes about this.
_BITRATE = 24000
#: Quiet encoded before speech so that the encoder is in the state of an open microphone.
_PRIMING_MS = 600
#: Quiet encoded after speech by the same encoder, until it is in its steady DTX state.
_TAIL_MS = 1200
#: Length of the quiet that an open microphone repeats.
_QUIET_MS = 12000


@dataclass(frozen=True, slots=True)
class EncodedSpeech:
    """One utterance as Opus packets of `frame_ms`, and where its sound is.

    `first_audible_ms` and `last_audible_ms` count from the start of `packets`;
    `tail` is the quiet after it, still from the same encoder. `text` is what is
    said, or the file's name.
    """

    text: str
    frame_ms: int
    packets: tuple[bytes, ...] = field(repr=False)
    tail: tuple[bytes, ...] = field(repr=False)
    first_audible_ms: float
    last_audible_ms: float

    @property
    def duration_ms(self) -> int:
        return len(self.packets) * self.frame_ms


def encode_speech(
    pcm: Pcm, text: str, frame_ms: int = 60, ambient_dbfs: float | None = None, seed: int = 0
) -> EncodedSpeech:
    """Encode 16 kHz PCM; silence before and after the sound is kept up to one frame.

    `ambient_dbfs` lays white room noise of that level over everything. Silent PCM
    stays whole and counts as sound, so that latencies have an origin.
    """
    start, end = audible_span(pcm, DEVICE_RATE_HZ) or (0, len(pcm))
    samples = DEVICE_RATE_HZ * frame_ms // 1000
    start = max(0, start - samples // 2)
    frames = -(-(min(len(pcm), end + samples // 4) - start) // samples)
    body = np.zeros(frames * samples, np.int16)
    cut = pcm[start : start + len(body)]
    body[: len(cut)] = cut
    primed, tail = (-(-ms // frame_ms) * samples for ms in (_PRIMING_MS, _TAIL_MS))
    whole = np.concatenate([np.zeros(primed, np.int16), body, np.zeros(tail, np.int16)])
    if ambient_dbfs is not None:
        whole = add_noise(whole, ambient_dbfs, seed)
    packets = _encode(whole, frame_ms)[primed // samples :]
    audible = audible_span(body, DEVICE_RATE_HZ) or (0, len(body))
    return EncodedSpeech(
        text=text,
        frame_ms=frame_ms,
        packets=packets[:frames],
        tail=packets[frames:],
        first_audible_ms=audible[0] * 1000 / DEVICE_RATE_HZ,
        last_audible_ms=audible[1] * 1000 / DEVICE_RATE_HZ,
    )


def spoken(
    text: str,
    frame_ms: int = 60,
    voice: str = "cmn",
    speed_wpm: int = 175,
    pitch: int = 50,
    ambient_dbfs: float | None = None,
) -> EncodedSpeech:
    """`text` spoken by eSpeak NG, encoded; kept in memory. Raises `speech.SpeechError`."""
    return _spoken(text, frame_ms, voice, speed_wpm, pitch, ambient_dbfs)


@lru_cache(maxsize=512)
def _spoken(
    text: str, frame_ms: int, voice: str, speed_wpm: int, pitch: int, ambient_dbfs: float | None
) -> EncodedSpeech:
    return encode_speech(say(text, voice, speed_wpm, pitch), text, frame_ms, ambient_dbfs)


@lru_cache(maxsize=128)
def recorded(path: str, frame_ms: int = 60, ambient_dbfs: float | None = None) -> EncodedSpeech:
    """A WAV file, encoded; kept in memory. Raises `speech.SpeechError`."""
    name = path.rsplit("/", 1)[-1]
    return encode_speech(read_wav(path), name, frame_ms, ambient_dbfs)


@lru_cache(maxsize=16)
def quiet(frame_ms: int = 60, ambient_dbfs: float | None = None) -> tuple[bytes, ...]:
    """Packets of an open microphone that hears nothing; repeat them for as long as needed.

    Without `ambient_dbfs` it is digital silence, which DTX makes 1 to 3 bytes long.
    """
    primed = -(-_PRIMING_MS // frame_ms)
    total = primed + -(-_QUIET_MS // frame_ms)
    silence: Pcm = np.zeros(total * DEVICE_RATE_HZ * frame_ms // 1000, np.int16)
    if ambient_dbfs is not None:
        silence = add_noise(silence, ambient_dbfs, seed=total)
    return _encode(silence, frame_ms)[primed:]


def _encode(pcm: Pcm, frame_ms: int) -> tuple[bytes, ...]:
    encoder = Encoder(
        DEVICE_RATE_HZ, frame_ms, bitrate=_BITRATE, complexity=0, application="audio", dtx=True
    )
    size = encoder.frame_samples
    return tuple(encoder.encode(pcm[at : at + size]) for at in range(0, len(pcm), size))
