"""A stand-in for the Ollama server: its HTTP API, its queue, its errors.

Statuses, bodies and the shape of the streams follow the server's own sources
(server/routes.go, server/sched.go, api/types.go). The answers come from
`sim.standins.streaming`. A model is *loaded* by its first use and stays so for
`keep_alive`; the real server's quirk that a bare number must not be a text is kept.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
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

VERSION: Final = "0.12.6"
_FOREVER_S: Final = 292 * 365 * 86400.0
_DEFAULT_KEEP_S: Final = 300.0
_UNITS_S: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"[+-]?(?:0|(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+)")
_BUSY: Final = "server busy, please try again.  maximum pending requests exceeded"
_THINKERS: Final = ("qwen3", "deepseek-r1", "gpt-oss")
_THOUGHT: Final = "用户在和我说话，我想一想怎么回答。"

#: Wraps one piece of text into the API's answer object.
Wrap = Callable[[str, str], dict[str, Any]]


class OllamaServer:
    """The models on disk and those loaded. Its slots are the stand-in's `Capacity`."""

    def __init__(
        self,
        models: tuple[str, ...] = ("qwen2.5:1.5b", "qwen3:1.7b"),
        *,
        refuse_think: bool = False,
    ) -> None:
        self.models = {full_name(model): time.time() for model in models}
        self.loaded: dict[str, float] = {}
        self.refuse_think = refuse_think

    def keep(self, model: str, keep_alive_s: float) -> None:
        if keep_alive_s == 0:
            self.loaded.pop(model, None)
        else:
            self.loaded[model] = time.time() + keep_alive_s

    def running(self) -> dict[str, float]:
        """Loaded models and when each will be unloaded (Unix time)."""
        now = time.time()
        self.loaded = {model: until for model, until in self.loaded.items() if until > now}
        return self.loaded


def full_name(model: str) -> str:
    return model if ":" in model else f"{model}:latest"


def keep_alive_s(value: Any) -> float:
    """Seconds of a keep_alive as the server reads it; `ValueError` has its words."""
    if value is None:
        return _DEFAULT_KEEP_S
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _FOREVER_S if value < 0 else float(value)
    if not isinstance(value, str):
        raise ValueError("Unsupported type")
    if re.fullmatch(r"[+-]?\d+(\.\d*)?", value) and float(value) != 0:
        raise ValueError(f'time: missing unit in duration "{value}"')
    if not _DURATION.fullmatch(value):
        raise ValueError(f'time: invalid duration "{value}"')
    seconds = sum(
        float(number) * _UNITS_S[unit]
        for number, unit in re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", value)
    )
    return _FOREVER_S if value.startswith("-") and seconds else seconds


def add_routes(app: web.Application, state: StandInState, server: OllamaServer) -> None:
    """Give `app` the addresses of an Ollama server."""
    api = _Api(state, server)
    app.router.add_get("/", api.hello)
    app.router.add_get("/api/version", api.version)
    app.router.add_get("/api/tags", api.tags)
    app.router.add_get("/api/ps", api.ps)
    app.router.add_post("/api/chat", api.chat)
    app.router.add_post("/api/generate", api.generate)
    app.router.add_post("/api/pull", api.pull)


class _Api:
    def __init__(self, state: StandInState, server: OllamaServer) -> None:
        self.state = state
        self.server = server

    async def hello(self, _: web.Request) -> web.Response:
        return web.Response(text="Ollama is running")

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": VERSION})

    async def tags(self, _: web.Request) -> web.Response:
        if refused := await self._refused():
            return refused
        models = [
            {**_described(name), "modified_at": _stamp(at)}
            for name, at in self.server.models.items()
        ]
        return web.json_response({"models": models})

    async def ps(self, _: web.Request) -> web.Response:
        models = [
            {**_described(name), "expires_at": _stamp(until), "size_vram": 0}
            for name, until in self.server.running().items()
        ]
        return web.json_response({"models": models})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        def wrap(text: str, thinking: str) -> dict[str, Any]:
            message = {"role": "assistant", "content": text}
            return {"message": {**message, "thinking": thinking} if thinking else message}

        return await self._serve(request, "chat", "messages", wrap)

    async def generate(self, request: web.Request) -> web.StreamResponse:
        def wrap(text: str, thinking: str) -> dict[str, Any]:
            return {"response": text, "thinking": thinking} if thinking else {"response": text}

        return await self._serve(request, "generate", "prompt", wrap)

    async def _refused(self) -> web.Response | None:
        status = await admit(self.state)
        return _refusal(status) if status else None

    async def _serve(
        self, request: web.Request, what: str, content: str, wrap: Wrap
    ) -> web.StreamResponse:
        body = await json_body(request)
        self.state.note(what, **(body or {}))
        try:
            if refused := await self._refused():
                return refused
            if body is None:
                return _error(400, "invalid character looking for beginning of value")
            asked = str(body.get("model") or "")
            if not asked:
                return _error(400, "model is required")
            if full_name(asked) not in self.server.models:
                return _error(404, f"model '{asked}' not found")
            keep_s = keep_alive_s(body.get("keep_alive"))
            if not body.get(content):
                self.server.keep(full_name(asked), keep_s)
                reason = "unload" if keep_s == 0 else "load"
                return web.json_response(_part(asked, wrap("", "")) | _done(reason))
            if complaint := self._about_thinking(asked, body.get("think")):
                return _error(400, complaint)
            async with served(self.state, "chat") as course:
                self.server.keep(full_name(asked), keep_s)
                return await self._answer(request, asked, body, wrap, course)
        except ValueError as error:
            return _error(400, str(error))
        except Refused as refused:
            return _refusal(refused.status)
        except (asyncio.CancelledError, ConnectionResetError):
            self.state.cancelled += 1
            raise

    def _about_thinking(self, model: str, think: Any) -> str:
        if self.server.refuse_think and think is not None:
            return f'"{model}" does not support thinking'
        if think and not model.startswith(_THINKERS):
            return f'"{model}" does not support thinking'
        return ""

    async def _answer(
        self,
        request: web.Request,
        model: str,
        body: dict[str, Any],
        wrap: Wrap,
        course: Course,
    ) -> web.StreamResponse:
        messages = body.get("messages") or [{"role": "user", "content": body.get("prompt", "")}]
        text = answer_to(messages, self.state.faults)
        thinks = model.startswith(_THINKERS) and body.get("think") is not False
        limit = (body.get("options") or {}).get("num_predict") or -1
        tokens = tokens_of(text)
        reason = "length" if 0 < limit < len(tokens) else "stop"
        text = "".join(tokens[:limit]) if limit > 0 else text
        if body.get("stream") is False:
            return await self._whole(model, text, _done(reason), wrap, course)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)

        async def send(part: dict[str, Any]) -> None:
            await response.write(json.dumps(part, ensure_ascii=False).encode() + b"\n")

        if thinks and not self.state.faults.empty:
            for thought in tokens_of(_THOUGHT):
                await send(_part(model, wrap("", thought)))
        try:
            async for token in paced(self.state, text, course):
                await send(_part(model, wrap(token, "")))
        except Failed:
            await send(
                {"error": "an error was encountered while running the model: stand-in fault"}
            )
            return response
        except Cut:
            drop(request)
            return response
        if not self.state.faults.no_done:
            await send(_part(model, wrap("", "")) | _done(reason))
        return response

    async def _whole(
        self, model: str, text: str, done: dict[str, Any], wrap: Wrap, course: Course
    ) -> web.StreamResponse:
        try:
            said = "".join([token async for token in paced(self.state, text, course)])
        except (Failed, Cut):
            return _error(500, "an error was encountered while running the model: stand-in fault")
        return web.json_response(_part(model, wrap(said, "")) | done)

    async def pull(self, request: web.Request) -> web.StreamResponse:
        """Pretend to fetch a model; names with 'missing' in them do not exist."""
        body = await json_body(request) or {}
        name = full_name(str(body.get("model") or body.get("name") or ""))
        self.state.note("pull", **body)
        size, digest = 986_048_000, "sha256:" + "ab" * 32
        if "missing" in name:
            steps: list[dict[str, Any]] = [{"error": "pull model manifest: file does not exist"}]
        else:
            layer = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": size}
            steps = [{"status": "pulling manifest"}]
            steps += [layer | {"completed": size * share // 4} for share in range(1, 5)]
            steps += [{"status": text} for text in ("verifying sha256 digest", "writing manifest")]
            steps += [{"status": "success"}]
            self.server.models[name] = time.time()
        if body.get("stream") is False:
            return web.json_response(steps[-1], status=500 if "error" in steps[-1] else 200)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for step in steps:
            await response.write(json.dumps(step).encode() + b"\n")
            await asyncio.sleep(self.state.faults.next_ms / 1000)
        return response


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


def _refusal(status: int) -> web.Response:
    return _error(status, _BUSY if status == 503 else "stand-in fault")


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def _part(model: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"model": model, "created_at": _stamp(time.time()), **content, "done": False}


def _done(reason: str) -> dict[str, Any]:
    return {
        "done": True,
        "done_reason": reason,
        "total_duration": 1_000_000,
        "load_duration": 100_000,
        "prompt_eval_count": 10,
        "prompt_eval_duration": 100_000,
        "eval_count": 10,
        "eval_duration": 500_000,
    }


def _described(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "model": name,
        "size": 986_048_000,
        "digest": "ab" * 32,
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": name.partition(":")[0],
            "families": [name.partition(":")[0]],
            "parameter_size": "1.5B",
            "quantization_level": "Q4_K_M",
        },
    }
