"""A supervisor's look at its children's heartbeats: who hangs?

A child whose actor thread was silent for `ACTOR_LIMIT_S`, or whose engine's loop
was for `ENGINE_LIMIT_S` (a model may block it for a while), hangs. An actor that is
computing, or waits for a processor, has `BUSY_LIMIT_S`: to kill who works for many
on a busy host makes the host busier. One that missed a beat because it is stopped
(SIGSTOP, a debugger) needs no second look. A scanner that itself woke late judges nobody
in that round: the host, not the child, was slow.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

from actors.heartbeat import Board, own_board
from supervisor import processes

#: Two beats: one may be late on a busy host, two in a row are not.
ACTOR_LIMIT_S = 1.1

#: A beat is missing, and the process is stopped: no host is that slow.
STOPPED_LIMIT_S = 0.6

#: Fifty devices that connect at once have the acceptor fork for a second or two.
BUSY_LIMIT_S = 5.0

#: Loading a large model blocks a worker's loop for seconds.
ENGINE_LIMIT_S = 20.0

SCAN_S = 0.25

#: A scan later than this says that the host was busy.
LATE_S = 0.2


class Pulses:
    """The slots of one supervisor's children, by pid.

    About silent ones it is asked whether they run, or are stopped.
    """

    def __init__(
        self,
        runs: Callable[[int], bool] = processes.is_running,
        stopped: Callable[[int], bool] = processes.is_stopped,
    ) -> None:
        self.board: Board = own_board()
        self._runs = runs
        self._stopped = stopped
        self._slots: dict[int, int] = {}
        self._scanned_at: float | None = None

    def new_slot(self, now: float) -> int:
        """A slot for a child that is about to be forked."""
        return self.board.take(now)

    def forked(self, pid: int, slot: int) -> None:
        self._slots[pid] = slot

    def ended(self, pid: int) -> None:
        slot = self._slots.pop(pid, None)
        if slot is not None:
            self.board.give_back(slot)

    def hung(self, now: float) -> dict[int, str]:
        """Pids of children that hang, and what is silent; call it every `SCAN_S`."""
        before, self._scanned_at = self._scanned_at, now
        if before is None or now - before > SCAN_S + LATE_S:
            return {}
        found: dict[int, str] = {}
        for pid, slot in self._slots.items():
            actor_s, engine_s = self.board.silence(slot, now)
            if actor_s > BUSY_LIMIT_S or (actor_s > ACTOR_LIMIT_S and not self._runs(pid)):
                found[pid] = f"its actor was silent for {actor_s:.1f} s"
            elif actor_s > STOPPED_LIMIT_S and self._stopped(pid):
                found[pid] = f"it is stopped, silent for {actor_s:.1f} s"
            elif engine_s > ENGINE_LIMIT_S:
                found[pid] = f"its engine was silent for {engine_s:.0f} s"
        return found


def kill(pid: int) -> None:
    """End a hung child; its end is then noticed like any other."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
