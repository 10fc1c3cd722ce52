"""Availability, completeness, lost turns and correctness are as they are defined."""

from __future__ import annotations

from typing import Any

import pytest

from sim.swarm.aggregate import aggregates, with_cross_talk
from sim.swarm.records import (
    ActorSample,
    Aggregate,
    ConnectionRecord,
    Phase,
    ResourceSample,
    TurnRecord,
)

PHASES = (
    Phase("warm-up", 0, 10, 1, counted=False),
    Phase("one", 10, 20, 1),
    Phase("two", 20, 30, 1),
)


def turn(
    phase: str, outcome: str = "answered", answer_ms: float | None = 400.0, **more: Any
) -> TurnRecord:
    at_s = {"warm-up": 5.0, "one": 15.0, "two": 25.0}[phase]
    told = {"device": 0, "turn": 0, "intended_s": at_s, "started_s": at_s, **more}
    return TurnRecord(phase=phase, outcome=outcome, answer_ms=answer_ms, **told)  # type: ignore[arg-type]


def figures(*turns: TurnRecord, **more: Any) -> Aggregate:
    return aggregates(PHASES, turns, (), ())[0]


def test_scopes_are_the_whole_of_what_counts_and_each_phase() -> None:
    every = aggregates(PHASES, [turn("warm-up"), turn("one"), turn("two"), turn("two")], (), ())
    assert [(each.scope, each.turns, each.seconds) for each in every] == [
        ("all", 3, 20),
        ("warm-up", 1, 10),
        ("one", 1, 10),
        ("two", 2, 10),
    ]


@pytest.mark.parametrize(
    ("outcome", "lost"),
    [
        ("answered", 0),
        ("interrupted", 0),
        ("apology", 1),
        ("incomplete", 1),
        ("unanswered", 1),
        ("disconnected", 1),
        ("not connected", 1),
        ("missed", 1),
    ],
)
def test_lost_is_what_ended_otherwise_than_answered_or_interrupted(outcome: str, lost: int) -> None:
    assert figures(turn("one", outcome)).lost == lost


def test_availability_counts_intended_turns_that_began_within_two_seconds() -> None:
    found = figures(
        turn("one", answer_ms=2000.0),
        turn("one", answer_ms=2000.1),
        turn("one", "not connected", None, started_s=None),
        turn("one", "disconnected", 300.0),
    )
    assert found.availability == 50
    assert found.held == 3


def test_completeness_leaves_the_users_own_interruptions_out() -> None:
    found = figures(
        turn("one"),
        turn("one", "interrupted"),
        turn("one", faults=("frames lost",)),
        turn("one", faults=("underrun",)),  # a hole, yet all of it was played
    )
    assert found.completeness == pytest.approx(200 / 3)


def test_correctness_is_of_turns_that_were_held_to_their_end() -> None:
    found = figures(
        turn("one"),
        turn("one", faults=("misheard", "wrong answer")),
        turn("one", "unanswered", None, faults=("no answer",)),
    )
    assert found.correctness == 50
    assert (found.misheard, found.wrong_answers) == (1, 1)


def test_nothing_measured_is_no_figure() -> None:
    found = figures()
    assert (found.availability, found.completeness, found.correctness) == (None, None, None)
    assert found.latencies == {}


def test_connections_and_resources_belong_to_their_phase() -> None:
    connections = [
        ConnectionRecord(0, 15, "connected", 20.0),
        ConnectionRecord(0, 16, "dropped", cut=True),
        ConnectionRecord(0, 5, "dropped"),
        ConnectionRecord(1, 25, "failed"),
    ]
    resources = [
        ResourceSample(15.0, ActorSample("total", 3, 40.0, 100.0)),
        ResourceSample(25.0, ActorSample("total", 3, 60.0, 130.0)),
    ]
    whole, warm_up, one, two = aggregates(PHASES, [turn("one")], connections, resources)
    assert (whole.disconnects, whole.failed_connects, warm_up.disconnects) == (1, 1, 1)
    assert (one.disconnects, two.failed_connects) == (1, 1)
    assert (whole.cpu_percent, whole.pss_mib_max) == (50, 130)
    assert (one.cpu_percent, one.pss_mib_max) == (40, 100)
    assert one.latencies["connect_ms"].most == 20


def test_a_slope_is_found_and_flat_is_flat() -> None:
    phases = [Phase("soak", 0, 36000, 1)]
    grows = [
        ResourceSample(float(at), ActorSample("total", 3, 10.0, 100 + at / 3600, fds=50.0))
        for at in range(0, 36000, 60)
    ]
    slopes = {each.figure: each for each in aggregates(phases, (), (), grows)[0].slopes}
    assert slopes["pss_mib"].per_hour == pytest.approx(1.0, rel=0.01)
    assert slopes["fds"].per_hour == 0


def test_cross_talk_is_looked_for_among_turns_of_the_same_time() -> None:
    other: dict[str, Any] = {"said": "四十加二十七等于几", "expected": "67", "device": 1}
    mixed = turn(
        "one",
        said="三十五加二十八等于几",
        expected="63",
        answer="四十加二十七等于六十七",
        faults=("wrong answer",),
    )
    near = turn("one", **other)
    marked = with_cross_talk([mixed, near])
    assert marked[0].faults == ("wrong answer", "cross-talk")
    assert marked[1] == near
    far = turn("one", **(other | {"intended_s": 500.0}))
    assert with_cross_talk([mixed, far])[0] == mixed
    assert with_cross_talk(marked) == marked


@pytest.mark.parametrize(
    ("heard", "crossed"),
    [
        ("四十加二十七等于六十七", True),
        ("三十五加二十八等于六十三", False),
        ("等于六十七", False),  # the recogniser's slip, perhaps
        ("", False),
    ],
)
def test_the_sound_of_another_device_is_cross_talk_too(heard: str, crossed: bool) -> None:
    own = turn("one", said="三十五加二十八等于几", expected="63", answer="等于六十三", heard=heard)
    other = turn("one", said="四十加二十七等于几", expected="67", device=1)
    marked = with_cross_talk([own, other])
    assert ("cross-talk" in marked[0].faults) is crossed
    found = figures(*marked)
    assert (found.heard, found.cross_talk) == (bool(heard), crossed)
    assert found.heard_right == ("六十三" in heard)


def test_a_slip_of_the_recogniser_is_no_cross_talk() -> None:
    """Seen in a run: numbers run together make a result that another device expects."""
    own = turn(
        "one",
        said="请问三十八加十八等于多少",
        expected="56",
        understood="请问三十八十加八十八等于多少",
        answer="等于一百一十",
        faults=("misheard", "wrong answer"),
    )
    other = turn("one", said="请问八十七加二十三等于多少", expected="110", device=1)
    assert with_cross_talk([own, other])[0] == own
