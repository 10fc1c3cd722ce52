"""Servers whose engines are the production clients, each against a stand-in of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.workers.standin import StandIn

#: What takes over when a production engine fails.
FALLBACK: dict[str, list[dict[str, Any]]] = {
    "asr": [{"kind": "vosk", "model": "tiny", "weight": 0}],
    "llm": [{"kind": "rules", "weight": 0}],
    "tts": [{"kind": "espeak", "weight": 0}],
}
#: For tests of models and voices: what was said before would need neither.
NO_CACHES: dict[str, dict[str, Any]] = {
    "answer_cache": {"enabled": False},
    "sound_cache": {"enabled": False},
}
EMBEDDED = {"asr": "vosk", "llm": "rules", "tts": "espeak"}


@dataclass(frozen=True)
class StandIns:
    """The processes; the three openai ones are apart so that each can fail alone."""

    ollama: StandIn
    edge: StandIn
    chat: StandIn
    recognition: StandIn
    voice: StandIn

    def every(self) -> tuple[StandIn, ...]:
        return (self.ollama, self.edge, self.chat, self.recognition, self.voice)

    def heal(self) -> None:
        """No faults and no delays any more."""
        for stand_in in self.every():
            stand_in.faults()

    # --- one engine each, as the settings file has it ---

    def ollama_llm(self, **settings: Any) -> dict[str, Any]:
        return {"kind": "ollama", "base_url": f"http://127.0.0.1:{self.ollama.port}", **settings}

    def edge_tts(self, **settings: Any) -> dict[str, Any]:
        url = f"ws://127.0.0.1:{self.edge.port}/edge/v1?TrustedClientToken=any"
        return {"kind": "edge", "service_url": url, **settings}

    def openai_asr(self, **settings: Any) -> dict[str, Any]:
        return {"kind": "openai", "base_url": _v1(self.recognition), **settings}

    def openai_llm(self, **settings: Any) -> dict[str, Any]:
        return {"kind": "openai", "model": "qwen-plus", "base_url": _v1(self.chat), **settings}

    def openai_tts(self, **settings: Any) -> dict[str, Any]:
        return {"kind": "openai", "base_url": _v1(self.voice), **settings}


def _v1(stand_in: StandIn) -> str:
    return f"http://127.0.0.1:{stand_in.port}/v1"


@contextmanager
def running() -> Iterator[StandIns]:
    """All five, started side by side."""
    kinds = ("ollama", "edge", "openai", "openai", "openai")
    with ThreadPoolExecutor(len(kinds)) as threads:
        started = list(threads.map(StandIn, kinds))
    try:
        yield StandIns(*started)
    finally:
        for stand_in in started:
            stand_in.stop()
