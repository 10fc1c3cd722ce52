"""What was forgotten stays forgotten: an instance away, Redis emptied meanwhile, any order.

Two instances and a real Redis. `b` is away when `a` forgets; both had the answer on disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cache.instance import SCOPE, Instance, eventually, instance
from tests.cache.redis_server import PROGRAM, RedisServer
from tests.cache.test_sharing import connected, redis, run, two

__all__ = ["redis"]

pytestmark = [
    pytest.mark.system,
    pytest.mark.faults,
    pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed"),
]

CAPITAL = "中国的首都是哪里"
HOLE = "黑洞是什么"

Forgetting = Callable[[Instance], None]


def forget(made: Instance) -> None:
    assert made.index.forget_question(CAPITAL)


def clear(made: Instance) -> None:
    made.clear()


def deny(made: Instance) -> None:
    """Users object until it goes."""
    for _ in range(2):
        assert made.ask(CAPITAL, "x")
        made.ask("那不对", "x")


WAYS = pytest.mark.parametrize("way", [forget, clear, deny], ids=lambda way: way.__name__)


async def both_know(folder: Path, redis: RedisServer) -> None:
    """CAPITAL and HOLE are on both disks and in Redis; nobody is there any more."""
    async with two(folder, redis) as (a, b):
        a.learn(CAPITAL, "北京。")
        b.learn(HOLE, "一种天体。")
        await eventually(lambda: len(a.index) == len(b.index) == 2, "both know both")
        await eventually(lambda: redis.number("ZCARD", "test:answers:used") == 2, "and redis")


async def forgets(made: Instance, way: Forgetting) -> None:
    """With everybody there who can hear it."""
    way(made)
    await eventually(lambda: made.waiting() == 0, "it is told")
    assert not made.ask(CAPITAL)


async def given_all(*instances: Instance) -> None:
    await connected(*instances)
    await eventually(lambda: all(made.waiting() == 0 for made in instances), "all is given")


async def stays_away(redis: RedisServer, way: Forgetting, *instances: Instance) -> None:
    """Nobody says it, and whoever comes fresh does not find it."""
    for made in instances:
        await eventually(lambda made=made: not made.ask(CAPITAL), "it is forgotten")
        assert bool(made.ask(HOLE)) == (way is not clear)
    count = 0 if way is clear else 1
    await eventually(
        lambda: redis.number("ZCARD", "test:answers:used") == count, "redis is without it"
    )


@WAYS
@pytest.mark.parametrize("noticed", [True, False], ids=["noticed", "at once"])
def test_who_was_away_returns_to_an_emptied_redis(
    tmp_path: Path, redis: RedisServer, way: Forgetting, noticed: bool
) -> None:
    async def scenario() -> None:
        await both_know(tmp_path, redis)
        async with instance(tmp_path / "a", redis.url) as a:
            await connected(a)
            await forgets(a, way)
            redis.command("FLUSHALL")
            if noticed:
                await eventually(
                    lambda: redis.number("EXISTS", "test:answers:epoch") == 1, "a notices"
                )
            async with instance(tmp_path / "b", redis.url) as b:
                await given_all(a, b)
                await stays_away(redis, way, a, b)
        async with instance(tmp_path / "b") as alone:
            assert not alone.ask(CAPITAL)  # its disk has heard of it, too

    run(scenario)


@WAYS
def test_who_forgot_returns_first(tmp_path: Path, redis: RedisServer, way: Forgetting) -> None:
    async def scenario() -> None:
        await both_know(tmp_path, redis)
        async with instance(tmp_path / "a", redis.url) as a:
            await connected(a)
            await forgets(a, way)
        redis.command("FLUSHALL")
        async with instance(tmp_path / "a", redis.url) as a:
            await given_all(a)
            async with instance(tmp_path / "b", redis.url) as b:
                await given_all(b)
                await stays_away(redis, way, a, b)

    run(scenario)


@WAYS
def test_who_was_away_returns_first(tmp_path: Path, redis: RedisServer, way: Forgetting) -> None:
    async def scenario() -> None:
        await both_know(tmp_path, redis)
        async with instance(tmp_path / "a", redis.url) as a:
            await connected(a)
            await forgets(a, way)
        redis.command("FLUSHALL")
        async with instance(tmp_path / "b", redis.url) as b:
            await given_all(b)
            assert b.ask(CAPITAL)  # nobody is there who knows
            async with instance(tmp_path / "a", redis.url) as a:
                await given_all(a)
                await stays_away(redis, way, a, b)
        async with instance(tmp_path / "fresh", redis.url) as fresh:
            await given_all(fresh)
            await stays_away(redis, way, fresh)

    run(scenario)


@WAYS
def test_forgotten_without_redis_it_is_told_after_a_restart(
    tmp_path: Path, redis: RedisServer, way: Forgetting
) -> None:
    async def scenario() -> None:
        await both_know(tmp_path, redis)
        async with instance(tmp_path / "a") as a:  # redis is not reached
            way(a)
        async with (
            instance(tmp_path / "b", redis.url) as b,
            instance(tmp_path / "a", redis.url) as a,
        ):
            await given_all(a, b)
            await stays_away(redis, way, a, b)

    run(scenario)


def test_what_users_denied_is_not_learned_again_by_who_was_away(
    tmp_path: Path, redis: RedisServer
) -> None:
    async def scenario() -> None:
        await both_know(tmp_path, redis)
        async with instance(tmp_path / "a", redis.url) as a:
            await connected(a)
            await forgets(a, deny)
            redis.command("FLUSHALL")
            async with instance(tmp_path / "b", redis.url) as b:
                await given_all(a, b)
                await eventually(
                    lambda: (
                        b.index.learn(CAPITAL, "北京。", SCOPE, time.time()).verdict.kind
                        == "banned"
                    ),
                    "the ban is known to b",
                )

    run(scenario)


@pytest.mark.parametrize("way", [forget, clear], ids=lambda way: way.__name__)
def test_what_is_learned_afterwards_lives(
    tmp_path: Path, redis: RedisServer, way: Forgetting
) -> None:
    async def scenario() -> None:
        await both_know(tmp_path, redis)
        async with instance(tmp_path / "a", redis.url) as a:
            await connected(a)
            way(a)
            a.learn(CAPITAL, "是北京。")  # at once: nothing of it is written yet
            await eventually(lambda: a.waiting() == 0, "it is told")
            redis.command("FLUSHALL")
            async with instance(tmp_path / "b", redis.url) as b:
                await given_all(a, b)
                await eventually(lambda: b.ask(CAPITAL) == "是北京。", "b has the later one")
                await eventually(lambda: a.ask(CAPITAL) == "是北京。", "and so has a")
                entry_id = next(e.id for e in b.index.entries() if e.answer == "是北京。")
                await eventually(
                    lambda: redis.number("EXISTS", f"test:answer:{entry_id}") == 1, "and redis"
                )
        async with instance(tmp_path / "b") as alone:
            assert alone.ask(CAPITAL) == "是北京。"

    run(scenario)


def test_the_record_ends_with_the_answers_and_is_bounded(
    tmp_path: Path, redis: RedisServer
) -> None:
    async def scenario() -> None:
        async with two(tmp_path, redis, ttl_s=300.0) as (a, b):
            for number in range(20):
                a.learn(f"第{number}号博物馆里有什么", "石头。")
                a.index.forget_question(f"第{number}号博物馆里有什么")
            await eventually(lambda: len(b.copies.ledger) == 20, "b has heard of it")
            assert redis.number("ZCARD", "test:answers:forgotten") == 20
            assert 0 < redis.number("PTTL", "test:answers:forgotten") <= 600_000
            a.clear()
            await eventually(lambda: len(b.copies.ledger) == 1, "all of it is said by one")
            await eventually(
                lambda: redis.number("ZCARD", "test:answers:cleared") == 1, "redis, too"
            )
            assert redis.number("EXISTS", "test:answers:forgotten") == 0

    run(scenario)


def test_a_reader_survives_news_that_it_does_not_understand(
    tmp_path: Path, redis: RedisServer
) -> None:
    async def scenario() -> None:
        async with two(tmp_path, redis) as (a, b):
            assert redis.number("PUBLISH", "test:answers:news", "Dnonsense") == 2
            a.learn(CAPITAL, "北京。")
            await eventually(lambda: bool(b.ask(CAPITAL)), "b listens still")
            assert a.shelf is not None
            assert a.shelf.connections == 1

    run(scenario)
