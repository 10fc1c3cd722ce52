"""Calls are asked for at both ends of each phase, of whoever counts them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from sim.swarm import counting
from sim.swarm.counting import CallCounter, engines, served
from sim.swarm.records import CallSample, Phase
from sim.swarm.server import Target
from sim.swarm.surroundings import Surroundings
from tests.sim.swarm import virtual

STATUS = {
    "actors": [
        {"name": "root", "kind": "root", "detail": {}},
        {
            "name": "router",
            "kind": "router",
            "detail": {"engines": {"llm/rules": {"served": 7}, "tts/espeak": {"served": 9}}},
        },
    ]
}


@asynccontextmanager
async def answering(answers: dict[str, Any]) -> AsyncIterator[str]:
    """The address of somebody who gives these answers."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(answers[request.path])

    app = web.Application()
    for path in answers:
        app.router.add_get(path, answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def test_engines_and_standins_are_counted() -> None:
    async def go() -> dict[str, int]:
        answers = {"/status": STATUS, "/standin/load": {"served": 4}}
        async with answering(answers) as url:
            return await served(f"{url}/status", {"model": url, "gone": "http://127.0.0.1:1"})

    assert asyncio.run(go()) == {"llm/rules": 7, "tts/espeak": 9, "standin:model": 4}


def test_another_server_has_no_counts() -> None:
    assert asyncio.run(served("", {})) == {}
    others: list[Any] = [None, [], {}, {"actors": 1}, {"actors": [{"kind": "router"}]}]
    assert all(engines(each) == {} for each in others)
    strange = {"kind": "router", "detail": {"engines": {"llm/rules": {"served": "many"}}}}
    assert engines({"actors": [strange]}) == {}


def test_each_phase_is_counted_at_its_ends(monkeypatch: Any) -> None:
    asked: list[float] = []
    told: list[CallSample] = []

    async def go() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def count(_status: str, _standins: Any) -> dict[str, int]:
            asked.append(round(loop.time() - began, 3))
            return {} if len(asked) == 3 else {"llm/rules": len(asked)}

        monkeypatch.setattr(counting, "served", count)
        around = Surroundings(Target(ota="http://127.0.0.1:1/ota/"))
        counter = CallCounter(around, told.append, lambda: loop.time() - began, 4.0)
        counter.begin(Phase("a", 0.0, 60.0, 1))
        counter.begin(Phase("b", 60.0, 90.0, 1))
        counting_ = asyncio.create_task(counter.count())
        await asyncio.sleep(100)
        counting_.cancel()

    virtual.run(go())
    assert asked == [4.0, 64.0, 64.0, 94.0]
    assert [(each.phase, each.served["llm/rules"]) for each in told] == [
        ("a", 1),
        ("a", 2),
        ("b", 4),
    ]
