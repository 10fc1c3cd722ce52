"""The router: leases slots of workers to turns.

State: who is up, which lease is on which worker, how each engine has been doing.
All of it is rebuilt by the pools (`WorkerUp`) and the sessions (new leases) when
the router itself is replaced.

Receives: WorkerUp, WorkerDown (pools); Lease, Release (sessions); SessionEnded
(acceptor). Sends: Leased, Busy, LeaseLost (sessions).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from actors import log
from actors.base import BaseActor, handles
from actors.messages import (
    ActorReport,
    Address,
    Busy,
    Kind,
    Lease,
    Leased,
    LeaseLost,
    Release,
    SessionEnded,
    TurnId,
    WorkerDown,
    WorkerUp,
)
from actors.router.policy import Roster, Worker

KINDS: tuple[Kind, ...] = ("asr", "llm", "tts")

#: A lease older than this is freed: no turn lasts so long, its session forgot it.
LEASE_LIMIT_S = 300.0


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

    # --- pools ---

    @handles(WorkerUp)
    def on_worker_up(self, message: WorkerUp, sender: Address) -> None:
        if self.rosters[message.kind].add(message):
            log.get().info("worker up", worker=message.name, slots=message.slots)

    @handles(WorkerDown)
    def on_worker_down(self, message: WorkerDown, sender: Address) -> None:
        self.rosters[message.kind].remove(message.name, message.address)
        lost = [key for key, held in self.held.items() if held.worker.up.address == message.address]
        log.get().warning(
            "worker down", worker=message.name, reason=message.reason, leases=len(lost)
        )
        for key in lost:
            held = self.held.pop(key)
            lease = held.lease
            self.send(
                held.session,
                LeaseLost(lease.kind, lease.request, lease.turn, message.name, message.reason),
            )

    # --- sessions ---

    @handles(Lease)
    def on_lease(self, message: Lease, sender: Address) -> None:
        now = time.monotonic()
        roster = self.rosters[message.kind]
        worker = roster.choose(now, message.avoid, message.prefer)
        if worker is None:
            self._free_forgotten(now)
            worker = roster.choose(now, message.avoid, message.prefer)
        if worker is None:
            full = len(roster) > 0
            self.send(
                sender,
                Busy(message.kind, message.request, message.turn, "full" if full else "none"),
            )
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
            self.held.pop(key).worker.in_flight -= 1

    # --- inside ---

    def _free_forgotten(self, now: float) -> None:
        for key, held in list(self.held.items()):
            if now - held.since > LEASE_LIMIT_S:
                log.get().error("lease was never released", worker=held.worker.up.name)
                self.held.pop(key).worker.in_flight -= 1

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
