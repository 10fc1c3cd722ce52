"""The real launcher around actor systems that are none: each goes wrong in its own way.

    python -m tests.supervisor.launcher_program

The systems are started one after the other; the last one is right and has the launcher
stopped. Prints what happened as one JSON object; the launcher's log is on standard error.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import psutil

from actors import log
from actors.descriptors import DescriptorStore
from cfg.model import Settings
from supervisor import launcher, processes
from supervisor.restart import RestartHistory, RestartPolicy
from tests.supervisor.programs import KEEPER_LIMIT_S, end_all_below, too_long

#: A system that says nothing is given up after this time.
START_S = 1.0
SIBLINGS = 12


def raises(_: str) -> None:
    raise RuntimeError("the admin did not answer")


def says_nothing(_: str) -> None:
    """Something runs, but no root ever speaks."""
    time.sleep(KEEPER_LIMIT_S)


def root_dies_at_once(store: str) -> None:
    fork(lambda: DescriptorStore(store).say("root"))
    time.sleep(KEEPER_LIMIT_S)


def root_and_admin_die_at_once(store: str) -> None:
    fork(lambda: DescriptorStore(store).say("root"))


def gives_up(store: str) -> None:
    """Root tells that it cannot go on, and goes on speaking all the same."""

    def last_words() -> None:
        line = DescriptorStore(store)
        line.say("root")
        for _ in range(3):
            line.say("gave up", child="acceptor", reason="no port")
        time.sleep(KEEPER_LIMIT_S)

    fork(last_words)
    time.sleep(KEEPER_LIMIT_S)


def admin_is_killed(store: str) -> None:
    """With it a dozen others die, and all of them become the launcher's to reap."""
    me = os.getpid()

    def sibling() -> None:
        processes.die_with_parent(me)
        time.sleep(KEEPER_LIMIT_S)

    for _ in range(SIBLINGS):
        fork(sibling)

    fork(lambda: root(store))
    time.sleep(0.1)
    os.kill(me, signal.SIGKILL)


def gives_up_again(store: str) -> None:
    """Too soon after the first time: it is let live, and then stops the launcher."""
    fork(lambda: root(store, gave_up=True, stop=True))
    time.sleep(KEEPER_LIMIT_S)


SYSTEMS: tuple[Callable[[str], None], ...] = (
    raises,
    says_nothing,
    root_dies_at_once,
    root_and_admin_die_at_once,
    gives_up,
    admin_is_killed,
    gives_up_again,
)


def fork(work: Callable[[], object]) -> None:
    if os.fork() == 0:
        try:
            work()
        finally:
            os._exit(0)


def root(store: str, *, gave_up: bool = False, stop: bool = False) -> None:
    processes.die_with_parent(os.getppid())
    line = DescriptorStore(store)
    line.say("root")
    if gave_up:
        line.say("gave up", child="acceptor", reason="still no port")
    line.say("ready")
    if stop:
        board[1] = alone()
        os.kill(LAUNCHER, signal.SIGTERM)
        command, _ = line.receive()
        assert command["op"] == "drain"
        line.say("drained")
    time.sleep(KEEPER_LIMIT_S)


LAUNCHER = os.getpid()

#: Shared with everybody below: systems started, and whether the last one was alone.
board = mmap.mmap(-1, 2)


def alone() -> bool:
    """Whether nothing but this root and its admin lives below the launcher, soon at least."""
    mine = [os.getppid(), os.getpid()]
    ends_at = time.monotonic() + 0.8  # its heart does not beat: soon it would count as hung
    while [pid for pid in processes.descendants_of(LAUNCHER) if lives(pid)] != mine:
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.005)
    return True


def lives(pid: int) -> bool:
    """Whoever has ended is reaped when there is time."""
    return processes.group_of(pid) != 0 and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def run() -> dict[str, Any]:
    def start_actors(_settings: Settings, store: str, *_: object) -> None:
        number = board[0]
        board[0] += 1
        SYSTEMS[number](store)

    launcher.start_actors = start_actors
    launcher.START_S = START_S
    log.configure("info", "json", actor="launcher")
    with (
        socket.create_server(("127.0.0.1", 0)) as device,
        socket.create_server(("127.0.0.1", 0)) as http,
    ):
        made = launcher.Launcher(Settings(), {"device": device, "http": http})
        made._history = RestartHistory(RestartPolicy(first_backoff_s=0.01, max_backoff_s=0.05))
        code = made.run()
    left = processes.descendants_of(os.getpid())
    return {"code": code, "systems": board[0], "alone": bool(board[1]), "left": len(left)}


def main() -> None:
    processes.adopt_orphans()
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(KEEPER_LIMIT_S)
    try:
        seen = run()
    finally:
        signal.alarm(0)
        end_all_below()
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main()
