"""Speech for simulated devices: spoken by eSpeak NG in this process, or read from WAV files.

PCM is always a one-dimensional int16 array, mono; rates are in hertz. `say` keeps
the last utterances in memory, because a swarm speaks the same sentences many times.
eSpeak NG keeps one global state per process: calls are serialised by a lock, and each
call sets all of that state anew, since the product's own engine may live in the same
process (not on another thread at the same moment: the two know no common lock).
"""

from __future__ import annotations

import ctypes
import threading
import wave
from functools import lru_cache
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np
import soxr

from sim.sound import DEVICE_RATE_HZ, Pcm

#: Constants of eSpeak NG's speak_lib.h.
_SYNCHRONOUS_OUTPUT = 2
_POSITION_IS_CHARACTER = 1
_TEXT_IS_UTF8 = 1
_SPEED, _PITCH = 1, 3
_SYNTH_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class SpeechError(Exception):
    """Speech that cannot be made or read; the text says what would mend it."""


class _Espeak:
    """The library, started once. Create it through `_espeak()`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chunks: list[Pcm] = []
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = str(espeakng_loader.get_data_path()).encode()
        self.rate_hz = int(self._library.espeak_Initialize(_SYNCHRONOUS_OUTPUT, 0, data, 0))
        if self.rate_hz <= 0:
            raise SpeechError("eSpeak NG did not start; reinstall the package espeakng-loader")
        self._callback = _SYNTH_CALLBACK(self._collect)  # kept: the library holds the pointer

    def _collect(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0  # go on

    def say(self, text: str, voice: str, speed_wpm: int, pitch: int) -> Pcm:
        encoded = text.encode() + b"\0"
        with self._lock:
            self._chunks = []
            # another user of the library in this process may have set its own since
            self._library.espeak_SetSynthCallback(self._callback)
            if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
                raise SpeechError(
                    f"voice {voice!r} is unknown to eSpeak NG; try cmn, cmn+f2, yue or en"
                )
            self._library.espeak_SetParameter(_SPEED, speed_wpm, 0)
            self._library.espeak_SetParameter(_PITCH, pitch, 0)
            failed = self._library.espeak_Synth(
                encoded, len(encoded), 0, _POSITION_IS_CHARACTER, 0, _TEXT_IS_UTF8, None, None
            )
            chunks, self._chunks = self._chunks, []
        if failed or not chunks:
            raise SpeechError(f"eSpeak NG made no sound of {text!r}; give it words to say")
        return np.concatenate(chunks)


@lru_cache(maxsize=1)
def _espeak() -> _Espeak:
    return _Espeak()


def say(
    text: str,
    voice: str = "cmn",
    speed_wpm: int = 175,
    pitch: int = 50,
    rate_hz: int = DEVICE_RATE_HZ,
) -> Pcm:
    """`text` spoken by eSpeak NG; a read-only array, the same one for the same arguments.

    eSpeak NG puts a little noise into consonants, so another process gets other samples.

    `speed_wpm` is words per minute (80..450), `pitch` 0..99. Raises `SpeechError`
    for text without words and for a voice that eSpeak NG does not have.
    """
    return _said(text, voice, speed_wpm, pitch, rate_hz)


@lru_cache(maxsize=256)
def _said(text: str, voice: str, speed_wpm: int, pitch: int, rate_hz: int) -> Pcm:
    if not text.strip():
        raise SpeechError("there is no text to say; give at least one word")
    engine = _espeak()
    spoken = _resampled(engine.say(text, voice, speed_wpm, pitch), engine.rate_hz, rate_hz)
    spoken.setflags(write=False)
    return spoken


def read_wav(path: Path | str, rate_hz: int = DEVICE_RATE_HZ) -> Pcm:
    """The samples of a WAV file, mixed to mono and resampled to `rate_hz`.

    Reads PCM of 8, 16, 24 and 32 bits. Raises `SpeechError` with the path and the
    reason when the file is missing, is no such WAV, or holds no sample.
    """
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, from_hz = (
                file.getsampwidth(),
                file.getnchannels(),
                file.getframerate(),
            )
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise SpeechError(f"{path}: cannot be read as WAV ({error}); give a PCM WAV file") from None
    whole = len(data) - len(data) % (width * channels)
    samples = _as_int16(data[:whole], width).reshape(-1, channels)
    if not len(samples):
        raise SpeechError(f"{path}: holds no sample")
    mono = samples[:, 0] if channels == 1 else samples.mean(axis=1).astype(np.int16)
    return _resampled(np.ascontiguousarray(mono), from_hz, rate_hz)


def write_wav(path: Path | str, pcm: Pcm, rate_hz: int) -> None:
    """Write mono 16-bit PCM; raises `SpeechError` when the file cannot be written."""
    try:
        with open(path, "wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate_hz)
            file.writeframes(pcm.astype("<i2").tobytes())
    except OSError as error:
        raise SpeechError(f"{path}: cannot be written ({error.strerror})") from None


def _as_int16(data: bytes, width: int) -> Pcm:
    """Little-endian WAV samples of `width` bytes (1..4), reduced to 16 bits."""
    if width == 1:  # the one unsigned format of WAV
        return ((np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8).astype(np.int16)
    top_bytes = np.frombuffer(data, np.uint8).reshape(-1, width)[:, -2:]
    return np.ascontiguousarray(top_bytes).view("<i2").reshape(-1).astype(np.int16)


def _resampled(pcm: Pcm, from_hz: int, to_hz: int) -> Pcm:
    if from_hz == to_hz:
        return pcm
    resampled: Pcm = soxr.resample(pcm, from_hz, to_hz)
    return resampled
