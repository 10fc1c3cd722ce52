"""Language model behind an OpenAI-compatible chat API, through the `openai` package.

The package is told to wait no longer than the settings say and never to retry:
the router decides who tries next. A stream that breaks off, or carries an error,
is an `EngineError`; closing the iterator closes the request.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import openai

from actors.workers.interface import EngineError, EngineUnavailable, Health
from actors.workers.llm.continuation import Continuation, with_spoken
from actors.workers.remote import CALL_ERRORS, client_of, engine_error
from actors.workers.seen import Seen
from cfg.model import OpenAiLlm

#: What a call raises; the ValueError is an answer that is no JSON.
_ERRORS: tuple[type[Exception], ...] = (*CALL_ERRORS, ValueError)


class OpenAiEngine:
    def __init__(self, settings: OpenAiLlm) -> None:
        self._settings = settings
        #: `remote` names the speech engines' settings but reads what every remote one has.
        self._remote: Any = settings
        self._client: openai.AsyncOpenAI | None = None
        self._seen = Seen()
        #: Newer models know the limit by another name and refuse this one.
        self._limit_name = "max_tokens"

    async def open(self) -> None:
        """Make the client. An absent service is no error here; `probe` tells."""
        if urlsplit(self._settings.base_url).scheme not in ("http", "https"):
            raise EngineUnavailable(
                f"base_url {self._settings.base_url!r} is no http address; "
                "set it like https://host/v1"
            )
        self._client = client_of(self._remote)

    async def generate(
        self, messages: tuple[tuple[str, str], ...], spoken: tuple[str, ...] = ()
    ) -> AsyncIterator[str]:
        """Yield the answer as it comes; after `spoken`, only what is new.

        Raises `EngineError`; also for an answer that is empty or ends without its
        reason to finish.
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
        except EngineError:
            self._seen.failed()
            raise
        except _ERRORS as error:
            self._seen.failed()
            raise self._failure(error) from error
        if rest := continuation.flush():
            yield rest
        elif not said and not spoken:
            self._seen.failed()
            raise EngineError(f"{self._place()} finished without saying anything")
        self._seen.worked(time.monotonic())

    async def _contents(self, chat: list[dict[str, str]]) -> AsyncGenerator[str, None]:
        stream = await self._request(chat, stream=True, max_tokens=self._settings.max_tokens)
        finished = ""
        # Leaving the loop alone would not close the request.
        try:
            async for chunk in stream:
                for choice in chunk.choices[:1]:  # a chunk of usage has none
                    if choice.delta and choice.delta.content:
                        yield choice.delta.content
                    finished = choice.finish_reason or finished
        finally:
            await stream.close()
        if not finished:
            raise EngineError(f"{self._place()} ended its answer early (no finish_reason)")

    async def _request(self, chat: list[dict[str, str]], *, stream: bool, max_tokens: int) -> Any:
        create: Any = self._opened().chat.completions.create

        async def ask() -> Any:
            return await create(
                model=self._settings.model,
                messages=chat,
                stream=stream,
                temperature=self._settings.temperature,
                **{self._limit_name: max_tokens},
            )

        try:
            return await ask()
        except openai.BadRequestError as error:
            if self._limit_name != "max_tokens" or "max_completion_tokens" not in str(error):
                raise
            self._limit_name = "max_completion_tokens"
            return await ask()

    async def probe(self) -> Health:
        """Healthy when seen to work lately, or listed, or when it says one word.

        Not every compatible service lists its models; then one token is paid for.
        """
        detail: dict[str, Any] = {"model": self._settings.model}
        if (age_s := self._seen.age_s(time.monotonic())) is not None:
            return Health(True, "", {**detail, "seen_s_ago": round(age_s, 1)})
        try:
            if await self._is_listed():
                return Health(True, "", {**detail, "seen": "listed"})
            await self._request([{"role": "user", "content": "hi"}], stream=False, max_tokens=16)
        except EngineError as error:
            return Health(False, error.reason, detail)
        except _ERRORS as error:
            return Health(False, self._failure(error).reason, detail)
        self._seen.worked(time.monotonic())
        return Health(True, "", {**detail, "seen": "answered"})

    async def _is_listed(self) -> bool:
        try:
            models = await self._opened().models.list()
        except openai.NotFoundError:
            return False
        return any(model.id == self._settings.model for model in models.data or [])

    async def close(self) -> None:
        if self._client:
            await self._client.close()
            self._client = None

    def _opened(self) -> openai.AsyncOpenAI:
        if self._client is None:
            raise EngineError("the OpenAI engine is not open: call open() first")
        return self._client

    def _place(self) -> str:
        return urlsplit(self._settings.base_url).netloc.rpartition("@")[2]

    def _failure(self, error: Exception) -> EngineError:
        if type(error) is openai.APIError:
            return EngineError(f"{self._place()} failed in mid-answer: {error.message[:200]}")
        if isinstance(error, ValueError):
            return EngineError(f"{self._place()} sent what is no chat answer; check base_url")
        return engine_error(error, self._remote)
