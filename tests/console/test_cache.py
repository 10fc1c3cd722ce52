"""The cache routes: for a command line on this host, and nobody else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from actors.console.cache import MAX_REQUESTS, OPERATOR_HEADER, CacheRoutes, is_operator
from actors.console.guard import MAX_BODY_BYTES
from actors.console.http import build_app, run_http
from actors.questions import (
    CacheQuestion,
    CacheReply,
    CacheStats,
    ClearAnswers,
    ExportAnswers,
    ForgetAnswer,
    ImportAnswers,
    WhyAnswer,
)
from tests.console.instance import Instance

OURS = {OPERATOR_HEADER: "1"}


class Cache:
    """The answers actor, as the routes see it."""

    def __init__(self) -> None:
        self.asked: list[CacheQuestion] = []
        self.found: dict[str, Any] = {"entries": 5}
        self.problem = ""
        self.answers = True
        self.runs = True
        self.routes = CacheRoutes(self._ask, wait_s=0.2)

    def _ask(self, question: CacheQuestion) -> bool:
        self.asked.append(question)
        if self.answers:
            reply = CacheReply(question.request, self.found, self.problem)
            asyncio.get_running_loop().call_soon(self.routes.replied, reply)
        return self.runs

    @asynccontextmanager
    async def served(self) -> AsyncIterator[aiohttp.ClientSession]:
        instance = Instance()
        app = build_app(instance.settings, instance.status, instance.clock)
        self.routes.add_to(app)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            async with run_http(app, listening), aiohttp.ClientSession(url, headers=OURS) as client:
                yield client


def run(cache: Cache, scenario: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
    async def served() -> None:
        async with asyncio.timeout(15), cache.served() as client:
            await scenario(client)

    asyncio.run(served())


async def fetched(answer: Any, status: int = 200) -> Any:
    async with answer as response:
        assert response.status == status, await response.text()
        return await response.json()


def test_each_route_asks_what_it_says() -> None:
    cache = Cache()

    async def scenario(client: aiohttp.ClientSession) -> None:
        assert await fetched(client.get("/cache/stats")) == {"entries": 5}
        await fetched(client.get("/cache/why", params={"question": "首都在哪", "context": "中国"}))
        await fetched(client.post("/cache/forget", json={"question": "首都在哪"}))
        await fetched(client.post("/cache/clear"))
        await fetched(client.get("/cache/export?after=200"))
        await fetched(client.post("/cache/import?first=7", data="{}\n[]\n"))

    run(cache, scenario)
    assert cache.asked == [
        CacheStats(1),
        WhyAnswer(2, "首都在哪", "中国"),
        ForgetAnswer(3, "首都在哪"),
        ClearAnswers(4),
        ExportAnswers(5, 200),
        ImportAnswers(6, 7, ("{}", "[]", "")),
    ]


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.168.1.5", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_only_this_host_may(peer: str, allowed: bool) -> None:
    assert is_operator(peer, OURS) is allowed


@pytest.mark.parametrize(
    "name", ["X-Forwarded-For", "forwarded", "X-Real-IP", "Via", "Origin", "X-Forwarded-Host"]
)
def test_nobody_behind_a_proxy_or_in_a_page_may(name: str) -> None:
    assert not is_operator("127.0.0.1", OURS | {name: "127.0.0.1"})
    assert not is_operator("127.0.0.1", {})


def test_others_are_refused_and_nothing_is_asked() -> None:
    cache = Cache()

    async def scenario(client: aiohttp.ClientSession) -> None:
        for method, path in (("GET", "stats"), ("POST", "clear"), ("POST", "import")):
            shown = await fetched(
                client.request(method, f"/cache/{path}", headers={"X-Forwarded-For": "10.0.0.1"}),
                403,
            )
            assert "this host" in shown["error"]["problem"]
        await fetched(client.post("/cache/clear", headers={"Origin": "http://page.example"}), 403)

    run(cache, scenario)
    assert cache.asked == []


def test_what_is_wrong_with_a_request_is_said() -> None:
    cache = Cache()

    async def scenario(client: aiohttp.ClientSession) -> None:
        await fetched(client.get("/cache/why"), 400)
        await fetched(client.get("/cache/why", params={"question": "问" * 401}), 400)
        await fetched(client.post("/cache/forget", data=b"\xff"), 400)
        await fetched(client.post("/cache/forget", json={"question": 5}), 400)
        await fetched(client.post("/cache/forget", json=[]), 400)
        await fetched(client.get("/cache/export?after=-1"), 400)
        await fetched(client.post("/cache/import?first=x"), 400)
        await fetched(client.post("/cache/import", data=b"\xff"), 400)
        await fetched(client.post("/cache/import", data=b" " * (MAX_BODY_BYTES + 1)), 413)
        await fetched(client.get("/cache/clear"), 405)

    run(cache, scenario)
    assert cache.asked == []


def test_a_cache_that_is_away_or_silent_costs_a_deadline() -> None:
    cache = Cache()

    async def scenario(client: aiohttp.ClientSession) -> None:
        cache.problem = "answer_cache.enabled is false"
        shown = await fetched(client.get("/cache/stats"), 409)
        assert shown["error"]["problem"] == cache.problem
        cache.answers = False
        await fetched(client.get("/cache/stats"), 504)
        cache.runs = False
        await fetched(client.get("/cache/stats"), 503)
        cache.routes.replied(CacheReply(1, {}))  # far too late

    run(cache, scenario)


def test_requests_at_once_are_bounded() -> None:
    cache = Cache()
    cache.answers = False

    async def scenario(client: aiohttp.ClientSession) -> None:
        async def status() -> int:
            async with client.get("/cache/stats") as answer:
                return answer.status

        found = await asyncio.gather(*(status() for _ in range(MAX_REQUESTS + 2)))
        assert sorted(found) == [503] * 2 + [504] * MAX_REQUESTS

    run(cache, scenario)
