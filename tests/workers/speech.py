"""Speech for tests, and what is understood of speech: the embedded engines themselves."""

from __future__ import annotations

import numpy as np
import soxr

from actors.workers.asr import create as create_recogniser
from actors.workers.tts import create as create_voice
from cfg.model import EspeakTts, VoskAsr

RATE_HZ = 16000


async def spoken(text: str) -> bytes:
    """`text` by eSpeak NG, 16 kHz s16le mono, with 200 ms of silence around it."""
    engine = create_voice(EspeakTts())
    await engine.open()
    pcm = b"".join([chunk async for chunk in engine.synthesise(text)])
    at_16k = soxr.resample(np.frombuffer(pcm, np.int16), engine.sample_rate_hz, RATE_HZ)
    quiet = np.zeros(RATE_HZ // 5, np.int16)
    return np.concatenate([quiet, at_16k, quiet]).tobytes()


async def understood(pcm: bytes, rate_hz: int) -> str:
    """The text that Vosk with the tiny model hears in s16le mono PCM."""
    engine = create_recogniser(VoskAsr(model="tiny"))
    await engine.open()
    stream = engine.stream()
    await stream.feed(soxr.resample(np.frombuffer(pcm, np.int16), rate_hz, RATE_HZ).tobytes())
    text = await stream.finish()
    stream.close()
    await engine.close()
    return text
