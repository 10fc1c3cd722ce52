"""How a process that was killed or stopped comes back, told from what was seen.

Pure: sightings of the process table and pictures of the status are passed in, all times
of one clock. What counts as *back* depends on who it was:

| victim | back | ready |
|---|---|---|
| an actor | another process has its name | the status says so of another pid |
| a session with a device | – | another session serves that device |
| a spare session | a session that was not there | the status says that it is ready |
| root, admin, logger | another process has its name | another root is ready, and so is the server |

The status is a picture that may be old, so readiness is known as a span: after
`not_ready_s` (the last picture without it) and not after `ready_s`. A process that was
only stopped for a while may also come back as itself.
"""

from __future__ import annotations

from collections.abc import Collection

from sim.faults.targets import ActorState, Status, TreeProcess
from sim.swarm.records import Recovery

_WHOLE_SYSTEM = ("root", "admin", "logger")


class Comeback:
    """The way back of one victim. Feed it in order of time; `done` ends it.

    `has_status` False: no status will ever tell, and being back by name is enough.
    """

    def __init__(
        self,
        victim: TreeProcess,
        at: float,
        pids_before: Collection[int],
        root_pid: int | None,
        has_status: bool = True,
    ) -> None:
        self.victim = victim
        self._at = at
        self._before = frozenset(pids_before)
        self._root_pid = root_pid
        self._has_status = has_status
        self._continued_at: float | None = None
        self._gone_s: float | None = None
        self._back_s: float | None = None
        self._new_pid: int | None = None
        self._not_ready_s: float | None = None
        self._ready_s: float | None = None

    @property
    def done(self) -> bool:
        back = self._back_s is not None and not self._has_status
        return back or self._ready_s is not None

    def continued(self, at: float) -> None:
        """The victim was only stopped and now goes on: it may be ready as itself."""
        self._continued_at = at

    def saw_processes(self, at: float, running: bool, processes: Collection[TreeProcess]) -> None:
        """`running`: the victim itself still exists (a stopped one does)."""
        if not running and self._gone_s is None:
            self._gone_s = max(0.0, at - self._at)
        if self._back_s is not None:
            return
        found = next((each for each in processes if self._is_successor(each)), None)
        if found is not None:
            self._back_s = max(0.0, at - self._at)
            self._new_pid = found.pid

    def saw_status(self, status: Status | None) -> None:
        """Pictures from before the fault are no evidence and are left out."""
        if status is None or status.taken_at <= self._at or self.done:
            return
        since_s = status.taken_at - self._at
        ready = self._ready_in(status)
        if ready is None:
            self._not_ready_s = max(self._not_ready_s or 0.0, since_s)
        else:
            self._ready_s = since_s
            if ready.pid != self.victim.pid and self.victim.kind not in ("admin", "logger"):
                self._new_pid = ready.pid

    def result(self) -> Recovery:
        return Recovery(
            name=self.victim.name,
            actor_kind=self.victim.kind,
            pid=self.victim.pid,
            recovered=self.done,
            gone_s=self._gone_s,
            back_s=self._back_s,
            new_pid=self._new_pid,
            not_ready_s=self._not_ready_s,
            ready_s=self._ready_s,
            device=self.victim.device,
        )

    # --- the table above ---

    def _is_successor(self, process: TreeProcess) -> bool:
        if self.victim.kind == "session":
            fresh = process.kind == "session" and process.pid not in self._before
            return fresh and not self.victim.device
        return process.name == self.victim.name and process.pid != self.victim.pid

    def _ready_in(self, status: Status) -> ActorState | None:
        """The actor whose readiness ends the recovery, if this picture has it."""
        if self._as_itself(status):
            return status.named(self.victim.name)
        if self.victim.kind in _WHOLE_SYSTEM:
            root = next((each for each in status.actors if each.kind == "root"), None)
            is_new = root is not None and root.ready and root.pid != self._root_pid
            return root if is_new and status.ready else None
        found = (each for each in status.actors if each.ready and self._replaces(each))
        return next(found, None)

    def _replaces(self, actor: ActorState) -> bool:
        if actor.pid == self.victim.pid:
            return False
        if self.victim.kind != "session":
            return actor.name == self.victim.name
        if self.victim.device:
            return actor.kind == "session" and actor.device == self.victim.device
        return actor.kind == "session" and actor.pid not in self._before

    def _as_itself(self, status: Status) -> bool:
        if self._continued_at is None or status.taken_at <= self._continued_at:
            return False
        if self._gone_s is not None:
            return False
        if self.victim.kind in ("admin", "logger"):
            return status.ready
        actor = status.named(self.victim.name)
        return actor is not None and actor.pid == self.victim.pid and actor.ready
