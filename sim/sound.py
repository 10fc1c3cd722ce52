"""Where the sound is in PCM, and noise to lay over it.

Pure. PCM is a one-dimensional int16 array, mono.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

#: What devices send (protocol section 3).
DEVICE_RATE_HZ = 16000

#: Speech ends where 10 ms windows stay below this share of the loudest one (-30 dB) ...
_RELATIVE_SILENCE = 10 ** (-30 / 20)
#: ... or below this RMS (-50 dB of full scale), whichever is higher.
_ABSOLUTE_SILENCE = 32768 * 10 ** (-50 / 20)


def audible_span(pcm: Pcm, rate_hz: int) -> tuple[int, int] | None:
    """First audible sample and the one after the last, to 10 ms; None for silence.

    A window counts when its RMS is above both -50 dB of full scale and -30 dB of the
    loudest window, so background noise of a recording is not taken for speech.
    """
    window = rate_hz // 100
    rms = _window_rms(pcm, rate_hz)
    if not len(rms):
        return None
    loud = np.flatnonzero(rms > max(_ABSOLUTE_SILENCE, float(rms.max()) * _RELATIVE_SILENCE))
    if not len(loud):
        return None
    return int(loud[0]) * window, min(len(pcm), (int(loud[-1]) + 1) * window)


def first_audible(pcm: Pcm, rate_hz: int) -> int | None:
    """Start of the first 10 ms window above -50 dB of full scale; None for silence."""
    rms = _window_rms(pcm, rate_hz)
    loud = np.flatnonzero(rms > _ABSOLUTE_SILENCE)
    return int(loud[0]) * (rate_hz // 100) if len(loud) else None


def add_noise(pcm: Pcm, noise_dbfs: float, seed: int) -> Pcm:
    """`pcm` with white noise of this RMS level (dB of full scale) added."""
    noise = np.random.default_rng(seed).standard_normal(len(pcm)) * 32768 * 10 ** (noise_dbfs / 20)
    return np.clip(pcm + noise, -32768, 32767).astype(np.int16)


def _window_rms(pcm: Pcm, rate_hz: int) -> NDArray[np.float32]:
    """RMS of each 10 ms window; the last one is padded with silence."""
    window = rate_hz // 100
    count = -(-len(pcm) // window)
    padded = np.zeros(count * window, np.float32)
    padded[: len(pcm)] = pcm
    rms: NDArray[np.float32] = np.sqrt(np.mean(padded.reshape(count, window) ** 2, axis=1))
    return rms
