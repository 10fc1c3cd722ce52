"""Speech from an OpenAI-compatible service: POST /audio/speech, raw PCM as it comes.

The rate of the `pcm` format is not part of the answer: OpenAI's own is 24 kHz, and
the setting `pcm_rate_hz` tells another service's. What is not PCM is refused, since
played as PCM it would be noise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from actors.workers.interface import EngineError, EngineUnavailable, Health
from actors.workers.remote import CALL_ERRORS, client_of, engine_error
from actors.workers.seen import Seen
from actors.workers.tts.text import has_speech, plain

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from cfg.model import OpenAiTts

_SAMPLE_BYTES = 2
_PROBE_TEXT = "好"


class OpenAiSpeechEngine:
    """`TtsEngine` on an OpenAI-compatible service."""

    def __init__(self, settings: OpenAiTts) -> None:
        self._settings = settings
        self._client: AsyncOpenAI | None = None
        self._seen = Seen()

    @property
    def sample_rate_hz(self) -> int:
        return self._settings.pcm_rate_hz

    async def open(self) -> None:
        """Make the client; the network is not touched before the first text."""
        self._client = client_of(self._settings)

    async def synthesise(self, text: str) -> AsyncIterator[bytes]:
        """Yield PCM as it comes. Closing the iterator closes the connection, by
        which the service learns that nobody listens any more."""
        if self._client is None:
            raise EngineUnavailable("the OpenAI-compatible speech engine is not open")
        if not has_speech(text):
            return
        rest, sent = b"", 0
        try:
            async with (
                self._client.audio.speech.with_streaming_response.create(
                    model=self._settings.model,
                    voice=self._settings.voice,
                    input=plain(text),
                    response_format="pcm",
                ) as response,
                aclosing(cast(Any, response.iter_bytes())) as chunks,
            ):
                async for data in chunks:
                    if not sent:
                        _check_is_pcm(response.headers.get("content-type", ""), data)
                    data = rest + data
                    whole = len(data) - len(data) % _SAMPLE_BYTES
                    rest = data[whole:]
                    if whole:
                        sent += whole
                        yield data[:whole]
        except CALL_ERRORS as error:
            self._seen.failed()
            raise engine_error(error, self._settings) from error
        if not sent:
            self._seen.failed()
            raise EngineError("the speech service answered without audio; check model and voice")
        self._seen.worked(asyncio.get_running_loop().time())

    async def probe(self) -> Health:
        """Trust a recent success; else speak one syllable."""
        detail: dict[str, Any] = {
            "base_url": self._settings.base_url.rpartition("@")[2],
            "model": self._settings.model,
            "voice": self._settings.voice,
        }
        age_s = self._seen.age_s(asyncio.get_running_loop().time())
        if age_s is not None:
            return Health(True, "", detail | {"worked_s_ago": round(age_s, 1)})
        try:
            async for _ in self.synthesise(_PROBE_TEXT):
                pass
        except EngineError as error:
            return Health(False, error.reason, detail)
        return Health(True, "", detail)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None


def _check_is_pcm(content_type: str, data: bytes) -> None:
    """Raise `EngineError` when the answer is a file format instead of bare samples."""
    kind = content_type.partition(";")[0].strip().lower()
    compressed = {"audio/mpeg", "audio/mp3", "audio/ogg", "audio/opus", "audio/aac", "audio/flac"}
    if kind in compressed or kind in {"application/json", "text/html"}:
        raise EngineError(f"the speech service sent {kind} although pcm was asked for")
    if data.startswith((b"RIFF", b"OggS", b"fLaC", b"ID3")):
        raise EngineError(
            f"the speech service sent a {data[:4].decode(errors='replace').strip()} file "
            "although pcm was asked for"
        )
