"""Vosk: speech recognition in this process, many streams on one model.

Decoding runs on a few threads (the library lets go of Python's interpreter lock),
so a larger model never holds up the loop. Each stream has one recogniser; its lock
keeps a call that was given up while it ran apart from the next one.

The end of an utterance has threads of its own: a user waits for it, while of speech
that goes on nobody needs the text at once. The kernel shares the cores among them.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.workers.asr.models import PROBE_PCM, PROBE_TEXT, Model, ModelMissing, find
from actors.workers.interface import EngineError, EngineUnavailable, Health

if TYPE_CHECKING:
    from cfg.model import VoskAsr

SAMPLE_RATE_HZ = 16000
_SAMPLE_BYTES = 2
_MAX_THREADS = 4


def joined(text: str) -> str:
    """Return Vosk's words as people write them: spaces only between Latin words."""
    out = ""
    for word in text.split():
        if word == "[unk]":
            continue
        if out and out[-1].isascii() and word[0].isascii():
            out += " "
        out += word
    return out


class VoskStream:
    """One utterance on one recogniser; see `AsrStream`."""

    def __init__(
        self, recogniser: Any, threads: ThreadPoolExecutor, last_threads: ThreadPoolExecutor
    ) -> None:
        self._recogniser = recogniser
        self._threads = threads
        self._last_threads = last_threads
        self._lock = threading.Lock()
        self._segments: list[str] = []
        self._partial = ""

    async def feed(self, pcm: bytes) -> str | None:
        _check_whole(pcm)
        text = await self._run(self._threads, self._accept, pcm)
        if text == self._partial:
            return None
        self._partial = text
        return text

    async def finish(self, pcm: bytes = b"") -> str:
        _check_whole(pcm)
        return await self._run(self._last_threads, self._final, pcm)

    def close(self) -> None:
        # A call that still runs on a thread keeps its own reference until it ends.
        self._recogniser = None

    async def _run(self, threads: ThreadPoolExecutor, call: Any, pcm: bytes) -> str:
        recogniser = self._recogniser
        if recogniser is None:
            raise EngineError("the recognition is closed", retryable=False)
        loop = asyncio.get_running_loop()
        text: str = await loop.run_in_executor(threads, call, recogniser, pcm)
        return text

    def _accept(self, recogniser: Any, pcm: bytes) -> str:
        with self._lock:
            # Vosk ends a segment at a pause of its own choice; the utterance goes on.
            if recogniser.AcceptWaveform(pcm):
                self._segments.append(json.loads(recogniser.Result()).get("text", ""))
                return joined(" ".join(self._segments))
            partial = json.loads(recogniser.PartialResult()).get("partial", "")
            return joined(" ".join([*self._segments, partial]))

    def _final(self, recogniser: Any, pcm: bytes) -> str:
        with self._lock:
            if pcm and recogniser.AcceptWaveform(pcm):
                self._segments.append(json.loads(recogniser.Result()).get("text", ""))
            self._segments.append(json.loads(recogniser.FinalResult()).get("text", ""))
            return joined(" ".join(self._segments))


def _check_whole(pcm: bytes) -> None:
    if len(pcm) % _SAMPLE_BYTES:
        raise EngineError(
            f"speech of {len(pcm)} bytes is not whole 16-bit samples", retryable=False
        )


class VoskEngine:
    """`AsrEngine` on Vosk."""

    def __init__(self, settings: VoskAsr) -> None:
        self._settings = settings
        self._model: Any = None
        self._found: Model | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._last_threads: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Load the model: 15 ms for the tiny one, a second or two for a larger one."""
        try:
            found = find(self._settings.model)
        except ModelMissing as error:
            raise EngineUnavailable(str(error)) from error
        count = min(_MAX_THREADS, os.cpu_count() or 1)
        threads = ThreadPoolExecutor(count, thread_name_prefix="vosk")
        try:
            self._model = await asyncio.get_running_loop().run_in_executor(
                threads, _load, found.folder
            )
        except EngineUnavailable:
            threads.shutdown(wait=False)
            raise
        self._found, self._threads = found, threads
        self._last_threads = ThreadPoolExecutor(count, thread_name_prefix="vosk-last")

    def stream(self) -> VoskStream:
        if self._model is None or self._threads is None or self._last_threads is None:
            raise EngineUnavailable("the Vosk engine is not open")
        import vosk

        recogniser = vosk.KaldiRecognizer(self._model, SAMPLE_RATE_HZ)
        return VoskStream(recogniser, self._threads, self._last_threads)

    async def probe(self) -> Health:
        """Recognise a recorded sentence. Only the tiny model must get its very words:
        a model trained on people need not understand a synthetic voice."""
        if self._found is None:
            return Health(False, "the Vosk engine is not open")
        detail: dict[str, Any] = {
            "model": self._found.name,
            "folder": str(self._found.folder),
            "tiny": self._found.tiny,
            "understands": self._found.limits,
        }
        try:
            stream = self.stream()
            await stream.feed(PROBE_PCM.read_bytes())
            heard = await stream.finish()
            stream.close()
        except (EngineError, OSError) as error:
            return Health(False, f"the probe sentence could not be recognised: {error}", detail)
        detail["probe_heard"] = heard
        if self._found.tiny and heard != PROBE_TEXT:
            return Health(False, f"the probe heard {heard!r} instead of {PROBE_TEXT!r}", detail)
        return Health(True, "", detail)

    async def close(self) -> None:
        self._model, self._found = None, None
        for threads in (self._threads, self._last_threads):
            if threads is not None:
                threads.shutdown(wait=False, cancel_futures=True)
        self._threads = self._last_threads = None


def _load(folder: Path) -> Any:
    try:
        import vosk
    except (ImportError, OSError) as error:
        raise EngineUnavailable(
            f"Vosk cannot be loaded ({error}); install the package vosk"
        ) from error
    vosk.SetLogLevel(-1)
    try:
        return vosk.Model(str(folder))
    except Exception as error:  # the library raises the bare class, without a reason
        raise EngineUnavailable(
            f"Vosk cannot load the model in {folder}; remove the folder and fetch it again"
        ) from error
