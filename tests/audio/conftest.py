"""Real speech for the audio layer: eSpeak NG in process, the codec as devices set it, noise."""

from __future__ import annotations

import ctypes
import functools

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from actors.audio.opus import Encoder, FrameEncoder
from actors.audio.resample import Resampler

Pcm = NDArray[np.int16]

RATE_HZ = 16000
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_CHARS_UTF8 = 1
_RATE, _PITCH = 1, 3
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


@functools.cache
def _espeak() -> tuple[ctypes.CDLL, int]:
    """The library, and the rate of its samples. Its state is global: one caller at a time."""
    lib = ctypes.CDLL(espeakng_loader.get_library_path())
    lib.espeak_Initialize.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
    lib.espeak_SetSynthCallback.argtypes = (_Callback,)
    lib.espeak_SetVoiceByName.argtypes = (ctypes.c_char_p,)
    lib.espeak_SetParameter.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int)
    lib.espeak_Synth.argtypes = (
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    )
    data = espeakng_loader.get_data_path().encode()
    rate_hz = lib.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, 0)
    assert rate_hz > 0, "eSpeak NG did not start"
    return lib, rate_hz


@functools.cache
def say(text: str, voice: str = "cmn", words_per_minute: int = 175, pitch: int = 50) -> Pcm:
    """`text` as 16 kHz PCM, the silence around it cut off."""
    lib, rate_hz = _espeak()
    pieces: list[Pcm] = []

    def take(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if samples and count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    callback = _Callback(take)
    lib.espeak_SetSynthCallback(callback)
    assert lib.espeak_SetVoiceByName(voice.encode()) == 0, voice
    lib.espeak_SetParameter(_RATE, words_per_minute, 0)
    lib.espeak_SetParameter(_PITCH, pitch, 0)
    raw = text.encode()
    assert lib.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, _CHARS_UTF8, None, None) == 0
    pcm = Resampler(rate_hz, RATE_HZ).push(np.concatenate(pieces), last=True)
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 200)
    return pcm[loud[0] : loud[-1] + 1]


def level(pcm: Pcm, rms_db: float) -> Pcm:
    """The same sound at `rms_db` dBFS, clipped where it must be."""
    rms = float(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)))
    scaled = pcm * (32768 * 10 ** (rms_db / 20) / max(rms, 1.0))
    return np.clip(scaled, -32768, 32767).astype(np.int16)


def silence(ms: int) -> Pcm:
    return np.zeros(ms * RATE_HZ // 1000, np.int16)


def white_noise(ms: int, rms_db: float, seed: int = 1) -> Pcm:
    samples = np.random.default_rng(seed).standard_normal(ms * RATE_HZ // 1000)
    return level((samples * 3000).clip(-32768, 32767).astype(np.int16), rms_db)


def pink_noise(ms: int, rms_db: float, seed: int = 1) -> Pcm:
    """As a room or a fan sounds: the lower, the louder."""
    white = np.random.default_rng(seed).standard_normal(ms * RATE_HZ // 1000)
    spectrum = np.fft.rfft(white)
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    samples = np.fft.irfft(spectrum, len(white))
    return level((samples / np.abs(samples).max() * 20000).astype(np.int16), rms_db)


def hum(ms: int, rms_db: float, hz: int = 50) -> Pcm:
    """Mains hum with its harmonics."""
    t = np.arange(ms * RATE_HZ // 1000) / RATE_HZ
    wave = sum(np.sin(2 * np.pi * hz * k * t) / k for k in (1, 2, 3, 5))
    return level((wave * 5000).astype(np.int16), rms_db)


def mix(first: Pcm, second: Pcm) -> Pcm:
    both = first.astype(np.int32) + second[: len(first)]
    return both.clip(-32768, 32767).astype(np.int16)


def packets(pcm: Pcm, frame_ms: int = 60, dtx: bool = True) -> list[bytes]:
    """As a device sends it: audio application, complexity 0, DTX."""
    encoder = FrameEncoder(Encoder(RATE_HZ, frame_ms, complexity=0, application="audio", dtx=dtx))
    return encoder.push(pcm) + encoder.flush()
