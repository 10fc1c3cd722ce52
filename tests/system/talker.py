"""A simulated device as these tests use it: it speaks sums and remembers everything."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sim.device import SimulatedDevice
from sim.encoded import spoken
from sim.profile import DeviceProfile
from sim.result import TurnResult
from sim.swarm.excuses import excuses
from sim.timeline import Event, EventKind
from tests.system.server import Server

#: Every wait for an event of a device.
EVENT_S = 10.0

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what the answer's text must hold. No two share an answer."""

    words: str
    answer: str


#: Sums that the tiny recogniser understands of eSpeak NG's voice.
SUMS = (
    Question("三加五等于几", "三加五等于八"),
    Question("一加一等于几", "一加一等于二"),
    Question("二加三等于几", "二加三等于五"),
    Question("四加五等于几", "四加五等于九"),
    Question("七加八等于几", "七加八等于十五"),
    Question("九减四等于几", "九减四等于五"),
    Question("六加七等于几", "六加七等于十三"),
    Question("八减三等于几", "八减三等于五"),
)
SUM = SUMS[0]

#: Answered in one and a half and in two and a half seconds.
HELLO = Question("你好", "我是小智")
WHO = Question("你是谁", "你的语音助手")

#: Answered by the embedded responder for some seven seconds.
LONG = Question("你会做什么", "接上大模型以后")

#: What is said instead of an answer, in every wording.
EXCUSES = excuses()


class Talker:
    """One connected device; `events` holds everything since it connected."""

    def __init__(self, url: str, **profile: Any) -> None:
        number = next(_numbers)
        profile.setdefault("device_id", f"02:00:00:00:{number // 256:02x}:{number % 256:02x}")
        profile.setdefault("client_id", f"00000000-0000-4000-8000-{number:012d}")
        self.events: list[Event] = []
        self._came = asyncio.Event()
        self.profile = DeviceProfile(url, **profile)
        self.body = SimulatedDevice(self.profile, self._note)

    @property
    def id(self) -> str:
        return self.profile.device_id

    @property
    def local_port(self) -> int:
        """This device's end of its TCP connection."""
        link = self.body._body.link
        assert link is not None
        return int(link._connection.local_address[1])

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._came.set()

    def count(self, kind: EventKind) -> int:
        return sum(event.kind == kind for event in self.events)

    def texts(self, kind: EventKind) -> list[str]:
        return [event.text for event in self.events if event.kind == kind]

    async def until(self, kind: EventKind, count: int = 1, within_s: float = EVENT_S) -> None:
        """Wait until this device has seen `count` events of the kind."""
        try:
            async with asyncio.timeout(within_s):
                while self.count(kind) < count:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            seen = [event.kind for event in self.events]
            raise AssertionError(
                f"no {kind} number {count} within {within_s:g} s: {seen}"
            ) from None

    async def ask(self, question: Question = SUM, **options: Any) -> TurnResult:
        """One spoken turn that must be right in every respect."""
        result = await self.speak(question, **options)
        assert result.right, (question, result.verdict, result.understood, result.sentences)
        return result

    async def speak(self, question: Question = SUM, **options: Any) -> TurnResult:
        """One spoken turn, however it ends."""
        speech = spoken(question.words, self.profile.frame_ms)
        return await self.body.turn(speech, expected=question.answer, **options)

    async def type(self, question: Question = SUM, **options: Any) -> TurnResult:
        """One turn of typed text, however it ends."""
        return await self.body.typed_turn(question.words, expected=question.answer, **options)

    def check_unbroken(self) -> None:
        """It is still on its first connection: a device of ours never connects again."""
        assert self.body.connected, self.texts("closed")
        assert not self.count("closed")
        assert not self.count("foreign")


@asynccontextmanager
async def talker(server: Server, **profile: Any) -> AsyncIterator[Talker]:
    """A device that has connected to the server."""
    device = Talker(server.url, **profile)
    await device.body.connect()
    try:
        yield device
    finally:
        await device.body.close()
