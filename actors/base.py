"""The actor base: one place for dispatch, watches, failures and identity.

A subclass marks its handlers with `@handles(MessageType)`. Whatever a handler
raises is logged and answered with `HandlerFailed` (text, since a foreign
exception may not unpickle at the sender). An actor that waits for anything owns
an `EngineThread`; what that emits is sent from here, on the actor's thread.

Life cycle of every actor:
1. forked by its supervisor; descriptors closed, bound to its parent's life
   (`supervisor.repairs`);
2. `Start` arrives: name, settings, directory; `started` runs;
3. it answers `Ready` or `StartFailed`, at once or when its engine has loaded;
4. it serves until `ActorExitRequest`, or until it is killed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

import setproctitle
from thespian.actors import Actor, ActorExitRequest, ThespianWatch, WakeupMessage, WatchMessage

from actors import heartbeat, log
from actors.engine import EngineThread
from actors.messages import (
    ActorReport,
    Address,
    Directory,
    HandlerFailed,
    Probe,
    Ready,
    Report,
    Start,
    StartFailed,
    Tick,
)

#: Purpose of the timer behind the heartbeat.
_PULSE = "pulse"

Handler = TypeVar("Handler", bound=Callable[..., None])


def handles(*messages: type) -> Callable[[Handler], Handler]:
    """Mark a method as the handler of these message types."""

    def mark(method: Handler) -> Handler:
        method.__dict__["handles"] = messages
        return method

    return mark


class BaseActor(Actor):  # type: ignore[misc]  # Thespian ships no types
    """Dispatch by message type; see the module for the life cycle.

    Receives: Start, Directory, Probe, Tick. Sends: Ready, StartFailed, Report,
    HandlerFailed.
    """

    KIND: ClassVar[str] = "actor"
    _handlers: ClassVar[dict[type, str]] = {}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        table: dict[type, str] = {}
        for base in reversed(cls.__mro__):
            for attribute, value in vars(base).items():
                for message in getattr(value, "handles", ()):
                    table[message] = attribute
        cls._handlers = table

    def __init__(self) -> None:
        super().__init__()
        self.name = self.KIND
        self.settings: Any = None
        self.directory = Directory()
        self.parent: Address = None
        self.engine: EngineThread | None = None
        self.state = "starting"
        self.started_at = time.monotonic()
        self._watched: dict[int, Callable[[], None]] = {}
        self._pulse: heartbeat.Pulse | None = None

    # --- Thespian's entry ---

    def receiveMessage(self, message: Any, sender: Address) -> ThespianWatch:
        with self._edge(message, sender):
            self._dispatch(message, sender)
        filenos = list(self._watched)
        if self.engine is not None:
            filenos.append(self.engine.wake_fileno)
        return ThespianWatch(filenos)

    @contextlib.contextmanager
    def _edge(self, message: Any, sender: Address) -> Iterator[None]:
        """The one broad catch: what is raised inside becomes a log line and an answer."""
        try:
            yield
        except Exception as error:
            log.get().exception("handler failed", message=type(message).__name__)
            if not isinstance(message, HandlerFailed) and sender not in (None, self.myAddress):
                self.send(
                    sender,
                    HandlerFailed(
                        self.name,
                        type(message).__name__,
                        f"{type(error).__name__}: {error}",
                        getattr(message, "turn", None),
                    ),
                )

    def _dispatch(self, message: Any, sender: Address) -> None:
        if isinstance(message, WatchMessage):
            self._watch_ready(message)
            return
        if isinstance(message, WakeupMessage):
            if message.payload == _PULSE:
                self._beat()
                return
            message = Tick(message.payload)
        method = self._handlers.get(type(message))
        if method is not None:
            getattr(self, method)(message, sender)
        else:
            self.unhandled(message, sender)

    def _watch_ready(self, watched: WatchMessage) -> None:
        """Each step has its own edge: one that fails must not take the others along."""
        for fileno in watched.ready:
            if self.engine is not None and fileno == self.engine.wake_fileno:
                for target, message in self.engine.drain():
                    with self._edge(message, None):
                        if target is None:
                            self._dispatch(message, self.myAddress)
                        else:
                            self.send(target, message)
            elif (callback := self._watched.get(fileno)) is not None:
                with self._edge(watched, None):
                    callback()

    def _beat(self) -> None:
        if self._pulse is not None:
            self._pulse.beat(time.monotonic())
            self.after(heartbeat.BEAT_S, _PULSE)

    # --- for subclasses ---

    def started(self, message: Start) -> None:
        """Begin to serve. The default is ready at once; else call `ready` later."""
        self.ready()

    def ready(self, detail: Any = None) -> None:
        self.state = "ready"
        self.send(self.parent, Ready(self.name, os.getpid(), detail))

    def cannot_start(self, reason: str) -> None:
        self.state = "failed"
        log.get().error("cannot start", reason=reason)
        self.send(self.parent, StartFailed(self.name, os.getpid(), reason))

    def directory_changed(self) -> None:
        """Somebody in `self.directory` was replaced."""

    def unhandled(self, message: Any, sender: Address) -> None:
        """Late answers and system messages of no interest end here."""
        if isinstance(message, HandlerFailed):
            log.get().warning(
                "peer failed", peer=message.actor, message=message.message, error=message.error
            )
        elif not isinstance(message, ActorExitRequest):
            log.get().debug("ignored", message=type(message).__name__)

    def start_engine(self) -> EngineThread:
        self.engine = EngineThread(f"engine of {self.name}", self._pulse)
        return self.engine

    def watch(self, fileno: int, callback: Callable[[], None]) -> None:
        """Call `callback` on the actor's thread while `fileno` is readable."""
        self._watched[fileno] = callback

    def unwatch(self, fileno: int) -> None:
        self._watched.pop(fileno, None)

    def after(self, seconds: float, purpose: str) -> None:
        """Have `Tick(purpose)` delivered to this actor in `seconds`."""
        self.wakeupAfter(timedelta(seconds=seconds), purpose)

    def report(self) -> tuple[ActorReport, ...]:
        """This actor's line in the status, then the lines of those it supervises."""
        return (ActorReport(self.name, self.KIND, os.getpid(), self.state),)

    # --- common handlers ---

    @handles(Start)
    def on_start(self, message: Start, sender: Address) -> None:
        self.parent = sender
        self.name = message.name
        self.settings = message.settings
        self.directory = message.directory
        setproctitle.setproctitle(f"xiaozhi: {message.name}")
        log.configure(self.settings.log.level, self.settings.log.format, actor=message.name)
        board = heartbeat.inherited_board()
        if message.slot >= 0 and board is not None:
            self._pulse = board.pulse(message.slot)
            self._beat()
        self.started(message)

    @handles(Directory)
    def on_directory(self, message: Directory, sender: Address) -> None:
        self.directory = message
        self.directory_changed()

    @handles(Probe)
    def on_probe(self, message: Probe, sender: Address) -> None:
        self.send(sender, Report(message.request, self.report()))
