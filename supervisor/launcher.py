"""The launcher: holds what must survive, starts the actor system, and ends it.

It is no actor and runs no thread. It owns the listening sockets and the descriptor
store, is the reaper of every orphan below it, and starts the system again when
Thespian's admin (with which everything else dies) or the root actor ends, or when root
gave up on a child without which nobody is served.

1. bind both ports (or say who holds them), load what all processes share;
2. fork the actor system: its first process becomes Thespian's admin, and with all that
   it forks one process group;
3. serve the descriptor store, reap, restart, until SIGTERM or SIGINT;
4. drain (a second signal skips it), then end every process below.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from actors import log
from cfg.model import Settings
from supervisor import announce, pages, preload, processes, repairs
from supervisor.fdstore import Store
from supervisor.ports import PortTaken, bind
from supervisor.pulses import LATE_S, SCAN_S, Pulses
from supervisor.restart import Escalation, RestartHistory, RestartPolicy

#: All of it must be gone so long after SIGTERM's drain ended.
END_S = 0.8

#: The actor system must say it is ready within this time, or it is started anew.
START_S = 30.0

#: One orphan is reaped so often, and none for so long after a system ended: each takes
#: milliseconds when somebody looks through /proc (measured: 5 ms, and thirty end
#: together), and a system that starts waits for the launcher all the while.
REAP_S = 0.02
PATIENCE_S = 2.0

#: The launcher is so much nicer to itself than to the others, where it may.
AHEAD = 10

#: A process that was stopped (SIGSTOP, a debugger) in two looks, so far apart, hangs.
STOPPED_S = SCAN_S


class Launcher:
    """One run of the server; `run` returns the exit code."""

    def __init__(self, settings: Settings, listeners: dict[str, socket.socket]) -> None:
        self.settings = settings
        self.started_at = time.time()
        self._selector = selectors.DefaultSelector()
        self._store = Store(self._selector, listeners, self._told, time.monotonic)
        self._listeners = listeners
        self._pulses = Pulses()
        self._slot = self._pulses.new_slot(time.monotonic())
        self._stopped_since: dict[int, float] = {}
        self._scan_at = 0.0
        #: Thespian's admin, which is also the system's process group.
        self._admin_pid = 0
        self._root_pid = 0
        self._system_began = 0.0
        self._ready = False
        self._history = RestartHistory(RestartPolicy())
        self._escalation = Escalation()
        self._start_at: float | None = time.monotonic()
        self._stop_signals = 0
        self._drain_by: float | None = None
        self._drained = False
        self._last_down = 0.0
        self._reap_at = 0.0
        self._nice = os.getpriority(os.PRIO_PROCESS, 0)

    # --- the loop ---

    def run(self) -> int:
        # All of them wait for it when all of them start; it never computes for long.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, self._nice - AHEAD)
        wake, self._wake_end = socket.socketpair()
        wake.setblocking(False)
        self._wake_end.setblocking(False)
        signal.set_wakeup_fd(self._wake_end.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        self._selector.register(wake, selectors.EVENT_READ, self._signalled)
        while not self._over():
            for key, _ in self._selector.select(self._wait()):
                handler: Callable[[Any], None] = key.data
                handler(key.fileobj)
            self._store.expire_parked()
            self._reap()
            self._keep_running()
            self._scan()
        self._end_everything()
        return 0

    def _wait(self) -> float:
        now = time.monotonic()
        # Whatever wakes the loop meanwhile, the next scan is on time: a late one judges nobody.
        times = [self._scan_at - now if self._scans() else SCAN_S]
        if self._start_at is not None:
            times.append(self._start_at - now)
        if self._drain_by is not None:
            times.append(self._drain_by - now)
        if self._reap_at:
            times.append(self._reap_at - now)
        parked = self._store.expire_parked()
        if parked is not None:
            times.append(parked)
        return max(0.0, min(times))

    def _over(self) -> bool:
        if self._stop_signals == 0:
            return False
        late = self._drain_by is not None and time.monotonic() >= self._drain_by
        return self._drained or late or self._stop_signals > 1

    def _signalled(self, wake: socket.socket) -> None:
        for number in wake.recv(64):
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop_signals += 1
                if self._stop_signals == 1:
                    self._drain()

    def _drain(self) -> None:
        limit_s = self.settings.server.drain_timeout_s
        log.get().info("stopping", turns_may_finish_s=limit_s)
        self._start_at = None
        self._drain_by = time.monotonic() + limit_s + 0.2
        command = {"op": "drain", "deadline_ms": int(limit_s * 1000)}
        if not self._store.tell(self._root_pid, command):
            self._drained = True

    # --- the actor system ---

    def _keep_running(self) -> None:
        now = time.monotonic()
        if self._start_at is not None and now >= self._start_at:
            self._start_at = None
            self._start_system()
        elif self._is_starting() and now - self._system_began > START_S:
            self._begin_anew("it did not get ready")

    def _is_starting(self) -> bool:
        return self._start_at is None and not self._ready and not self._stop_signals

    def _start_system(self) -> None:
        self._system_began = time.monotonic()
        self._ready = False
        sys.stdout.flush()
        sys.stderr.flush()
        launcher_pid = os.getpid()
        self._admin_pid = os.fork()
        if self._admin_pid == 0:
            code = 1
            try:
                processes.die_with_parent(launcher_pid)
                os.setsid()
                os.setpriority(os.PRIO_PROCESS, 0, self._nice)
                signal.set_wakeup_fd(-1)
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                    signal.signal(number, signal.SIG_DFL)
                start_actors(self.settings, self._store.address, self.started_at, self._slot)
                code = 0
            except Exception:
                log.get().exception("actor system did not start")
            os._exit(code)

    def _told(self, operation: str, members: dict[str, Any], pid: int) -> None:
        """What the root actor says over the store's socket."""
        if operation == "root":
            # Another's is that of a system which was ended: its last word.
            if processes.group_of(pid) == self._admin_pid:
                self._root_pid = pid
        elif pid != self._root_pid:
            return
        elif operation == "ready":
            now = time.monotonic()
            self._history.became_ready(now)
            self._ready = True
            self._pulses.forked(self._root_pid, self._slot)
            if self._last_down:
                log.get().warning(
                    "actor system is back",
                    after_ms=round((now - self._last_down) * 1000),
                    devices=len(self._store),
                )
            else:
                took_ms = round((now - self._system_began) * 1000)
                announce.ready(self.settings, self._listeners, took_ms)
        elif operation == "drained":
            self._drained = True
        elif operation == "gave up":
            self._gave_up(str(members.get("child")), str(members.get("reason")))
        elif operation == "left" and not self._stop_signals:
            # Without the root nothing is supervised: all of it starts anew.
            self._begin_anew("the root ended")

    def _reap(self) -> None:
        """The admin's end is looked for at once; orphans have time (`REAP_S`)."""
        if self._admin_pid:
            # Seen, not reaped: that is for later, as of all that end with it.
            end = os.waitid(os.P_PID, self._admin_pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if end is not None:
                failed = end.si_code == os.CLD_EXITED and end.si_status
                self._begin_anew("the starter failed" if failed else "Thespian's admin ended")
        now = time.monotonic()
        if now < self._reap_at:
            return
        self._reap_at = now + REAP_S if self._reap_one() else 0.0

    def _reap_one(self) -> bool:
        """Whether an orphan was there to be reaped."""
        try:
            end = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        if end is None or end.si_pid == self._admin_pid:
            return False
        os.waitpid(end.si_pid, os.WNOHANG)
        return True

    def _scans(self) -> bool:
        return self._ready and not self._stop_signals

    def _scan(self) -> None:
        """Root by its heartbeat; admin and logger run no code of ours: are they stopped?"""
        now = time.monotonic()
        if now < self._scan_at or not self._scans():
            return
        if now > self._scan_at + LATE_S:
            self._stopped_since.clear()  # we may have been stopped ourselves, with all of them
        self._scan_at = now + SCAN_S
        for pid, silence in self._pulses.hung(now).items():
            log.get().error("root hangs", pid=pid, reason=silence)
            self._begin_anew("the root hung")
            return
        # The admin's children are the logger and root.
        watched = [self._admin_pid, *processes.children_of(self._admin_pid)]
        stopped = {pid for pid in watched if processes.is_stopped(pid)}
        self._stopped_since = {pid: self._stopped_since.get(pid, now) for pid in stopped}
        if any(now - since >= STOPPED_S for since in self._stopped_since.values()):
            log.get().error("admin, logger or root is stopped", pids=sorted(stopped))
            self._begin_anew("admin, logger or root was stopped")

    def _gave_up(self, child: str, reason: str) -> None:
        """Root cannot keep a child running without which nobody is served."""
        if self._escalation.asked(time.monotonic()):
            self._begin_anew(f"{child} was given up: {reason}")
            return
        log.get().error(
            "started anew in vain; the others serve without it, it is tried again slowly",
            child=child,
            reason=reason,
        )
        self._ready = True  # as far as it will be: root is watched, and not started anew

    def _begin_anew(self, reason: str) -> None:
        """End what is left of the actor system, all at once, and start another.

        Nobody waits for the ends: whoever was killed does nothing any more, and the new
        system shares nothing with it but what the store keeps.
        """
        now = time.monotonic()
        if self._stop_signals:
            self._drained = True
        else:
            self._last_down = now
            wait = self._history.ended(now, reason, 0.5)
            self._start_at = now + wait
            log.get().error(
                "actor system ended; it is started again",
                reason=reason,
                devices=len(self._store),
                in_ms=round(wait * 1000),
            )
        processes.kill_group(self._admin_pid)
        self._pulses.ended(self._root_pid)
        self._slot = self._pulses.new_slot(now)
        self._admin_pid = self._root_pid = 0
        self._ready = False
        self._stopped_since.clear()
        self._reap_at = now + PATIENCE_S

    def _end_everything(self) -> None:
        self._store.close_all()
        deadline = time.monotonic() + END_S
        while time.monotonic() < deadline:
            for pid in processes.descendants_of(os.getpid()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                break
            time.sleep(0.005)  # the kernel needs a moment to end what was killed
        log.get().info("stopped")


def start_actors(settings: Settings, store: str, started_at: float, slot: int) -> None:
    """Bring the actor system up and hand it to its root.

    This process becomes Thespian's admin and never returns; a child of it, the starter,
    does all that follows and returns.
    """
    from thespian.actors import ActorSystem

    from actors.messages import Directory, Start
    from supervisor.root import Root

    with socket.socket() as probe:
        probe.bind((repairs.LOOPBACK, 0))
        port = probe.getsockname()[1]
    repairs.become_admin()
    system = ActorSystem("multiprocTCPBase", {"Admin Port": port}, transientUnique=True)
    root = system.createActor(Root)
    system.tell(root, Start("root", settings, Directory(store=store), started_at, slot))


def serve(settings: Settings) -> int:
    """Run the server in this process until it is told to stop; return the exit code."""
    log.configure(settings.log.level, settings.log.format, actor="launcher")
    server = settings.server
    try:
        listeners = {
            "device": bind(server.host, server.device_port, "server.device_port"),
            "http": bind(server.host, server.http_port, "server.http_port"),
        }
    except PortTaken as problem:
        print(problem, file=sys.stderr)
        return 1
    announce.starting(settings)
    processes.raise_descriptor_limit()
    processes.adopt_orphans()
    repairs.install(os.getpid())
    preload.load(settings)
    gc.collect()
    gc.freeze()
    pages.gather()
    return Launcher(settings, listeners).run()
