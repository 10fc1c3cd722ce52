"""Recognition by an OpenAI-compatible service: POST /audio/transcriptions.

The service takes a whole file, so speech is collected and posted as WAV at the
end; there are no partial texts. A session that speculates on partials does not
gain from this engine: it is a backup.
"""

from __future__ import annotations

import asyncio
import io
import wave
from typing import TYPE_CHECKING, Any

from actors.workers.asr.models import PROBE_PCM
from actors.workers.interface import EngineError, EngineUnavailable, Health
from actors.workers.remote import CALL_ERRORS, client_of, engine_error
from actors.workers.seen import Seen

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from cfg.model import OpenAiAsr

SAMPLE_RATE_HZ = 16000
_SAMPLE_BYTES = 2

#: The longest utterance that the settings allow, as PCM.
MAX_PCM_BYTES = 120 * SAMPLE_RATE_HZ * _SAMPLE_BYTES

#: Services refuse files under 100 ms, and no word is that short.
MIN_PCM_BYTES = SAMPLE_RATE_HZ // 10 * _SAMPLE_BYTES


def as_wav(pcm: bytes) -> bytes:
    """Return `pcm` (16 kHz s16le mono) as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_SAMPLE_BYTES)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(pcm)
    return out.getvalue()


class TranscriptionStream:
    """One utterance, kept until `finish`; see `AsrStream`."""

    def __init__(self, engine: OpenAiTranscriptionEngine) -> None:
        self._engine = engine
        self._pcm = bytearray()
        self._closed = False
        self._request: asyncio.Task[str] | None = None

    async def feed(self, pcm: bytes) -> str | None:
        self._check_open()
        if len(self._pcm) + len(pcm) > MAX_PCM_BYTES:
            raise EngineError(
                f"the utterance is longer than {MAX_PCM_BYTES // SAMPLE_RATE_HZ // 2} s",
                retryable=False,
            )
        self._pcm += pcm
        return None

    async def finish(self, pcm: bytes = b"") -> str:
        await self.feed(pcm)
        if len(self._pcm) < MIN_PCM_BYTES:
            return ""
        self._request = asyncio.ensure_future(self._engine.transcribe(bytes(self._pcm)))
        try:
            return await self._request
        except asyncio.CancelledError:
            if self._closed:  # `close` gave the request up, nobody cancelled the caller
                self._check_open()
            raise
        finally:
            self._request.cancel()

    def close(self) -> None:
        self._closed = True
        self._pcm.clear()
        if self._request is not None:
            self._request.cancel()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("the recognition is closed", retryable=False)


class OpenAiTranscriptionEngine:
    """`AsrEngine` on an OpenAI-compatible service."""

    def __init__(self, settings: OpenAiAsr) -> None:
        self._settings = settings
        self._client: AsyncOpenAI | None = None
        self._seen = Seen()

    async def open(self) -> None:
        """Make the client; the network is not touched before the first utterance."""
        self._client = client_of(self._settings)

    def stream(self) -> TranscriptionStream:
        return TranscriptionStream(self)

    async def transcribe(self, pcm: bytes) -> str:
        """Return the text of `pcm` (16 kHz s16le mono); `EngineError` when that fails."""
        if self._client is None:
            raise EngineUnavailable("the OpenAI-compatible recognition engine is not open")
        try:
            answer = await self._client.audio.transcriptions.create(
                model=self._settings.model,
                file=("speech.wav", as_wav(pcm), "audio/wav"),
                response_format="json",
            )
        except CALL_ERRORS as error:
            self._seen.failed()
            raise engine_error(error, self._settings) from error
        text = getattr(answer, "text", None)
        if not isinstance(text, str):
            self._seen.failed()
            raise EngineError("the transcription service answered without a text; check base_url")
        self._seen.worked(asyncio.get_running_loop().time())
        return text.strip()

    async def probe(self) -> Health:
        """Trust a recent success; else have one recorded sentence transcribed.

        What was heard is shown, not judged: the sentence is a synthetic voice.
        """
        detail: dict[str, Any] = {
            "base_url": self._settings.base_url.rpartition("@")[2],
            "model": self._settings.model,
        }
        age_s = self._seen.age_s(asyncio.get_running_loop().time())
        if age_s is not None:
            return Health(True, "", detail | {"worked_s_ago": round(age_s, 1)})
        try:
            heard = await self.transcribe(PROBE_PCM.read_bytes())
        except EngineError as error:
            return Health(False, error.reason, detail)
        return Health(True, "", detail | {"probe_heard": heard})

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None
