"""The router without an actor system: what it sends for what it receives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from actors.messages import (
    Busy,
    Cancel,
    Lease,
    Leased,
    LeaseLost,
    PoolDown,
    Release,
    SessionEnded,
    SessionsDown,
    TurnId,
    WorkerDown,
    WorkerUp,
)
from actors.router import actor
from actors.router.actor import LEASE_LIMIT_S, Router

TURN = TurnId("session", 1)
PHRASES = TurnId("phrasebook", 0)


class Recorded(Router):
    """What it sends is kept, with the receiver; its clock is `now`."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[Any, Any]] = []

    @property
    def myAddress(self) -> str:
        return "router"

    def send(self, target: Any, message: Any) -> None:
        self.sent.append((target, message))

    def receive(self, message: Any, sender: Any = "pool") -> list[tuple[Any, Any]]:
        """Handle one message; return what was sent because of it."""
        self.sent = []
        self.receiveMessage(message, sender)
        return self.sent

    def lease(self, request: int, session: str = "s", turn: TurnId = TURN, **wish: Any) -> Any:
        """Lease for this session; return the answer that went to it."""
        ((target, answer),) = self.receive(Lease("llm", request, turn, **wish), session)
        assert target == session
        return answer


@pytest.fixture
def router() -> Recorded:
    made = Recorded()
    made.receive(WorkerUp("llm", "llm/a-0", "a", "address a", 1, 100))
    return made


def release(request: int, outcome: Any = "ok") -> Release:
    return Release("llm", request, TURN, outcome, 10.0)


def in_flight(router: Router) -> int:
    return sum(worker.in_flight for worker in router.rosters["llm"].workers())


def test_a_lease_names_the_worker_and_its_address(router: Recorded) -> None:
    assert router.lease(1) == Leased("llm", 1, TURN, "llm/a-0", "a", "address a")


def test_busy_says_whether_all_slots_are_taken_or_nobody_serves(router: Recorded) -> None:
    router.lease(1)
    assert router.lease(2) == Busy("llm", 2, TURN, "full")
    ((_, answer),) = router.receive(Lease("asr", 3, TURN), "s")
    assert answer == Busy("asr", 3, TURN, "none")


def test_a_strict_lease_is_refused_when_only_avoided_engines_are_there(router: Recorded) -> None:
    ((_, answer),) = router.receive(Lease("llm", 1, TURN, ("a",), strict=True), "s")
    assert answer == Busy("llm", 1, TURN, "avoided")
    assert in_flight(router) == 0


def test_a_release_frees_the_slot_once(router: Recorded) -> None:
    router.lease(1)
    router.receive(release(1), "s")
    router.receive(release(1), "s")
    assert in_flight(router) == 0
    assert isinstance(router.lease(2), Leased)


def test_a_release_after_a_restart_of_the_router_is_no_harm(router: Recorded) -> None:
    assert router.receive(release(99), "s") == []
    assert in_flight(router) == 0


def test_a_lost_worker_is_told_to_whoever_leased_from_it(router: Recorded) -> None:
    router.lease(1)
    down = WorkerDown("llm", "llm/a-0", "address a", "process ended")
    assert router.receive(down) == [("s", LeaseLost("llm", 1, TURN, "llm/a-0", "process ended"))]
    assert router.lease(2) == Busy("llm", 2, TURN, "none")
    assert router.receive(release(1, "failed"), "s") == []


def test_a_worker_that_is_replaced_unannounced_counts_as_lost(router: Recorded) -> None:
    router.lease(1)
    sent = router.receive(WorkerUp("llm", "llm/a-0", "a", "new address", 1, 100))
    assert sent == [("s", LeaseLost("llm", 1, TURN, "llm/a-0", "replaced"))]
    assert router.lease(2).address == "new address"


def test_a_pool_that_died_takes_its_workers_along(router: Recorded) -> None:
    router.receive(WorkerUp("llm", "llm/b-0", "b", "address b", 1, 100))
    router.lease(1, "s1")
    router.lease(2, "s2")
    sent = router.receive(PoolDown("llm", "pool ended"))
    assert {target for target, _ in sent} == {"s1", "s2"}
    assert router.lease(3) == Busy("llm", 3, TURN, "none")


def test_a_session_that_ended_leaves_no_slot_taken_and_no_work_running(router: Recorded) -> None:
    router.lease(1)
    sent = router.receive(SessionEnded("s"), "acceptor")
    assert sent == [("address a", Cancel(TURN, 1))]
    assert isinstance(router.lease(2, "other"), Leased)


def test_other_sessions_keep_their_leases(router: Recorded) -> None:
    router.lease(1)
    assert router.receive(SessionEnded("other"), "acceptor") == []
    assert in_flight(router) == 1


def test_when_all_sessions_are_gone_only_others_keep_their_leases(router: Recorded) -> None:
    router.receive(WorkerUp("llm", "llm/b-0", "b", "address b", 1, 100))
    router.lease(1, "s")
    router.lease(2, "phrasebook", PHRASES)
    ((_, cancelled),) = router.receive(SessionsDown(), "root")
    assert cancelled == Cancel(TURN, 1)
    assert in_flight(router) == 1


def test_a_lease_that_nobody_released_is_freed_when_its_slot_is_needed(
    router: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(actor, "time", SimpleNamespace(monotonic=lambda: now))
    router.lease(1)
    now += LEASE_LIMIT_S
    assert isinstance(router.lease(2, "other"), Busy)
    now += 1.0
    sent = router.receive(Lease("llm", 3, TURN), "other")
    assert [type(message) for _, message in sent] == [Cancel, Leased]
    assert in_flight(router) == 1


def test_an_engine_that_keeps_failing_sits_out(router: Recorded) -> None:
    router.receive(WorkerUp("llm", "llm/b-0", "b", "address b", 1, 1))
    for request in range(3):
        assert router.lease(request).engine == "a"
        router.receive(release(request, "failed"), "s")
    assert router.lease(9).engine == "b"


def test_the_status_shows_what_each_engine_does(router: Recorded) -> None:
    router.lease(1)
    (line,) = router.report()
    assert line.in_flight == 1
    shown = line.detail["engines"]["llm/a"]
    assert shown["in_flight"] == {"llm/a-0": 1}
    assert (shown["weight"], shown["sits_out"]) == (100, False)


def test_a_lease_ahead_is_granted_only_while_half_of_the_slots_are_free() -> None:
    router = Recorded()
    router.receive(WorkerUp("tts", "tts/a-0", "a", "address a", 4, 100))

    def ahead(request: int) -> object:
        ((_, answer),) = router.receive(Lease("tts", request, TURN, ahead=True), "s")
        return answer

    assert isinstance(ahead(1), Leased)
    assert isinstance(ahead(2), Leased)
    assert ahead(3) == Busy("tts", 3, TURN, "full")
    ((_, answer),) = router.receive(Lease("tts", 4, TURN), "s")
    assert isinstance(answer, Leased)
