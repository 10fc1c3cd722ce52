"""The root supervisor: the whole tree in one place, and the link to the launcher.

    root ─┬─ router
          ├─ pool asr ── asr/<engine>-<n> …
          ├─ pool llm ── llm/<engine>-<n> …
          ├─ acceptor ── session-<n> …
          ├─ pool tts ── tts/<engine>-<n> …
          ├─ answers
          ├─ sounds
          ├─ console
          └─ phrasebook

Whenever one of its children was replaced, everybody gets the new `Directory`; so the end
of one takes no sibling along (docs/decisions/0009).

Receives: Start(detail: the start's time), Ready, Drained, ChildActorExited; commands
of the launcher over the descriptor store's socket. Sends: Start, Directory, Drain; to the
launcher "root", "ready", "gave up", "drained".
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True)
class Node:
    """A child of root. `essential`: without it nobody is served, and giving it up escalates."""

    name: str
    actor: type[BaseActor]
    detail: str | None = None
    essential: bool = False


#: Started in this order: first what a device waits for. The children of the pools and of
#: the acceptor are theirs, and are never a reason to end anybody else.
TREE: tuple[Node, ...] = (
    Node("router", Router, essential=True),
    Node("pool asr", Pool, "asr", essential=True),
    Node("pool llm", Pool, "llm", essential=True),
    Node("acceptor", Acceptor, essential=True),
    Node("pool tts", Pool, "tts", essential=True),
    Node("answers", Answers),
    Node("sounds", SpeechCache),
    Node("console", Console),
    Node("phrasebook", Phrasebook),
)


def is_whole(children: Mapping[str, Child], tree: Iterable[Node]) -> bool:
    """All that is essential serves, and the rest does or was tried at least."""
    return all(
        children[node.name].state == "ready"
        or (not node.essential and children[node.name].history.restarts > 0)
        for node in tree
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
        for node in TREE:
            detail = message.detail if node.actor is Console else node.detail
            self.supervise_in_turn(node.name, node.actor, detail)

    def child_directory(self) -> Directory:
        return self._directory()

    def child_ready(self, child: Child, detail: object) -> None:
        self._tell_everybody()
        self._announce()

    def _announce(self) -> None:
        if not self.announced and is_whole(self.children_by_name, TREE):
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
        self._announce()
        if child.history.given_up and any(n.essential for n in TREE if n.name == child.name):
            self.launcher.say("gave up", child=child.name, reason=reason)

    def _directory(self) -> Directory:
        def address(name: str) -> Address | None:
            child = self.children_by_name.get(name)
            return child.address if child is not None and child.state == "ready" else None

        pools = tuple(
            (node.name, address(node.name))
            for node in TREE
            if node.actor is Pool and address(node.name) is not None
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
