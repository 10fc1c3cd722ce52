"""Speech recognition engines; `create` makes the one that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.workers.interface import AsrEngine
    from cfg.model import AsrSettings


def create(settings: AsrSettings) -> AsrEngine:
    """Return the engine of `settings.kind`, not yet opened.

    Only that engine's module is imported: a worker carries the libraries of the
    one engine that it serves.
    """
    if settings.kind == "vosk":
        from actors.workers.asr.vosk import VoskEngine

        return VoskEngine(settings)
    from actors.workers.asr.openai import OpenAiTranscriptionEngine

    return OpenAiTranscriptionEngine(settings)
