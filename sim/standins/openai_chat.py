"""A stand-in for an OpenAI-compatible chat service: completions and the model list.

Server-sent events as the chat completions reference describes them: a first chunk
with the role, chunks of content, one with the reason to finish, `[DONE]`. Keys that
begin with 'wrong' are refused, and so are models that begin with 'missing'.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, Final

from aiohttp import web

from sim.standins.faults import StandInState
from sim.standins.profiles import Course
from sim.standins.streaming import (
    Cut,
    Failed,
    Refused,
    admit,
    answer_to,
    drop,
    json_body,
    paced,
    served,
    tokens_of,
)

#: Listed models; others answer too, as many compatible services let them.
MODELS: Final = ("gpt-4o-mini", "qwen-plus", "whisper-1", "tts-1")


def error_body(message: str, kind: str, code: str | None) -> dict[str, Any]:
    """The error object of this API."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def refusal(request: web.Request, status: int | None) -> web.Response | None:
    """The answer to a wrong key or a fault's status; None lets the request in."""
    key = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if status == 401 or key.startswith("wrong"):
        message = f"Incorrect API key provided: {key[:4]}***."
        body = error_body(message, "invalid_request_error", "invalid_api_key")
        return web.json_response(body, status=401)
    if status == 429:
        body = error_body("Rate limit reached.", "requests", "rate_limit_exceeded")
        return web.json_response(body, status=429, headers={"Retry-After": "1"})
    if status:
        body = error_body("The server had an error.", "server_error", None)
        return web.json_response(body, status=status)
    return None


def add_routes(app: web.Application, state: StandInState) -> None:
    """Give `app` /v1/chat/completions and /v1/models."""
    api = _Api(state)
    app.router.add_post("/v1/chat/completions", api.completions)
    app.router.add_get("/v1/models", api.models)


class _Api:
    def __init__(self, state: StandInState) -> None:
        self.state = state
        self._count = 0

    async def models(self, request: web.Request) -> web.Response:
        self.state.note("models")
        if refused := refusal(request, await admit(self.state)):
            return refused
        listed = [
            {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "stand-in"}
            for name in MODELS
        ]
        return web.json_response({"object": "list", "data": listed})

    async def completions(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request)
        self.state.note("chat", **(body or {}))
        try:
            if refused := refusal(request, await admit(self.state)):
                return refused
            if wrong := _complaint(body):
                return wrong
            assert body is not None
            async with served(self.state, "chat") as course:
                return await self._answer(request, body, course)
        except Refused as refused:
            return refusal(request, refused.status) or web.Response(status=refused.status)
        except (asyncio.CancelledError, ConnectionResetError):
            self.state.cancelled += 1
            raise

    async def _answer(
        self, request: web.Request, body: dict[str, Any], course: Course
    ) -> web.StreamResponse:
        text = answer_to(body["messages"], self.state.faults)
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or 0
        tokens = tokens_of(text)
        reason = "length" if 0 < limit < len(tokens) else "stop"
        text = "".join(tokens[:limit]) if limit else text
        self._count += 1
        head = {
            "id": f"chatcmpl-{self._count}",
            "created": int(time.time()),
            "model": body["model"],
        }
        if not body.get("stream"):
            return await self._whole(head, text, reason, course)
        return await self._stream(request, body, head, text, reason, course)

    async def _whole(
        self, head: dict[str, Any], text: str, reason: str, course: Course
    ) -> web.Response:
        try:
            said = "".join([token async for token in paced(self.state, text, course)])
        except (Failed, Cut):
            body = error_body("The server had an error.", "server_error", None)
            return web.json_response(body, status=500)
        message = {"role": "assistant", "content": said, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(said)}
        return web.json_response(whole)

    async def _stream(
        self,
        request: web.Request,
        body: dict[str, Any],
        head: dict[str, Any],
        text: str,
        reason: str,
        course: Course,
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def send(data: dict[str, Any] | str) -> None:
            line = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
            await response.write(f"data: {line}\n\n".encode())

        async def chunk(delta: dict[str, Any], finish: str | None = None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
            await send({**head, "object": "chat.completion.chunk", "choices": [choice]})

        await chunk({"role": "assistant", "content": ""})
        try:
            async for token in paced(self.state, text, course):
                await chunk({"content": token})
        except Failed:
            await send(error_body("The server had an error.", "server_error", None))
            return response
        except Cut:
            drop(request)
            return response
        if self.state.faults.no_done:
            return response
        await chunk({}, reason)
        if (body.get("stream_options") or {}).get("include_usage"):
            usage = {"object": "chat.completion.chunk", "choices": [], "usage": _usage(text)}
            await send({**head, **usage})
        await send("[DONE]")
        return response


def _complaint(body: dict[str, Any] | None) -> web.Response | None:
    kind = "invalid_request_error"
    if body is None or not isinstance(body.get("messages"), list):
        wrong = error_body("'messages' must be an array.", kind, None)
        return web.json_response(wrong, status=400)
    model = str(body.get("model") or "")
    if not model:
        wrong = error_body("you must provide a model parameter", kind, None)
        return web.json_response(wrong, status=400)
    if model.startswith("missing"):
        message = f"The model `{model}` does not exist or you do not have access to it."
        return web.json_response(error_body(message, kind, "model_not_found"), status=404)
    if model.startswith("newer") and "max_tokens" in body:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead."
        )
        return web.json_response(error_body(message, kind, "unsupported_parameter"), status=400)
    return None


def _usage(text: str) -> dict[str, int]:
    count = len(tokens_of(text))
    return {"prompt_tokens": 10, "completion_tokens": count, "total_tokens": 10 + count}
