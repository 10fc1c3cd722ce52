"""What a worker does with its engine: jobs as asyncio tasks on the engine thread.

A job belongs to one turn and one lease. It ends by its last message, by
`WorkFailed`, or silently when it was cancelled or forgotten (its session died):
nothing runs longer than `JOB_LIMIT_S`. Messages that belong to no job are dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, cast

import numpy as np

from actors import log
from actors.audio.opus import Encoder, FrameEncoder
from actors.audio.resample import Resampler
from actors.engine import EngineThread
from actors.messages import (
    Address,
    ClauseReady,
    FramesReady,
    Generate,
    Generated,
    Partial,
    Recognise,
    Recognised,
    SpeechChunk,
    SpeechEnded,
    Synthesise,
    TurnId,
    WorkFailed,
)
from actors.ordering import InOrder
from actors.workers import asr, llm, tts
from actors.workers.interface import AsrEngine, EngineError, Health, LlmEngine, TtsEngine
from actors.workers.llm.clauses import ClauseCutter
from actors.workers.llm.emotion import emotion_of
from actors.workers.tts.text import has_speech
from cfg.model import Settings

#: No job outlives its usefulness: twice the longest turn that the defaults allow.
JOB_LIMIT_S = 240.0

#: Speech that may wait for a recogniser: 30 s in chunks of at least 60 ms.
MAX_WAITING_CHUNKS = 600

#: Ended jobs that are remembered, for messages that overtook their end.
MAX_REMEMBERED = 1000

#: The first packets leave at once, the rest in messages of so many.
FIRST_FRAMES = 2
FRAMES_PER_MESSAGE = 10

#: Between two messages of a clause: they hold 600 ms of speech each, so nobody hears
#: the pause, and whoever waits for a first sound gets in between.
PAUSE_S = 0.01

#: Room that must be left in the outbox before more audio is made.
OUTBOX_RESERVE = 100

JobKey = tuple[TurnId, int]


class Jobs:
    """Jobs of one engine, keyed by turn and lease. Engine thread only, but for `len`."""

    def __init__(self, engine_settings: Any, settings: Settings, thread: EngineThread) -> None:
        self.settings = settings
        self.thread = thread
        self._tasks: dict[JobKey, asyncio.Task[None]] = {}
        self._over: dict[JobKey, None] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def engine(self) -> AsrEngine | LlmEngine | TtsEngine:
        raise NotImplementedError

    async def open(self) -> None:
        await self.engine.open()

    async def probe(self) -> Health:
        return await self.engine.probe()

    def take(self, message: Any, sender: Address) -> None:
        """Start or continue the job that `message` belongs to."""
        raise NotImplementedError

    def cancel(self, turn: TurnId, job: int) -> None:
        """Stop this job, also one whose first message is still on its way."""
        self._end((turn, job))
        task = self._tasks.pop((turn, job), None)
        if task is not None:
            task.cancel()

    def _end(self, key: JobKey) -> None:
        """Remember that this job is over: what still comes of it is dropped."""
        self._over[key] = None
        while len(self._over) > MAX_REMEMBERED:
            del self._over[next(iter(self._over))]

    def begin(self, key: JobKey, sender: Address, work: Coroutine[Any, Any, None]) -> None:
        if key in self._over:
            work.close()
            return
        task = self._tasks[key] = self.thread.spawn(self._run(key, sender, work))
        # One that is cancelled before its first step would never be told.
        task.add_done_callback(lambda _: work.close())

    async def _run(self, key: JobKey, sender: Address, work: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(JOB_LIMIT_S):
                await work
        except EngineError as error:
            self._failed(key, sender, error.reason, error.retryable)
        except TimeoutError:
            self._failed(key, sender, f"no end after {JOB_LIMIT_S:.0f} s", False)
        except Exception as error:  # the job's edge: its session must hear of it
            log.get().exception("job failed", turn=str(key[0]))
            self._failed(key, sender, f"{type(error).__name__}: {error}", True)
        finally:
            self._end(key)
            if self._tasks.get(key) is asyncio.current_task():
                del self._tasks[key]

    def _failed(self, key: JobKey, sender: Address, reason: str, retryable: bool) -> None:
        log.get().warning("work failed", turn=str(key[0]), reason=reason)
        self.thread.emit(sender, WorkFailed(key[0], key[1], reason, retryable))


class Speech:
    """One job's speech on its way to the recogniser; None ends it."""

    def __init__(self) -> None:
        self.order: InOrder[bytes | None] = InOrder()
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING_CHUNKS)


class AsrJobs(Jobs):
    """Recognition: one stream a job, fed in the order in which it was spoken."""

    def __init__(self, engine_settings: Any, settings: Settings, thread: EngineThread) -> None:
        super().__init__(engine_settings, settings, thread)
        self._engine = asr.create(engine_settings)
        self._speech: dict[JobKey, Speech] = {}

    @property
    def engine(self) -> AsrEngine:
        return self._engine

    def take(self, message: Recognise | SpeechChunk | SpeechEnded, sender: Address) -> None:
        """Any of a job's messages may be its first to arrive; the speech is put in order."""
        key = (message.turn, message.job)
        if key in self._over:
            return
        speech = self._speech.get(key)
        if speech is None:
            speech = self._speech[key] = Speech()
            self.begin(key, sender, self._recognise(key, sender, speech.waiting))
        if isinstance(message, Recognise):
            return
        pcm = message.pcm if isinstance(message, SpeechChunk) else None
        try:
            for piece in speech.order.push(message.sequence, pcm):
                speech.waiting.put_nowait(piece)
        except asyncio.QueueFull:
            self.cancel(*key)
            self._failed(key, sender, "the recogniser is slower than the speech", True)

    def cancel(self, turn: TurnId, job: int) -> None:
        super().cancel(turn, job)
        self._speech.pop((turn, job), None)

    async def _recognise(
        self, key: JobKey, sender: Address, speech: asyncio.Queue[bytes | None]
    ) -> None:
        stream = self._engine.stream()
        try:
            ended = False
            while not ended:
                pieces = [await speech.get()]
                # What has piled up is fed at once: a partial for each piece would make
                # a recogniser that is behind fall back further.
                while not speech.empty():
                    pieces.append(speech.get_nowait())
                ended = pieces[-1] is None
                pcm = b"".join(piece for piece in pieces if piece is not None)
                if ended:
                    text = await stream.finish(pcm)
                    self.thread.emit(sender, Recognised(key[0], key[1], text))
                elif (partial := await stream.feed(pcm)) is not None:
                    self.thread.emit(sender, Partial(key[0], key[1], partial))
        finally:
            stream.close()
            self._speech.pop(key, None)


class LlmJobs(Jobs):
    """Generation: text is cut into clauses here, so that messages stay few."""

    def __init__(self, engine_settings: Any, settings: Settings, thread: EngineThread) -> None:
        super().__init__(engine_settings, settings, thread)
        self._engine = llm.create(engine_settings)

    @property
    def engine(self) -> LlmEngine:
        return self._engine

    def take(self, message: Generate, sender: Address) -> None:
        self.begin((message.turn, message.job), sender, self._generate(message, sender))

    async def _generate(self, message: Generate, sender: Address) -> None:
        began = time.monotonic()
        first_token_ms = 0.0
        cutter = ClauseCutter()
        sent = 0
        stream = self._engine.generate(message.messages, message.spoken)
        async with aclosing(cast("Any", stream)) as pieces:
            async for piece in cast("AsyncIterator[str]", pieces):
                first_token_ms = first_token_ms or (time.monotonic() - began) * 1000
                for clause in cutter.push(piece):
                    self._emit(message, sender, sent, clause, cutter.emotion)
                    sent += 1
                if sent >= self.settings.dialogue.max_clauses:
                    break
        for clause in cutter.flush():
            if sent < self.settings.dialogue.max_clauses:
                self._emit(message, sender, sent, clause, cutter.emotion)
                sent += 1
        self.thread.emit(sender, Generated(message.turn, message.job, sent, first_token_ms))

    def _emit(
        self, message: Generate, sender: Address, index: int, clause: str, emotion: str | None
    ) -> None:
        mood = emotion or emotion_of(clause)
        self.thread.emit(sender, ClauseReady(message.turn, message.job, index, clause, mood))


class TtsJobs(Jobs):
    """Synthesis: speech leaves as Opus packets of the downlink's rate and length."""

    def __init__(self, engine_settings: Any, settings: Settings, thread: EngineThread) -> None:
        super().__init__(engine_settings, settings, thread)
        self._engine = tts.create(engine_settings)

    @property
    def engine(self) -> TtsEngine:
        return self._engine

    def take(self, message: Synthesise, sender: Address) -> None:
        self.begin((message.turn, message.job), sender, self._synthesise(message, sender))

    async def _synthesise(self, message: Synthesise, sender: Address) -> None:
        downlink = self.settings.downlink
        encoder = FrameEncoder(
            Encoder(
                message.rate_hz,
                message.frame_ms,
                bitrate=downlink.opus_bitrate,
                complexity=downlink.opus_complexity,
            )
        )
        resampler = Resampler(self._engine.sample_rate_hz, message.rate_hz)
        waiting: list[bytes] = []
        sent = 0
        # Encoding blocks the loop, so long chunks are taken in pieces of a message.
        piece = self._engine.sample_rate_hz * message.frame_ms * FRAMES_PER_MESSAGE // 1000
        stream = self._engine.synthesise(message.text)
        async with aclosing(cast("Any", stream)) as chunks:
            async for chunk in cast("AsyncIterator[bytes]", chunks):
                samples = np.frombuffer(chunk, np.int16)
                at = 0
                while at < len(samples):
                    step = piece if sent else piece * FIRST_FRAMES // FRAMES_PER_MESSAGE
                    waiting += encoder.push(resampler.push(samples[at : at + step]))
                    at += step
                    if len(waiting) >= (FRAMES_PER_MESSAGE if sent else 1):
                        self._emit(message, sender, sent, waiting, last=False)
                        waiting, sent = [], sent + 1
                        await self._room()
        waiting += encoder.push(resampler.push(np.zeros(0, np.int16), last=True))
        waiting += encoder.flush()
        if not sent and not waiting and has_speech(message.text):
            # A service that broke off before its first sound looks like this, too.
            raise EngineError("the voice gave no audio for a text that has words")
        self._emit(message, sender, sent, waiting, last=True)

    def _emit(
        self,
        message: Synthesise,
        sender: Address,
        sequence: int,
        frames: list[bytes],
        *,
        last: bool,
    ) -> None:
        turn, job, clause = message.turn, message.job, message.clause
        self.thread.emit(sender, FramesReady(turn, job, sequence, clause, tuple(frames), last))

    async def _room(self) -> None:
        """Let a job that has not begun to speak go first; wait while the actor is behind."""
        await asyncio.sleep(PAUSE_S)
        while self.thread.room() < OUTBOX_RESERVE:  # noqa: ASYNC110 - the other thread drains it
            await asyncio.sleep(0.005)
