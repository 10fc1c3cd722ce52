"""Language model on an Ollama server, through the `ollama` package.

The package waits for ever unless told otherwise, raises different errors for
streams and single calls, and takes a stream that broke off for a finished one.
This engine makes each of those an `EngineError` that names the fix, and closes
the request when its iterator is closed, so that the server stops generating.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import httpx
import ollama
from pydantic import ValidationError

from actors.workers.interface import EngineError, EngineUnavailable, Health
from actors.workers.llm.continuation import Continuation, with_spoken
from cfg.model import OllamaLlm

#: After the last part the response's end is awaited so long, to keep the connection.
_DRAIN_S = 0.1
#: A cold model may be read from a slow disk.
_LOAD_TIMEOUT_S = 300.0

_CALL_ERRORS = (
    ollama.ResponseError,
    httpx.HTTPError,
    ConnectionError,
    json.JSONDecodeError,
    ValidationError,
)


def keep_alive_of(text: str) -> float | str:
    """The server reads a bare number only as a number: the text "-1" is an error to it."""
    with contextlib.suppress(ValueError):
        return float(text)
    return text


class OllamaEngine:
    def __init__(self, settings: OllamaLlm) -> None:
        self._settings = settings
        self._client: ollama.AsyncClient | None = None
        self._loading: asyncio.Task[None] | None = None
        #: None once the server refused the parameter; thoughts are then cut out as text.
        self._think: bool | None = False

    async def open(self) -> None:
        """Make the client and let the server load the model in the background.

        An absent server is no error here: it may come later, and `probe` tells.
        """
        if urlsplit(self._settings.base_url).scheme not in ("http", "https"):
            raise EngineUnavailable(
                f"base_url {self._settings.base_url!r} is no http address; "
                "set it like http://127.0.0.1:11434"
            )
        key = self._settings.api_key.get_secret_value()
        self._client = ollama.AsyncClient(
            self._settings.base_url,
            timeout=httpx.Timeout(
                self._settings.read_timeout_s, connect=self._settings.connect_timeout_s
            ),
            headers={"Authorization": f"Bearer {key}"} if key else None,
            trust_env=False,  # settings come from the settings file alone
        )
        self._loading = asyncio.create_task(self._load())

    async def _load(self) -> None:
        """A call without a prompt makes the server load the model; failing is no harm."""
        with contextlib.suppress(*_CALL_ERRORS, EngineError, TimeoutError):
            async with asyncio.timeout(_LOAD_TIMEOUT_S):
                await self._opened().generate(
                    self._settings.model, keep_alive=keep_alive_of(self._settings.keep_alive)
                )

    async def generate(
        self, messages: tuple[tuple[str, str], ...], spoken: tuple[str, ...] = ()
    ) -> AsyncIterator[str]:
        """Yield the answer as it comes; after `spoken`, only what is new.

        Raises `EngineUnavailable` when the server lacks the model, else
        `EngineError`; also for an answer that is empty or ends without its mark.
        """
        chat = with_spoken(messages, spoken)
        continuation = Continuation(spoken)
        said = False
        try:
            async with aclosing(self._contents(chat)) as contents:
                async for content in contents:
                    if text := continuation.push(content):
                        said = said or not text.isspace()
                        yield text
        except _CALL_ERRORS as error:
            raise self._failure(error) from error
        if rest := continuation.flush():
            yield rest
        elif not said and not spoken:
            raise EngineError(f"{self._place()} finished without saying anything")

    async def _contents(self, chat: list[dict[str, str]]) -> AsyncGenerator[str, None]:
        if self._think is not None:
            begun = False
            try:
                async with aclosing(self._stream(chat, self._think)) as contents:
                    async for content in contents:
                        begun = True
                        yield content
                return
            except ollama.ResponseError as error:
                if begun or error.status_code != 400 or "think" not in error.error.lower():
                    raise
                self._think = None
        async with aclosing(self._stream(chat, None)) as contents:
            async for content in contents:
                yield content

    async def _stream(
        self, chat: list[dict[str, str]], think: bool | None
    ) -> AsyncGenerator[str, None]:
        parts: Any = await self._opened().chat(
            self._settings.model,
            messages=chat,
            stream=True,
            think=think,
            keep_alive=keep_alive_of(self._settings.keep_alive),
            options={
                "temperature": self._settings.temperature,
                "num_predict": self._settings.max_tokens,
            },
        )
        # Leaving the loop alone would not close the request.
        async with aclosing(parts):
            async for part in parts:
                if content := part.message.content:
                    yield content
                if part.done:
                    with contextlib.suppress(StopAsyncIteration, TimeoutError, *_CALL_ERRORS):
                        async with asyncio.timeout(_DRAIN_S):
                            await anext(parts)
                    return
        raise EngineError(f"{self._place()} ended its answer early (no final mark)")

    async def probe(self) -> Health:
        """Ask for the list of models: healthy if ours is in it."""
        model = self._settings.model
        wanted = model if ":" in model else f"{model}:latest"
        try:
            listed = [entry.model for entry in (await self._opened().list()).models]
            if wanted not in listed:
                return Health(False, self._missing().reason, {"model": model, "models": listed})
            loaded = [entry.model for entry in (await self._opened().ps()).models]
        except EngineError as error:
            return Health(False, error.reason, {"model": model})
        except _CALL_ERRORS as error:
            return Health(False, self._failure(error).reason, {"model": model})
        return Health(True, "", {"model": model, "loaded": wanted in loaded})

    async def close(self) -> None:
        if self._loading:
            self._loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loading
            self._loading = None
        if self._client:
            client: Any = self._client  # the package leaves `close` untyped
            await client.close()
            self._client = None

    def _opened(self) -> ollama.AsyncClient:
        if self._client is None:
            raise EngineError("the Ollama engine is not open: call open() first")
        return self._client

    def _place(self) -> str:
        return f"Ollama at {urlsplit(self._settings.base_url).netloc.rpartition('@')[2]}"

    def _missing(self) -> EngineUnavailable:
        model = self._settings.model
        return EngineUnavailable(
            f"{self._place()} has no model {model}: run `ollama pull {model}` there"
        )

    def _failure(self, error: Exception) -> EngineError:
        """Say in a sentence what failed and what would mend it; without secrets."""
        place = self._place()
        if isinstance(error, ollama.ResponseError):
            return self._refusal(error)
        if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError | ConnectionError):
            return EngineError(f"{place} cannot be reached; check base_url and that it runs")
        if isinstance(error, httpx.TimeoutException):
            return EngineError(
                f"{place} sent nothing for {self._settings.read_timeout_s:g} s; "
                "a smaller model or a larger read_timeout_s would help"
            )
        if isinstance(error, json.JSONDecodeError | ValidationError):
            return EngineError(f"{place} sent what is no Ollama answer; check base_url")
        return EngineError(f"{place} broke off: {type(error).__name__}")

    def _refusal(self, error: ollama.ResponseError) -> EngineError:
        place, said = self._place(), error.error[:200]
        match error.status_code:
            case -1:
                return EngineError(f"{place} failed in mid-answer: {said}")
            case 404 if "model" in error.error:
                return self._missing()
            case 404:
                return EngineError(f"{place} does not know /api/chat; check base_url")
            case 401 | 403:
                return EngineError(f"{place} refused with HTTP {error.status_code}; check api_key")
            case 503:
                return EngineError(f"{place} is busy: {said}; use fewer slots")
            case status:
                return EngineError(f"{place} answered HTTP {status}: {said}")
