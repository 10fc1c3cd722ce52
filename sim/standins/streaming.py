"""What the stand-ins share: an answer in pieces, slow and faulty on demand."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from sim.standins.capacity import QueueFull
from sim.standins.faults import Faults, StandInState
from sim.standins.profiles import Course, Service

#: A request that must never be answered is kept so long at most.
HANG_LIMIT_S = 600.0

#: About as much as a real tokeniser puts in one token.
_TOKEN = re.compile(r"[\u3400-\u9fff]{1,2}|\s?[A-Za-z0-9']+|.", re.DOTALL)


class Cut(Exception):
    """The connection is to be dropped here."""


class Failed(Exception):
    """An error is to be sent inside the stream here."""


class Refused(Exception):
    """The request is to be answered with this HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


def answer_to(messages: list[dict[str, Any]], faults: Faults) -> str:
    """The whole answer: it repeats the question, so that a mix-up shows.

    When the last message is the assistant's own and unfinished, the answer goes on
    after it, as a model does that is given a prefix.
    """
    if faults.empty:
        return ""
    question = next((text_of(m) for m in reversed(messages) if m.get("role") == "user"), "")
    answer = faults.answer or "好的，你刚才说的是：{question}。这是模拟模型的回答，它不会思考。"
    answer = answer.replace("{question}", question)
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


async def paced(state: StandInState, text: str, course: Course) -> AsyncIterator[str]:
    """The pieces of `text`, at the pace and with the faults now in force.

    Raises `Cut` and `Failed` where they say so.
    """
    faults = state.faults
    await sleep_ms(faults.first_ms + course.slowed_first_ms(state.capacity.active))
    for count, token in enumerate(tokens_of(text)):
        if count in (faults.cut_after, course.cut_after):
            raise Cut
        if count == faults.error_after:
            raise Failed
        if count:
            await sleep_ms(faults.next_ms + course.next_ms(state.capacity.active))
        yield token


async def admit(state: StandInState) -> int | None:
    """Wait as the faults say; return the HTTP status that refuses the request, if any."""
    await sleep_ms(state.faults.connect_ms)
    if state.faults.hang:
        await asyncio.sleep(HANG_LIMIT_S)
    return state.faults.status


@asynccontextmanager
async def served(state: StandInState, service: Service) -> AsyncIterator[Course]:
    """One request under the profile: it may have to wait for a slot, which it then holds.

    Raises `Refused`.
    """
    status = state.throttled()
    course = state.next_course(service)
    try:
        if status is not None or course.error is not None:
            await sleep_ms(course.connect_ms)
            raise Refused(status or course.error or 500)
        async with state.capacity.slot():
            state.burners.burn(True)
            try:
                await sleep_ms(course.connect_ms)
                yield course
                state.served += 1
            finally:
                state.burners.burn(state.capacity.active > 1)
    except QueueFull:
        state.refused[state.profile.full_status] += 1
        raise Refused(state.profile.full_status) from None
    except Refused as refused:
        state.refused[refused.status] += 1
        raise


async def sleep_ms(ms: float) -> None:
    await asyncio.sleep(ms / 1000)


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
