"""Short utterances whose packets tell who asks what, made once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sim.encoded import encode_speech
from sim.sound import DEVICE_RATE_HZ
from sim.swarm.questions import sums
from sim.swarm.utterances import Utterance

SPEECH_MS = 540


@lru_cache
def utterances(device: int, devices: int = 4, count: int = 3) -> tuple[Utterance, ...]:
    """`count` sums as tones: not speech, but different packets for each."""
    made = []
    for number, question in enumerate(sums(1, device, devices, count, "{a}加{b}等于几")):
        source = np.random.default_rng([device, number])
        times = np.arange(DEVICE_RATE_HZ * SPEECH_MS // 1000) / DEVICE_RATE_HZ
        pitch = 200 + 50 * device + 17 * number
        sound = 8000 * np.sin(2 * np.pi * pitch * times) + source.normal(0, 500, len(times))
        speech = encode_speech(sound.astype(np.int16), question.text)
        made.append(Utterance(question, speech, 165))
    return tuple(made)
