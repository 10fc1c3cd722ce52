"""The actor base without an actor system: dispatch, failures, watches, identity."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from thespian.actors import (
    ActorExitRequest,
    ChildActorExited,
    PoisonMessage,
    WakeupMessage,
    WatchMessage,
)

from actors import base
from actors.base import BaseActor, handles
from actors.messages import (
    ActorReport,
    Directory,
    HandlerFailed,
    Probe,
    Ready,
    Report,
    Start,
    StartFailed,
    Tick,
    TurnId,
)

TURN = TurnId("session", 3)
PEER = "peer"


@dataclass(frozen=True, slots=True)
class Greet:
    name: str


@dataclass(frozen=True, slots=True)
class Fail:
    turn: TurnId


class Greeter(BaseActor):
    """What it sends and is told is kept."""

    KIND = "greeter"

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[Any, Any]] = []
        self.timers: list[tuple[timedelta, Any]] = []
        self.seen: list[Any] = []

    @property
    def myAddress(self) -> str:
        return "me"

    def send(self, target: Any, message: Any) -> None:
        if message == "cannot be sent":
            raise TypeError("cannot pickle it")
        self.sent.append((target, message))

    def wakeupAfter(self, period: timedelta, payload: Any = None) -> None:
        self.timers.append((period, payload))

    @handles(Greet)
    def on_greet(self, message: Greet, sender: Any) -> None:
        self.seen.append(message.name)

    @handles(Fail)
    def on_fail(self, message: Fail, sender: Any) -> None:
        raise ValueError("told to fail")

    @handles(Tick, ChildActorExited)
    def on_fact(self, message: Any, sender: Any) -> None:
        self.seen.append(message)

    def directory_changed(self) -> None:
        self.seen.append(self.directory)


@pytest.fixture(autouse=True)
def _own_process_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Start` names the process and takes its logging over; this one is pytest's."""
    monkeypatch.setattr(base.setproctitle, "setproctitle", lambda _: None)
    monkeypatch.setattr(base.log, "configure", lambda *_, **__: None)


@pytest.fixture
def actor() -> Greeter:
    return Greeter()


@pytest.fixture
def with_engine(actor: Greeter) -> Iterator[Greeter]:
    engine = actor.start_engine()
    yield actor
    engine.call(engine.loop.stop)
    engine._thread.join(2)
    engine.loop.close()
    os.close(engine.wake_fileno)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def start(name: str = "greeter-1") -> Start:
    settings = SimpleNamespace(log=SimpleNamespace(level="info", format="json"))
    return Start(name, settings, Directory(store="store"), "detail", -1)


# --- dispatch ---


def test_a_message_goes_to_the_handler_of_its_type(actor: Greeter) -> None:
    actor.receiveMessage(Greet("you"), PEER)
    assert actor.seen == ["you"]
    assert actor.sent == []


def test_a_timer_arrives_as_a_tick_with_its_purpose(actor: Greeter) -> None:
    actor.after(1.5, "look around")
    assert actor.timers == [(timedelta(seconds=1.5), "look around")]
    actor.receiveMessage(WakeupMessage(timedelta(seconds=1.5), "look around"), "me")
    assert actor.seen == [Tick("look around")]


def test_what_nobody_handles_is_ignored(actor: Greeter) -> None:
    for message in ("text", 7, PoisonMessage("x"), ActorExitRequest(), StartFailed("a", 1, "b")):
        actor.receiveMessage(message, PEER)
    assert (actor.seen, actor.sent) == ([], [])


def test_a_subclass_overrides_a_handler_by_its_name() -> None:
    class Louder(Greeter):
        def on_greet(self, message: Greet, sender: Any) -> None:
            self.seen.append(message.name.upper())

    actor = Louder()
    actor.receiveMessage(Greet("you"), PEER)
    assert actor.seen == ["YOU"]


def test_a_subclass_may_handle_the_message_elsewhere() -> None:
    class Other(Greeter):
        @handles(Greet)
        def on_other(self, message: Greet, sender: Any) -> None:
            self.seen.append("other")

    actor, plain = Other(), Greeter()
    actor.receiveMessage(Greet("you"), PEER)
    plain.receiveMessage(Greet("you"), PEER)
    assert (actor.seen, plain.seen) == (["other"], ["you"])


# --- failures ---


def test_a_handlers_failure_is_answered_in_text(actor: Greeter) -> None:
    actor.receiveMessage(start(), "parent")
    actor.sent.clear()
    actor.receiveMessage(Fail(TURN), PEER)
    expected = HandlerFailed("greeter-1", "Fail", "ValueError: told to fail", TURN)
    assert actor.sent == [(PEER, expected)]


@pytest.mark.parametrize("sender", [None, "me"])
def test_nobody_else_is_told_of_an_actors_own_messages(actor: Greeter, sender: Any) -> None:
    actor.receiveMessage(Fail(TURN), sender)
    assert actor.sent == []


def test_two_actors_that_fail_do_not_answer_each_other_for_ever() -> None:
    class Fragile(Greeter):
        @handles(HandlerFailed)
        def on_failed(self, message: HandlerFailed, sender: Any) -> None:
            raise RuntimeError("and again")

    actor = Fragile()
    actor.receiveMessage(HandlerFailed("a", "b", "c"), PEER)
    assert actor.sent == []


def test_an_actor_serves_on_after_a_failure(actor: Greeter) -> None:
    actor.receiveMessage(Fail(TURN), PEER)
    actor.receiveMessage(Greet("you"), PEER)
    assert actor.seen == ["you"]


# --- watches ---


@pytest.mark.parametrize(
    "message",
    [
        Greet("you"),
        Fail(TURN),
        "unknown",
        ActorExitRequest(),
        ChildActorExited("child"),
        PoisonMessage("x"),
        WakeupMessage(timedelta(seconds=1), "x"),
        WatchMessage([]),
        HandlerFailed("a", "b", "c"),
        Probe(1),
    ],
    ids=lambda message: type(message).__name__,
)
def test_every_message_keeps_every_watch(
    with_engine: Greeter, pipe: tuple[int, int], message: Any
) -> None:
    """Thespian forgets a watch that the handler does not return again."""
    with_engine.watch(pipe[0], lambda: None)
    assert with_engine.engine is not None
    watch = with_engine.receiveMessage(message, PEER)
    assert set(watch.filenos) == {pipe[0], with_engine.engine.wake_fileno}


def test_a_watched_descriptor_calls_back_until_it_is_unwatched(
    actor: Greeter, pipe: tuple[int, int]
) -> None:
    calls: list[str] = []
    actor.watch(pipe[0], lambda: calls.append("readable"))
    actor.receiveMessage(WatchMessage([pipe[0]]), "me")
    actor.unwatch(pipe[0])
    actor.unwatch(pipe[0])
    watch = actor.receiveMessage(WatchMessage([pipe[0]]), "me")
    assert calls == ["readable"]
    assert watch.filenos == []


def test_a_callback_may_end_its_own_watch(actor: Greeter, pipe: tuple[int, int]) -> None:
    actor.watch(pipe[0], lambda: actor.unwatch(pipe[0]))
    assert actor.receiveMessage(WatchMessage([pipe[0]]), "me").filenos == []


def test_a_callback_that_fails_does_not_starve_the_others(
    with_engine: Greeter, pipe: tuple[int, int]
) -> None:
    def fail() -> None:
        raise ValueError("broken watch")

    with_engine.watch(pipe[0], fail)
    assert with_engine.engine is not None
    with_engine.engine.emit(PEER, "emitted")
    ready = [pipe[0], with_engine.engine.wake_fileno]
    watch = with_engine.receiveMessage(WatchMessage(ready), "me")
    assert with_engine.sent == [(PEER, "emitted")]
    assert set(watch.filenos) == set(ready)


# --- what the engine emits ---


def wake(actor: Greeter) -> None:
    assert actor.engine is not None
    ready, _, _ = select.select([actor.engine.wake_fileno], [], [], 2)
    actor.receiveMessage(WatchMessage(ready), "me")


def test_what_the_engine_emits_is_sent_in_order(with_engine: Greeter) -> None:
    assert with_engine.engine is not None
    for number in range(5):
        with_engine.engine.emit(PEER, number)
    wake(with_engine)
    assert with_engine.sent == [(PEER, number) for number in range(5)]


def test_what_is_emitted_to_nobody_is_for_the_actor_itself(with_engine: Greeter) -> None:
    assert with_engine.engine is not None
    with_engine.engine.emit(None, Greet("myself"))
    wake(with_engine)
    assert with_engine.seen == ["myself"]


@pytest.mark.parametrize(
    ("target", "message"), [(None, Fail(TURN)), (PEER, "cannot be sent")], ids=["handler", "send"]
)
def test_one_emitted_message_that_fails_does_not_lose_the_others(
    with_engine: Greeter, target: Any, message: Any
) -> None:
    assert with_engine.engine is not None
    with_engine.engine.emit(PEER, "before")
    with_engine.engine.emit(target, message)
    with_engine.engine.emit(PEER, "after")
    with_engine.engine.emit(None, Greet("myself"))
    wake(with_engine)
    assert with_engine.sent == [(PEER, "before"), (PEER, "after")]
    assert with_engine.seen == ["myself"]


# --- life cycle ---


def test_start_gives_a_name_and_is_answered_with_ready(actor: Greeter) -> None:
    actor.receiveMessage(start(), "parent")
    assert actor.sent == [("parent", Ready("greeter-1", os.getpid(), None))]
    assert (actor.name, actor.state, actor.directory.store) == ("greeter-1", "ready", "store")


def test_an_actor_that_cannot_start_says_why() -> None:
    class Broken(Greeter):
        def started(self, message: Start) -> None:
            self.cannot_start("the model is missing")

    actor = Broken()
    actor.receiveMessage(start(), "parent")
    assert actor.sent == [("parent", StartFailed("greeter-1", os.getpid(), "the model is missing"))]
    assert actor.state == "failed"


def test_a_start_that_raises_is_told_to_the_parent() -> None:
    class Broken(Greeter):
        def started(self, message: Start) -> None:
            raise OSError("no such device")

    actor = Broken()
    actor.receiveMessage(start(), "parent")
    assert actor.sent == [
        ("parent", HandlerFailed("greeter-1", "Start", "OSError: no such device"))
    ]


def test_a_new_directory_is_taken_over(actor: Greeter) -> None:
    directory = Directory(router="new router")
    actor.receiveMessage(directory, "parent")
    assert actor.directory is directory
    assert actor.seen == [directory]


def test_a_probe_is_answered_at_once_with_the_state(actor: Greeter) -> None:
    actor.receiveMessage(Probe(7), PEER)
    line = ActorReport("greeter", "greeter", os.getpid(), "starting")
    assert actor.sent == [(PEER, Report(7, (line,)))]
