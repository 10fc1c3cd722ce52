"""The router's judgement: weights, fallbacks, wishes, ejection, slots."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.messages import WorkerUp
from actors.router.policy import EJECT_AFTER, EJECT_S, MAX_EJECT_S, Roster, Worker

NOW = 1000.0


def up(engine: str, number: int = 0, *, slots: int = 1000, weight: int = 1) -> WorkerUp:
    name = f"{engine}-{number}"
    return WorkerUp("llm", name, engine, f"address of {name}", slots, weight)


def roster(*workers: WorkerUp) -> Roster:
    made = Roster("llm")
    for worker in workers:
        made.add(worker)
    return made


def lease(made: Roster, now: float = NOW, avoid: tuple[str, ...] = (), prefer: str = "") -> str:
    """The engine that serves; '' when nobody does. The slot stays taken."""
    worker = made.choose(now, avoid, prefer)
    if worker is None:
        return ""
    worker.in_flight += 1
    return worker.up.engine


def eject(made: Roster, engine: str, now: float = NOW) -> None:
    outcomes = [made.failed(engine, now) for _ in range(EJECT_AFTER)]
    assert outcomes == [False] * (EJECT_AFTER - 1) + [True]


# --- weights ---


def test_weights_are_honoured_over_a_thousand_choices() -> None:
    made = roster(up("a", weight=5), up("b", weight=3), up("c", weight=2))
    assert Counter(lease(made) for _ in range(1000)) == {"a": 500, "b": 300, "c": 200}


def test_choices_are_interleaved_as_the_module_says() -> None:
    made = roster(up("a", weight=5), up("b", weight=1), up("c", weight=1))
    assert "".join(lease(made) for _ in range(7)) == "aabacaa"


def test_equal_weights_take_turns() -> None:
    made = roster(up("a", weight=100), up("b", weight=100))
    runs = [len(list(same)) for _, same in groupby(lease(made) for _ in range(100))]
    assert runs == [1] * 100


@settings(max_examples=50)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_every_round_of_choices_matches_the_weights_exactly(weights: list[int]) -> None:
    made = roster(*(up(f"engine{i}", weight=weight) for i, weight in enumerate(weights)))
    for _ in range(3):
        counts = Counter(lease(made) for _ in range(sum(weights)))
        assert counts == {f"engine{i}": weight for i, weight in enumerate(weights)}


def test_a_new_weight_counts_from_the_next_choice() -> None:
    made = roster(up("a", weight=1), up("b", weight=1))
    made.add(up("a", weight=9))
    assert Counter(lease(made) for _ in range(100)) == {"a": 90, "b": 10}


# --- fallback ---


def test_weight_zero_serves_only_when_no_weighted_engine_can() -> None:
    made = roster(up("main", weight=1, slots=2), up("spare", weight=0))
    assert [lease(made) for _ in range(4)] == ["main", "main", "spare", "spare"]


def test_weight_zero_serves_while_the_weighted_engine_sits_out() -> None:
    made = roster(up("main", weight=1), up("spare", weight=0))
    eject(made, "main")
    assert lease(made) == "spare"
    assert lease(made, NOW + EJECT_S) == "main"


def test_fallbacks_share_their_work() -> None:
    made = roster(up("a", weight=0), up("b", weight=0))
    assert Counter(lease(made) for _ in range(10)) == {"a": 5, "b": 5}


# --- wishes ---


def test_an_avoided_engine_is_not_taken_while_another_can() -> None:
    made = roster(up("a", weight=100), up("b", weight=0))
    assert [lease(made, avoid=("a",)) for _ in range(5)] == ["b"] * 5


def test_an_avoided_engine_is_better_than_none() -> None:
    made = roster(up("a"), up("b"))
    assert lease(made, avoid=("a", "b")) in ("a", "b")
    assert lease(roster(up("a")), avoid=("a",)) == "a"


def test_a_preferred_engine_is_taken_whatever_the_weights_say() -> None:
    made = roster(up("a", weight=100), up("b", weight=0))
    assert [lease(made, prefer="b") for _ in range(5)] == ["b"] * 5


def test_a_preferred_engine_that_cannot_is_replaced() -> None:
    assert lease(roster(up("a"), up("b", slots=0)), prefer="b") == "a"
    assert lease(roster(up("a")), prefer="unknown") == "a"
    ejected = roster(up("a"), up("b"))
    eject(ejected, "b")
    assert lease(ejected, prefer="b") == "a"


def test_avoiding_goes_before_preferring() -> None:
    assert lease(roster(up("a"), up("b")), avoid=("a",), prefer="a") == "b"


# --- ejection ---


def test_failures_in_a_row_eject_and_time_brings_back() -> None:
    made = roster(up("a"), up("b"))
    eject(made, "a")
    assert {lease(made, NOW + EJECT_S - 0.001) for _ in range(10)} == {"b"}
    assert {lease(made, NOW + EJECT_S) for _ in range(10)} == {"a", "b"}


def test_a_success_between_failures_keeps_an_engine_in() -> None:
    made = roster(up("a"), up("b"))
    for _ in range(10):
        for _ in range(EJECT_AFTER - 1):
            assert not made.failed("a", NOW)
        made.succeeded("a", 10.0)
    assert {lease(made) for _ in range(10)} == {"a", "b"}


def test_each_ejection_is_longer_up_to_the_limit() -> None:
    made = roster(up("a"), up("b"))
    now, times = NOW, []
    for _ in range(6):
        eject(made, "a", now)
        times.append(made.engines["a"].out_until - now)
        now = made.engines["a"].out_until
    assert times == [5.0, 10.0, 20.0, 40.0, MAX_EJECT_S, MAX_EJECT_S]
    made.succeeded("a", 10.0)
    eject(made, "a", now)
    assert made.engines["a"].out_until - now == EJECT_S


def test_an_engine_that_fails_for_days_still_sits_out_no_longer_than_the_limit() -> None:
    made = roster(up("a"), up("b"))
    for _ in range(1100):
        eject(made, "a")
    assert made.engines["a"].out_until == NOW + MAX_EJECT_S


def test_the_only_engine_is_never_ejected() -> None:
    made = roster(up("a"))
    assert not any(made.failed("a", NOW) for _ in range(50))
    assert lease(made) == "a"


def test_when_every_engine_sits_out_one_serves_nevertheless() -> None:
    made = roster(up("a"), up("b"))
    eject(made, "a")
    eject(made, "b")
    assert lease(made) in ("a", "b")


def test_the_last_one_with_a_free_slot_serves_though_it_sits_out() -> None:
    made = roster(up("a"), up("b", slots=1))
    eject(made, "a")
    assert [lease(made), lease(made)] == ["b", "a"]


# --- slots and workers ---


def test_inside_an_engine_the_emptiest_worker_serves() -> None:
    made = roster(up("a", 0, slots=2), up("a", 1, slots=4))
    chosen = []
    for _ in range(6):
        worker = made.choose(NOW)
        assert worker is not None
        worker.in_flight += 1
        chosen.append(worker.up.name)
    assert Counter(chosen) == {"a-0": 2, "a-1": 4}
    assert made.choose(NOW) is None


def test_nobody_serves_an_empty_roster() -> None:
    assert roster().choose(NOW) is None
    assert len(roster()) == 0


def test_a_worker_that_is_announced_twice_keeps_its_leases() -> None:
    made = roster(up("a", slots=1))
    assert made.add(up("a", slots=1)) is False
    assert lease(made) == "a"
    made.add(up("a", slots=1))
    assert lease(made) == ""


def test_a_replaced_worker_comes_back_idle() -> None:
    made = roster(up("a", slots=1))
    assert lease(made) == "a"
    again = WorkerUp("llm", "a-0", "a", "another address", 1, 1)
    assert made.add(again) is True
    assert lease(made) == "a"


def test_a_late_farewell_does_not_remove_the_successor() -> None:
    made = roster(up("a"))
    made.add(WorkerUp("llm", "a-0", "a", "another address", 1, 1))
    made.remove("a-0", "address of a-0")
    assert len(made) == 1
    assert made.address_of("a-0") == "another address"
    made.remove("a-0", "another address")
    assert len(made) == 0
    assert made.address_of("a-0") is None


def test_latency_is_a_moving_average() -> None:
    made = roster(up("a"))
    made.succeeded("a", 100.0)
    assert made.engines["a"].latency_ms == pytest.approx(100.0)
    made.succeeded("a", 200.0)
    assert made.engines["a"].latency_ms == pytest.approx(120.0)
    assert made.engines["a"].served == 2


# --- any sequence of what can happen ---

ENGINES = ("a", "b", "c")


class AnySequence(RuleBasedStateMachine):
    """Workers come and go, leases begin and end, in every order."""

    def __init__(self) -> None:
        super().__init__()
        self.roster = Roster("llm")
        self.leases: list[Worker] = []
        self.now = 0.0
        self.generation = 0

    @rule(
        engine=st.sampled_from(ENGINES),
        number=st.integers(0, 2),
        slots=st.integers(0, 3),
        weight=st.integers(0, 3),
    )
    def add(self, engine: str, number: int, slots: int, weight: int) -> None:
        self.generation += 1
        name = f"{engine}-{number}"
        self.roster.add(WorkerUp("llm", name, engine, self.generation, slots, weight))

    @precondition(lambda self: len(self.roster) > 0)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.roster.workers()))
        self.roster.remove(worker.up.name, worker.up.address)

    @rule(
        avoid=st.sets(st.sampled_from(ENGINES)),
        prefer=st.sampled_from(("", *ENGINES)),
    )
    def lease(self, avoid: set[str], prefer: str) -> None:
        free = [worker for worker in self.roster.workers() if worker.free > 0]
        worker = self.roster.choose(self.now, avoid, prefer)
        if worker is None:
            assert not free, "somebody could have served"
            return
        assert worker in free
        if any(other.up.engine not in avoid for other in free):
            assert worker.up.engine not in avoid
        worker.in_flight += 1
        self.leases.append(worker)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), outcome=st.sampled_from(("ok", "failed", "cancelled")))
    def release(self, data: st.DataObject, outcome: str) -> None:
        worker = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        worker.in_flight -= 1
        if outcome == "ok":
            self.roster.succeeded(worker.up.engine, 1.0)
        elif outcome == "failed":
            self.roster.failed(worker.up.engine, self.now)

    @rule(seconds=st.floats(0.0, 100.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def slots_are_never_exceeded(self) -> None:
        for worker in self.roster.workers():
            assert 0 <= worker.in_flight <= worker.up.slots

    @invariant()
    def nobody_sits_out_longer_than_the_limit(self) -> None:
        for engine in self.roster.engines.values():
            assert engine.out_until <= self.now + MAX_EJECT_S


AnySequence.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnySequence = AnySequence.TestCase


# --- strict ---


def test_a_strict_lease_takes_another_engine_or_none() -> None:
    made = roster(up("slow"), up("other"))
    chosen = made.choose(NOW, ("slow",), strict=True)
    assert chosen is not None
    assert chosen.up.engine == "other"
    assert roster(up("slow")).choose(NOW, ("slow",), strict=True) is None


def test_who_else_there_is_does_not_depend_on_free_slots() -> None:
    made = roster(up("slow"), up("other", slots=0))
    assert made.has_other_than(("slow",))
    assert not made.has_other_than(("slow", "other"))
