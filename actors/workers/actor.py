"""The worker actors: one process each around one engine.

The actor's thread only passes messages: it answers a probe in mid-inference. The
work runs as asyncio tasks on the engine thread (`actors.workers.jobs`).

Receives: Start(detail: the engine's settings), Probe, Cancel and
- asr: Recognise, SpeechChunk, SpeechEnded;
- llm: Generate;
- tts: Synthesise.
Sends, to whoever asked: Partial, Recognised; ClauseReady, Generated; FramesReady;
WorkFailed. To its pool: Ready(detail: what the engine says of itself), StartFailed.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any

from actors.base import BaseActor, handles
from actors.messages import (
    ActorReport,
    Address,
    Cancel,
    Generate,
    Recognise,
    SpeechChunk,
    SpeechEnded,
    Start,
    Synthesise,
)
from actors.workers.interface import EngineError, Health
from actors.workers.jobs import AsrJobs, Jobs, LlmJobs, TtsJobs

#: How often a worker asks its engine whether it still works.
PROBE_INTERVAL_S = 30.0
PROBE_TIMEOUT_S = 10.0
OPEN_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class EngineOpened:
    """From the engine thread to the worker's own actor."""

    health: Health


class Worker(BaseActor):
    """What the three kinds share: opening, probing and reporting the engine."""

    JOBS: type[Jobs]

    def __init__(self) -> None:
        super().__init__()
        self.jobs: Jobs
        self.health = Health(False, "not opened yet")

    def started(self, message: Start) -> None:
        thread = self.start_engine()
        self.jobs = self.JOBS(message.detail, self.settings, thread)
        thread.start(self._open())

    async def _open(self) -> None:
        assert self.engine is not None
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await self.jobs.open()
                health = await self.jobs.probe()
        except TimeoutError:
            health = Health(False, f"the engine did not open within {OPEN_TIMEOUT_S:.0f} s")
        except EngineError as error:
            health = Health(False, error.reason)
        except Exception as error:  # an engine's own bug must be reported, not hang the pool
            health = Health(False, f"{type(error).__name__}: {error}")
        self.engine.emit(None, EngineOpened(health))
        if health.ok:
            await self._watch_health()

    async def _watch_health(self) -> None:
        assert self.engine is not None
        while True:
            await asyncio.sleep(PROBE_INTERVAL_S)
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    self.health = await self.jobs.probe()
            except (TimeoutError, EngineError) as error:
                self.health = Health(False, f"probe failed: {error}")

    @handles(EngineOpened)
    def on_opened(self, message: EngineOpened, sender: Address) -> None:
        self.health = message.health
        if message.health.ok:
            self.ready(message.health.detail)
        else:
            self.cannot_start(message.health.reason)

    @handles(Cancel)
    def on_cancel(self, message: Cancel, sender: Address) -> None:
        assert self.engine is not None
        self.engine.call(self.jobs.cancel, message.turn, message.job)

    def report(self) -> tuple[ActorReport, ...]:
        detail: dict[str, Any] = {"healthy": self.health.ok, **self.health.detail}
        if self.health.reason:
            detail["reason"] = self.health.reason
        return (
            ActorReport(
                self.name,
                self.KIND,
                os.getpid(),
                self.state,
                in_flight=len(self.jobs),
                detail=detail,
            ),
        )

    def _do(self, message: Any, sender: Address) -> None:
        assert self.engine is not None
        self.engine.call(self.jobs.take, message, sender)


class AsrWorker(Worker):
    KIND = "asr"
    JOBS = AsrJobs

    @handles(Recognise, SpeechChunk, SpeechEnded)
    def on_speech(self, message: Recognise | SpeechChunk | SpeechEnded, sender: Address) -> None:
        self._do(message, sender)


class LlmWorker(Worker):
    KIND = "llm"
    JOBS = LlmJobs

    @handles(Generate)
    def on_generate(self, message: Generate, sender: Address) -> None:
        self._do(message, sender)


class TtsWorker(Worker):
    KIND = "tts"
    JOBS = TtsJobs

    @handles(Synthesise)
    def on_synthesise(self, message: Synthesise, sender: Address) -> None:
        self._do(message, sender)
