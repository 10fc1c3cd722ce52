"""A pool: supervises the workers of one kind and tells the router who can serve.

Receives: Start(detail: the kind), Directory, Ready, ChildActorExited.
Sends: WorkerUp, WorkerDown to the router; Ready to root when every engine was tried.
"""

from __future__ import annotations

from typing import Any

from actors.base import BaseActor
from actors.messages import Kind, Start, WorkerDown, WorkerUp
from actors.workers.actor import AsrWorker, LlmWorker, TtsWorker
from supervisor.supervising import Child, Supervisor

WORKERS: dict[Kind, type[BaseActor]] = {"asr": AsrWorker, "llm": LlmWorker, "tts": TtsWorker}


class Pool(Supervisor):
    KIND = "pool"

    def __init__(self) -> None:
        super().__init__()
        self.kind: Kind = "asr"
        self._up: dict[str, WorkerUp] = {}

    def started(self, message: Start) -> None:
        self.kind = message.detail
        for engine in getattr(self.settings, self.kind):
            label = engine.name or engine.kind
            for number in range(engine.workers):
                self.supervise(f"{self.kind}/{label}-{number}", WORKERS[self.kind], engine)
        self.ready()

    def directory_changed(self) -> None:
        for up in self._up.values():
            self._tell_router(up)

    def child_ready(self, child: Child, detail: Any) -> None:
        engine = child.detail
        up = WorkerUp(
            self.kind,
            child.name,
            engine.name or engine.kind,
            child.address,
            engine.slots,
            engine.weight,
            dict(detail or {}),
        )
        self._up[child.name] = up
        self._tell_router(up)

    def child_ended(self, child: Child, reason: str) -> None:
        up = self._up.pop(child.name, None)
        if up is not None:
            self._tell_router(WorkerDown(self.kind, child.name, up.address, reason))

    def child_detail(self, child: Child) -> dict[str, Any]:
        up = self._up.get(child.name)
        detail = {"engine": child.detail.name or child.detail.kind}
        if child.state == "failed" or (up is None and child.history.last_reason):
            detail["reason"] = child.history.last_reason
        return detail | (up.detail if up is not None else {})

    def _tell_router(self, message: WorkerUp | WorkerDown) -> None:
        if self.directory.router is not None:
            self.send(self.directory.router, message)
