"""The cache routes, for `python3 run.py cache …` on this host and nobody else.

| route | what it does |
|---|---|
| GET /cache/stats | entries, hits, savings, storage |
| GET /cache/why?question=… | what would be answered, and how it comes to that |
| POST /cache/forget {"question": …} | drop one answer |
| POST /cache/clear | drop all |
| GET /cache/export?after=… | the next lines; `next` 0 ends it |
| POST /cache/import?first=… | take in lines of JSON, one an answer |

They answer 403 to whoever is not on this host, came through a proxy, or is a page in a
browser (which cannot set the header `X-Xiaozhi-Operator` for another origin).
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from actors import questions
from actors.console.guard import body_of, fault
from actors.questions import CacheQuestion, CacheReply

#: An answer may take so long; importing a page of lines takes most of a second.
REPLY_WAIT_S: Final = 8.0

#: Requests at once: it is one operator.
MAX_REQUESTS: Final = 8

MAX_QUESTION_CHARS: Final = 400

OPERATOR_HEADER: Final = "X-Xiaozhi-Operator"
_FORWARDED: Final = (
    *("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
    *("X-Real-IP", "Via", "Origin"),
)

#: Hands a question to the answers actor; False when there is none.
Ask = Callable[[CacheQuestion], bool]


class CacheRoutes:
    """The routes and the questions under way; lives on the console's loop."""

    def __init__(self, ask: Ask, *, wait_s: float = REPLY_WAIT_S) -> None:
        self._ask = ask
        self._wait_s = wait_s
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[CacheReply]] = {}

    def add_to(self, app: web.Application) -> None:
        routes: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.Response]]], ...] = (
            ("GET", "/cache/stats", self.stats),
            ("GET", "/cache/why", self.why),
            ("POST", "/cache/forget", self.forget),
            ("POST", "/cache/clear", self.clear),
            ("GET", "/cache/export", self.export),
            ("POST", "/cache/import", self.take_in),
        )
        for method, path, handler in routes:
            app.router.add_route(method, path, _for_operators(handler))

    def replied(self, reply: CacheReply) -> None:
        """A late reply finds nobody and is dropped."""
        waiting = self._waiting.get(reply.request)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    # --- the routes ---

    async def stats(self, request: web.Request) -> web.Response:
        return await self._answer(lambda number: questions.CacheStats(number))

    async def why(self, request: web.Request) -> web.Response:
        question = _text(request.query.get("question", ""), "question")
        context = request.query.get("context", "")[:MAX_QUESTION_CHARS]
        return await self._answer(lambda number: questions.WhyAnswer(number, question, context))

    async def forget(self, request: web.Request) -> web.Response:
        try:
            members = json.loads(await body_of(request))
            said = members["question"]
        except (ValueError, TypeError, KeyError):
            return fault(
                400, "body", "it is no question", 'send {"question": "…"} as JSON in UTF-8'
            )
        question = _text(said, "question")
        return await self._answer(lambda number: questions.ForgetAnswer(number, question))

    async def clear(self, request: web.Request) -> web.Response:
        return await self._answer(lambda number: questions.ClearAnswers(number))

    async def export(self, request: web.Request) -> web.Response:
        after = _number(request, "after", 0)
        return await self._answer(lambda number: questions.ExportAnswers(number, after))

    async def take_in(self, request: web.Request) -> web.Response:
        first = _number(request, "first", 1)
        try:
            lines = tuple((await body_of(request)).decode().split("\n"))
        except UnicodeDecodeError:
            return fault(400, "body", "it is not UTF-8", "save the file in that encoding")
        return await self._answer(lambda number: questions.ImportAnswers(number, first, lines))

    # --- asking ---

    async def _answer(self, make: Callable[[int], CacheQuestion]) -> web.Response:
        if len(self._waiting) >= MAX_REQUESTS:
            return fault(503, "cache", "too much is asked of it at once", "try again in a moment")
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            if not self._ask(make(number)):
                return fault(503, "answers", "no cache is running", "it is started again by itself")
            async with asyncio.timeout(self._wait_s):
                reply = await waiting
        except TimeoutError:
            problem = f"the cache did not answer within {self._wait_s:g} s"
            return fault(504, "answers", problem, "see the server's log and /status")
        finally:
            del self._waiting[number]
        if reply.problem:
            return fault(409, "cache", reply.problem, "see answer_cache in the settings")
        return web.json_response(reply.found)


def _for_operators(
    handler: Callable[[web.Request], Awaitable[web.Response]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def guarded(request: web.Request) -> web.Response:
        if not is_operator(request.remote or "", request.headers):
            return fault(
                403,
                "peer",
                "the cache's commands are for this host only",
                "use 'python3 run.py cache' on the host of the server",
            )
        return await handler(request)

    return guarded


def is_operator(peer: str, headers: Mapping[str, str]) -> bool:
    """Whether a command line of this host asks, and no proxy or page for somebody else."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    here = (mapped or address).is_loopback
    names = {name.lower() for name in headers}
    passed_on = any(name.lower() in names for name in _FORWARDED)
    return here and not passed_on and OPERATOR_HEADER.lower() in names


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_QUESTION_CHARS:
        problem = f"it must be text of 1 to {MAX_QUESTION_CHARS} characters"
        raise web.HTTPBadRequest(reason=f"{field}: {problem}")
    return value


def _number(request: web.Request, name: str, default: int) -> int:
    value = request.query.get(name, str(default))
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise web.HTTPBadRequest(reason=f"{name}: it must be a whole number")
    return int(value)
