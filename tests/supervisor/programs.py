"""Small actor systems, with the repairs of Thespian and without them.

A test must survive what stock Thespian leaves running, so each program runs in a
process of its own, the *keeper*: it inherits every orphan below it, forks the
*launcher* that the actor system hangs on, looks at what happens when something is
killed, prints what it saw as one JSON object, and ends whatever is left.

    python -m tests.supervisor.programs <program> repaired|stock
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
from thespian.actors import Actor, ActorSystem, ChildActorExited

from supervisor import processes, repairs

#: A keeper ends by itself, and all below it, after this time.
KEEPER_LIMIT_S = 20

#: What ends is gone long before; what does not end is believed to stay after SHOWN_S.
GONE_S = 5.0
SHOWN_S = 0.5

ANSWER_S = 5.0
MARK = "inherited-from-the-launcher"
CHILDREN = 3


# --- actors of stock Thespian: nothing of this project in them ---------------


class Child(Actor):  # type: ignore[misc]
    """Says who it is and which descriptors it holds."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if message == "who":
            self.send(sender, {"pid": os.getpid(), "descriptors": descriptors()})


class Parent(Actor):  # type: ignore[misc]
    """Has children, and counts those whose end it was told of."""

    def __init__(self) -> None:
        super().__init__()
        self.own, _ = self.ends = socket.socketpair()
        self.known: list[dict[str, Any]] = []
        self.newest: list[int] = []
        self.exits = 0
        self.asker: Any = None

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if message == "make":
            self.known, self.exits, self.asker = [], 0, sender
            self.newest = []
            for _ in range(CHILDREN):
                child = self.createActor(Child)
                self.newest.append(repairs.newest_child_pid(self))
                self.send(child, "who")
        elif isinstance(message, dict):
            self.known.append(message)
            if len(self.known) == CHILDREN:
                mine = {"pid": os.getpid(), "descriptors": descriptors()}
                socket_name = os.readlink(f"/proc/self/fd/{self.own.fileno()}")
                mine |= {"children": self.known, "socket": socket_name, "newest": self.newest}
                self.send(self.asker, mine)
        elif isinstance(message, ChildActorExited):
            self.exits += 1
            if self.exits == 1:
                # Now they are dead while this end is being handled, and no sooner.
                kill([child["pid"] for child in self.known])
        elif message == "exits":
            self.send(sender, self.exits)
        elif message == "log":
            # A record that no message can carry, as those of websockets are.
            logging.getLogger("program").warning("written", extra={"kept": threading.Lock()})
            self.send(sender, "logged")


def descriptors() -> list[str]:
    """What this process has open beyond standard input, output and error."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own descriptor
            if int(name) > 2:
                found.append(os.readlink(f"/proc/self/fd/{name}"))
    return found


def kill(pids: list[int]) -> None:
    """Kill these and return when they are dead, reaped or not."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while any(runs(pid) for pid in pids):
        time.sleep(0.001)


def state_of(pid: int) -> str:
    """The kernel's letter for the state of a process; '' when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def runs(pid: int) -> bool:
    return state_of(pid) not in ("", "Z", "X")


# --- the launcher --------------------------------------------------------------


class Nest:
    """A launcher with an actor system: a parent and its children."""

    def __init__(self, repaired: bool) -> None:
        self.repaired = repaired
        ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            code = 1
            try:
                _launch(theirs, repaired)
                code = 0
            finally:
                os._exit(code)
        theirs.close()
        self._line = ours.makefile("rw", encoding="utf-8")
        self.parent: dict[str, Any] = self.ask("make")
        self.parent_pid: int = self.parent["pid"]
        self.child_pids: list[int] = [child["pid"] for child in self.parent["children"]]
        self.admin_pid = processes.parent_of(self.parent_pid)
        below = set(processes.children_of(self.admin_pid))
        (self.logger_pid,) = below - {self.parent_pid}

    def ask(self, message: str) -> Any:
        """Have the launcher ask the parent; None when no answer came."""
        print(message, file=self._line, flush=True)
        return json.loads(self._line.readline())

    @property
    def actors(self) -> list[int]:
        return [self.parent_pid, *self.child_pids]

    @property
    def system(self) -> list[int]:
        return [self.admin_pid, self.logger_pid, *self.actors]

    def survivors(self, pids: list[int]) -> list[int]:
        """Which of these live on: returns early when all are gone."""
        ends_at = time.monotonic() + (GONE_S if self.repaired else SHOWN_S)
        while (left := [pid for pid in pids if runs(pid)]) and time.monotonic() < ends_at:
            time.sleep(0.005)
        return left


def _launch(control: socket.socket, repaired: bool) -> None:
    os.set_inheritable(os.memfd_create(MARK), True)
    if repaired:
        processes.adopt_orphans()
        repairs.install(os.getpid())
    with socket.socket() as probe:
        probe.bind((repairs.LOOPBACK, 0))
        port = probe.getsockname()[1]
    system = ActorSystem("multiprocTCPBase", {"Admin Port": port}, transientUnique=True)
    parent = system.createActor(Parent)
    line = control.makefile("rw", encoding="utf-8")
    for message in line:
        answer = system.ask(parent, message.strip(), ANSWER_S)
        if not isinstance(answer, (dict, int, str)):
            answer = None
        print(json.dumps(answer), file=line, flush=True)


# --- programs --------------------------------------------------------------------


def listening(repaired: bool) -> dict[str, Any]:
    """The addresses that any process of the system listens on."""
    nest = Nest(repaired)
    addresses = set()
    for pid in [nest.pid, *nest.system]:
        for connection in psutil.Process(pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                addresses.add(connection.laddr.ip)
    return {"addresses": sorted(addresses)}


def exits(repaired: bool) -> dict[str, Any]:
    """One child dies, the others while its end is handled: how many ends is it told of?"""
    nest = Nest(repaired)
    kill(nest.child_pids[:1])
    ends_at = time.monotonic() + (GONE_S if repaired else SHOWN_S)
    while (told := nest.ask("exits")) < CHILDREN and time.monotonic() < ends_at:
        time.sleep(0.01)
    return {"told": told}


def launcher_killed(repaired: bool) -> dict[str, Any]:
    nest = Nest(repaired)
    os.kill(nest.pid, signal.SIGKILL)
    return {"survivors": len(nest.survivors(nest.system)), "of": len(nest.system)}


def admin_killed(repaired: bool) -> dict[str, Any]:
    nest = Nest(repaired)
    os.kill(nest.admin_pid, signal.SIGKILL)
    left = nest.survivors([nest.logger_pid, *nest.actors])
    return {"survivors": len(left), "of": 1 + len(nest.actors), "launcher": runs(nest.pid)}


def parent_killed(repaired: bool) -> dict[str, Any]:
    nest = Nest(repaired)
    os.kill(nest.parent_pid, signal.SIGKILL)
    left = nest.survivors(nest.child_pids)
    return {"survivors": len(left), "of": CHILDREN, "admin": runs(nest.admin_pid)}


def inherited(repaired: bool) -> dict[str, Any]:
    """What actors hold of their parent's and of the launcher's."""
    parent = Nest(repaired).parent
    return {
        "launcher's in parent": any(MARK in name for name in parent["descriptors"]),
        "launcher's in child": any(
            MARK in name for child in parent["children"] for name in child["descriptors"]
        ),
        "parent's in child": any(
            parent["socket"] in child["descriptors"] for child in parent["children"]
        ),
        "parent's in parent": parent["socket"] in parent["descriptors"],
    }


def logged(repaired: bool) -> dict[str, Any]:
    """Log what cannot be sent; standard error shows whether it was written."""
    answer = Nest(repaired).ask("log")
    return {"handler ended": answer == "logged"}


def logger_killed(repaired: bool) -> dict[str, Any]:
    nest = Nest(repaired)
    os.kill(nest.logger_pid, signal.SIGKILL)
    left = nest.survivors([nest.admin_pid])
    actors = nest.survivors(nest.actors)
    return {"admin": bool(left), "survivors": len(actors), "launcher": runs(nest.pid)}


def newest(repaired: bool) -> dict[str, Any]:
    """Pids of children, as the parent found them and as they say themselves."""
    nest = Nest(repaired)
    return {"told": sorted(nest.child_pids), "pids": sorted(nest.parent["newest"])}


def one_admin(repaired: bool) -> dict[str, Any]:
    """Who becomes the admin, and does it outlive a starter that fails?"""
    told, tells = os.pipe()
    fails, has_it_fail = os.pipe()
    asked = os.fork()
    if asked == 0:
        os.close(has_it_fail)
        if repaired:
            repairs.install(os.getpid())
            repairs.become_admin()
        with socket.socket() as probe:
            probe.bind((repairs.LOOPBACK, 0))
            port = probe.getsockname()[1]
        ActorSystem("multiprocTCPBase", {"Admin Port": port}, transientUnique=True)
        os.write(tells, str(os.getpid()).encode())
        os.read(fails, 1)
        os._exit(1)
    os.close(tells)
    starter = int(os.read(told, 20))
    below = [asked, *processes.descendants_of(os.getpid())]
    admin = next(pid for pid in below if title(pid).startswith("MultiProcAdmin"))
    os.close(has_it_fail)
    ends_at = time.monotonic() + (GONE_S if repaired else SHOWN_S)
    while runs(admin) and time.monotonic() < ends_at:
        time.sleep(0.01)
    return {"it is who asked": admin == asked, "starter": starter != asked, "left": runs(admin)}


def title(pid: int) -> str:
    """What `ps` shows; '' when it is gone."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return ""


PROGRAMS: dict[str, Callable[[bool], dict[str, Any]]] = {
    program.__name__: program
    for program in (
        listening,
        exits,
        launcher_killed,
        admin_killed,
        parent_killed,
        inherited,
        logged,
        logger_killed,
        newest,
        one_admin,
    )
}


def end_all_below() -> None:
    """End every process below this one, and those that it inherits meanwhile."""
    while True:
        for pid in processes.descendants_of(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.002)  # the kernel needs a moment to end what was killed
        except ChildProcessError:
            return


def too_long(*_: object) -> None:
    raise TimeoutError(f"the program took more than {KEEPER_LIMIT_S} s")


def main(name: str, variant: str) -> None:
    processes.adopt_orphans()
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(KEEPER_LIMIT_S)
    try:
        print(json.dumps(PROGRAMS[name](variant == "repaired")), flush=True)
    finally:
        signal.alarm(0)
        end_all_below()


if __name__ == "__main__":
    # Actors are known by their module's name, which must not be '__main__'.
    from tests.supervisor import programs

    programs.main(sys.argv[1], sys.argv[2])
