"""The answers actor in this process: its messages go in by `receive` and come out in `sent`.

Its engine thread is the real one; only Thespian is left out.
"""

from __future__ import annotations

import itertools
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.cache.answers import Answers
from actors.messages import AnswerKnown, AskAnswer, LearnAnswer, Ready, Start, TurnId
from cfg.model import Settings

WAIT_S = 10.0
SCOPE = ("xiaozhi", "zh", "", "1")
PARENT = "parent"


class LocalAnswers(Answers):
    """Sends into a list."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[Any, Any]] = []

    @property
    def myAddress(self) -> str:
        return "answers"

    def send(self, target: Any, message: Any) -> None:
        self.sent.append((target, message))

    def wakeupAfter(self, period: Any, payload: Any = None) -> None:
        """No timer: its only one is the heartbeat."""


class Actor:
    """What a test does with it."""

    def __init__(self, settings: Settings) -> None:
        self.actor = LocalAnswers()
        self._numbers = itertools.count(1)
        self.actor.receiveMessage(Start("answers", settings), PARENT)

    def receive(self, message: Any, sender: str) -> None:
        self.actor.receiveMessage(message, sender)

    def until(self, check: Callable[[], Any], what: str) -> Any:
        """Let the actor send what its engine has emitted until `check` finds something."""
        ends_s = time.monotonic() + WAIT_S
        while not (found := check()):
            assert time.monotonic() < ends_s, f"not within {WAIT_S:g} s: {what}"
            self.deliver(0.05)
        return found

    def deliver(self, longest_s: float = 0.0) -> None:
        engine = self.actor.engine
        if engine is not None and select.select([engine.wake_fileno], [], [], longest_s)[0]:
            for target, message in engine.drain():
                if target is None:
                    self.actor.receiveMessage(message, "answers")
                else:
                    self.actor.send(target, message)

    def messages(self, kind: type, to: str | None = None) -> list[Any]:
        return [m for target, m in self.actor.sent if isinstance(m, kind) and to in (None, target)]

    def wait_ready(self) -> None:
        self.until(lambda: self.messages(Ready), "it is ready")
        self.until(lambda: not self.detail().get("restoring"), "what was stored is back")

    def detail(self) -> dict[str, Any]:
        return self.actor.report()[0].detail

    # --- what sessions do ---

    def ask(self, name: str, question: str, context: str = "") -> int:
        """Send the question; its request number."""
        number = next(self._numbers)
        self.receive(AskAnswer(TurnId(name, number), number, question, SCOPE, context), name)
        return number

    def reply(self, number: int) -> Any:
        """What came back for a request first."""

        def found() -> Any:
            replies = (m for _, m in self.actor.sent if getattr(m, "request", 0) == number)
            return next(replies, None)

        return self.until(found, f"request {number} is answered")

    def learn(self, name: str, question: str, *clauses: str, finished: bool = True) -> None:
        turn = TurnId(name, next(self._numbers))
        self.receive(
            LearnAnswer(turn, 0, question, SCOPE, "", clauses, "happy", finished, False, 500.0),
            name,
        )

    def known(self, name: str, question: str) -> AnswerKnown:
        found = self.reply(self.ask(name, question))
        assert isinstance(found, AnswerKnown), found
        return found


@contextmanager
def answers(folder: Path, **sections: dict[str, Any]) -> Iterator[Actor]:
    """A started actor; its engine is stopped at the end, as a kill would: nothing is closed."""
    settings = Settings.model_validate({"storage": {"folder": str(folder)}, **sections})
    made = Actor(settings)
    try:
        yield made
    finally:
        engine = made.actor.engine
        if engine is not None:
            stop(engine)


def stop(engine: Any) -> None:
    """End the loop of an engine that would otherwise live as long as the tests."""
    engine.call(lambda: [task.cancel() for task in list(engine._tasks)])
    ends_s = time.monotonic() + WAIT_S
    while engine._tasks and time.monotonic() < ends_s:
        time.sleep(0.005)
    engine.loop.call_soon_threadsafe(engine.loop.stop)
    engine._thread.join(WAIT_S)
    engine.loop.close()
