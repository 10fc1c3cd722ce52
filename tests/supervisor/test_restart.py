"""The restart policy on a clock that the tests set."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.restart import Escalation, RestartHistory, RestartPolicy

POLICY = RestartPolicy(
    first_backoff_s=0.1,
    max_backoff_s=5.0,
    stable_s=5.0,
    limit=10,
    window_s=10.0,
    slow_retry_s=15.0,
)
#: One that a fast child can exceed: its back-off stays far below its window.
TIGHT = replace(POLICY, max_backoff_s=0.2, limit=3, window_s=10.0)
NO_JITTER = 0.5  # the middle of its range: factor 1
ANY_JITTER = st.floats(0.0, 1.0, exclude_max=True)


class Life:
    """A child on a fake clock: it lives, ends, waits, is started again."""

    def __init__(self, policy: RestartPolicy = POLICY) -> None:
        self.history = RestartHistory(policy)
        self.now = 1000.0

    def serve(self, seconds: float, jitter: float = NO_JITTER) -> float:
        """Be ready at once, end after `seconds`; the wait that follows has passed."""
        self.history.became_ready(self.now)
        return self.fail(seconds, jitter)

    def fail(self, seconds: float, jitter: float = NO_JITTER) -> float:
        """End after `seconds` without having been ready."""
        self.now += seconds
        wait = self.history.ended(self.now, "ended", jitter)
        self.now += wait
        return wait


def test_the_first_restart_is_immediate() -> None:
    assert Life().serve(60.0) == 0.0


def test_the_first_restart_is_immediate_for_a_child_that_served_briefly_too() -> None:
    assert Life().serve(0.5) == 0.0


def test_a_child_that_was_never_ready_waits_from_the_first_time() -> None:
    assert Life().fail(0.0) == pytest.approx(0.1)


def test_the_wait_doubles_up_to_its_limit() -> None:
    life = Life()
    waits = [life.fail(0.0) for _ in range(8)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


def test_a_child_that_fails_again_and_again_is_given_up_and_tried_slowly() -> None:
    life = Life()
    for _ in range(8):
        life.fail(0.0)
        assert not life.history.given_up
    assert life.fail(0.0) == pytest.approx(15.0 * 1.1)
    assert life.history.given_up
    assert life.serve(5.0) == 0.0
    assert not life.history.given_up


def test_a_child_that_ends_soon_after_it_was_ready_waits_longer_too() -> None:
    life = Life()
    waits = [life.serve(0.1) for _ in range(4)]
    assert waits == pytest.approx([0.0, 0.2, 0.4, 0.8])


def test_a_child_that_fails_for_days_is_still_restarted() -> None:
    life = Life()
    waits = [life.fail(1.0) for _ in range(3000)]
    assert waits[-1] == pytest.approx(15.0 * 1.1)
    assert life.history.restarts == 3000


def test_a_stable_time_forgives() -> None:
    life = Life()
    for _ in range(5):
        life.fail(0.0)
    assert life.serve(5.0) == 0.0
    assert life.fail(0.0) == pytest.approx(0.1)


def test_just_below_the_stable_time_does_not_forgive() -> None:
    life = Life()
    for _ in range(3):
        life.fail(0.0)
    assert life.serve(4.99) == pytest.approx(0.8)


def test_too_many_ends_lead_to_slow_retries() -> None:
    life = Life(TIGHT)
    assert [life.fail(0.0) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.2])
    assert not life.history.given_up
    assert life.fail(0.0) == pytest.approx(15.0 * 1.1)
    assert life.history.given_up


def test_a_slow_retry_that_holds_is_a_fresh_start() -> None:
    life = Life(TIGHT)
    for _ in range(4):
        life.fail(0.0)
    assert life.serve(30.0) == 0.0
    assert not life.history.given_up


def test_ends_outside_the_window_are_forgotten() -> None:
    life = Life(TIGHT)
    for _ in range(20):
        life.serve(6.0)
        assert not life.history.given_up


def test_reasons_and_restarts_are_kept_for_the_status() -> None:
    history = RestartHistory(POLICY)
    history.ended(1.0, "model is missing", NO_JITTER)
    history.ended(2.0, "process ended", NO_JITTER)
    assert (history.restarts, history.last_reason) == (2, "process ended")


def test_two_children_of_one_fate_do_not_come_back_in_step() -> None:
    first, second = Life(), Life()
    assert [first.fail(0.0, 0.0) for _ in range(5)] != [second.fail(0.0, 0.9) for _ in range(5)]


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.0, 30.0), ANY_JITTER), max_size=60),
    st.sampled_from([POLICY, TIGHT]),
)
def test_every_wait_is_within_its_bounds(
    lives: list[tuple[bool, float, float]], policy: RestartPolicy
) -> None:
    life = Life(policy)
    for ready, seconds, jitter in lives:
        wait = life.serve(seconds, jitter) if ready else life.fail(seconds, jitter)
        if life.history.given_up:
            assert policy.slow_retry_s <= wait <= policy.slow_retry_s * 1.2
        elif ready and seconds >= policy.stable_s + 1e-6:
            assert wait == 0.0
        elif not ready:
            assert policy.first_backoff_s * 0.8 <= wait <= policy.max_backoff_s * 1.2
        else:
            assert 0.0 <= wait <= policy.max_backoff_s * 1.2


@given(st.integers(2, 80), ANY_JITTER)
def test_the_wait_never_shrinks_while_a_child_keeps_failing(ends: int, jitter: float) -> None:
    life = Life(replace(POLICY, limit=1000))
    waits = [life.fail(0.0, jitter) for _ in range(ends)]
    assert all(later >= sooner for sooner, later in pairwise(waits))


@given(st.lists(st.floats(0.0, 4.0), min_size=1, max_size=200), ANY_JITTER)
def test_a_window_never_sees_more_starts_than_its_limit_allows(
    lives: list[float], jitter: float
) -> None:
    """What the limit is for: a child cannot keep its supervisor busy."""
    life = Life(TIGHT)
    starts = []
    for seconds in lives:
        life.fail(seconds, jitter)
        starts.append(life.now)
    for index, moment in enumerate(starts):
        within = [start for start in starts[: index + 1] if start > moment - TIGHT.window_s]
        assert len(within) <= TIGHT.limit + 1


def test_what_was_given_up_escalates_once() -> None:
    escalation = Escalation(again_s=600.0)
    assert escalation.asked(1000.0)
    assert not escalation.asked(1016.0)
    assert not escalation.asked(1599.0)


def test_much_later_it_escalates_again() -> None:
    escalation = Escalation(again_s=600.0)
    assert escalation.asked(0.0)
    assert not escalation.asked(599.9)
    # The refusal does not count: 600 s after the last new start.
    assert escalation.asked(600.0)
    assert not escalation.asked(601.0)


def test_a_child_that_never_starts_is_given_up_within_half_a_minute_and_then_tried_slowly() -> None:
    history = RestartHistory(RestartPolicy())
    now = 0.0
    while not history.given_up:
        wait = history.ended(now, "cannot start", 0.5)
        now += wait
    assert wait >= 15.0
    assert now - wait < 30.0
    for _ in range(20):
        now += history.ended(now, "cannot start", 0.5)
        assert history.given_up
