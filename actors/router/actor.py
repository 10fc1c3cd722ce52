"""The router: leases slots of workers to turns.

State: who is up, which lease is on which worker, how each engine has been doing.
All of it is rebuilt by the pools (`WorkerUp`) and the sessions (new leases) when
the router itself is replaced.

Receives: WorkerUp, WorkerDown (pools); PoolDown, SessionsDown (root); Lease, Release
(sessions); SessionEnded (acceptor). Sends: Leased, Busy, LeaseLost (sessions); Cancel
(workers, for sessions that are gone).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from actors import log
from actors.base import BaseActor, handles
from actors.messages import (
    ActorReport,
    Address,
    Busy,
    Cancel,
    Kind,
    Lease,
    Leased,
    LeaseLost,
    PoolDown,
    Release,
    SessionEnded,
    SessionsDown,
    TurnId,
    WorkerDown,
    WorkerUp,
)
from actors.router.policy import Roster, Worker

KINDS: tuple[Kind, ...] = ("asr", "llm", "tts")

#: A lease older than this is freed: no turn lasts so long, its session forgot it.
LEASE_LIMIT_S = 300.0

#: Releases remembered that came before their lease (see `actors.ordering`).
MAX_OVERTAKEN = 500


@dataclass(slots=True)
class Held:
    """One lease: who holds it on which worker since when."""

    session: Address
    lease: Lease
    worker: Worker
    since: float


class Router(BaseActor):
    KIND = "router"

    def __init__(self) -> None:
        super().__init__()
        self.rosters = {kind: Roster(kind) for kind in KINDS}
        self.held: dict[tuple[TurnId, Kind, int], Held] = {}
        #: Releases of leases that are not known: theirs may still be on the way.
        self._overtaken: dict[tuple[TurnId, Kind, int], bool] = {}

    # --- pools ---

    @handles(WorkerUp)
    def on_worker_up(self, message: WorkerUp, sender: Address) -> None:
        before = self.rosters[message.kind].address_of(message.name)
        if not self.rosters[message.kind].add(message):
            return
        log.get().info("worker up", worker=message.name, slots=message.slots)
        if before is not None:
            self._lose(before, message.name, "replaced")

    @handles(WorkerDown)
    def on_worker_down(self, message: WorkerDown, sender: Address) -> None:
        self.rosters[message.kind].remove(message.name, message.address)
        self._lose(message.address, message.name, message.reason)

    @handles(PoolDown)
    def on_pool_down(self, message: PoolDown, sender: Address) -> None:
        roster = self.rosters[message.kind]
        for worker in roster.workers():
            roster.remove(worker.up.name, worker.up.address)
            self._lose(worker.up.address, worker.up.name, message.reason)

    def _lose(self, address: Address, worker: str, reason: str) -> None:
        """Tell everybody who leased from this worker: they go on with another."""
        lost = [key for key, held in self.held.items() if held.worker.up.address == address]
        log.get().warning("worker down", worker=worker, reason=reason, leases=len(lost))
        for key in lost:
            held = self.held.pop(key)
            lease = held.lease
            self.send(
                held.session, LeaseLost(lease.kind, lease.request, lease.turn, worker, reason)
            )

    # --- sessions ---

    @handles(Lease)
    def on_lease(self, message: Lease, sender: Address) -> None:
        now = time.monotonic()
        if self._overtaken.pop((message.turn, message.kind, message.request), False):
            return  # its release came first
        roster = self.rosters[message.kind]
        wish = (message.avoid, message.prefer)
        worker = roster.choose(now, *wish, strict=message.strict)
        if worker is None:
            self._free_forgotten(now)
            worker = roster.choose(now, *wish, strict=message.strict)
        if worker is not None and message.ahead and not worker.has_plenty:
            self.send(sender, Busy(message.kind, message.request, message.turn, "full"))
            return
        if worker is None:
            reason: Literal["none", "full", "avoided"] = "full" if len(roster) else "none"
            if message.strict and len(roster) and not roster.has_other_than(message.avoid):
                reason = "avoided"
            self.send(sender, Busy(message.kind, message.request, message.turn, reason))
            return
        worker.in_flight += 1
        key = (message.turn, message.kind, message.request)
        self.held[key] = Held(sender, message, worker, now)
        up = worker.up
        self.send(
            sender,
            Leased(message.kind, message.request, message.turn, up.name, up.engine, up.address),
        )

    @handles(Release)
    def on_release(self, message: Release, sender: Address) -> None:
        held = self.held.pop((message.turn, message.kind, message.request), None)
        if held is None:
            self._overtaken[(message.turn, message.kind, message.request)] = True
            while len(self._overtaken) > MAX_OVERTAKEN:
                del self._overtaken[next(iter(self._overtaken))]
            return
        held.worker.in_flight -= 1
        roster, engine = self.rosters[message.kind], held.worker.up.engine
        if message.outcome == "ok":
            roster.succeeded(engine, message.took_ms)
        elif message.outcome == "failed" and roster.failed(engine, time.monotonic()):
            log.get().warning("engine sits out", engine=engine, error=message.error)

    @handles(SessionEnded)
    def on_session_ended(self, message: SessionEnded, sender: Address) -> None:
        for key in [key for key, held in self.held.items() if held.session == message.session]:
            self._free(key)

    @handles(SessionsDown)
    def on_sessions_down(self, message: SessionsDown, sender: Address) -> None:
        for key in [key for key in self.held if key[0].number]:  # number 0: no session's
            self._free(key)

    # --- inside ---

    def _free(self, key: tuple[TurnId, Kind, int]) -> None:
        """Nobody waits for this work any more: stop it and free its slot."""
        held = self.held.pop(key)
        held.worker.in_flight -= 1
        self.send(held.worker.up.address, Cancel(held.lease.turn, held.lease.request))

    def _free_forgotten(self, now: float) -> None:
        for key, held in list(self.held.items()):
            if now - held.since > LEASE_LIMIT_S:
                log.get().error("lease was never released", worker=held.worker.up.name)
                self._free(key)

    def report(self) -> tuple[ActorReport, ...]:
        now = time.monotonic()
        engines = {
            f"{kind}/{engine.name}": {
                "weight": engine.weight,
                "served": engine.served,
                "failed": engine.failed,
                "latency_ms": round(engine.latency_ms, 1),
                "sits_out": engine.out_until > now,
                "in_flight": {name: worker.in_flight for name, worker in engine.workers.items()},
            }
            for kind, roster in self.rosters.items()
            for engine in roster.engines.values()
        }
        mine = super().report()[0]
        return (
            ActorReport(
                mine.name,
                mine.kind,
                mine.pid,
                mine.state,
                in_flight=len(self.held),
                detail={"engines": engines},
            ),
        )
