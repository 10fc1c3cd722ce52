"""One piece of a turn's work on a leased worker: ask, work, retry elsewhere, release.

Pure. The owner says what to send to the worker (`work`) and is told when nobody
could do it (`gave_up`). A worker that dies is replaced by another without blame to
its engine; an engine that fails is avoided in the next try. Retries share one
budget, so that a failing part cannot hold a turn. A router that does not answer was
perhaps replaced just now: it is asked again, under a new number.

Every lease asked for ends in exactly one of: released by this side, refused by the
router (`Busy`), lost with its worker.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from actors.effects import Effect, Note, ToRouter, ToWorker
from actors.messages import (
    Address,
    Busy,
    Cancel,
    Kind,
    Lease,
    Leased,
    LeaseLost,
    Release,
    TurnId,
    WorkFailed,
)

#: Tries in all: the first, another engine, and one for a worker that died.
MAX_TRIES = 3

#: A busy router is asked again this much later, then later each time: under load those
#: who wait must not keep the router, and each other, from the work.
BUSY_RETRY_S = 0.05
BUSY_RETRY_GROWTH = 1.6
BUSY_RETRY_MOST_S = 0.4

#: Where nobody serves a kind at all, a replacement is on its way: worth looking often.
NOBODY_RETRY_S = 0.1

#: A router that has said nothing by then is asked again; a new one is up much sooner.
ASK_AGAIN_S = 0.3

#: Where a worker died, nobody is left or the router is silent, a slot is waited for at
#: least so long: a replacement of the last worker of its kind has to load its model first.
REPLACEMENT_S = 4.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: for a slot, for the first result, for each further one."""

    lease_s: float
    first_s: float
    next_s: float


class Stage(Enum):
    LEASING = "leasing"
    WAITING = "waiting"  # nobody was free; asks again soon
    WORKING = "working"
    ENDED = "ended"


class LeasedJob:
    """See the module. Every method takes the time as `now` in seconds."""

    def __init__(
        self,
        kind: Kind,
        turn: TurnId,
        numbers: Iterator[int],
        patience: Patience,
        work: Callable[[int], list[Any]],
        gave_up: Callable[[str, bool, float], None],
        out: list[Effect],
        prefer: str = "",
    ) -> None:
        """`work(job)` returns the messages that start the work, from its beginning; none
        yet when the lease was taken ahead: `give` them later.

        `gave_up(reason, busy, now)` is called once, when no try is left; `busy` tells
        that nobody had a free slot.
        """
        self.kind = kind
        self.turn = turn
        self.engine = ""
        self.stage = Stage.LEASING
        self.number = 0
        #: How long the first result may take; the owner may change it before the lease.
        self.first_s = patience.first_s
        #: Leased before there is work: not worth waiting for, nor a slot that others need.
        self.ahead = False
        self._numbers = numbers
        self._patience = patience
        self._work = work
        self._gave_up = gave_up
        self._out = out
        self._prefer = prefer
        self._avoid: tuple[str, ...] = ()
        self._strict = False
        self._late = ""
        self._tries = 0
        self._busy_retry_s = BUSY_RETRY_S
        self._worker: Address = None
        self._worker_name = ""
        self._tried_at = self._lease_until = 0.0
        self._deadline = 0.0
        self._began = 0.0
        self._first_ms = 0.0

    # --- the owner's side ---

    def start(self, now: float) -> None:
        self._try(now, self._patience.lease_s)

    def send(self, message: Any) -> None:
        """More for the worker; call it only while `working`."""
        self._out.append(ToWorker(self._worker, message))

    def give(self, pieces: list[Any], now: float) -> None:
        """Start the work of a lease that was taken ahead; the first result is due now on."""
        self._began = now
        self._deadline = now + self.first_s
        for piece in pieces:
            self.send(piece)

    @property
    def working(self) -> bool:
        return self.stage is Stage.WORKING

    @property
    def ended(self) -> bool:
        return self.stage is Stage.ENDED

    def is_mine(self, job: int) -> bool:
        return self.stage is Stage.WORKING and job == self.number

    def progress(self, now: float) -> None:
        """A result came: the next one has its own deadline."""
        self._first_ms = self._first_ms or (now - self._began) * 1000
        self._deadline = now + self._patience.next_s

    def expect(self, seconds: float, now: float) -> None:
        """The next result is due in `seconds` (a recogniser has none while speech lasts)."""
        self.first_s = seconds
        self._deadline = now + seconds

    def refuse(self, reason: str, now: float) -> None:
        """What the worker gives is of no use: another engine must do it."""
        if self.stage is Stage.WORKING:
            self.send(Cancel(self.turn, self.number))
            self._release("failed", reason)
            self._avoid += (self.engine,)
            self._again(reason, now)

    def done(self, now: float) -> None:
        self._first_ms = self._first_ms or (now - self._began) * 1000
        self._release("ok")

    def cancel(self) -> None:
        """Stop wherever it stands; may be called at any time, more than once."""
        if self.stage is Stage.WORKING:
            self.send(Cancel(self.turn, self.number))
        if self.stage in (Stage.WORKING, Stage.LEASING):
            self._release("cancelled")
        self.stage = Stage.ENDED

    # --- what happens to it ---

    def leased(self, message: Leased, now: float) -> None:
        if message.request != self.number or self.stage is not Stage.LEASING:
            return
        self.stage = Stage.WORKING
        self.engine, self._worker, self._worker_name = (
            message.engine,
            message.address,
            message.worker,
        )
        self._first_ms, self._deadline = 0.0, math.inf
        pieces = self._work(self.number)
        if pieces:
            self.give(pieces, now)

    def busy(self, message: Busy, now: float) -> None:
        if message.request != self.number or self.stage is not Stage.LEASING:
            return
        if self.ahead:
            self._give_up(f"no {self.kind} worker had plenty of room", True, now)
        elif message.reason == "avoided":
            self._give_up(self._late, True, now)
        elif now >= self._wait_until(message.reason):
            self._give_up(f"no {self.kind} worker was free", True, now)
        else:
            self.stage = Stage.WAITING
            wait_until = self._wait_until(message.reason)
            self._deadline = min(now + self._retry_s(message.reason), wait_until)

    def _wait_until(self, reason: str) -> float:
        """Where nobody is left a replacement is on its way, as after a death that was seen."""
        if reason == "none":
            return max(self._lease_until, self._tried_at + REPLACEMENT_S)
        return self._lease_until

    def _retry_s(self, reason: str) -> float:
        if reason == "none":
            return NOBODY_RETRY_S
        wait_s = self._busy_retry_s
        self._busy_retry_s = min(wait_s * BUSY_RETRY_GROWTH, BUSY_RETRY_MOST_S)
        return wait_s

    def lost(self, message: LeaseLost, now: float) -> None:
        """The worker is gone; the router has freed the lease."""
        if self.is_mine(message.request):
            self._strict = False  # a replacement is not the one that was slow
            wait_s = max(REPLACEMENT_S, self._patience.lease_s)
            self._again(f"{message.worker} ended: {message.reason}", now, wait_s)

    def failed(self, message: WorkFailed, now: float) -> None:
        if not self.is_mine(message.job):
            return
        self._release("failed", message.error)
        self._avoid += (self.engine,)
        if message.retryable:
            self._again(message.error, now)
        else:
            self._give_up(message.error, False, now)

    def deadline(self) -> float | None:
        """When `time` wants to be called."""
        return None if self.stage is Stage.ENDED else self._deadline

    def time(self, now: float) -> None:
        """A deadline may have passed."""
        due = self.deadline()
        if due is None or now < due:
            return
        if self.stage is Stage.WORKING:
            # Slow is not dead: the same work once more would make it slower still.
            self._strict, self._late = True, f"{self._worker_name} gave nothing in time"
            self.refuse(self._late, now)
            return
        if self.stage is Stage.LEASING:
            self._release("cancelled")
            if now >= self._wait_until("none"):
                self._give_up("the router did not answer", True, now)
                return
        self._lease(now)

    # --- inside ---

    def _lease(self, now: float) -> None:
        self.number = next(self._numbers)
        self.stage = Stage.LEASING
        self._deadline = now + min(ASK_AGAIN_S, self._patience.lease_s)
        self._out.append(
            ToRouter(
                Lease(
                    self.kind,
                    self.number,
                    self.turn,
                    self._avoid,
                    self._prefer,
                    self._strict,
                    self.ahead,
                )
            )
        )

    def _release(self, outcome: Any, error: str = "") -> None:
        self.stage = Stage.ENDED
        self._out.append(
            ToRouter(
                Release(self.kind, self.number, self.turn, outcome, round(self._first_ms, 1), error)
            )
        )

    def _try(self, now: float, lease_s: float) -> None:
        self._tries += 1
        self._busy_retry_s = BUSY_RETRY_S
        self._tried_at, self._lease_until = now, now + lease_s
        self._lease(now)

    def _again(self, reason: str, now: float, lease_s: float = 0.0) -> None:
        """Try elsewhere, if a try is left; `lease_s`: wait so long for a slot (0: as usual)."""
        if self._tries >= MAX_TRIES:
            self._give_up(reason, False, now)
            return
        self._out.append(Note("warning", "work retried", {"kind": self.kind, "reason": reason}))
        self._try(now, lease_s or self._patience.lease_s)

    def _give_up(self, reason: str, busy: bool, now: float) -> None:
        self.stage = Stage.ENDED
        self._gave_up(reason, busy, now)
