"""Answers said before, in the whole server: once asked, for everybody, over every end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cache.redis_server import PROGRAM, RedisServer
from tests.system.conftest import Start
from tests.system.server import ROOT, Server, alive, environment
from tests.system.standins import StandIns
from tests.system.talker import Question, talker
from tests.system.waiting import eventually, until

pytestmark = pytest.mark.system

WHALE = Question("鲸鱼吃什么", "磷虾")
WHALE_AGAIN = Question("请问鲸鱼吃什么呀", "磷虾")
SAID = "它们吃磷虾。还有小鱼。"


@pytest.fixture
def model(stand_ins: StandIns) -> dict[str, Any]:
    """Settings with a model that counts what it is asked; its answers name a food."""
    stand_ins.ollama.faults(answer=SAID)
    return {
        "llm": [stand_ins.ollama_llm()],
        "answer_cache": {"ask_ms": 500},  # the host may be busy
        "sound_cache": {"enabled": False},
    }


async def typed(server: Server, question: Question) -> dict[str, Any]:
    """One right turn of a new device; its record."""
    async with talker(server) as device:
        result = await device.type(question)
        assert result.right, (result.verdict, result.sentences)
        record: dict[str, Any] = await asyncio.to_thread(server.last_turn, device.id, 1)
        return record


def tier(record: dict[str, Any]) -> str:
    """By what the cache answered; '' when a model did."""
    return str(record["engines"].get("answer", ""))


def cache(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`run.py cache …` with the server's own settings."""
    return subprocess.run(
        [sys.executable, "run.py", "cache", *arguments, "--config", str(server.config)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def stored(server: Server, count: int) -> None:
    """Return once so many answers are known and on disk."""

    def written() -> bool:
        actor = server.actor("answers")
        found = actor["detail"] if actor is not None and actor["state"] == "ready" else {}
        return found.get("disk_entries") == count and found["entries"] == count

    until(written, 5.0, "the answer is on disk")


@pytest.mark.faults
def test_once_asked_it_is_known_over_every_end(
    start: Start, stand_ins: StandIns, model: dict[str, Any]
) -> None:
    server = start(model)
    asked = len(stand_ins.ollama.seen("chat"))

    async def scenario() -> None:
        assert tier(await typed(server, WHALE)) == ""
        await asyncio.to_thread(stored, server, 1)
        assert tier(await typed(server, WHALE_AGAIN)) in ("exact", "canonical")
        pid = server.pid("answers")
        server.kill(pid)
        server.wait_replaced("answers", pid)
        assert tier(await typed(server, WHALE)) == "exact"

    asyncio.run(scenario())
    pids = server.pids()
    server.process.kill()
    server.process.wait(5)
    until(lambda: not alive(pids), 5.0, "all of it is gone")
    again = start(model, (server.device_port, server.http_port))
    stored(again, 1)
    assert tier(asyncio.run(typed(again, WHALE))) == "exact"
    assert len(stand_ins.ollama.seen("chat")) == asked + 1


def test_the_same_question_at_once_is_asked_once(
    start: Start, stand_ins: StandIns, model: dict[str, Any]
) -> None:
    server = start(model)
    stand_ins.ollama.faults(answer=SAID, first_ms=700)
    asked = len(stand_ins.ollama.seen("chat"))

    async def scenario() -> None:
        records = await asyncio.gather(
            typed(server, WHALE), typed(server, WHALE), typed(server, WHALE_AGAIN)
        )
        assert sorted(map(bool, map(tier, records))) == [False, True, True]

    asyncio.run(scenario())
    assert len(stand_ins.ollama.seen("chat")) == asked + 1
    actor = server.actor("answers")
    assert actor is not None
    assert actor["detail"]["awaited"] == 2
    assert actor["detail"]["saved_calls"] == 2


def test_the_phrasebook_says_itself_how_far_it_is(start: Start, model: dict[str, Any]) -> None:
    server = start(model)

    def spoken() -> bool:
        actor = server.actor("phrasebook")
        return actor is not None and actor["detail"].get("held_for_sessions", 0) > 0

    until(spoken, 20.0, "its phrases are spoken")


@pytest.mark.faults
def test_a_frozen_cache_costs_a_turn_its_patience_only(start: Start, model: dict[str, Any]) -> None:
    server = start(model)

    async def scenario() -> None:
        await typed(server, WHALE)
        pid = server.pid("answers")
        os.kill(pid, signal.SIGSTOP)
        try:
            assert tier(await typed(server, WHALE)) == ""
        finally:
            with contextlib.suppress(ProcessLookupError):  # it may have been replaced by now
                os.kill(pid, signal.SIGCONT)

    asyncio.run(scenario())


def test_operators_look_in_and_change_it(
    start: Start, model: dict[str, Any], tmp_path: Path
) -> None:
    server = start(model)
    asyncio.run(typed(server, WHALE))
    stored(server, 1)
    assert "它们吃磷虾。 还有小鱼。" in cache(server, "why", WHALE_AGAIN.words).stdout
    assert "entries" in cache(server, "stats").stdout
    file = tmp_path / "answers.jsonl"
    assert cache(server, "export", str(file)).returncode == 0
    line = json.loads(file.read_text(encoding="utf-8"))
    assert line["question"] == WHALE.words
    assert cache(server, "forget", "鲸鱼吃什么呀").stdout == "1 answer forgotten.\n"
    line["answer"] = ["磷虾和鱼。"]
    file.write_text(json.dumps(line) + '\n{"question": "北京有多大"}\n', encoding="utf-8")
    done = cache(server, "import", str(file))
    assert (done.returncode, done.stdout) == (1, "1 answers imported, 1 lines not taken.\n")
    assert f"{file}, line 2, answer: it is missing" in done.stderr
    assert tier(asyncio.run(typed(server, Question(WHALE.words, "磷虾和鱼")))) == "exact"
    assert cache(server, "clear").stdout == "1 answers forgotten.\n"
    url = f"http://127.0.0.1:{server.http_port}/cache/clear"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, b""), timeout=5)
    assert refused.value.code == 403
    refused.value.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder)
    yield server
    server.stop()


@pytest.mark.faults
@pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed")
def test_two_instances_share_and_a_dead_redis_costs_nothing_else(
    start: Start, stand_ins: StandIns, model: dict[str, Any], redis: RedisServer
) -> None:
    settings = {**model, "redis": {"url": redis.url, "timeout_ms": 200}}
    one, other = start(settings), start(settings)
    asked = len(stand_ins.ollama.seen("chat"))

    def state(server: Server) -> dict[str, Any]:
        actor = server.actor("answers")
        assert actor is not None
        return dict(actor["detail"])

    async def scenario() -> None:
        for server in (one, other):
            await eventually(
                lambda s=server: state(s).get("redis") == "connected",  # type: ignore[misc]
                5.0,
                "redis is connected",
            )
        assert tier(await typed(one, WHALE)) == ""
        await eventually(lambda: state(other).get("entries") == 1, 5.0, "it is shared")
        assert tier(await typed(other, WHALE)) == "exact"
        redis.freeze()
        assert tier(await typed(one, WHALE)) == "exact"
        await eventually(
            lambda: str(state(one).get("redis")).startswith("lost since"), 8.0, "it is noticed"
        )
        redis.thaw()
        redis.kill()
        assert tier(await typed(other, WHALE)) == "exact"

    asyncio.run(scenario())
    assert len(stand_ins.ollama.seen("chat")) == asked + 1
