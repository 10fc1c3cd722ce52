"""The actor base in a real actor system, with an engine, a child and an outsider who asks.

    python -m tests.supervisor.base_program

Prints what the outsider got as one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from thespian.actors import Actor, ActorExitRequest, ActorSystem, ChildActorExited

from actors.base import BaseActor, handles
from actors.messages import HandlerFailed, Ready, Start
from supervisor import processes, repairs
from tests.supervisor.programs import KEEPER_LIMIT_S, end_all_below, too_long

ANSWER_S = 5.0

#: More than the engine's outbox takes at once.
MANY = 600


@dataclass(frozen=True, slots=True)
class Count:
    """Have the engine emit the numbers below `end`."""

    end: int


@dataclass(frozen=True, slots=True)
class Fail:
    turn: Any = None


@dataclass(frozen=True, slots=True)
class Failures:
    """How often did the failing handler run?"""


@dataclass(frozen=True, slots=True)
class SeeChildEnd:
    """Have a child, and say so when it has ended."""


class Mute(Actor):  # type: ignore[misc]
    def receiveMessage(self, message: Any, sender: Any) -> None:
        pass


class Speaker(BaseActor):
    """Receives the messages above."""

    KIND = "speaker"

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        self.asker: Any = None

    def started(self, message: Start) -> None:
        self.start_engine()
        self.ready()

    @handles(Count)
    def on_count(self, message: Count, sender: Any) -> None:
        assert self.engine is not None
        self.engine.start(self.count(message.end, sender))

    async def count(self, end: int, target: Any) -> None:
        assert self.engine is not None
        for number in range(end):
            while self.engine.room() == 0:
                await asyncio.sleep(0.001)
            self.engine.emit(target, {"number": number})

    @handles(Fail)
    def on_fail(self, message: Fail, sender: Any) -> None:
        self.failures += 1
        raise ValueError("told to fail")

    @handles(Failures)
    def on_failures(self, message: Failures, sender: Any) -> None:
        self.send(sender, {"failures": self.failures})

    @handles(SeeChildEnd)
    def on_see_child_end(self, message: SeeChildEnd, sender: Any) -> None:
        self.asker = sender
        self.send(self.createActor(Mute), ActorExitRequest())

    @handles(ChildActorExited)
    def on_child_exited(self, message: ChildActorExited, sender: Any) -> None:
        if self.asker is not None:  # Thespian may announce one end twice
            self.send(self.asker, {"child": "ended"})
        self.asker = None


def numbers(system: ActorSystem, speaker: Any, end: int) -> list[int]:
    """Have it count; return what arrived."""
    system.tell(speaker, Count(end))
    found: list[int] = []
    while len(found) < end and (answer := system.listen(ANSWER_S)) is not None:
        found.append(answer["number"])
    return found


def look() -> dict[str, Any]:
    with socket.socket() as probe:
        probe.bind((repairs.LOOPBACK, 0))
        port = probe.getsockname()[1]
    system = ActorSystem("multiprocTCPBase", {"Admin Port": port}, transientUnique=True)
    speaker = system.createActor(Speaker)
    settings = SimpleNamespace(log=SimpleNamespace(level="warning", format="json"))
    ready = system.ask(speaker, Start("speaker-1", settings, slot=-1), ANSWER_S)
    seen: dict[str, Any] = {"ready": isinstance(ready, Ready) and ready.name}
    seen["in order"] = numbers(system, speaker, MANY) == list(range(MANY))
    failed = system.ask(speaker, Fail(), ANSWER_S)
    seen["failure"] = failed.error if isinstance(failed, HandlerFailed) else repr(failed)
    seen |= system.ask(speaker, Failures(), ANSWER_S)
    seen |= system.ask(speaker, SeeChildEnd(), ANSWER_S)
    seen["after system messages"] = numbers(system, speaker, 3)
    return seen


def main() -> None:
    processes.adopt_orphans()
    repairs.install(os.getpid())
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(KEEPER_LIMIT_S)
    try:
        print(json.dumps(look()), flush=True)
    finally:
        signal.alarm(0)
        end_all_below()


if __name__ == "__main__":
    # Actors are known by their module's name, which must not be '__main__'.
    from tests.supervisor import base_program

    base_program.main()
