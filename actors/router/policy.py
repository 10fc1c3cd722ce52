"""Who serves: the router's judgement, pure. No clock, no messages.

Engines of a kind share the work by weight, with smooth weighted round robin
(nginx's: each choice adds every candidate's weight to its credit, takes the
richest and charges it the total, so {5,1,1} interleaves as a a b a c a a). Weight 0
means fallback: used when no weighted engine can. Inside an engine the worker with
most free slots is taken. An engine that failed several times in a row sits out for
a while, longer each time; the last one of a kind never does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from actors.messages import Address, Kind, WorkerUp

#: Failures in a row before an engine sits out, and for how long at first and at most.
EJECT_AFTER = 3
EJECT_S = 5.0
MAX_EJECT_S = 60.0
_MAX_DOUBLINGS = 30

#: Share of the newest sample in the moving average of latency.
LATENCY_SHARE = 0.2


@dataclass(slots=True)
class Worker:
    """One process with slots."""

    up: WorkerUp
    in_flight: int = 0

    @property
    def free(self) -> int:
        return self.up.slots - self.in_flight

    @property
    def has_plenty(self) -> bool:
        """Whether a slot may be held before there is work for it."""
        return 2 * self.in_flight < self.up.slots


@dataclass(slots=True)
class EngineState:
    """All workers of one engine, and how it has been doing."""

    name: str
    kind: Kind
    weight: int
    credit: float = 0.0
    failures_in_row: int = 0
    ejections: int = 0
    out_until: float = 0.0
    served: int = 0
    failed: int = 0
    latency_ms: float = 0.0
    workers: dict[str, Worker] = field(default_factory=dict)

    def freest(self) -> Worker | None:
        free = [worker for worker in self.workers.values() if worker.free > 0]
        return max(free, key=lambda worker: worker.free, default=None)


class Roster:
    """The workers of one kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.engines: dict[str, EngineState] = {}

    def add(self, up: WorkerUp) -> bool:
        """A worker is up (again), idle; False when it was known already."""
        engine = self.engines.setdefault(up.engine, EngineState(up.engine, self.kind, up.weight))
        engine.weight = up.weight
        known = engine.workers.get(up.name)
        if known is not None and known.up.address == up.address:
            return False
        engine.workers[up.name] = Worker(up)
        return True

    def remove(self, name: str, address: Address) -> None:
        for engine in self.engines.values():
            worker = engine.workers.get(name)
            if worker is not None and worker.up.address == address:
                del engine.workers[name]

    def address_of(self, name: str) -> Address | None:
        """Where the worker of this name was last; None when it is not known."""
        return next((w.up.address for w in self.workers() if w.up.name == name), None)

    def has_other_than(self, avoided: Iterable[str]) -> bool:
        """Whether any engine that is not avoided has a worker, busy or not."""
        names = set(avoided)
        return any(e.workers and e.name not in names for e in self.engines.values())

    def workers(self) -> list[Worker]:
        return [worker for engine in self.engines.values() for worker in engine.workers.values()]

    def __len__(self) -> int:
        return sum(len(engine.workers) for engine in self.engines.values())

    def choose(
        self, now: float, avoid: Iterable[str] = (), prefer: str = "", *, strict: bool = False
    ) -> Worker | None:
        """A worker with a free slot, or None when all are taken (or none is there).

        `avoid` and `prefer` are wishes: an avoided engine is better than none, unless
        `strict`.
        """
        able = [engine for engine in self.engines.values() if engine.freest() is not None]
        avoided = set(avoid)
        wished = [engine for engine in able if engine.name not in avoided]
        if not strict:
            wished = wished or able
        sound = [engine for engine in wished if engine.out_until <= now] or wished
        for engine in sound:
            if engine.name == prefer:
                return engine.freest()
        weighted = [engine for engine in sound if engine.weight > 0]
        return self._richest(weighted or sound)

    @staticmethod
    def _richest(engines: list[EngineState]) -> Worker | None:
        if not engines:
            return None
        weights = {engine.name: engine.weight or 1 for engine in engines}
        for engine in engines:
            engine.credit += weights[engine.name]
        chosen = max(engines, key=lambda engine: engine.credit)
        chosen.credit -= sum(weights.values())
        return chosen.freest()

    def succeeded(self, engine_name: str, took_ms: float) -> None:
        engine = self.engines[engine_name]
        engine.served += 1
        engine.failures_in_row = engine.ejections = 0
        share = LATENCY_SHARE if engine.latency_ms else 1.0
        engine.latency_ms += share * (took_ms - engine.latency_ms)

    def failed(self, engine_name: str, now: float) -> bool:
        """Count a failure; True when the engine sits out because of it."""
        engine = self.engines[engine_name]
        engine.failed += 1
        engine.failures_in_row += 1
        if engine.failures_in_row < EJECT_AFTER or len(self.engines) == 1:
            return False
        engine.failures_in_row = 0
        doublings = min(engine.ejections, _MAX_DOUBLINGS)
        engine.out_until = now + min(MAX_EJECT_S, EJECT_S * 2.0**doublings)
        engine.ejections += 1
        return True
