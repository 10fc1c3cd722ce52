"""The supervisor base: children by name, restarted one for one by the policy.

A supervisor has no engine thread and never waits: it forks. Subclasses say which
children there are (`Child`) and react to `child_ready` and `child_ended`.

Receives: Ready, StartFailed, HandlerFailed, ChildActorExited. Sends: Start.
"""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from thespian.actors import ActorExitRequest, ChildActorExited

from actors import log
from actors.base import BaseActor, handles
from actors.messages import (
    ActorReport,
    Address,
    Directory,
    HandlerFailed,
    Ready,
    Start,
    StartFailed,
    Tick,
)
from supervisor.pulses import SCAN_S, Pulses, kill
from supervisor.repairs import newest_child_pid
from supervisor.restart import RestartHistory, RestartPolicy

#: Thespian sends nothing before a handler ends; a timer below 1 ms counts as the same one.
TURN_S = 0.001

#: Purpose of the timer behind `supervise_in_turn`.
_NEXT = "next"


@dataclass(slots=True)
class Child:
    """One supervised actor; `address` is None between an end and the next start."""

    name: str
    actor: type[BaseActor]
    detail: Any = None
    address: Address | None = None
    pid: int = 0
    state: str = "starting"
    ended_at: float = 0.0
    #: From its last end until it was ready again.
    back_ms: int = 0
    #: Why it is about to end, when that is known before it does.
    end_reason: str = ""
    history: RestartHistory = field(default_factory=RestartHistory)


class Supervisor(BaseActor):
    """Keeps its children running; see the module."""

    KIND = "supervisor"
    POLICY = RestartPolicy()

    def __init__(self) -> None:
        super().__init__()
        self.children_by_name: dict[str, Child] = {}
        self._pulses: Pulses | None = None
        self._in_turn: deque[Child] = deque()

    # --- for subclasses ---

    def supervise(self, name: str, actor: type[BaseActor], detail: Any = None) -> None:
        """Start a child and keep it running."""
        self._start(self._take(name, actor, detail))

    def supervise_in_turn(self, name: str, actor: type[BaseActor], detail: Any = None) -> None:
        """As `supervise`, but each child is forked in a turn of its own.

        What is sent to a child leaves when the handler that forked it is over: the
        first of many need not wait for the last.
        """
        self._in_turn.append(self._take(name, actor, detail))
        if len(self._in_turn) == 1:
            self.after(TURN_S, _NEXT)

    def child_ready(self, child: Child, detail: Any) -> None:
        """A child can serve."""

    def child_ended(self, child: Child, reason: str) -> None:
        """A child is gone; it will be started again."""

    def child_detail(self, child: Child) -> dict[str, Any]:
        """What the status shows of a child beyond its state."""
        return {}

    def child_directory(self) -> Directory:
        """The directory that a child is started with."""
        return self.directory

    # --- messages ---

    @handles(Ready)
    def on_ready(self, message: Ready, sender: Address) -> None:
        child = self._child_at(sender)
        if child is None:
            return
        now = time.monotonic()
        child.state = "ready"
        child.history.became_ready(now)
        if child.ended_at:
            child.back_ms = round((now - child.ended_at) * 1000)
            log.get().info(
                "restarted",
                child=child.name,
                pid=child.pid,
                after_ms=child.back_ms,
                restarts=child.history.restarts,
            )
        self.child_ready(child, message.detail)

    @handles(StartFailed)
    def on_start_failed(self, message: StartFailed, sender: Address) -> None:
        self._end(sender, message.reason)

    @handles(HandlerFailed)
    def on_handler_failed(self, message: HandlerFailed, sender: Address) -> None:
        """A child that failed while it began would never say that it is ready."""
        if message.message == Start.__name__:
            self._end(sender, message.error)
        else:
            self.unhandled(message, sender)

    def _end(self, address: Address, reason: str) -> None:
        child = self._child_at(address)
        if child is not None:
            child.end_reason = reason
            child.state = "failed"
            self.send(address, ActorExitRequest())

    @handles(ChildActorExited)
    def on_child_exited(self, message: ChildActorExited, sender: Address) -> None:
        child = self._child_at(message.childAddress)
        if child is None:  # Thespian may announce one end twice
            return
        reason = child.end_reason or "process ended"
        child.end_reason = ""
        now = time.monotonic()
        if self._pulses is not None:
            self._pulses.ended(child.pid)
        wait = child.history.ended(now, reason, random.random())  # noqa: S311 - jitter
        child.address, child.state, child.ended_at = None, "restarting", now
        log.get().warning(
            "child ended",
            child=child.name,
            pid=child.pid,
            reason=reason,
            restart_in_ms=round(wait * 1000),
            given_up=child.history.given_up,
        )
        self.child_ended(child, reason)
        if wait == 0.0:
            self._start(child)
        else:
            child.state = "degraded" if child.history.given_up else "waiting"
            self.after(wait, f"start {child.name}")

    @handles(Tick)
    def on_tick(self, message: Tick, sender: Address) -> None:
        if message.purpose == "scan":
            self._scan()
            return
        if message.purpose == _NEXT:
            self._start_next()
            return
        verb, _, name = message.purpose.partition(" ")
        child = self.children_by_name.get(name)
        if verb == "start" and child is not None and child.address is None:
            self._start(child)

    def report(self) -> tuple[ActorReport, ...]:
        lines = super().report()
        for child in self.children_by_name.values():
            note = self.child_detail(child)
            if child.history.restarts:
                note["last_end"] = child.history.last_reason
                note["back_after_ms"] = child.back_ms
            lines += (
                ActorReport(
                    child.name,
                    child.actor.KIND,
                    child.pid,
                    child.state,
                    child.history.restarts,
                    detail=note,
                ),
            )
        return lines

    # --- inside ---

    def _take(self, name: str, actor: type[BaseActor], detail: Any) -> Child:
        if self._pulses is None:
            self._pulses = Pulses()
            self.after(SCAN_S, "scan")
        child = Child(name, actor, detail, history=RestartHistory(self.POLICY))
        self.children_by_name[name] = child
        return child

    def _start_next(self) -> None:
        child = self._in_turn.popleft()
        if self._in_turn:  # before the fork: whatever becomes of it, the others follow
            self.after(TURN_S, _NEXT)
        self._start(child)

    def _start(self, child: Child) -> None:
        assert self._pulses is not None
        child.state = "starting"
        slot = self._pulses.new_slot(time.monotonic())
        child.address = self.createActor(child.actor)
        child.pid = newest_child_pid(self)
        self._pulses.forked(child.pid, slot)
        directory = self.child_directory()
        self.send(child.address, Start(child.name, self.settings, directory, child.detail, slot))

    def _scan(self) -> None:
        """End children that hang; they are replaced like any that ended."""
        assert self._pulses is not None
        self.after(SCAN_S, "scan")
        for pid, silence in self._pulses.hung(time.monotonic()).items():
            child = next((c for c in self.children_by_name.values() if c.pid == pid), None)
            if child is not None and not child.end_reason:
                child.end_reason = f"hung: {silence}"
                log.get().error("child hangs", child=child.name, pid=pid, reason=silence)
            kill(pid)

    def _child_at(self, address: Address) -> Child | None:
        for child in self.children_by_name.values():
            if child.address is not None and child.address == address:
                return child
        return None
