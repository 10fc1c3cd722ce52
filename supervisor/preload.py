"""What every process shares: loaded once before the first fork.

A module imported here costs its memory once; a model and a codec that have run once
here save each session 6 MB. No Python thread may exist yet at this point.
"""

from __future__ import annotations

import numpy as np

from actors import log
from actors.audio import opus, silero
from actors.cache import libraries
from actors.cache.bank import bank_of
from actors.workers import asr, llm, tts
from cfg.model import Settings


def load(settings: Settings) -> None:
    """Import what the settings need, and warm up the session's model and codec."""
    import supervisor.root  # noqa: F401 - the whole tree's modules

    for create, engines in (
        (asr.create, settings.asr),
        (llm.create, settings.llm),
        (tts.create, settings.tts),
    ):
        for engine in engines:
            _import_engine(create, engine)
    if settings.answer_cache.enabled:
        libraries.load()  # 0.4 s that the answer cache's every restart is spared
        bank_of(settings)  # and 0.06 s
    packet = opus.Encoder(16000, 60).encode(np.zeros(960, np.int16))
    opus.Decoder(16000).decode(packet)
    try:
        silero.load()
        silero.VoiceActivity().probability(np.zeros(512, np.int16))
    except silero.VoiceActivityUnavailable as error:
        log.get().error("no voice activity model", reason=str(error))


def _import_engine(create: object, engine: object) -> None:
    """Making an engine imports its module; it opens nothing until a worker opens it."""
    try:
        create(engine)  # type: ignore[operator]
    except Exception as error:  # its worker will say so properly, and others may serve
        log.get().warning("engine not loaded", engine=type(engine).__name__, reason=str(error))
