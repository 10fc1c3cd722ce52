"""What the world around a session is made of: sounds, scripted workers, the device's wire."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actors.audio.opus import Encoder
from actors.effects import CloseConnection, SendFrame
from actors.messages import Lease

#: A first byte that says: one Opus frame of 60 ms.
OPUS_60_MS = bytes([11 << 3])


@functools.cache
def packets(loud: bool) -> tuple[bytes, ...]:
    """Some seconds of microphone: noise that the test model takes for speech, or a quiet room."""
    encoder = Encoder(16000, 60)
    random = np.random.default_rng(7)
    level = 5000 if loud else 8
    return tuple(
        encoder.encode((random.standard_normal(960) * level).clip(-30000, 30000).astype(np.int16))
        for _ in range(50)
    )


def packet(text: str) -> bytes:
    """Audio that can be told apart: what it belongs to is written in it."""
    return OPUS_60_MS + text.encode()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker does with its lease.

    ok; silent, fails, refuses (not retryable), dies: after so many results;
    busy: the router has no slot; mute: the router does not answer.
    """

    name: str = "ok"
    after: int = 0


OK, BUSY, MUTE = Plan(), Plan("busy"), Plan("mute")


@dataclass(slots=True)
class Script:
    """What the workers say, and how they behave: one plan a lease, then `otherwise`."""

    text: str = "现在几点"
    #: What is understood in the end, where that is not the last partial.
    final: str | None = None
    clauses: tuple[str, ...] = ("现在是三点，", "下午好。")
    frames: int = 8
    asr: list[Plan] = field(default_factory=list)
    llm: list[Plan] = field(default_factory=list)
    tts: list[Plan] = field(default_factory=list)
    otherwise: dict[str, Plan] = field(default_factory=dict)
    #: What the caches know: clauses by question, packets by clause; None: they are silent.
    answers: dict[str, tuple[str, ...]] | None = field(default_factory=dict)
    sounds: dict[str, tuple[bytes, ...]] | None = field(default_factory=dict)
    asr_s: float = 0.02
    llm_s: float = 0.03
    tts_s: float = 0.02
    engines: int = 2

    def plan(self, kind: str) -> Plan:
        plans: list[Plan] = getattr(self, kind)
        return plans.pop(0) if plans else self.otherwise.get(kind, OK)


@dataclass(slots=True)
class Job:
    """One lease at its worker."""

    lease: Lease
    plan: Plan
    engine: str
    pcm: bytearray = field(default_factory=bytearray)
    sequences: list[int] = field(default_factory=list)
    ended: bool = False
    stopped: bool = False
    results: int = 0


class Wire:
    """What reached the device, and the rules that hold on every wire."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, str, Any]] = []
        self.speaking = False
        self.starts = self.stops = 0
        self.closed: CloseConnection | None = None
        #: The session before this one may have said so already.
        self.was_speaking = False

    def text(self, now: float, text: str) -> None:
        assert self.closed is None, f"sent after the close: {text}"
        message = json.loads(text)
        kind = message["type"]
        if kind == "tts":
            kind = f"tts {message['state']}"
        if kind == "tts start":
            assert not self.speaking or self.was_speaking, "a second tts start"
            self.speaking, self.was_speaking = True, False
            self.starts += 1
        elif kind == "tts stop":
            self.speaking = self.was_speaking = False
            self.stops += 1
        elif kind in ("tts sentence_start", "llm"):
            assert self.speaking, f"{kind} outside of speaking"
        self.sent.append((now, kind, message))

    def frame(self, now: float, frame: SendFrame) -> None:
        assert self.closed is None, "a frame after the close"
        assert self.speaking, "a frame outside of speaking"
        self.sent.append((now, "frame", frame))
