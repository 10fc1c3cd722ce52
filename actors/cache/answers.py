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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors import log
from actors.base import BaseActor, handles
from actors.cache import choosing, libraries
from actors.cache.bank import bank_of
from actors.cache.cacheable import Lists
from actors.cache.copies import Copies, Place
from actors.cache.desk import Desk, Post
from actors.cache.disk import DiskShelf
from actors.cache.entries import RULES
from actors.cache.index import AnswerIndex
from actors.cache.office import Office
from actors.cache.replica import IndexReplica
from actors.messages import (
    ActorReport,
    Address,
    AnswerUnknown,
    AskAnswer,
    LearnAnswer,
    Start,
)
from actors.questions import (
    CacheReply,
    CacheStats,
    ClearAnswers,
    ExportAnswers,
    ForgetAnswer,
    ImportAnswers,
    WhyAnswer,
)

if TYPE_CHECKING:
    from actors.cache.sharing import RedisShelf

#: Messages that wait for their turn; whoever comes then is told to ask a model.
MAX_WAITING: Final = 512

#: Messages after which the clock is looked at.
_BETWEEN_LOOKS: Final = 32

#: Expired answers are dropped so often.
SWEEP_S: Final = 15.0

#: Where caches lie when the settings name no folder.
DEFAULT_FOLDER: Final = Path(__file__).parents[2] / "var" / "cache"


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
        self._desk: Desk | None = None
        self._office: Office | None = None
        self._copies: Copies | None = None
        self._problem = ""
        self._overflow = 0
        self._replica: IndexReplica | None = None
        self._places: list[Place] = []
        self._shelf: RedisShelf | None = None
        self._chosen: choosing.Chosen

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
        if self._desk is None or len(self._waiting) >= MAX_WAITING:
            off = not self.settings.answer_cache.enabled
            starting = "the cache is starting" if self._desk is None else "the cache is busy"
            reason = "the cache is off" if off else starting
            self._overflow += not off
            self.send(sender, AnswerUnknown(message.turn, message.request, reason, False))
            return
        self._queue(message, sender)

    @handles(LearnAnswer)
    def on_learn(self, message: LearnAnswer, sender: Address) -> None:
        if self._desk is not None and len(self._waiting) < MAX_WAITING:
            self._queue(message, sender)

    @handles(CacheStats, WhyAnswer, ForgetAnswer, ClearAnswers, ExportAnswers, ImportAnswers)
    def on_operator(self, message: Any, sender: Address) -> None:
        if self._desk is None:
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
        """Read on either thread: whole copies only, of what the engine's thread changes."""
        enabled = self.settings.answer_cache.enabled
        if self._desk is None or self._copies is None or self._replica is None:
            problem = {"problem": self._problem} if self._problem else {}
            return {"enabled": enabled, "overflow": self._overflow, **problem}
        return {
            "enabled": enabled,
            **self._desk.figures(),
            "overflow": self._overflow,
            **self._named(),
            "restored": self._replica.restored_count,
            "restoring": self._replica.restoring,
            **({} if self._shelf is not None else {"redis": "not used"}),
            **self._copies.state(),
        }

    def _queue(self, message: Any, sender: Address) -> None:
        assert self.engine is not None
        self._waiting.append((message, sender, time.monotonic()))
        self.engine.call(self._arrived.set)

    # --- on the engine thread ---

    async def _serve(self) -> None:
        assert self.engine is not None
        try:
            disk = await self._set_up()
        except Exception as error:  # a library that is missing must not keep the server down
            self.engine.emit(None, Opened(f"{type(error).__name__}: {error}"))
            return
        self.engine.emit(None, Opened())
        self.engine.spawn(disk.run())
        self.engine.spawn(self._bring_back(disk))
        await self._work()

    async def _set_up(self) -> DiskShelf:
        assert self.engine is not None
        libraries.load()
        options = self.settings.answer_cache
        self._chosen = choosing.choose(options.embedder)
        if self._chosen.must_load:  # nobody waits for it: until then questions are unknown
            self.engine.emit(None, Opened())
            self._chosen = await asyncio.to_thread(choosing.load, self._chosen)
        if self._chosen.problem:
            log.get().warning("embedder not used", wanted=options.embedder, **self._named())
        disk = DiskShelf(self._folder(), options.entries)
        await disk.open()
        self._open(disk)
        log.get().info("answers", **self._named(), folder=str(disk.file.parent))
        return disk

    async def _bring_back(self, disk: DiskShelf) -> None:
        """What the disk remembers first: Redis may be away, and then it knows less."""
        assert self._replica is not None
        began_s = time.monotonic()
        await self._replica.from_disk()
        took_s = round(time.monotonic() - began_s, 2)
        log.get().info("answers restored", count=self._replica.restored_count, took_s=took_s)
        if self._shelf is not None:
            self._shelf.epoch = await self._replica.epoch()
            await self._shelf.run()

    def _open(self, disk: DiskShelf) -> None:
        """Index, desk and office, with what is written where."""
        options = self.settings.answer_cache
        embedder = self._chosen.embedder
        self._places.append(disk)
        copies = Copies(
            self._places,
            self._space,
            lambda entry_id: index.vector_of(entry_id),
            time.time,
            float(options.ttl_s),
        )
        index = AnswerIndex(
            embedder,
            capacity=options.entries,
            ttl_s=float(options.ttl_s),
            threshold=options.threshold or None,
            lists=Lists(options.never, options.always),
            wake_words=self.settings.dialogue.wake_words,
            follower=copies,
        )
        bank, problem = bank_of(self.settings)
        if problem:
            log.get().error("phrase bank", problem=problem)
        self._copies = copies
        self._replica = IndexReplica(
            index,
            copies,
            disk,
            self._space,
            busy=lambda: bool(self._waiting),
            clock=time.monotonic,
            wall=time.time,
        )
        self._share(self._replica)
        self._desk = Desk(
            index,
            bank,
            ask_s=options.ask_ms / 1000,
            together_s=options.together_ms / 1000,
            clock=time.monotonic,
            wall=time.time,
        )
        self._office = Office(self._desk, copies, self._detail, time.time, disk.flush)

    def _share(self, replica: IndexReplica) -> None:
        """With other instances, where the settings name a Redis."""
        options, redis = self.settings.answer_cache, self.settings.redis
        url = redis.url.get_secret_value()
        if not url:
            return
        from actors.cache.sharing import RedisShelf  # 0.1 s that only those pay who use it

        self._shelf = RedisShelf(
            url,
            redis.prefix,
            replica,
            timeout_s=redis.timeout_ms / 1000,
            capacity=options.entries,
            ttl_s=float(options.ttl_s),
        )
        self._places.append(self._shelf)

    async def _work(self) -> None:
        """Questions in order of arrival, and the clock between them."""
        assert self._desk is not None
        swept_s = time.monotonic()
        while True:
            for _ in range(_BETWEEN_LOOKS):
                if not self._waiting:
                    break
                message, sender, arrived_s = self._waiting.popleft()
                await self._send(self._handle(message, sender, arrived_s))
            await self._send(self._desk.time())
            now_s = time.monotonic()
            if now_s - swept_s >= SWEEP_S:
                swept_s = now_s if not self._desk.sweep() else swept_s
            await self._pause(swept_s + SWEEP_S - now_s)

    async def _pause(self, longest_s: float) -> None:
        """Until something arrives, or somebody has waited enough."""
        assert self._desk is not None
        self._arrived.clear()
        if self._waiting:
            return
        next_s = self._desk.next_s()
        if next_s is not None:
            longest_s = min(longest_s, next_s - time.monotonic())
        try:
            async with asyncio.timeout(max(longest_s, 0.0)):
                await self._arrived.wait()
        except TimeoutError:
            pass

    def _handle(self, message: Any, sender: Address, arrived_s: float) -> Post:
        """One message; the engine's one broad catch, since the next one must be served."""
        assert self._desk is not None
        try:
            if isinstance(message, AskAnswer):
                return self._desk.ask(message, sender, arrived_s)
            if isinstance(message, LearnAnswer):
                return self._desk.learn(message, sender)
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

    @property
    def _space(self) -> str:
        """Vectors of another embedder, or of other rules, are of no use."""
        return f"{self._chosen.embedder.name}/{RULES}"

    def _folder(self) -> Path:
        folder = self.settings.storage.folder
        return Path(folder).expanduser() if folder else DEFAULT_FOLDER

    def _named(self) -> dict[str, Any]:
        named = {"embedder": self._chosen.embedder.name}
        return named | ({"embedder_problem": self._chosen.problem} if self._chosen.problem else {})
