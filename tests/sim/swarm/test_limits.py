"""Limits are held or missed by the figure they name, and a disturbed run counts for nothing."""

from __future__ import annotations

import pytest

from sim.swarm.aggregate import aggregate
from sim.swarm.limits import (
    LATENCIES,
    SLOPES,
    LimitError,
    Trust,
    check,
    distrust,
    figure_of,
    judge,
    read_limit,
    read_limits,
)
from sim.swarm.records import (
    Aggregate,
    ConnectionRecord,
    HostSample,
    LagSample,
    LimitResult,
    Phase,
    TurnRecord,
)

PHASE = Phase("all", 0, 100, 10)


def turn(number: int, first_word_ms: float, **members: object) -> TurnRecord:
    told = {"outcome": "answered", "started_s": float(number), **members}
    return TurnRecord(
        device=number,
        turn=0,
        phase="all",
        intended_s=float(number),
        first_word_ms=first_word_ms,
        answer_ms=first_word_ms,
        **told,  # type: ignore[arg-type]
    )


@pytest.fixture
def figures() -> Aggregate:
    connections = [ConnectionRecord(0, 1.0, "connected", 12.0)]
    turns = [turn(number, 100.0 * (number + 1)) for number in range(20)]
    turns.append(turn(20, 2500.0, underruns=2, faults=("underrun",)))
    return aggregate("all", 100, turns, connections)


def test_figures_are_found_by_name(figures: Aggregate) -> None:
    assert figure_of(figures, "turns") == 21
    assert figure_of(figures, "underruns") == 2
    assert figure_of(figures, "first_word_ms.p50") == 1100
    assert figure_of(figures, "first_word_ms.most") == 2500
    assert figure_of(figures, "availability") == pytest.approx(100 * 20 / 21)
    assert figure_of(figures, "connect_ms.p95") == 12
    assert figure_of(figures, "abort_to_stop_ms.p50") is None
    assert figure_of(figures, "slope.fds") is None


@pytest.mark.parametrize(
    ("figure", "bound", "held"),
    [
        ("first_word_ms.p50", "<= 1100", True),
        ("first_word_ms.p50", "< 1100", False),
        ("first_word_ms.p50", "<= 1100 ms", True),
        ("availability", ">= 99.5 %", False),
        ("cross_talk", "== 0", True),
        ("turns", "> 20", True),
        ("abort_to_stop_ms.p95", "<= 100", False),  # nobody interrupted: nothing is promised
        ("slope.pss_mib", "<= 1", True),  # too short a run for a slope
    ],
)
def test_a_limit_is_held_or_missed(figures: Aggregate, figure: str, bound: str, held: bool) -> None:
    assert check([read_limit(figure, bound)], figures)[0].held is held


@pytest.mark.parametrize(
    ("figure", "bound", "words"),
    [
        ("first_word_ms", "<= 5", "say which, as first_word_ms.p95"),
        ("first_word_ms.p96", "<= 5", "say which"),
        ("latency", "<= 5", "is no figure; there are seconds, turns"),
        ("slope.love", "<= 5", "is no figure"),
        ("turns", "about 5", "is no bound"),
        ("turns", "<= five", "is no bound"),
    ],
)
def test_a_wrong_limit_is_named(figure: str, bound: str, words: str) -> None:
    with pytest.raises(LimitError, match=words):
        read_limit(figure, bound)


def test_every_latency_that_a_run_has_can_be_limited() -> None:
    from sim.timeline import HOPS

    assert {name for name, _label in HOPS} <= set(LATENCIES)
    assert read_limits({f"slope.{name}": "<= 0" for name in SLOPES})


def lag(at_s: float, worst_ms: float = 3.0, cpu_percent: float = 20.0) -> LagSample:
    return LagSample(at_s, 0, 0.3, worst_ms, cpu_percent, 10)


def host(at_s: float, foreign: float | None) -> HostSample:
    return HostSample(at_s, 50.0, 10.0, 30.0, foreign)


def test_a_quiet_run_is_trusted() -> None:
    lags = [lag(at) for at in range(100)]
    assert distrust(Trust(), [PHASE], lags, [host(1, 4.0)]) == ()


@pytest.mark.parametrize(
    ("lags", "hosts", "words"),
    [
        ([lag(at, 200.0) for at in range(100)], [], "woke up to 200 ms late"),
        ([lag(at, cpu_percent=95.0) for at in range(100)], [], "used 95 % of a core"),
        ([lag(1)], [host(1, 60.0)], "something foreign used 60 % of the host"),
        ([LagSample(1, 0, 9.0, 9.0, 1.0, 1)], [], "9.0 ms late in the median"),
    ],
)
def test_what_disturbs_is_told(lags: list[LagSample], hosts: list[HostSample], words: str) -> None:
    reasons = distrust(Trust(), [PHASE], lags, hosts)
    assert len(reasons) == 1
    assert words in reasons[0]


def test_what_happens_outside_of_counted_phases_does_not_disturb() -> None:
    warm_up = Phase("warm-up", -10, 0, 10, counted=False)
    assert distrust(Trust(), [warm_up, PHASE], [lag(-5, 900.0), lag(5)], [host(-5, 90.0)]) == ()


def test_unknown_foreign_load_is_not_held_against_a_run() -> None:
    assert distrust(Trust(), [PHASE], [], [host(1, None)]) == ()


def test_the_verdict_names_what_decided() -> None:
    held = LimitResult("all", "turns", "> 1", 5.0, True)
    missed = LimitResult("all", "lost", "== 0", 3.0, False)
    assert judge("complete", "", [held], ()).passed
    assert judge("complete", "", [], ()).passed
    told = judge("complete", "", [held, missed], ())
    assert not told.passed
    assert "lost is 3, not == 0 (all)" in told.summary
    assert judge("complete", "", [held], ("too busy",)).summary == "void: too busy"
    assert not judge("complete", "", [held], ("too busy",)).passed
    lost = judge("server lost", "nobody answers", [held], ())
    assert (lost.passed, lost.summary) == (False, "server lost: nobody answers")
