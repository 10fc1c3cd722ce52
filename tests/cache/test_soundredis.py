"""The hot tier in a real Redis: shared, bounded by itself, and of no harm when it is ill."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from actors.cache import soundtiers
from actors.messages import SoundKnown, SoundUnknown
from cfg.model import Settings
from tests.cache.redis_server import PROGRAM, RedisServer
from tests.cache.soundcache import Recorded, frames, settings

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed"),
]
LIMIT_MB = 4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    started = RedisServer(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port, socket_timeout=5) as opened:
        yield opened


@pytest.fixture
def instances(server: RedisServer, tmp_path: Path) -> Iterator[tuple[Recorded, Recorded]]:
    """Two instances with a folder each, and one Redis."""
    made = [Recorded(with_redis(tmp_path / name, server.url)).start() for name in ("one", "two")]
    yield made[0], made[1]
    for each in made:
        each.close()


def with_redis(folder: Path, url: str, **redis_settings: Any) -> Settings:
    chosen = settings(folder, disk_mb=0, redis_mb=LIMIT_MB)
    shared = {"url": url, "timeout_ms": 100, **redis_settings}
    return Settings.model_validate(chosen.model_dump() | {"redis": shared})


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundtiers, "REDIS_RETRY_S", (0.05, 0.1))
    # The first connections of a busy test host are slow.
    monkeypatch.setattr(soundtiers, "REDIS_S", 1.0)


def test_what_one_instance_spoke_the_other_knows(instances: tuple[Recorded, Recorded]) -> None:
    one, two = instances
    one.keep("你好呀。")
    one.written()
    answer = two.answer("你好呀。")
    assert isinstance(answer, SoundKnown)
    assert answer.frames == frames("你好呀。")
    assert two.counts.redis_hits == 1
    assert two.detail["redis"] == "serves"
    assert isinstance(two.answer("你好呀。"), SoundKnown)
    assert two.counts.memory_hits == 1


def test_redis_holds_no_more_than_it_may(
    instances: tuple[Recorded, Recorded], client: redis.Redis
) -> None:
    one, two = instances
    before = client.info("memory")["used_memory"]
    for number in range(500):
        one.keep(f"第{number}句话。", (os.urandom(300),) * 41, request=number)
        if number % 50 == 0:
            one.written()
            assert isinstance(two.answer("第0句话。"), SoundKnown)  # used, so it stays
            two.memory.clear()
    one.written()
    used = client.info("memory")["used_memory"] - before
    assert one.detail["redis_bytes"] <= LIMIT_MB * 1_000_000
    assert used < 1.1 * LIMIT_MB * 1_000_000  # connections and scripts included
    assert client.zcard("xiaozhi:sounds:used") == one.detail["redis_entries"]
    two.memory.clear()
    assert isinstance(two.answer("第499句话。"), SoundKnown)
    assert isinstance(two.answer("第1句话。"), SoundUnknown)


def test_a_damaged_value_is_dropped(
    instances: tuple[Recorded, Recorded], client: redis.Redis
) -> None:
    one, two = instances
    one.keep("你好呀。")
    one.written()
    (name,) = client.keys("xiaozhi:sound:*")
    client.set(name, b"garbage", keepttl=True)
    assert isinstance(two.answer("你好呀。"), SoundUnknown)
    assert two.detail["damaged"] == 1


def test_an_emptied_redis_is_filled_again(
    instances: tuple[Recorded, Recorded], client: redis.Redis
) -> None:
    one, two = instances
    one.keep("你好呀。")
    one.written()
    client.flushall()
    assert isinstance(two.answer("你好呀。"), SoundUnknown)
    two.keep("你好呀。")
    two.written()
    one.memory.clear()
    assert isinstance(one.answer("你好呀。"), SoundKnown)


@pytest.mark.faults
@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_an_ill_redis_costs_one_short_wait_and_is_used_again_when_well(
    instances: tuple[Recorded, Recorded],
    server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    one, two = instances
    monkeypatch.setattr(soundtiers, "REDIS_S", 0.005)
    if how == "frozen":
        server.freeze()
    else:
        server.kill()
    asked = time.monotonic()
    for number in range(50):
        assert isinstance(one.answer(f"第{number}句话。", request=number), SoundUnknown)
        one.keep(f"第{number}句话。", request=number)
        assert isinstance(one.answer(f"第{number}句话。", request=number), SoundKnown)
    # one wait of 5 ms would be 250 ms for fifty; the rest is the test's own work
    assert time.monotonic() - asked < 2.0
    one.until(lambda: one.detail["redis"] not in ("serves", "opening"))
    if how == "frozen":
        server.thaw()
    else:
        server.start()
    one.until(lambda: one.detail["redis"] == "serves")
    monkeypatch.setattr(soundtiers, "REDIS_S", 1.0)
    one.keep("都好了。")
    one.written()
    assert capsys.readouterr().err.count("speech tier failed") <= 2  # once in each instance
    # the other has perhaps not noticed yet: then it does now, and mends itself
    two.until(lambda: isinstance(two.answer("都好了。"), SoundKnown))


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "nonsense", "redis://:a@b@c:x/0"])
def test_a_wrong_address_is_told_and_harms_nothing(tmp_path: Path, url: str) -> None:
    sounds = Recorded(with_redis(tmp_path, url)).start()
    try:
        sounds.until(lambda: sounds.detail["redis"] not in ("serves", "opening"))
        sounds.keep("你好呀。")
        assert isinstance(sounds.answer("你好呀。"), SoundKnown)
    finally:
        sounds.close()
