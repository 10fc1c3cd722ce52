"""Language models behind one small interface, each imported only when configured."""

from __future__ import annotations

from actors.workers.interface import LlmEngine
from cfg.model import LlmSettings, OllamaLlm, OpenAiLlm


def create(settings: LlmSettings) -> LlmEngine:
    """The engine that these settings describe; it is not opened yet."""
    if isinstance(settings, OllamaLlm):
        from actors.workers.llm.ollama import OllamaEngine

        return OllamaEngine(settings)
    if isinstance(settings, OpenAiLlm):
        from actors.workers.llm.openai import OpenAiEngine

        return OpenAiEngine(settings)
    from actors.workers.llm.rules import RulesEngine

    return RulesEngine(settings)
