"""The acceptor: from a new TCP connection to a session that serves it.

It keeps the door (`supervisor.door`), never waits, and owns the session processes: spare ones are kept ready, one that dies is replaced and the
new one takes the open connection over. First start and takeover are one path: the
connection lies in the launcher's descriptor store, a session is told its key.

Receives: Start, Directory; Ready, Adopted, ConnectionEnded (sessions); Drain (root);
ChildActorExited. Sends: Start, Adopt, EndConnection, Drain (sessions); SessionEnded
(router); Drained (root).
"""

from __future__ import annotations

import os
import secrets
import socket
import time
import uuid
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from thespian.actors import ActorExitRequest, ChildActorExited

from actors import log
from actors.base import BaseActor, handles
from actors.descriptors import DescriptorStore, StoreError
from actors.messages import (
    ActorReport,
    Address,
    Adopt,
    Adopted,
    ConnectionEnded,
    Drain,
    Drained,
    EndConnection,
    HandlerFailed,
    Phrases,
    Ready,
    SessionEnded,
    Start,
    StartFailed,
    Tick,
)
from actors.session import checkpoint
from actors.session.actor import Session
from supervisor.door import Door
from supervisor.handshake import Accepted
from supervisor.pulses import SCAN_S, Pulses, kill
from supervisor.repairs import newest_child_pid
from supervisor.restart import RestartHistory
from supervisor.supervising import TURN_S
from supervisor.urgency import by_urgency

#: Pending handshakes and dead spares are looked at so often.
ROUND_S = 0.5


@dataclass(slots=True)
class Process:
    """One session process. `key` is '' while it is spare."""

    address: Address
    name: str
    pid: int = 0
    ready: bool = False
    key: str = ""
    #: It was asked to end; until it has, it is watched like the others.
    leaving: bool = False


@dataclass(slots=True)
class Connection:
    """One open device connection, whoever serves it at the moment."""

    key: str
    device: str = ""
    session: Process | None = None
    restarts: int = 0
    since: float = field(default_factory=time.monotonic)
    lost_at: float = 0.0


class Acceptor(BaseActor):
    KIND = "acceptor"

    def __init__(self) -> None:
        super().__init__()
        self.store: DescriptorStore
        self.door: Door
        self.pulses: Pulses
        self.processes: list[Process] = []
        self.connections: dict[str, Connection] = {}
        self.waiting: deque[str] = deque()
        self.phrases: Phrases | None = None
        self.spare_history = RestartHistory()
        self.start_no_spare_before = 0.0
        self.draining = False
        self._number = 0
        #: Processes that are to be forked.
        self._unforked = 0

    def started(self, message: Start) -> None:
        self.pulses = Pulses()
        self.store = DescriptorStore(self.directory.store)
        self.door = Door(
            self.store.listener("device"),
            self.settings.server,
            time.monotonic,
            self.watch,
            self.unwatch,
            self._full,
            self._came_in,
        )
        taken_over = by_urgency(self.store, self.store.keys())
        for key, state in taken_over:
            self.connections[key] = Connection(key, state.device_id)
            self._serve(key)
        if taken_over:
            log.get().warning("taking connections over", count=len(taken_over))
        self._keep_spares()
        self.door.open()
        self.after(ROUND_S, "round")
        self.after(SCAN_S, "scan")
        self.ready()

    # --- new connections ---

    def _full(self) -> str:
        limit = self.settings.server.max_sessions
        if self.draining:
            return "the server stops"
        if len(self.connections) >= limit:
            return f"{limit} devices are connected (server.max_sessions)"
        return ""

    def _came_in(self, connection: socket.socket, accepted: Accepted) -> None:
        identity = accepted.identity
        state = checkpoint.SessionState(
            device_id=identity.device_id,
            client_id=identity.client_id,
            protocol_version=identity.protocol_version,
            remote=accepted.remote,
            session_id=uuid.uuid4().hex,
        )
        key = secrets.token_hex(8)
        fileno = checkpoint.create(state)
        try:
            self.store.put(key, connection, fileno)
        except StoreError as error:
            log.get().error("connection not kept", reason=str(error))
            return
        finally:
            connection.close()
            os.close(fileno)
        self._replace(identity.device_id, key)
        self.connections[key] = Connection(key, identity.device_id)
        self._serve(key)
        self._keep_spares()

    def _replace(self, device: str, key: str) -> None:
        """A second connection of the same device ends the first."""
        for connection in self.connections.values():
            if connection.device == device and connection.key != key:
                log.get().info("connection replaced by a newer one", device=device)
                if connection.session is not None:
                    self.send(
                        connection.session.address,
                        EndConnection("another connection of this device"),
                    )

    # --- session processes ---

    def _serve(self, key: str) -> None:
        """Give the connection to a spare session, or to the next one that is ready."""
        spare = next((p for p in self.processes if p.ready and not p.key and not p.leaving), None)
        if spare is None:
            self.waiting.append(key)
            starting = self._unforked + sum(1 for p in self.processes if not p.ready)
            if starting < len(self.waiting):
                self._start_process()
            return
        spare.key = key
        self.connections[key].session = spare
        self.send(spare.address, Adopt(key))

    def _start_process(self) -> None:
        """One more, each in a turn of its own: what is sent to a process leaves when the
        handler that forked it is over, and the first device need not wait for the last."""
        self._unforked += 1
        if self._unforked == 1:
            self.after(TURN_S, "fork")

    def _fork(self) -> None:
        self._unforked -= 1
        if self._unforked:  # before the fork: whatever becomes of it, the others follow
            self.after(TURN_S, "fork")
        self._number += 1
        slot = self.pulses.new_slot(time.monotonic())
        process = Process(self.createActor(Session), f"session-{self._number}")
        process.pid = newest_child_pid(self)
        self.pulses.forked(process.pid, slot)
        self.processes.append(process)
        directory = replace(self.directory, root=None, pools=())
        self.send(
            process.address, Start(process.name, self.settings, directory, self.phrases, slot)
        )

    def _keep_spares(self) -> None:
        if self.draining or time.monotonic() < self.start_no_spare_before:
            return
        unused = sum(1 for p in self.processes if not p.key and not p.leaving)
        unused += self._unforked - len(self.waiting)
        for _ in range(self.settings.server.spare_sessions - unused):
            self._start_process()

    @handles(Ready)
    def on_ready(self, message: Ready, sender: Address) -> None:
        process = self._process_at(sender)
        if process is None:
            return
        process.ready = True
        self.spare_history.became_ready(time.monotonic())
        while self.waiting:
            key = self.waiting.popleft()
            if key in self.connections:
                self._serve(key)
                break

    @handles(StartFailed)
    def on_start_failed(self, message: StartFailed, sender: Address) -> None:
        self.send(sender, ActorExitRequest())

    @handles(HandlerFailed)
    def on_handler_failed(self, message: HandlerFailed, sender: Address) -> None:
        """A session that failed while it began would never say that it is ready."""
        if message.message == Start.__name__:
            self.send(sender, ActorExitRequest())
        else:
            self.unhandled(message, sender)

    @handles(Adopted)
    def on_adopted(self, message: Adopted, sender: Address) -> None:
        connection = self.connections.get(message.key)
        if connection is None:
            return
        connection.device = message.device
        if connection.lost_at:
            log.get().info(
                "session replaced",
                device=message.device,
                after_ms=round((time.monotonic() - connection.lost_at) * 1000),
            )
            connection.lost_at = 0.0

    @handles(ConnectionEnded)
    def on_connection_ended(self, message: ConnectionEnded, sender: Address) -> None:
        self.connections.pop(message.key, None)
        process = self._process_at(sender)
        if process is not None:
            process.key, process.leaving = "", True
            self._free_leases(process)
        # One device per process: what it leaked or broke goes with it.
        self.send(sender, ActorExitRequest())
        self._keep_spares()
        self._drained_if_empty()

    @handles(ChildActorExited)
    def on_child_exited(self, message: ChildActorExited, sender: Address) -> None:
        process = self._process_at(message.childAddress)
        if process is None:
            return
        self.processes.remove(process)
        self.pulses.ended(process.pid)
        self._free_leases(process)
        connection = self.connections.get(process.key)
        if process.leaving:
            return
        if connection is not None:
            connection.restarts += 1
            connection.session, connection.lost_at = None, time.monotonic()
            log.get().warning(
                "session ended under its device",
                session=process.name,
                pid=process.pid,
                device=connection.device,
                restarts=connection.restarts,
            )
            self._serve(process.key)
        else:
            now = time.monotonic()
            wait = self.spare_history.ended(now, "spare session ended", 0.5)
            self.start_no_spare_before = now + wait
            log.get().warning("spare session ended", session=process.name, pid=process.pid)
            if wait:
                self.after(wait, "spares")
        self._keep_spares()

    def _free_leases(self, process: Process) -> None:
        if self.directory.router is not None:
            self.send(self.directory.router, SessionEnded(process.address))

    def _process_at(self, address: Address) -> Process | None:
        return next((p for p in self.processes if p.address == address), None)

    # --- time, directory, end ---

    @handles(Tick)
    def on_tick(self, message: Tick, sender: Address) -> None:
        if message.purpose == "scan":
            self._scan()
            return
        if message.purpose == "fork":
            self._fork()
            return
        if message.purpose == "spares":
            self._keep_spares()
            return
        self.door.expire()
        self._keep_spares()
        self.after(ROUND_S, "round")

    def _scan(self) -> None:
        """End sessions that hang; their connections go to other ones."""
        self.after(SCAN_S, "scan")
        for pid, silence in self.pulses.hung(time.monotonic()).items():
            log.get().error("session hangs", pid=pid, reason=silence)
            kill(pid)

    @handles(Phrases)
    def on_phrases(self, message: Phrases, sender: Address) -> None:
        """Speech kept ready, for every session that is and those that will be."""
        self.phrases = message
        for process in self.processes:
            self.send(process.address, message)

    def directory_changed(self) -> None:
        directory = replace(self.directory, root=None, pools=())
        for process in self.processes:
            self.send(process.address, directory)

    @handles(Drain)
    def on_drain(self, message: Drain, sender: Address) -> None:
        self.draining = True
        self.door.close()
        for process in self.processes:
            if process.key:
                self.send(process.address, message)
        self._drained_if_empty()

    def _drained_if_empty(self) -> None:
        if self.draining and not self.connections:
            self.send(self.parent, Drained(self.name))

    def report(self) -> tuple[ActorReport, ...]:
        mine = super().report()[0]
        counts: dict[str, Any] = {
            "connections": len(self.connections),
            "pending_handshakes": len(self.door),
            "waiting_for_session": len(self.waiting),
        }
        lines: tuple[ActorReport, ...] = (replace(mine, detail=counts),)
        for process in self.processes:
            connection = self.connections.get(process.key)
            detail = (
                {
                    "device": connection.device,
                    "connected_s": round(time.monotonic() - connection.since),
                }
                if connection is not None
                else {}
            )
            lines += (
                ActorReport(
                    process.name,
                    Session.KIND,
                    process.pid,
                    "ready" if process.ready else "starting",
                    connection.restarts if connection is not None else 0,
                    detail=detail,
                ),
            )
        return lines
