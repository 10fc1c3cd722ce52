"""What a listener would understand of an answer: Vosk with the embedded tiny model.

A rough check by ear: the model knows eSpeak NG's voices and household sentences, and
neither other voices nor free speech.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import soxr

from sim.sound import Pcm
from sim.speech import SpeechError

MODEL = Path(__file__).resolve().parent.parent / "actors" / "workers" / "asr" / "tiny" / "model"
_RATE_HZ = 16000


def understand(pcm: Pcm, rate_hz: int, model: Path = MODEL) -> str:
    """The words that Vosk finds, without spaces. Raises `SpeechError` without a model."""
    from vosk import KaldiRecognizer

    if not len(pcm):
        return ""
    recogniser = KaldiRecognizer(_model(model), _RATE_HZ)
    samples: Pcm = pcm if rate_hz == _RATE_HZ else soxr.resample(pcm, rate_hz, _RATE_HZ)
    recogniser.AcceptWaveform(samples.astype("<i2").tobytes())
    text = json.loads(recogniser.FinalResult()).get("text", "")
    return str(text).replace(" ", "")


@lru_cache(maxsize=1)
def _model(folder: Path) -> Any:
    from vosk import Model, SetLogLevel

    if not folder.is_dir():
        raise SpeechError(f"{folder}: the recogniser's model is not there; leave --hear out")
    SetLogLevel(-1)
    return Model(str(folder))
