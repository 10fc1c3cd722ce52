"""The console actor: HTTP on its engine thread, the status from the other actors.

State: the status requests under way, the last turns' records.

Receives: Start, Directory; Report (anybody it probed); TurnRecord (sessions);
CacheReply (answer cache).
Sends: Probe to root, acceptor, router, caches and pools; operators' questions to the
answer cache.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import Any

from aiohttp import web

from actors.base import BaseActor, handles
from actors.console.cache import CacheRoutes
from actors.console.http import build_app, run_http
from actors.console.snapshot import StatusSnapshot, snapshot
from actors.descriptors import DescriptorStore
from actors.messages import ActorReport, Address, Probe, Report, Start, TurnRecord
from actors.questions import CacheQuestion, CacheReply

#: An actor that has not answered a probe by then is left out of the status.
PROBE_WAIT_S = 0.4

#: Turn records kept for `/turns`.
KEPT_TURNS = 500


@dataclass(frozen=True, slots=True)
class HttpServes:
    """From the engine thread: the HTTP port answers now."""


class Console(BaseActor):
    KIND = "console"

    def __init__(self) -> None:
        super().__init__()
        self._requests = itertools.count(1)
        self._collected: dict[int, list[Report]] = {}
        self._complete: dict[int, asyncio.Event] = {}
        self._turns: deque[TurnRecord] = deque(maxlen=KEPT_TURNS)
        self._started_at = time.time()
        self._cache = CacheRoutes(self._ask_cache)

    def started(self, message: Start) -> None:
        self._started_at = message.detail or time.time()
        self.start_engine().start(self._serve())

    async def _serve(self) -> None:
        assert self.engine is not None
        listener = DescriptorStore(self.directory.store).listener("http")
        app = build_app(self.settings, self._status, time.time)
        app.router.add_get("/turns", self._turns_page)
        self._cache.add_to(app)
        async with run_http(app, listener):
            self.engine.emit(None, HttpServes())
            await asyncio.Event().wait()

    async def _status(self) -> StatusSnapshot:
        """Probe everybody who supervises or routes; merge what they say by actor."""
        assert self.engine is not None
        directory = self.directory
        targets = [directory.root, directory.router, directory.acceptor]
        targets += [directory.answers, directory.sounds, directory.phrasebook]
        targets = [t for t in targets if t is not None] + [pool for _, pool in directory.pools]
        request = next(self._requests)
        self._collected[request] = []
        complete = self._complete[request] = asyncio.Event()
        for target in targets:
            self.engine.emit(target, Probe(request))
        try:
            async with asyncio.timeout(PROBE_WAIT_S):
                while len(self._collected[request]) < len(targets):
                    complete.clear()
                    await complete.wait()
        except TimeoutError:
            pass  # what did not answer shows by what its supervisor says of it
        del self._complete[request]
        reports = self._collected.pop(request)
        return snapshot(with_leases(reports), self.settings, self._started_at, time.time())

    async def _turns_page(self, request: web.Request) -> web.Response:
        """The last turns, newest first; `?device=` limits them to one device."""
        device = request.query.get("device", "")
        turns = [
            {**asdict(record), "turn": str(record.turn)}
            for record in reversed(self._turns)
            if not device or record.device == device
        ]
        return web.json_response({"turns": turns[:100]})

    def _ask_cache(self, question: CacheQuestion) -> bool:
        assert self.engine is not None
        if self.directory.answers is None:
            return False
        self.engine.emit(self.directory.answers, question)
        return True

    @handles(CacheReply)
    def on_cache_reply(self, message: CacheReply, sender: Address) -> None:
        assert self.engine is not None
        self.engine.call(self._cache.replied, message)

    @handles(HttpServes)
    def on_http_serves(self, message: HttpServes, sender: Address) -> None:
        self.ready()

    @handles(Report)
    def on_report(self, message: Report, sender: Address) -> None:
        assert self.engine is not None
        self.engine.call(self._collect, message)

    def _collect(self, message: Report) -> None:
        if message.request in self._collected:
            self._collected[message.request].append(message)
            self._complete[message.request].set()

    @handles(TurnRecord)
    def on_turn_record(self, message: TurnRecord, sender: Address) -> None:
        self._turns.append(message)


def with_leases(reports: list[Report]) -> list[ActorReport]:
    """All rows, and beside them what the router knows of each worker: leases in flight."""
    rows = [row for report in reports for row in report.actors]
    in_flight: dict[str, int] = {}
    for row in rows:
        engines: dict[str, dict[str, Any]] = row.detail.get("engines", {})
        for engine in engines.values():
            in_flight |= engine["in_flight"]
    return [replace(row, in_flight=max(row.in_flight, in_flight.get(row.name, 0))) for row in rows]
