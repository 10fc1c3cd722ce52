"""The launcher: holds what must survive, starts the actor system, and ends it.

It is no actor and runs no thread. It owns the listening sockets and the descriptor
store, is the reaper of every orphan below it, and starts the system again when
Thespian's admin (with which everything else dies) or the root actor ends.

1. bind both ports (or say who holds them), load what all processes share;
2. fork a starter that brings the actor system up and ends;
3. serve the descriptor store, reap, restart, until SIGTERM or SIGINT;
4. drain (a second signal skips it), then end every process below.
"""

from __future__ import annotations

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
from supervisor import announce, preload, processes, repairs
from supervisor.fdstore import Store
from supervisor.ports import PortTaken, bind
from supervisor.pulses import LATE_S, SCAN_S, Pulses
from supervisor.restart import RestartHistory, RestartPolicy

#: All of it must be gone so long after SIGTERM's drain ended.
END_S = 0.8

#: The actor system must say it is ready within this time, or it is started anew.
START_S = 30.0

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
        self._starter_pid = 0
        self._root_pid = 0
        self._admin_pid = 0
        self._system_began = 0.0
        self._ready = False
        self._history = RestartHistory(RestartPolicy())
        self._start_at: float | None = time.monotonic()
        self._stop_signals = 0
        self._drain_by: float | None = None
        self._drained = False
        self._last_down = 0.0

    # --- the loop ---

    def run(self) -> int:
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
            log.get().error("actor system did not get ready; it is started anew")
            self._system_began = now
            self._kill_below("it did not get ready")

    def _is_starting(self) -> bool:
        return self._start_at is None and not self._ready and not self._stop_signals

    def _start_system(self) -> None:
        self._system_began = time.monotonic()
        self._ready = False
        sys.stdout.flush()
        sys.stderr.flush()
        launcher_pid = os.getpid()
        self._starter_pid = os.fork()
        if self._starter_pid == 0:
            code = 1
            try:
                processes.die_with_parent(launcher_pid)
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
            self._root_pid = pid
            parent = processes.parent_of(pid)
            # An orphan's parent is this process: its admin has ended already.
            self._admin_pid = parent if parent != os.getpid() else 0
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
        elif operation == "left" and pid == self._root_pid and not self._stop_signals:
            # Without the root nothing is supervised: all of it starts anew.
            self._kill_below("the root ended")

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._admin_pid:
                self._system_ended("Thespian's admin ended")
            elif pid == self._starter_pid and status:
                self._kill_below("the starter failed")

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
            self._kill_below("the root hung")
        # The admin's children are the logger and root.
        watched = [self._admin_pid, *processes.children_of(self._admin_pid)]
        stopped = {pid for pid in watched if processes.is_stopped(pid)}
        self._stopped_since = {pid: self._stopped_since.get(pid, now) for pid in stopped}
        if any(now - since >= STOPPED_S for since in self._stopped_since.values()):
            log.get().error("admin, logger or root is stopped", pids=sorted(stopped))
            self._kill_below("admin, logger or root was stopped")

    def _system_ended(self, reason: str) -> None:
        self._pulses.ended(self._root_pid)
        self._slot = self._pulses.new_slot(time.monotonic())
        self._starter_pid = self._admin_pid = self._root_pid = 0
        self._ready = False
        if self._stop_signals:
            self._drained = True
            return
        now = self._last_down = time.monotonic()
        wait = self._history.ended(now, reason, 0.5)
        log.get().error(
            "actor system ended; it is started again",
            reason=reason,
            devices=len(self._store),
            in_ms=round(wait * 1000),
        )
        self._start_at = now + wait

    def _kill_below(self, reason: str) -> None:
        """Everything hangs on the admin: with it all actors end, and its end is noticed.

        `reason` is noted when the admin is not known yet: then nobody's end would be.
        """
        pids = [self._admin_pid] if self._admin_pid else processes.children_of(os.getpid())
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if not self._admin_pid:
            self._system_ended(reason)

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
    """In the starter: bring the actor system up and hand it to its root."""
    from thespian.actors import ActorSystem

    from actors.messages import Directory, Start
    from supervisor.root import Root

    with socket.socket() as probe:
        probe.bind((repairs.LOOPBACK, 0))
        port = probe.getsockname()[1]
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
    return Launcher(settings, listeners).run()
