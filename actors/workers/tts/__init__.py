"""Speech synthesis engines; `create` makes the one that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.workers.interface import TtsEngine
    from cfg.model import TtsSettings


def create(settings: TtsSettings) -> TtsEngine:
    """Return the engine of `settings.kind`, not yet opened.

    Only that engine's module is imported: a worker carries the libraries of the
    one engine that it serves.
    """
    if settings.kind == "espeak":
        from actors.workers.tts.espeak import EspeakEngine

        return EspeakEngine(settings)
    if settings.kind == "edge":
        from actors.workers.tts.edge import EdgeEngine

        return EdgeEngine(settings)
    from actors.workers.tts.openai import OpenAiSpeechEngine

    return OpenAiSpeechEngine(settings)
