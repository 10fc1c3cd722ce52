"""The engine thread: what it emits arrives in order, and no more than it may."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import structlog

from actors.engine import MAX_QUEUED_MESSAGES, EngineThread, OutboxFull

SOON_S = 5.0


@pytest.fixture
def engine() -> Iterator[EngineThread]:
    made = EngineThread("engine under test")
    yield made
    made.call(made.loop.stop)
    made._thread.join(SOON_S)
    made.loop.close()
    os.close(made.wake_fileno)


def readable(engine: EngineThread, seconds: float = 0.0) -> bool:
    return bool(select.select([engine.wake_fileno], [], [], seconds)[0])


def on_engine(engine: EngineThread, function: Callable[[], object]) -> object:
    """Run this on the engine's thread; return what it returned."""
    done = threading.Event()
    results: list[object] = []

    def run() -> None:
        results.append(function())
        done.set()

    engine.call(run)
    assert done.wait(SOON_S)
    return results[0]


def wait_for_tasks(engine: EngineThread) -> None:
    """Return when every task has ended and is kept no longer."""
    ends_at = time.monotonic() + SOON_S
    while on_engine(engine, lambda: len(engine._tasks)):
        assert time.monotonic() < ends_at, "an ended task is kept for ever"


def test_what_is_emitted_wakes_the_actor_and_comes_once_in_order(engine: EngineThread) -> None:
    assert not readable(engine)
    for number in range(10):
        engine.emit("target", number)
    assert readable(engine)
    assert engine.drain() == [("target", number) for number in range(10)]
    assert not readable(engine)
    assert engine.drain() == []


def test_a_message_emitted_while_the_actor_drains_wakes_it_again(engine: EngineThread) -> None:
    engine.emit("target", 1)
    engine.drain()
    engine.emit("target", 2)
    assert readable(engine)
    assert engine.drain() == [("target", 2)]


def test_the_outbox_is_bounded(engine: EngineThread) -> None:
    for number in range(MAX_QUEUED_MESSAGES):
        engine.emit(None, number)
    assert engine.room() == 0
    with pytest.raises(OutboxFull, match=f"{MAX_QUEUED_MESSAGES} messages"):
        engine.emit(None, "one too many")
    assert len(engine.drain()) == MAX_QUEUED_MESSAGES
    assert engine.room() == MAX_QUEUED_MESSAGES
    engine.emit(None, "again")
    assert engine.drain() == [(None, "again")]


def test_many_more_messages_than_fit_arrive_complete_and_in_order(engine: EngineThread) -> None:
    count = 5 * MAX_QUEUED_MESSAGES

    async def produce() -> None:
        for number in range(count):
            while engine.room() == 0:
                await asyncio.sleep(0.0005)
            engine.emit("target", number)

    engine.start(produce())
    seen: list[int] = []
    while len(seen) < count and readable(engine, SOON_S):
        drained = engine.drain()
        assert len(drained) <= MAX_QUEUED_MESSAGES
        seen += [message for _, message in drained]
    assert seen == list(range(count))


def test_calls_and_coroutines_run_on_the_engines_own_thread(engine: EngineThread) -> None:
    async def tell() -> None:
        engine.emit(None, threading.current_thread().name)

    assert on_engine(engine, lambda: threading.current_thread().name) == "engine under test"
    engine.start(tell())
    assert readable(engine, SOON_S)
    assert engine.drain() == [(None, "engine under test")]


def test_a_task_lives_until_it_ends_though_nobody_keeps_it(engine: EngineThread) -> None:
    gate = on_engine(engine, asyncio.Event)
    assert isinstance(gate, asyncio.Event)

    async def wait() -> None:
        await gate.wait()
        engine.emit(None, "ended")

    engine.start(wait())
    on_engine(engine, gc.collect)
    engine.call(gate.set)
    assert readable(engine, SOON_S)
    assert engine.drain() == [(None, "ended")]
    wait_for_tasks(engine)


def test_a_task_that_fails_ends_alone_and_is_logged(engine: EngineThread) -> None:
    async def fail() -> None:
        raise ValueError("broken")

    with structlog.testing.capture_logs() as logged:
        engine.start(fail())
        wait_for_tasks(engine)
    assert [line["event"] for line in logged] == ["engine task failed"]
    assert str(logged[0]["exc_info"]) == "broken"
    assert on_engine(engine, lambda: "alive") == "alive"


def test_a_task_that_is_cancelled_is_no_failure(engine: EngineThread) -> None:
    async def cancel() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(SOON_S)

    with structlog.testing.capture_logs() as logged:
        engine.start(cancel())
        wait_for_tasks(engine)
    assert logged == []


def test_the_engine_never_keeps_a_process_alive(engine: EngineThread) -> None:
    assert engine._thread.daemon


def test_the_actors_thread_never_waits_for_a_busy_engine(engine: EngineThread) -> None:
    release = threading.Event()
    engine.call(release.wait, SOON_S)
    before = time.monotonic()
    engine.emit(None, "from here")
    engine.call(lambda: None)
    assert engine.drain() == [(None, "from here")]
    assert time.monotonic() - before < SOON_S
    release.set()
