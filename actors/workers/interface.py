"""What an engine is: the small interface behind each worker pool.

An engine lives in one worker process, on its engine thread's asyncio loop. It
may block the loop for a few milliseconds (a local model), never for a network.
It knows nothing of actors, turns or routing: the worker actor gives it work,
cancels it by closing the stream or cancelling the task, and turns `EngineError`
into a message. Every wait inside an engine has a deadline from its settings.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol


class EngineError(Exception):
    """Work failed. `retryable`: the same work may succeed on another engine."""

    def __init__(self, reason: str, *, retryable: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retryable = retryable


class EngineUnavailable(EngineError):
    """The engine cannot serve at all; the reason names what is missing and the fix."""


@dataclass(frozen=True, slots=True)
class Health:
    """An honest probe: `ok` only if the engine was seen to work.

    `detail` is for people (model, voice, languages, what it cannot do).
    """

    ok: bool
    reason: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


class AsrStream(Protocol):
    """One utterance. After `close` nothing else may be called."""

    async def feed(self, pcm: bytes) -> str | None:
        """Take 16 kHz s16le mono PCM; return the partial text when it changed."""

    async def finish(self, pcm: bytes = b"") -> str:
        """Take the last of the speech; return the final text ('': nothing was understood).

        Somebody waits for it: it comes before what other streams are fed.
        """

    def close(self) -> None:
        """Free what the stream holds and stop its work; may be called twice."""


class AsrEngine(Protocol):
    async def open(self) -> None:
        """Load; raise `EngineUnavailable` when that cannot work."""

    def stream(self) -> AsrStream: ...

    async def probe(self) -> Health: ...

    async def close(self) -> None: ...


class LlmEngine(Protocol):
    async def open(self) -> None: ...

    def generate(
        self, messages: tuple[tuple[str, str], ...], spoken: tuple[str, ...] = ()
    ) -> AsyncIterator[str]:
        """Yield text as it is generated. (role, text) pairs, oldest first.

        `spoken` are clauses of this very answer that the user has heard already.
        The iterator stops generation at the server when it is closed.
        """

    async def probe(self) -> Health: ...

    async def close(self) -> None: ...


class TtsEngine(Protocol):
    @property
    def sample_rate_hz(self) -> int:
        """Rate of the PCM that `synthesise` yields; known after `open`."""

    async def open(self) -> None: ...

    def synthesise(self, text: str) -> AsyncIterator[bytes]:
        """Yield s16le mono PCM chunks as they come. Unspeakable text yields nothing."""

    async def probe(self) -> Health: ...

    async def close(self) -> None: ...
