"""The sound cache without an actor system: what it sends for what it receives.

Its engine thread is real: `until` takes from it what it emits.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from thespian.actors import WatchMessage

from actors.cache.speech import SpeechCache
from actors.messages import (
    KeepSound,
    RecallSound,
    SoundAwaited,
    SoundKnown,
    SoundUnknown,
    Start,
    Tick,
    TurnId,
)
from cfg.model import EdgeTts, EspeakTts, Settings

LIMIT_S = 5.0
FRAME_MS = 60
TWO_VOICES = (EdgeTts(kind="edge", weight=50), EspeakTts(weight=100))


def settings(folder: Path, tts: Iterable[Any] = (EspeakTts(),), **sound_cache: Any) -> Settings:
    return Settings.model_validate(
        {
            "storage": {"folder": str(folder)},
            "sound_cache": sound_cache,
            "tts": [engine.model_dump() for engine in tts],
        }
    )


def frames(text: str, mark: bytes = b"x") -> tuple[bytes, ...]:
    """As long as speech of this text may be; `mark` makes it one's own."""
    return tuple(mark * 100 for _ in range(max(1, len(text) * 250 // FRAME_MS)))


def turn(number: int = 1, session: str = "session") -> TurnId:
    return TurnId(session, number)


class Recorded(SpeechCache):
    """Keeps what it sends, with the receiver, and the timers it asks for."""

    def __init__(self, chosen: Settings) -> None:
        super().__init__()
        self.sent: list[tuple[Any, Any]] = []
        self.timers: list[tuple[float, str]] = []
        self.settings = chosen

    @property
    def myAddress(self) -> str:
        return "sounds"

    def send(self, target: Any, message: Any) -> None:
        self.sent.append((target, message))

    def after(self, seconds: float, purpose: str) -> None:
        self.timers.append((seconds, purpose))

    def start(self) -> Recorded:
        """Serve, as a child of 'root'; returns when it is ready."""
        self.receiveMessage(Start("sounds", self.settings), "root")
        self.until(lambda: bool(self.sent))
        self.sent.clear()
        return self

    def until(self, holds: Callable[[], bool]) -> None:
        """Take what the engine emits until this holds."""
        ends = time.monotonic() + LIMIT_S
        while not holds():
            assert time.monotonic() < ends, f"it never came to be; {len(self.sent)} sent"
            if self.engine is not None:
                ready, _, _ = select.select([self.engine.wake_fileno], [], [], 0.05)
                if ready:
                    self.receiveMessage(WatchMessage([self.engine.wake_fileno]), None)

    def recall(
        self,
        text: str,
        request: int = 1,
        engines: tuple[str, ...] = (),
        sender: str = "session",
        session: str = "",
    ) -> None:
        """Have this session ask; the answer comes when it comes."""
        asked = RecallSound(turn(session=session or sender), request, text, engines)
        self.receiveMessage(asked, sender)

    def answer(self, text: str, **wish: Any) -> SoundKnown | SoundUnknown | SoundAwaited:
        """Ask, and take everything up to the answer."""
        self.sent.clear()
        self.recall(text, **wish)
        self.until(lambda: bool(self.sent))
        return self.sent[0][1]  # type: ignore[no-any-return]

    def keep(
        self,
        text: str,
        speech: tuple[bytes, ...] | None = None,
        engine: str = "espeak",
        request: int = 1,
        session: str = "session",
    ) -> None:
        speech = frames(text) if speech is None else speech
        kept = KeepSound(turn(session=session), request, text, engine, speech)
        self.receiveMessage(kept, session)

    def tick(self) -> None:
        self.receiveMessage(Tick("late"), "sounds")

    def written(self) -> None:
        """Wait until all that was kept is where it shall be."""
        assert self.engine is not None
        assert self.tiers is not None
        tiers, calls_done = self.tiers, threading.Event()
        self.engine.call(calls_done.set)
        self.until(lambda: calls_done.is_set() and tiers.writing == 0)

    @property
    def detail(self) -> dict[str, Any]:
        return self.report()[0].detail

    def close(self) -> None:
        """As when its process ends, but orderly: the next one may open the folder."""
        if self.tiers is not None and self.engine is not None:
            loop = self.engine.loop
            asyncio.run_coroutine_threadsafe(self.tiers.close(), loop).result(LIMIT_S)
            loop.call_soon_threadsafe(loop.stop)
            self.engine._thread.join(LIMIT_S)
            loop.close()
            os.close(self.engine.wake_fileno)
