"""Two instances and a real Redis: shared while it lives, and nothing lost with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.cache.instance import SCOPE, Instance, eventually, instance
from tests.cache.redis_server import PROGRAM, RedisServer

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed"),
]

CAPITAL = "中国的首都是哪里"
HOLE = "黑洞是什么"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder)
    yield server
    server.stop()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(40):
            await scenario()

    asyncio.run(limited())


async def connected(*instances: Instance) -> None:
    """And each side has what the other had."""

    def whole(made: Instance) -> bool:
        assert made.shelf is not None
        return made.redis == "connected" and bool(made.shelf.epoch)

    await eventually(lambda: all(map(whole, instances)), "all are connected")


@asynccontextmanager
async def two(
    folder: Path, redis: RedisServer, **options: float
) -> AsyncIterator[tuple[Instance, Instance]]:
    async with (
        instance(folder / "a", redis.url, **options) as a,
        instance(folder / "b", redis.url, **options) as b,
    ):
        await connected(a, b)
        yield a, b


def test_what_one_learns_forgets_and_strikes_the_other_knows(
    tmp_path: Path, redis: RedisServer
) -> None:
    async def scenario() -> None:
        async with two(tmp_path, redis) as (a, b):
            a.learn(CAPITAL, "北京。")
            await eventually(lambda: b.ask("中国首都在哪") == "北京。", "it is known to b")
            a.learn(CAPITAL, "是北京。")
            await eventually(lambda: b.ask(CAPITAL) == "是北京。", "the later answer counts")
            b.index.forget_question(CAPITAL)
            await eventually(lambda: not a.ask(CAPITAL), "it is forgotten by a")
            b.learn(HOLE, "一种星星。")
            await eventually(lambda: bool(a.ask(HOLE)), "it is known to a")
            for _ in range(2):
                assert a.ask(HOLE, "x")
                a.ask("那不对", "x")
            await eventually(lambda: not b.ask(HOLE), "what was struck is gone from b")
            assert b.index.learn(HOLE, "一种星星。", SCOPE, time.time()).verdict.kind == "banned"
            a.learn(CAPITAL, "北京。")
            await eventually(lambda: bool(b.ask(CAPITAL)), "it is known to b")
            b.clear()
            await eventually(lambda: len(a.index) == 0, "a is cleared, too")
            await eventually(lambda: redis.number("ZCARD", "test:answers:used") == 0, "and redis")

    run(scenario)


def test_who_comes_later_finds_everything(tmp_path: Path, redis: RedisServer) -> None:
    async def scenario() -> None:
        async with instance(tmp_path / "a", redis.url) as a:
            await connected(a)
            for number in range(120):
                a.learn(f"第{number}号博物馆里有什么", "石头。")
            await eventually(lambda: a.waiting() == 0, "all is written")
            async with instance(tmp_path / "b", redis.url) as b:
                await eventually(lambda: len(b.index) == 120, "b has all")
        async with instance(tmp_path / "b") as alone:
            assert len(alone.index) == 120  # on its own disk by now

    run(scenario)


@pytest.mark.faults
def test_killed_it_costs_the_sharing_only_and_comes_back(
    tmp_path: Path, redis: RedisServer
) -> None:
    async def scenario() -> None:
        async with two(tmp_path, redis) as (a, b):
            a.learn(CAPITAL, "北京。")
            await eventually(lambda: bool(b.ask(CAPITAL)), "it is shared")
            redis.kill()
            await eventually(lambda: a.redis.startswith("lost since"), "a notices")
            slowest = asked_ms(a)
            a.learn(HOLE, "一种天体。")
            assert a.ask(HOLE)
            assert b.ask(CAPITAL)
            assert not b.ask(HOLE)
            assert slowest < 20.0
            redis.start()  # empty: it keeps nothing
            await connected(a, b)
            await eventually(lambda: bool(b.ask(HOLE)), "what waited is shared")
            await eventually(
                lambda: redis.number("ZCARD", "test:answers:used") == 2, "all is given anew"
            )

    run(scenario)


def asked_ms(made: Instance) -> float:
    """The slowest of many questions: nothing of it may wait for Redis."""
    times = []
    for _ in range(50):
        began = time.perf_counter()
        assert made.ask(CAPITAL)
        times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[-2]


@pytest.mark.faults
def test_frozen_it_costs_the_sharing_only(tmp_path: Path, redis: RedisServer) -> None:
    async def scenario() -> None:
        async with two(tmp_path, redis) as (a, b):
            a.learn(CAPITAL, "北京。")
            await eventually(lambda: bool(b.ask(CAPITAL)), "it is shared")
            redis.freeze()
            a.learn(HOLE, "一种天体。")
            await eventually(lambda: a.redis.startswith("lost since"), "a notices")
            assert asked_ms(a) < 20.0
            assert a.ask(HOLE)
            redis.thaw()
            await connected(a, b)
            await eventually(lambda: bool(b.ask(HOLE)), "what waited is shared")

    run(scenario)


@pytest.mark.faults
def test_emptied_it_is_given_everything_anew(tmp_path: Path, redis: RedisServer) -> None:
    async def scenario() -> None:
        async with two(tmp_path, redis) as (a, b):
            a.learn(CAPITAL, "北京。")
            b.learn(HOLE, "一种天体。")
            await eventually(lambda: bool(b.ask(CAPITAL) and a.ask(HOLE)), "both are shared")
            redis.command("FLUSHALL")
            assert a.ask(CAPITAL)
            assert b.ask(HOLE)
            await eventually(
                lambda: redis.number("ZCARD", "test:answers:used") == 2, "both are there again"
            )
            assert len(a.index) == len(b.index) == 2

    run(scenario)


def test_what_others_forgot_meanwhile_is_forgotten(tmp_path: Path, redis: RedisServer) -> None:
    async def scenario() -> None:
        async with two(tmp_path, redis) as (a, b):
            a.learn(CAPITAL, "北京。")
            a.learn(HOLE, "一种天体。")
            await eventually(lambda: len(b.index) == 2, "both are shared")
        async with instance(tmp_path / "a", redis.url) as a:
            await connected(a)
            a.index.forget_question(HOLE)
            a.learn(CAPITAL, "是北京。")
            await eventually(lambda: a.waiting() == 0, "it is written")
        async with instance(tmp_path / "b", redis.url) as b:
            assert len(b.index) == 2  # from its disk
            await connected(b)
            assert not b.ask(HOLE)
            assert b.ask(CAPITAL) == "是北京。"

    run(scenario)


def test_the_later_answer_of_who_was_alone_counts(tmp_path: Path, redis: RedisServer) -> None:
    async def scenario() -> None:
        async with two(tmp_path, redis) as (a, b):
            a.learn(CAPITAL, "北京。")
            await eventually(lambda: len(b.index) == 1, "it is shared")
        async with instance(tmp_path / "b") as b:  # redis is not reached
            b.learn(CAPITAL, "是北京。")
        async with (
            instance(tmp_path / "a", redis.url) as a,
            instance(tmp_path / "b", redis.url) as b,
        ):
            await connected(a, b)
            await eventually(lambda: a.ask(CAPITAL) == "是北京。", "a has heard of it")
            assert b.ask(CAPITAL) == "是北京。"

    run(scenario)


def test_keys_have_a_time_to_live_and_a_bound(tmp_path: Path, redis: RedisServer) -> None:
    async def scenario() -> None:
        async with two(tmp_path, redis, capacity=20, ttl_s=300.0) as (a, b):
            entry_id = a.learn(CAPITAL, "北京。")
            await eventually(
                lambda: 290_000 < redis.number("PTTL", f"test:answer:{entry_id}") <= 300_000,
                "the key lives as long as the answer",
            )
            for number in range(30):
                a.learn(f"第{number}号博物馆里有什么", "石头。")
                if number % 5 == 0:
                    assert a.ask(CAPITAL)
            await eventually(lambda: a.waiting() == 0, "all is written")
            await eventually(
                lambda: redis.number("ZCARD", "test:answers:used") == 20, "redis is bounded"
            )
            assert redis.number("EXISTS", f"test:answer:{entry_id}") == 1
            # the answers' keys, their order, the epoch
            await eventually(lambda: redis.number("DBSIZE") == 22, "what went is gone")
            assert len(b.index) <= 20

    run(scenario)


def test_a_wrong_address_is_said(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with instance(tmp_path / "a", "http://127.0.0.1/0") as a:
            await eventually(lambda: a.redis.startswith("lost since"), "it is noticed")
            assert "redis.url" in a.redis
            a.learn(CAPITAL, "北京。")
            assert a.ask(CAPITAL)

    run(scenario)
