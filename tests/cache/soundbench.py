"""What the sound cache costs: measured by hand, in a real actor system and on a real disk.

    python3 -m sim sound-bench [--mb 1024] [--redis-mb 128] [--folder FOLDER]

Prints one JSON object; times in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis
from pydantic import SecretStr
from thespian.actors import ActorSystem

from actors.cache.sounddisk import DiskTier
from actors.cache.soundredis import RedisTier
from actors.cache.sounds import pack
from actors.cache.speech import SpeechCache
from actors.messages import KeepSound, Ready, RecallSound, SoundKnown, SoundUnknown, Start, TurnId
from cfg.model import Redis as RedisSettings
from cfg.model import Settings
from supervisor import processes, repairs
from tests.cache.redis_server import PROGRAM, RedisServer
from tests.supervisor.programs import end_all_below

LIMIT_S = 900
ANSWER_S = 5.0
HOUR = 3600.0

#: A clause of speech: 60 ms frames of 24 kbit/s.
FRAME_BYTES = 180
FRAMES = range(12, 76)  # 0.7 to 4.5 s


def speech(source: random.Random, frames: int) -> tuple[bytes, ...]:
    return tuple(source.randbytes(FRAME_BYTES) for _ in range(frames))


def summed_up(times: Sequence[float]) -> dict[str, float]:
    """Of times in seconds: their median, 95th percentile and largest, in milliseconds."""
    cuts = statistics.quantiles(times, n=20)
    return {
        "p50": round(cuts[9] * 1000, 2),
        "p95": round(cuts[18] * 1000, 2),
        "max": round(max(times) * 1000, 2),
        "count": len(times),
    }


class Cache:
    """A sound cache in an actor system, asked from outside."""

    def __init__(self, system: ActorSystem, folder: Path, **sound_cache: Any) -> None:
        settings = Settings.model_validate(
            {
                "storage": {"folder": str(folder)},
                "sound_cache": sound_cache,
                "log": {"level": "warning"},
            }
        )
        began = time.perf_counter()
        self._system = system
        self._address = system.createActor(SpeechCache)
        started = Start("sounds", settings, slot=-1)
        assert isinstance(system.ask(self._address, started, ANSWER_S), Ready)
        self.ready_ms = round((time.perf_counter() - began) * 1000, 1)
        self._request = 0

    def recall(self, text: str) -> tuple[float, Any]:
        """Seconds from asking to the answer, and the answer."""
        self._request += 1
        asked = RecallSound(TurnId("bench", 1), self._request, text)
        began = time.perf_counter()
        answer = self._system.ask(self._address, asked, ANSWER_S)
        took_s = time.perf_counter() - began
        assert answer is not None
        assert answer.request == self._request
        return took_s, answer

    def keep(self, text: str, frames: tuple[bytes, ...]) -> None:
        self._system.tell(
            self._address, KeepSound(TurnId("bench", 1), self._request, text, "espeak", frames)
        )

    def burst(self, texts: Sequence[str]) -> list[float]:
        """Ask for all of these at once; seconds from asking for each to its answer."""
        asked: dict[int, float] = {}
        times: list[float] = []
        for text in texts:
            self._request += 1
            asked[self._request] = time.perf_counter()
            self._system.tell(self._address, RecallSound(TurnId("bench", 1), self._request, text))
        while len(times) < len(texts):
            answer = self._system.listen(ANSWER_S)
            assert isinstance(answer, SoundKnown)
            times.append(time.perf_counter() - asked[answer.request])
        return times


def recalls(cache: Cache, texts: Sequence[str], expected: type) -> dict[str, float]:
    times = []
    for text in texts:
        took_s, answer = cache.recall(text)
        assert isinstance(answer, expected), answer
        times.append(took_s)
    return summed_up(times)


def asked_of_the_actor(folder: Path, count: int = 500) -> dict[str, Any]:
    """A cached phrase's text → SoundKnown, from memory, from disk, and a miss."""
    with socket.socket() as probe:
        probe.bind((repairs.LOOPBACK, 0))
        port = probe.getsockname()[1]
    system = ActorSystem("multiprocTCPBase", {"Admin Port": port}, transientUnique=True)
    source = random.Random(1)
    phrases = [f"这是第{number}句常说的话。" for number in range(count)]
    cache = Cache(system, folder)
    for phrase in phrases:
        cache.keep(phrase, speech(source, 33))
    result: dict[str, Any] = {"memory": recalls(cache, phrases, SoundKnown)}
    bursts = [cache.burst(phrases[at : at + 50]) for at in range(0, count, 50)]
    result["memory, 50 at once"] = summed_up([took_s for burst in bursts for took_s in burst])
    unknown = [f"没有人说过第{number}句。" for number in range(count)]
    result["miss"] = recalls(cache, unknown, SoundUnknown)
    time.sleep(1)  # what was kept is written by then
    again = Cache(system, folder)
    result["disk"] = recalls(again, phrases, SoundKnown)
    result["ready, warm"] = again.ready_ms
    return result


def filled(folder: Path, limit_mb: int) -> dict[str, Any]:
    """The disk tier filled to its limit and a quarter beyond, with clauses of real size."""
    source = random.Random(2)
    limit_bytes = limit_mb * 1_000_000
    tier = DiskTier(folder, limit_bytes, 4 * HOUR)
    written = number = most = 0
    free: list[float] = []
    at_limit: list[float] = []
    while written < 1.25 * limit_bytes:
        value = pack(speech(source, source.choice(FRAMES)))
        began = time.perf_counter()
        tier.keep(f"{number:032x}", value)
        took_s = time.perf_counter() - began
        (free if written < 0.9 * limit_bytes else at_limit).append(took_s)
        written += len(value)
        number += 1
        if number % 500 == 0:
            most = max(most, sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()))
    size = tier.size()
    found = []
    for key in source.choices(range(number - size.entries // 2, number), k=500):
        began = time.perf_counter()
        assert tier.find([f"{key:032x}"]) is not None
        found.append(time.perf_counter() - began)
    tier.close()
    return {
        "limit_bytes": limit_bytes,
        "kept": number,
        "written_bytes": written,
        "most_on_disk_bytes": most,
        "entries": size.entries,
        "bytes": size.bytes,
        "keep": summed_up(free),
        "keep, at the limit": summed_up(at_limit),
        "find, full": summed_up(found),
    }


def opened(folder: Path, limit_mb: int) -> dict[str, float]:
    """A start with a full store: opening it, seeing that it can be written, its size."""
    times = []
    for _ in range(20):
        began = time.perf_counter()
        tier = DiskTier(folder, limit_mb * 1_000_000, 4 * HOUR)
        tier.try_writing()
        tier.size()
        times.append(time.perf_counter() - began)
        tier.close()
    return summed_up(times)


async def shared(url: str, limit_mb: int) -> dict[str, Any]:
    """The hot tier filled to its limit and a half beyond, and what Redis says it takes."""
    source = random.Random(3)
    with redis.Redis.from_url(url) as client:
        before = client.info("memory")["used_memory"]
        tier = RedisTier(RedisSettings(url=SecretStr(url)), limit_mb * 1_000_000, 4 * HOUR)
        kept, found, written, number = [], [], 0, 0
        while written < 1.5 * limit_mb * 1_000_000:
            value = pack(speech(source, source.choice(FRAMES)))
            began = time.perf_counter()
            size = await tier.keep(f"{number:032x}", value, time.time())
            kept.append(time.perf_counter() - began)
            written += len(value)
            number += 1
        for key in source.choices(range(number - size.entries // 2, number), k=500):
            began = time.perf_counter()
            assert await tier.find([f"{key:032x}"], time.time()) is not None
            found.append(time.perf_counter() - began)
        used = client.info("memory")["used_memory"] - before
        await tier.close()
    return {
        "limit_bytes": limit_mb * 1_000_000,
        "entries": size.entries,
        "bytes, counted": size.bytes,
        "bytes, by Redis": used,
        "keep": summed_up(kept),
        "find": summed_up(found),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="sim sound-bench", description=__doc__)
    parser.add_argument("--mb", type=int, default=1024, help="the disk tier's limit")
    parser.add_argument("--redis-mb", type=int, default=128, help="the hot tier's limit")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    options = parser.parse_args()
    processes.adopt_orphans()
    repairs.install(os.getpid())
    signal.alarm(LIMIT_S)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="sound-bench-") as made:
        folder = Path(made)
        try:
            result: dict[str, Any] = {"asked of the actor": asked_of_the_actor(folder / "actor")}
            result["on disk"] = filled(folder / "full", options.mb)
            result["opened, full"] = opened(folder / "full", options.mb)
            if PROGRAM is not None:
                server = RedisServer(folder)
                result["in Redis"] = asyncio.run(shared(server.url, options.redis_mb))
                server.stop()
            print(json.dumps(result, indent=2), flush=True)
        finally:
            end_all_below()


if __name__ == "__main__":
    # Actors are known by their module's name, which must not be '__main__'.
    from tests.cache import soundbench

    soundbench.main()
