"""Jobs of a recogniser whose messages overtake each other, are cancelled, or come late."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from actors.messages import (
    Recognise,
    Recognised,
    SpeechChunk,
    SpeechEnded,
    TurnId,
    WorkFailed,
)
from actors.workers import jobs
from cfg.model import Settings, VoskAsr

TURN = TurnId("s", 1)


class Scribe:
    """An engine that writes down what it was fed."""

    def stream(self) -> Scribe:
        self.fed: list[bytes] = []
        return self

    async def feed(self, pcm: bytes) -> str | None:
        self.fed.append(pcm)
        return None

    async def finish(self, pcm: bytes = b"") -> str:
        if pcm:
            await self.feed(pcm)
        return b"".join(self.fed).decode()

    def close(self) -> None:
        return None


class Thread:
    """The engine thread's half that jobs use, on the test's own loop."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)

    def emit(self, target: Any, message: Any) -> None:
        self.sent.append(message)


@pytest.fixture
def scribe(monkeypatch: pytest.MonkeyPatch) -> Scribe:
    engine = Scribe()
    monkeypatch.setattr(jobs.asr, "create", lambda settings: engine)
    return engine


MESSAGES = [
    Recognise(TURN, 1),
    SpeechChunk(TURN, 1, 0, b"a"),
    SpeechChunk(TURN, 1, 1, b"b"),
    SpeechChunk(TURN, 1, 2, b"c"),
    SpeechEnded(TURN, 1, 3),
]


def run(messages: list[Any], cancel_first: bool = False) -> list[Any]:
    async def scenario() -> list[Any]:
        thread = Thread()
        made = jobs.AsrJobs(VoskAsr(), Settings(), thread)  # type: ignore[arg-type]
        if cancel_first:
            made.cancel(TURN, 1)
        for message in messages:
            made.take(message, "session")
        running = list(made._tasks.values())
        if running:
            await asyncio.wait(running, timeout=5)
        return thread.sent

    return asyncio.run(scenario())


def test_speech_is_recognised_in_its_order_whatever_order_it_comes_in(scribe: Scribe) -> None:
    for order in itertools.permutations(MESSAGES):
        assert run(list(order)) == [Recognised(TURN, 1, "abc")], order


def test_a_job_that_was_cancelled_before_it_came_does_not_run(scribe: Scribe) -> None:
    assert run(MESSAGES, cancel_first=True) == []


def test_what_comes_after_the_end_starts_nothing(scribe: Scribe) -> None:
    assert run([*MESSAGES, SpeechChunk(TURN, 1, 1, b"b")]) == [Recognised(TURN, 1, "abc")]


def test_speech_that_nobody_reads_fails_the_job(
    scribe: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_WAITING_CHUNKS", 3)
    chunks = [SpeechChunk(TURN, 1, number, b"x") for number in range(5)]
    (failed,) = run(chunks)
    assert isinstance(failed, WorkFailed)
    assert "slower than the speech" in failed.error
