"""The root supervisor: the whole tree in one place, and the link to the launcher.

    root ─┬─ router
          ├─ pool asr ── asr/<engine>-<n> …
          ├─ pool llm ── llm/<engine>-<n> …
          ├─ pool tts ── tts/<engine>-<n> …
          ├─ console
          ├─ answers
          ├─ sounds
          ├─ phrasebook
          └─ acceptor ── session-<n> …

Whenever one of its children was replaced, everybody gets the new `Directory`.

Receives: Start(detail: the start's time), Ready, Drained, ChildActorExited; commands
of the launcher over the descriptor store's socket. Sends: Start, Directory, Drain.
"""

from __future__ import annotations

import os
from dataclasses import replace

from actors import log
from actors.base import BaseActor, handles
from actors.cache.answers import Answers
from actors.cache.phrasebook import Phrasebook
from actors.cache.speech import SpeechCache
from actors.console.actor import Console
from actors.descriptors import DescriptorStore, StoreError
from actors.messages import Address, Directory, Drain, Drained, PoolDown, SessionsDown, Start
from actors.router.actor import Router
from supervisor.acceptor import Acceptor
from supervisor.pool import Pool
from supervisor.supervising import Child, Supervisor

#: Started in this order; the acceptor last, when those who serve are on their way.
TREE: tuple[tuple[str, type[BaseActor], str | None], ...] = (
    ("router", Router, None),
    ("pool asr", Pool, "asr"),
    ("pool llm", Pool, "llm"),
    ("pool tts", Pool, "tts"),
    ("console", Console, None),
    ("answers", Answers, None),
    ("sounds", SpeechCache, None),
    ("phrasebook", Phrasebook, None),
    ("acceptor", Acceptor, None),
)


class Root(Supervisor):
    KIND = "root"

    def __init__(self) -> None:
        super().__init__()
        self.launcher: DescriptorStore
        self.announced = False

    def started(self, message: Start) -> None:
        self.launcher = DescriptorStore(self.directory.store)
        self.watch(self.launcher.fileno(), self._launcher_speaks)
        self.launcher.say("root", pid=os.getpid())
        self.state = "ready"
        for name, actor, detail in TREE:
            self.supervise(name, actor, message.detail if actor is Console else detail)

    def child_directory(self) -> Directory:
        return self._directory()

    def child_ready(self, child: Child, detail: object) -> None:
        self._tell_everybody()
        if not self.announced and all(c.state == "ready" for c in self.children_by_name.values()):
            self.announced = True
            self.launcher.say("ready")

    def child_ended(self, child: Child, reason: str) -> None:
        """What the child held is lost with it: the router must not wait for it."""
        router = self._directory().router
        if router is not None and child.actor is Pool:
            self.send(router, PoolDown(child.detail, reason))
        elif router is not None and child.actor is Acceptor:
            self.send(router, SessionsDown())
        self._tell_everybody()

    def _directory(self) -> Directory:
        def address(name: str) -> Address | None:
            child = self.children_by_name.get(name)
            return child.address if child is not None and child.state == "ready" else None

        pools = tuple(
            (name, address(name))
            for name, actor, _ in TREE
            if actor is Pool and address(name) is not None
        )
        return replace(
            self.directory,
            router=address("router"),
            acceptor=address("acceptor"),
            console=address("console"),
            root=self.myAddress,
            answers=address("answers"),
            sounds=address("sounds"),
            phrasebook=address("phrasebook"),
            pools=pools,
        )

    def _tell_everybody(self) -> None:
        directory = self._directory()
        for child in self.children_by_name.values():
            if child.state == "ready":
                self.send(child.address, directory)

    # --- the launcher ---

    def _launcher_speaks(self) -> None:
        try:
            command, _ = self.launcher.receive()
        except StoreError as error:
            log.get().error("launcher is gone", reason=str(error))
            os._exit(1)  # nothing may outlive the launcher
        if command.get("op") == "drain":
            acceptor = self.children_by_name["acceptor"]
            if acceptor.address is None:
                self.launcher.say("drained")
            else:
                self.send(acceptor.address, Drain(int(command["deadline_ms"])))

    @handles(Drained)
    def on_drained(self, message: Drained, sender: Address) -> None:
        self.launcher.say("drained")
