"""One piece of work on leased workers: asked for, done, retried, released."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from actors.effects import Effect, ToRouter, ToWorker
from actors.leased import ASK_AGAIN_S, MAX_TRIES, REPLACEMENT_S, LeasedJob, Patience
from actors.messages import Busy, Cancel, Lease, Leased, LeaseLost, Release, TurnId, WorkFailed

TURN = TurnId("s", 1)


@dataclass
class Desk:
    """A job, and what came out of it."""

    patience: Patience = field(default_factory=lambda: Patience(1.0, 3.0, 2.0))
    prefer: str = ""

    def __post_init__(self) -> None:
        self.out: list[Effect] = []
        self.given_up: list[tuple[str, bool, float]] = []
        self.job = LeasedJob(
            "tts",
            TURN,
            itertools.count(1),
            self.patience,
            lambda number: [f"work {number}"],
            lambda reason, busy, now: self.given_up.append((reason, busy, now)),
            self.out,
            self.prefer,
        )

    def taken(self) -> list[Any]:
        """What went out since the last call."""
        messages = [e.message for e in self.out if isinstance(e, ToRouter | ToWorker)]
        self.out.clear()
        return messages

    def lease(self, now: float, engine: str = "espeak") -> None:
        number = self.job.number
        self.job.leased(Leased("tts", number, TURN, f"{engine}-0", engine, "address"), now)


def release(number: int, outcome: str, error: str = "", took_ms: float = 0.0) -> Release:
    return Release("tts", number, TURN, outcome, took_ms, error)  # type: ignore[arg-type]


def test_a_lease_is_asked_for_used_and_released() -> None:
    desk = Desk(prefer="edge")
    desk.job.start(10.0)
    assert desk.taken() == [Lease("tts", 1, TURN, (), "edge")]
    desk.lease(10.1)
    assert desk.taken() == ["work 1"]
    assert desk.job.deadline() == 13.1
    desk.job.progress(10.3)
    assert desk.job.deadline() == 12.3
    desk.job.done(11.0)
    assert desk.taken() == [release(1, "ok", took_ms=200.0)]
    assert desk.job.ended
    assert desk.job.deadline() is None


def test_a_busy_router_is_asked_again_until_patience_ends() -> None:
    desk, now = Desk(), 10.0
    desk.job.start(now)
    numbers = []
    while not desk.given_up:
        (lease,) = desk.taken()
        numbers.append(lease.request)
        desk.job.busy(Busy("tts", lease.request, TURN, "full"), now)
        due = desk.job.deadline()
        if due is not None:
            now = due
            desk.job.time(now)
    assert numbers == list(range(1, len(numbers) + 1))
    assert desk.given_up == [("no tts worker was free", True, now)]
    assert 11.0 <= now < 11.1
    assert desk.taken() == []


def test_a_silent_router_is_asked_again_under_a_new_number() -> None:
    desk = Desk()
    desk.job.start(10.0)
    assert desk.job.deadline() == 10.0 + ASK_AGAIN_S
    desk.taken()
    desk.job.time(10.0 + ASK_AGAIN_S)
    assert desk.taken() == [release(1, "cancelled"), Lease("tts", 2, TURN)]
    desk.job.leased(Leased("tts", 1, TURN, "w", "e", "late"), 10.4)
    assert desk.taken() == [], "the first number is released: its lease is nobody's"
    desk.lease(10.4)
    assert desk.taken() == ["work 2"]


def test_a_router_that_stays_silent_is_given_up() -> None:
    desk, now = Desk(), 10.0
    desk.job.start(now)
    while (due := desk.job.deadline()) is not None:
        now = due
        desk.job.time(now)
    assert desk.given_up == [("the router did not answer", True, now)]
    assert 10.0 + REPLACEMENT_S <= now <= 10.0 + REPLACEMENT_S + ASK_AGAIN_S
    asked = desk.taken()
    leases = [m for m in asked if isinstance(m, Lease)]
    assert [m.request for m in asked if isinstance(m, Release)] == [m.request for m in leases]


def test_little_patience_is_kept() -> None:
    desk = Desk(Patience(0.05, 3.0, 2.0))
    desk.job.start(10.0)
    assert desk.job.deadline() == 10.05
    (lease,) = desk.taken()
    desk.job.busy(Busy("tts", lease.request, TURN, "full"), 10.05)
    assert desk.given_up


def test_where_nobody_is_left_a_replacement_is_waited_for() -> None:
    desk, now = Desk(Patience(0.05, 3.0, 2.0)), 10.0
    desk.job.start(now)
    while not desk.given_up:
        (lease,) = desk.taken()
        desk.job.busy(Busy("tts", lease.request, TURN, "none"), now)
        due = desk.job.deadline()
        if due is not None:
            now = due
            desk.job.time(now)
    assert now == 10.0 + REPLACEMENT_S


def test_a_failure_is_blamed_on_the_engine_and_tried_elsewhere() -> None:
    desk = Desk()
    desk.job.start(10.0)
    desk.lease(10.0)
    desk.taken()
    desk.job.failed(WorkFailed(TURN, 1, "no voice"), 10.5)
    assert desk.taken() == [
        release(1, "failed", "no voice"),
        Lease("tts", 2, TURN, ("espeak",)),
    ]


def test_what_is_late_is_cancelled_and_tried_elsewhere() -> None:
    desk = Desk()
    desk.job.start(10.0)
    desk.lease(10.0)
    desk.taken()
    desk.job.time(12.9)
    assert desk.taken() == []
    desk.job.time(13.0)
    cancel, released, lease = desk.taken()
    assert cancel == Cancel(TURN, 1)
    assert released == release(1, "failed", "espeak-0 gave nothing in time")
    assert lease.avoid == ("espeak",)


def test_a_dead_worker_is_nobody_s_fault_and_its_replacement_is_waited_for() -> None:
    desk = Desk()
    desk.job.start(10.0)
    desk.lease(10.0)
    desk.taken()
    desk.job.lost(LeaseLost("tts", 1, TURN, "espeak-0", "killed"), 10.5)
    assert desk.taken() == [Lease("tts", 2, TURN)]
    now = 10.5
    while not desk.given_up:
        desk.job.busy(Busy("tts", desk.job.number, TURN, "none"), now)
        now = desk.job.deadline() or now
        desk.job.time(now)
    assert now >= 10.5 + REPLACEMENT_S


def test_tries_end() -> None:
    desk = Desk()
    desk.job.start(10.0)
    for number in range(1, MAX_TRIES + 1):
        assert not desk.given_up
        desk.lease(10.0, f"engine{number}")
        desk.job.failed(WorkFailed(TURN, number, "broken"), 10.0)
    assert desk.given_up == [("broken", False, 10.0)]
    assert desk.job.ended
    desk.job.failed(WorkFailed(TURN, MAX_TRIES, "broken"), 10.0)
    desk.job.time(99.0)
    assert len(desk.given_up) == 1


def test_what_cannot_succeed_elsewhere_is_given_up_at_once() -> None:
    desk = Desk()
    desk.job.start(10.0)
    desk.lease(10.0)
    desk.taken()
    desk.job.failed(WorkFailed(TURN, 1, "empty text", retryable=False), 10.0)
    assert desk.taken() == [release(1, "failed", "empty text")]
    assert desk.given_up == [("empty text", False, 10.0)]


def test_cancelling_releases_what_is_held() -> None:
    waiting, leasing, working, done = Desk(), Desk(), Desk(), Desk()
    for desk in (waiting, leasing, working, done):
        desk.job.start(10.0)
    waiting.job.busy(Busy("tts", 1, TURN, "full"), 10.0)
    for desk in (working, done):
        desk.lease(10.0)
    done.job.done(10.0)
    for desk in (waiting, leasing, working, done):
        desk.taken()
        desk.job.cancel()
        desk.job.cancel()
        assert desk.job.ended
        assert not desk.given_up
    assert waiting.taken() == done.taken() == []
    assert leasing.taken() == [release(1, "cancelled")]
    assert working.taken() == [Cancel(TURN, 1), release(1, "cancelled")]


def test_what_is_of_no_use_is_refused() -> None:
    desk = Desk()
    desk.job.refuse("not even leased", 10.0)
    desk.job.start(10.0)
    desk.job.refuse("not even working", 10.0)
    assert desk.taken() == [Lease("tts", 1, TURN)]
    desk.lease(10.0)
    desk.taken()
    desk.job.refuse("nonsense", 11.0)
    assert desk.taken() == [
        Cancel(TURN, 1),
        release(1, "failed", "nonsense"),
        Lease("tts", 2, TURN, ("espeak",)),
    ]
