"""Repairs of Thespian 4.0.1, each small, each with a test that fails on stock Thespian.

`install` must run in the launcher before the actor system starts; every process
of the system is forked from there and so inherits them.

1. *Loopback only.* Stock Thespian listens on every interface and unpickles what
   arrives. All its sockets are bound to 127.0.0.1.
2. *Lost exits.* Children that die within a few milliseconds of each other lose
   `ChildActorExited`, because handling one death drops every dead child from the
   list. Only the child that was named is dropped.
3. *Nothing outlives its parent.* Every process is killed by the kernel when its
   parent dies; the admin, which daemonises itself, first becomes the launcher's.
4. *Own descriptors only.* A fork inherits its parent's sockets; they are closed
   before anything else runs.
5. *Direct logging.* Thespian replaces the root logger by one that sends each record
   as a message; ours writes.
6. *Logger's death.* Its handler in the admin names an attribute that does not exist
   and kills the admin half way; here the admin dies at once and as a whole, and the
   launcher starts the system again.
7. *One fork to the admin.* Stock code reaches it by two forks and an exit, and it then
   waits to be adopted; with `become_admin` the process that asked for a system becomes
   its admin, and goes on as the admin's child.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any

from thespian.system import multiprocCommon
from thespian.system.transport import IPBase

from supervisor import processes

LOOPBACK = "127.0.0.1"

_STOCK_ADMIN = multiprocCommon.startAdmin

#: How long a daemonised admin waits to become the launcher's child.
_REPARENT_TIMEOUT_S = 5.0


def install(launcher_pid: int) -> None:
    """Apply every repair in this process. Call it once."""
    bind_loopback_only()
    keep_exits()
    bind_lives(launcher_pid)
    log_directly()
    die_with_logger()


def bind_loopback_only() -> None:
    os.environ["THESPIAN_BASE_IPADDR"] = LOOPBACK
    original = IPBase.IPActorAddress.__init__

    def bind_to_loopback(self: Any, *arguments: Any, **keywords: Any) -> None:
        original(self, *arguments, **keywords)
        self.bindname = (LOOPBACK, self.bindname[1])

    IPBase.IPActorAddress.__init__ = bind_to_loopback


def keep_exits() -> None:
    def child_exited(self: Any, child_address: Any) -> None:
        kept = []
        for child in getattr(self, "_child_procs", []):
            addresses = (child.childAddr, getattr(child, "childRealAddr", None))
            if child_address in addresses and not self._checkChildLiveness(child):
                continue
            kept.append(child)
        self._child_procs = kept

    multiprocCommon.MultiProcReplicator._childExited = child_exited


def bind_lives(launcher_pid: int) -> None:
    """Wrap the three entry points of Thespian's processes: actor, logger, admin."""

    def owned(target: Callable[..., Any]) -> Callable[..., Any]:
        def begin(*arguments: Any) -> Any:
            # The parent's pid is what the fork recorded: it may be dead by now.
            parent = multiprocCommon.multiprocessing.parent_process()
            processes.die_with_parent(parent.pid if parent else os.getppid())
            processes.close_inherited_descriptors()
            return target(*arguments)

        return begin

    def admin(*arguments: Any) -> Any:
        os.setsid()
        if os.fork():
            os._exit(0)
        deadline = time.monotonic() + _REPARENT_TIMEOUT_S
        while os.getppid() != launcher_pid:
            if time.monotonic() > deadline:
                os._exit(1)
            time.sleep(0.0005)
        processes.die_with_parent(launcher_pid)
        processes.close_inherited_descriptors()
        _run_admin(*arguments)

    multiprocCommon.startAdmin = admin
    multiprocCommon.startChild = owned(multiprocCommon.startChild)
    multiprocCommon.startupASLogger = owned(multiprocCommon.startupASLogger)


def _run_admin(*arguments: Any) -> None:
    """Stock code would daemonise itself; here that is done already, or not wanted."""
    setsid, fork = os.setsid, os.fork
    os.setsid = lambda: None

    def first_fork_only() -> int:
        os.setsid, os.fork = setsid, fork
        return 0

    os.fork = first_fork_only
    _STOCK_ADMIN(*arguments)


def become_admin() -> None:
    """Have this process become the admin of the next `ActorSystem` that it asks for.

    That call then returns in a child, the starter; this process ends with the admin, and
    with status 1 when the starter fails.
    """

    def start_admin(
        self: Any, address: Any, starter_address: Any, capabilities: Any, log_definitions: Any
    ) -> None:
        endpoint = self.transport.prepEndpoint(address, capabilities)
        admin_pid = os.getpid()
        starter_pid = os.fork()
        if starter_pid:
            processes.close_inherited_descriptors()
            _bind_starter(starter_pid)
            transport_class = self.transport.__class__
            _run_admin(
                multiprocCommon.MultiProcAdmin,
                *(starter_address, endpoint, transport_class, address),
                *(capabilities, log_definitions, self.mpcontext),
            )
            os._exit(0)
        processes.die_with_parent(admin_pid)
        self.transport.connectEndpoint(endpoint)
        answer = self.transport.run(None, multiprocCommon.MAX_ADMIN_STARTUP_DELAY)
        if not isinstance(getattr(answer, "message", None), multiprocCommon.EndpointConnected):
            raise RuntimeError("Thespian's admin did not answer")

    multiprocCommon.multiprocessCommon._startAdmin = start_admin


def _bind_starter(starter_pid: int) -> None:
    """In the admin: reap the starter, and end with it when it failed."""
    original = multiprocCommon.MultiProcReplicator.childDied
    admin_pid = os.getpid()

    def child_died(self: Any) -> bool:
        nonlocal starter_pid
        if starter_pid and os.getpid() == admin_pid:  # the actors inherit this
            ended, status = os.waitpid(starter_pid, os.WNOHANG)
            if ended and status:
                os._exit(1)
            starter_pid = 0 if ended else starter_pid
        return bool(original(self))

    multiprocCommon.MultiProcReplicator.childDied = child_died


def log_directly() -> None:
    def plain_root(*_: Any, **__: Any) -> logging.Logger:
        root = logging.RootLogger(logging.WARNING)
        root.addHandler(logging.StreamHandler())
        return root

    multiprocCommon.ThespianLogForwarder = plain_root


def die_with_logger() -> None:
    original = multiprocCommon.MultiProcReplicator.childDied

    def child_died(self: Any) -> bool:
        logger = getattr(self, "asLogProc", None)
        if logger and not self._checkChildLiveness(logger) and not hasattr(self, "_exiting"):
            os._exit(1)
        return bool(original(self))

    multiprocCommon.MultiProcReplicator.childDied = child_died


def newest_child_pid(actor: Any) -> int:
    """Pid of the child that `actor.createActor` made last (Thespian keeps it to itself).

    A child can hang before it has said a word; without its pid nobody could end it.
    """
    pid: int = actor._myRef._child_procs[-1].childProc.pid
    return pid
