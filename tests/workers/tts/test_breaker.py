"""The circuit breaker, on a clock that the test turns."""

from __future__ import annotations

from actors.workers.tts.breaker import FAILURES, FIRST_OPEN_S, LONGEST_OPEN_S, Breaker


def opened_at(now: float) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        assert breaker.wait_s(now) == 0
        breaker.starts()
        breaker.refused(now)
    return breaker


def test_it_opens_after_refusals_in_a_row_only() -> None:
    breaker = Breaker()
    for _ in range(FAILURES * 2):
        breaker.starts()
        breaker.refused(0.0)
        breaker.starts()
        breaker.worked()
    assert breaker.wait_s(0.0) == 0
    assert opened_at(0.0).wait_s(1.0) == FIRST_OPEN_S - 1.0


def test_one_call_tries_when_the_time_is_over() -> None:
    breaker = opened_at(0.0)
    assert breaker.wait_s(FIRST_OPEN_S) == 0
    breaker.starts()
    assert breaker.wait_s(FIRST_OPEN_S) > 0, "a second call went while the first one tries"
    breaker.worked()
    assert breaker.wait_s(FIRST_OPEN_S) == 0


def test_each_refused_try_waits_twice_as_long_up_to_a_limit() -> None:
    breaker, now, waits = opened_at(0.0), 0.0, []
    for _ in range(8):
        waits.append(breaker.wait_s(now))
        now += waits[-1]
        breaker.starts()
        breaker.refused(now)
    assert waits[:3] == [FIRST_OPEN_S, 2 * FIRST_OPEN_S, 4 * FIRST_OPEN_S]
    assert waits[-1] == LONGEST_OPEN_S


def test_a_try_that_was_cancelled_lets_the_next_one_try() -> None:
    breaker = opened_at(0.0)
    breaker.starts()
    breaker.gave_up()
    assert breaker.wait_s(FIRST_OPEN_S) == 0


def test_calls_already_under_way_do_not_lengthen_the_wait() -> None:
    breaker = opened_at(0.0)
    for _ in range(10):
        breaker.refused(1.0)
    assert breaker.wait_s(1.0) == FIRST_OPEN_S
