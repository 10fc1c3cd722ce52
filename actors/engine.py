"""The engine thread: where an actor waits, so that its own thread never does.

An asyncio loop on one thread beside the actor's. The actor hands it work with
`call` and `spawn`; it hands messages back with `emit`: a bounded queue and an
eventfd that the actor's thread watches, because nothing of Thespian may be
touched off the actor's thread (messages are lost otherwise, measured).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from actors import log
from actors.heartbeat import BEAT_S, Pulse
from actors.messages import Address

#: Above some 950 queued sends Thespian stalls, above 1 050 it drops silently.
MAX_QUEUED_MESSAGES = 400


class OutboxFull(RuntimeError):
    """More messages wait for the actor's thread than Thespian could ever send."""


class EngineThread:
    """One asyncio loop on one daemon thread, with a way back to the actor."""

    def __init__(self, name: str, pulse: Pulse | None = None) -> None:
        self._outbox: deque[tuple[Address, Any]] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.loop = asyncio.new_event_loop()
        self._pulse = pulse
        if pulse is not None:
            pulse.has_engine = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._beat()
        self.loop.run_forever()

    def _beat(self) -> None:
        """Write the heartbeat as long as the loop turns."""
        if self._pulse is not None:
            self._pulse.beat_engine(time.monotonic())
            self.loop.call_later(BEAT_S, self._beat)

    # --- from the actor's thread ---

    @property
    def wake_fileno(self) -> int:
        """Readable when `drain` has something."""
        return self._wake

    def drain(self) -> list[tuple[Address, Any]]:
        """Messages emitted since the last call, in order."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        taken = []
        while self._outbox:
            taken.append(self._outbox.popleft())
        return taken

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Run `function` on the engine thread soon."""
        self.loop.call_soon_threadsafe(function, *arguments)

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine on the engine thread."""
        self.loop.call_soon_threadsafe(self.spawn, work)

    # --- from the engine thread ---

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task and keep it alive until it ends; its failure is logged."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Otherwise the garbage collector would tell, at any later time or never.
            log.get().error("engine task failed", task=task.get_name(), exc_info=error)

    def emit(self, target: Address, message: Any) -> None:
        """Have the actor send `message` to `target` (None: to the actor itself).

        Raises `OutboxFull`: the caller must slow down or give its work up.
        """
        if len(self._outbox) >= MAX_QUEUED_MESSAGES:
            raise OutboxFull(f"{len(self._outbox)} messages wait to be sent")
        self._outbox.append((target, message))
        os.eventfd_write(self._wake, 1)

    def room(self) -> int:
        """How many messages `emit` would still take."""
        return MAX_QUEUED_MESSAGES - len(self._outbox)
