"""Answers on disk: warm after anything, bounded, and damage costs the answers only."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from actors.cache.disk import FILE_NAME, DiskShelf
from actors.cache.pending import EVERYTHING, Ban, Drop, Forget, Keep, Use
from tests.cache.instance import SCOPE, eventually, instance

ROOT = Path(__file__).resolve().parents[2]
CAPITAL = "中国的首都是哪里"


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(limited())


async def stored(shelf: DiskShelf) -> list[str]:
    return [kept.id async for piece in shelf.pieces() for kept in piece]


def test_a_restart_is_warm_and_keeps_the_order_of_use(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with instance(tmp_path) as first:
            first.learn(CAPITAL, "北京。")
            first.learn("黑洞是什么", "一种天体。")
            first.learn("一公里有多少米", "一千米。")
            assert first.ask(CAPITAL)
            before = first.index.ids()
        async with instance(tmp_path) as second:
            assert second.index.ids() == before
            assert second.ask("中国首都在哪") == "北京。"
            assert second.replica.restored_count == 3

    run(scenario)


def test_what_was_struck_stays_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with instance(tmp_path) as first:
            first.learn(CAPITAL, "上海。")
            for _ in range(2):
                assert first.ask(CAPITAL, "a")
                first.ask("那不对", "a")
        async with instance(tmp_path) as second:
            assert len(second.index) == 0
            learned = second.index.learn(CAPITAL, "上海。", SCOPE, time.time())
            assert learned.verdict.kind == "banned"

    run(scenario)


def test_forgetting_and_clearing_reach_the_disk(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with instance(tmp_path) as first:
            first.learn(CAPITAL, "北京。")
            first.learn("黑洞是什么", "一种天体。")
            await first.disk.flush()
            first.index.forget_question(CAPITAL)
        async with instance(tmp_path) as second:
            assert not second.ask(CAPITAL)
            assert second.ask("黑洞是什么")
            second.clear()
        async with instance(tmp_path) as third:
            assert len(third.index) == 0

    run(scenario)


@pytest.mark.faults
def test_kill_9_loses_nothing_that_was_written(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.cache.disk_program", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "written\n"
    finally:
        program.send_signal(signal.SIGKILL)
        program.communicate(timeout=10)

    async def scenario() -> None:
        async with instance(tmp_path) as second:
            assert second.ask(CAPITAL) == "北京。"
            assert len(second.index) >= 100

    run(scenario)


def test_it_is_bounded_by_use(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = DiskShelf(tmp_path, 10)
        assert await shelf.open()
        until_s = time.time() + 100
        for number in range(15):
            shelf.push(Keep(f"id{number:02}", until_s, float(number), b"x"))
        await shelf.flush()
        shelf.push(Use("id05", 99.0))
        for number in range(15, 19):
            shelf.push(Keep(f"id{number:02}", until_s, float(number), b"x"))
        assert await shelf.flush()
        assert await stored(shelf) == ["id05", *(f"id{number:02}" for number in range(18, 9, -1))]
        assert shelf.state()["disk_entries"] == 10
        await shelf.close()

    run(scenario)


def test_what_is_over_is_gone_at_the_next_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = DiskShelf(tmp_path, 10, clock=lambda: 100.0)
        await shelf.open()
        shelf.push(Keep("a", 150.0, 1.0, b"x"))
        shelf.push(Keep("b", 250.0, 1.0, b"x"))
        shelf.push(Ban("c", "answer", 150.0))
        await shelf.close()
        later = DiskShelf(tmp_path, 10, clock=lambda: 200.0)
        await later.open()
        assert await stored(later) == ["b"]
        assert await later.bans() == []
        await later.close()

    run(scenario)


def test_what_was_forgotten_is_remembered_and_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.cache.answersfile.KEPT", 3)

    async def scenario() -> None:
        shelf = DiskShelf(tmp_path, 10, clock=lambda: 100.0)
        await shelf.open()
        for number in range(6):
            shelf.push(Forget(f"id{number}", 10.0 + number, 200.0 + number))
        shelf.push(Forget(EVERYTHING, 5.0, 300.0))
        assert await shelf.flush()
        shelf.push(Forget("id5", 12.0, 400.0))  # was forgotten later than that
        assert await shelf.flush()
        found = await shelf.forgotten()
        assert [fact.id for fact in found] == [EVERYTHING, "id3", "id4", "id5"]
        assert found[-1] == Forget("id5", 15.0, 205.0)
        shelf.push(Forget(EVERYTHING, 14.0, 300.0))
        await shelf.close()
        later = DiskShelf(tmp_path, 10, clock=lambda: 204.5)
        await later.open()
        assert await later.forgotten() == [
            Forget(EVERYTHING, 14.0, 300.0),
            Forget("id5", 15.0, 205.0),
        ]
        await later.close()

    run(scenario)


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b""])
def test_a_damaged_file_is_put_aside(tmp_path: Path, damage: bytes) -> None:
    async def scenario() -> None:
        (tmp_path / FILE_NAME).write_bytes(damage)
        async with instance(tmp_path) as first:
            first.learn(CAPITAL, "北京。")
        async with instance(tmp_path) as second:
            assert second.ask(CAPITAL)
        assert (tmp_path / "answers.damaged").exists() == bool(damage)

    run(scenario)


def test_a_folder_that_cannot_be_used_is_said_and_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "not yet"
        folder.write_text("a file is in its place")
        shelf = DiskShelf(folder, 10)
        assert not await shelf.open()
        assert "cannot be opened" in shelf.state()["disk"]
        assert await stored(shelf) == []
        shelf.push(Keep("a", time.time() + 100, 1.0, b"x"))
        shelf.push(Drop("b", "forgotten"))
        assert not await shelf.flush()
        assert shelf.state()["disk_waiting"] == 2
        folder.unlink()
        writer = asyncio.create_task(shelf.run())
        await eventually(lambda: shelf.written == 2, "it is written after all")
        assert shelf.state()["disk"] == "ok"
        writer.cancel()
        assert await stored(shelf) == ["a"]
        await shelf.close()

    run(scenario)


def test_facts_are_remembered(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with instance(tmp_path) as first:
            assert await first.replica.epoch() == ""
            await first.replica.remember_epoch("one")
            await first.replica.remember_epoch("two")
        async with instance(tmp_path) as second:
            assert await second.replica.epoch() == "two"

    run(scenario)
