"""The downlink's grid, and the device that it must never overfill."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.audio.pacing import Pacer

NEAR = 1e-6


class Device:
    """Plays a frame as soon as it has it; what is ahead is counted in seconds."""

    def __init__(self, frame_s: float) -> None:
        self._frame_s = frame_s
        self.ends = -math.inf

    def take(self, n: int, now: float) -> None:
        self.ends = max(self.ends, now) + n * self._frame_s

    def ahead_s(self, now: float) -> float:
        return max(0.0, self.ends - now)


def test_nothing_is_due_before_begin_and_after_reset() -> None:
    pacer = Pacer(60, 2)
    assert pacer.due(5.0) == 0
    assert pacer.next_due() is None
    assert pacer.played_until() == -math.inf
    pacer.begin(5.0)
    pacer.sent(1, 5.0)
    pacer.reset()
    assert pacer.due(9.0) == 0
    assert pacer.next_due() is None
    pacer.dry(9.0)
    with pytest.raises(RuntimeError, match=r"before Pacer\.begin"):
        pacer.sent(1, 9.0)


def test_the_lead_leaves_at_once_and_then_one_frame_per_frame_time() -> None:
    pacer = Pacer(60, 2)
    pacer.begin(10.0)
    assert pacer.due(9.9) == 0
    assert pacer.due(10.0) == 2
    assert pacer.next_due() == 10.0
    pacer.sent(2, 10.0)
    assert pacer.due(10.0) == 0
    assert pacer.due(10.059) == 0
    assert pacer.next_due() == pytest.approx(10.06)
    assert pacer.due(10.06) == 1
    pacer.sent(1, 10.06)
    assert pacer.played_until() == pytest.approx(10.18)


@pytest.mark.parametrize("lead", [1, 2, 5])
def test_late_wake_ups_do_not_add_up(lead: int) -> None:
    pacer = Pacer(60, lead)
    pacer.begin(0.0)
    # The device starts with the first frame, so the grid does; a lead of one keeps its own.
    origin = 0.0 if lead == 1 else 0.007
    for k in range(1000):
        due = pacer.next_due()
        assert due is not None
        if k:
            assert due == pytest.approx(origin + max(0, k - lead + 1) * 0.06)
        now = due + 0.007  # every wake-up is late
        assert pacer.due(now) >= 1
        pacer.sent(1, now)
    # The first lateness is heard, once, and none of the others.
    assert pacer.played_until() == pytest.approx(60.0 + 0.007, abs=NEAR)


def test_a_late_first_frame_starts_the_grid_where_it_is_sent() -> None:
    pacer = Pacer(60, 2)
    pacer.begin(0.0)
    assert pacer.due(0.9) == 2
    pacer.sent(1, 0.9)
    assert pacer.played_until() == pytest.approx(0.96)
    assert pacer.next_due() == pytest.approx(0.9)
    assert pacer.due(0.9) == 1


def test_a_dry_spell_moves_the_grid_and_makes_no_burst() -> None:
    pacer = Pacer(60, 3)
    pacer.begin(0.0)
    pacer.sent(3, 0.0)
    pacer.dry(0.1)  # the device still plays: nothing moves
    assert pacer.next_due() == pytest.approx(0.06)
    pacer.dry(2.0)
    assert pacer.next_due() == pytest.approx(2.0)
    assert pacer.played_until() == pytest.approx(2.0)
    assert pacer.due(2.5) == 3
    pacer.sent(3, 2.5)
    assert pacer.due(2.5) == 0
    assert pacer.played_until() == pytest.approx(2.68)


def test_a_stalled_sender_catches_up_with_the_lead_only() -> None:
    pacer = Pacer(60, 2)
    pacer.begin(0.0)
    pacer.sent(2, 0.0)
    assert pacer.due(1.0) == 2
    pacer.sent(2, 1.0)
    assert pacer.due(1.0) == 0


def test_sent_without_a_time_is_sent_when_due() -> None:
    pacer = Pacer(20, 2)
    pacer.begin(0.0)
    for _ in range(50):
        pacer.sent()
    assert pacer.played_until() == pytest.approx(1.0)
    pacer.sent(0)
    assert pacer.played_until() == pytest.approx(1.0)


@pytest.mark.parametrize(("frame_ms", "lead"), [(0, 2), (60, 0), (-60, 1)])
def test_impossible_grids_are_refused(frame_ms: int, lead: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Pacer(frame_ms, lead)


@settings(max_examples=200)
@given(
    st.sampled_from([20, 40, 60]),
    st.integers(1, 5),
    st.floats(0, 1e6),
    st.lists(
        st.tuples(st.floats(0, 0.3), st.integers(0, 9), st.booleans()), min_size=1, max_size=60
    ),
)
def test_a_device_never_holds_more_than_the_lead(
    frame_ms: int, lead: int, start: float, steps: list[tuple[float, int, bool]]
) -> None:
    """Whatever the clock and the supply do, and with `dry` reported or not."""
    frame_s = frame_ms / 1000
    pacer, device = Pacer(frame_ms, lead), Device(frame_s)
    pacer.begin(start)
    now = start
    most = (lead + (0.5 if lead == 1 else 0)) * frame_s
    for wait, supply, tells in steps:
        now += wait
        n = min(supply, pacer.due(now))
        if n:
            pacer.sent(n, now)
            device.take(n, now)
        elif tells:
            pacer.dry(now)
        assert device.ahead_s(now) <= most + NEAR
        if device.ends > -math.inf:
            assert max(pacer.played_until(), now) == pytest.approx(max(device.ends, now), abs=NEAR)


@settings(max_examples=100)
@given(
    st.sampled_from([20, 40, 60]),
    st.integers(1, 5),
    st.lists(st.floats(0, 0.004), min_size=1, max_size=200),
)
def test_a_punctual_sender_never_lets_the_device_run_dry(
    frame_ms: int, lead: int, lateness: list[float]
) -> None:
    pacer, device = Pacer(frame_ms, lead), Device(frame_ms / 1000)
    pacer.begin(0.0)
    worst = gaps = 0.0
    now = 0.0
    for late in lateness:
        due = pacer.next_due()
        assert due is not None
        now = max(now, due + late)
        assert pacer.due(now) >= 1
        if device.ends > -math.inf:
            gaps += max(0.0, now - device.ends)
        worst = max(worst, late)
        pacer.sent(1, now)
        device.take(1, now)
    # All gaps together are no longer than the worst lateness, and none with a lead.
    assert gaps <= (worst if lead == 1 else 0.0) + NEAR


@given(st.integers(1, 5), st.floats(0, 10), st.floats(0, 10))
def test_due_grows_with_time(lead: int, earlier: float, later: float) -> None:
    pacer = Pacer(60, lead)
    pacer.begin(0.0)
    pacer.sent(lead, 0.0)
    first, second = sorted((earlier, later))
    assert pacer.due(first) <= pacer.due(second) <= lead
