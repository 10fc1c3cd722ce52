"""What the language model stand-ins share: an answer in pieces, slow and faulty on demand."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from sim.standins.faults import Faults, StandInState

#: A request that must never be answered is kept so long at most.
HANG_LIMIT_S = 600.0

#: About as much as a real tokeniser puts in one token.
_TOKEN = re.compile(r"[\u3400-\u9fff]{1,2}|\s?[A-Za-z0-9']+|.", re.DOTALL)


class Cut(Exception):
    """The connection is to be dropped here."""


class Failed(Exception):
    """An error is to be sent inside the stream here."""


def answer_to(messages: list[dict[str, Any]], faults: Faults) -> str:
    """The whole answer: it repeats the question, so that a mix-up shows.

    When the last message is the assistant's own and unfinished, the answer goes on
    after it, as a model does that is given a prefix.
    """
    if faults.empty:
        return ""
    question = next((text_of(m) for m in reversed(messages) if m.get("role") == "user"), "")
    answer = faults.answer or f"好的，你刚才说的是：{question}。这是模拟模型的回答，它不会思考。"
    if messages and messages[-1].get("role") == "assistant":
        prefix = text_of(messages[-1])
        if answer.startswith(prefix):
            return answer[len(prefix) :]
    return answer


def text_of(message: dict[str, Any]) -> str:
    """The text of a chat message; a list of parts is joined."""
    content = message.get("content") or ""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return str(content)


def tokens_of(text: str) -> list[str]:
    return _TOKEN.findall(text)


async def paced(state: StandInState, text: str) -> AsyncIterator[str]:
    """The pieces of `text`, at the pace and with the faults now in force.

    Raises `Cut` and `Failed` where the faults say so.
    """
    faults = state.faults
    await asyncio.sleep(faults.first_ms / 1000)
    for count, token in enumerate(tokens_of(text)):
        if count == faults.cut_after:
            raise Cut
        if count == faults.error_after:
            raise Failed
        if count:
            await asyncio.sleep(faults.next_ms / 1000)
        yield token


async def admit(state: StandInState) -> int | None:
    """Wait as the faults say; return the HTTP status that refuses the request, if any."""
    await asyncio.sleep(state.faults.connect_ms / 1000)
    if state.faults.hang:
        await asyncio.sleep(HANG_LIMIT_S)
    return state.faults.status


def drop(request: web.Request) -> None:
    """End the connection as a crash would: without the end of the body."""
    if request.transport is not None:
        request.transport.abort()


async def json_body(request: web.Request) -> dict[str, Any] | None:
    """The request's JSON object, or None when it is none."""
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    return body if isinstance(body, dict) else None
