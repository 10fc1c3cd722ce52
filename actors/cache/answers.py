"""The answer cache: what was asked before is answered at once, without a model.

State: the index (memory), questions in flight, what waits to be written. All of the
work is done on the engine thread in order of arrival; the actor's thread only passes
messages, so that it answers a probe while an embedding is computed. What is stored on
disk comes back in small pieces after a start, between the questions.

Receives: Start, Directory; AskAnswer, LearnAnswer (sessions); what operators ask
(`actors.questions`, from the console).
Sends: AnswerKnown, AnswerUnknown, AnswerAwaited (sessions); CacheReply (console).
Fails with: nothing that a session waits for; a question that cannot be answered is
unknown.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from actors import log
from actors.base import BaseActor, handles
from actors.cache import choosing, libraries
from actors.cache.assembling import Parts, assemble, named
from actors.cache.desk import Desk, Post
from actors.cache.office import Office
from actors.messages import (
    ActorReport,
    Address,
    AnswerUnknown,
    AskAnswer,
    LearnAnswer,
    Start,
)
from actors.questions import QUESTIONS, CacheReply

#: Messages that wait for their turn; whoever comes then is told to ask a model.
MAX_WAITING: Final = 512

#: Messages after which the clock is looked at.
_BETWEEN_LOOKS: Final = 32

#: Expired answers are dropped so often.
SWEEP_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Opened:
    """From the engine thread: questions are answered now; with a `problem`, never."""

    problem: str = ""


class Answers(BaseActor):
    KIND = "answers"

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[tuple[Any, Address, float]] = deque()
        self._arrived = asyncio.Event()
        self._parts: Parts | None = None
        self._office: Office | None = None
        self._problem = ""
        self._overflow = 0

    def started(self, message: Start) -> None:
        if not self.settings.answer_cache.enabled:
            self.ready({"enabled": False})
            return
        # what is restored must not hold up the thread that passes questions on
        sys.setswitchinterval(0.0005)
        self.start_engine().start(self._serve())

    # --- on the actor's thread ---

    @handles(AskAnswer)
    def on_ask(self, message: AskAnswer, sender: Address) -> None:
        if self._parts is None or len(self._waiting) >= MAX_WAITING:
            off = not self.settings.answer_cache.enabled
            starting = "the cache is starting" if self._parts is None else "the cache is busy"
            reason = "the cache is off" if off else starting
            self._overflow += not off
            self.send(sender, AnswerUnknown(message.turn, message.request, reason, False))
            return
        self._queue(message, sender)

    @handles(LearnAnswer)
    def on_learn(self, message: LearnAnswer, sender: Address) -> None:
        if self._parts is not None and len(self._waiting) < MAX_WAITING:
            self._queue(message, sender)

    @handles(*QUESTIONS)
    def on_operator(self, message: Any, sender: Address) -> None:
        if self._parts is None:
            off = not self.settings.answer_cache.enabled
            problem = "answer_cache.enabled is false" if off else "it is still starting"
            self.send(sender, CacheReply(message.request, problem=problem))
        elif len(self._waiting) >= MAX_WAITING:
            self.send(sender, CacheReply(message.request, problem="it is too busy; try again"))
        else:
            self._queue(message, sender)

    @handles(Opened)
    def on_opened(self, message: Opened, sender: Address) -> None:
        if message.problem:  # the server serves without a cache, and the status says why
            self._problem = message.problem
            log.get().error("no answer is kept", reason=message.problem)
        if self.state == "starting":
            self.ready()

    def report(self) -> tuple[ActorReport, ...]:
        in_flight, detail = len(self._waiting), self._detail()
        return (
            ActorReport(
                self.name, self.KIND, os.getpid(), self.state, in_flight=in_flight, detail=detail
            ),
        )

    def _detail(self) -> dict[str, Any]:
        """Read on either thread."""
        enabled = self.settings.answer_cache.enabled
        overflow = {"enabled": enabled, "overflow": self._overflow}
        if self._parts is None:
            return overflow | ({"problem": self._problem} if self._problem else {})
        return overflow | self._parts.figures()

    def _queue(self, message: Any, sender: Address) -> None:
        assert self.engine is not None
        self._waiting.append((message, sender, time.monotonic()))
        self.engine.call(self._arrived.set)

    # --- on the engine thread ---

    async def _serve(self) -> None:
        assert self.engine is not None
        try:
            parts = await self._set_up()
        except Exception as error:  # a library that is missing must not keep the server down
            self.engine.emit(None, Opened(f"{type(error).__name__}: {error}"))
            return
        self.engine.emit(None, Opened())
        self.engine.spawn(parts.disk.run())
        self.engine.spawn(parts.bring_back())
        await self._work(parts.desk)

    async def _set_up(self) -> Parts:
        assert self.engine is not None
        libraries.load()
        wanted = self.settings.answer_cache.embedder
        chosen = choosing.choose(wanted)
        if chosen.must_load:  # nobody waits for it: until then questions are unknown
            self.engine.emit(None, Opened())
            chosen = await asyncio.to_thread(choosing.load, chosen)
        if chosen.problem:
            log.get().warning("embedder not used", wanted=wanted, **named(chosen))
        parts = assemble(self.settings, chosen, busy=lambda: bool(self._waiting))
        await parts.disk.open()
        self._office = Office(parts.desk, parts.copies, self._detail, time.time, parts.disk.flush)
        self._parts = parts
        log.get().info("answers", **named(chosen), folder=str(parts.disk.file.parent))
        return parts

    async def _work(self, desk: Desk) -> None:
        """Questions in order of arrival, and the clock between them."""
        swept_s = time.monotonic()
        while True:
            for _ in range(_BETWEEN_LOOKS):
                if not self._waiting:
                    break
                message, sender, arrived_s = self._waiting.popleft()
                await self._send(self._handle(desk, message, sender, arrived_s))
            await self._send(desk.time())
            now_s = time.monotonic()
            if now_s - swept_s >= SWEEP_S:
                swept_s = now_s if not desk.sweep() else swept_s
            await self._pause(desk.next_s(), swept_s + SWEEP_S - now_s)

    async def _pause(self, next_s: float | None, longest_s: float) -> None:
        """Until something arrives, or, at `next_s`, somebody has waited enough."""
        self._arrived.clear()
        if self._waiting:
            return
        if next_s is not None:
            longest_s = min(longest_s, next_s - time.monotonic())
        try:
            async with asyncio.timeout(max(longest_s, 0.0)):
                await self._arrived.wait()
        except TimeoutError:
            pass

    def _handle(self, desk: Desk, message: Any, sender: Address, arrived_s: float) -> Post:
        """One message; the engine's one broad catch, since the next one must be served."""
        try:
            if isinstance(message, AskAnswer):
                return desk.ask(message, sender, arrived_s)
            if isinstance(message, LearnAnswer):
                return desk.learn(message, sender)
            assert self.engine is not None
            self.engine.spawn(self._operate(message, sender))
        except Exception as error:
            log.get().exception("question failed", message=type(message).__name__)
            if isinstance(message, AskAnswer):
                reason = f"the cache failed: {type(error).__name__}"
                return [(sender, AnswerUnknown(message.turn, message.request, reason, False))]
        return []

    async def _operate(self, message: Any, sender: Address) -> None:
        assert self._office is not None
        assert self.engine is not None
        try:
            reply = await self._office.reply(message)
        except Exception as error:
            log.get().exception("operator's question failed", message=type(message).__name__)
            reply = CacheReply(message.request, problem=f"{type(error).__name__}: {error}")
        self.engine.emit(sender, reply)

    async def _send(self, post: Post) -> None:
        """Hand over to the actor's thread, no faster than it sends."""
        assert self.engine is not None
        for target, message in post:
            while self.engine.room() < 2:  # noqa: ASYNC110 - it drains without telling
                await asyncio.sleep(0.001)
            self.engine.emit(target, message)
        await asyncio.sleep(0)
