"""Published profiles: their distributions, limits and throttling, without a clock."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from sim.standins.profiles import (
    NONE,
    PROFILES,
    Course,
    Profile,
    ProfileError,
    Spread,
    Throttle,
    Throttling,
    parse,
)


@pytest.mark.parametrize(("p50", "p95"), [(645.0, 1094.0), (440.0, 900.0), (58.6, 75.0)])
def test_draws_have_the_published_percentiles(p50: float, p95: float) -> None:
    source, spread = Random(1), Spread(p50=p50, p95=p95)
    drawn = [spread.draw(source) for _ in range(20_000)]
    assert np.percentile(drawn, 50) == pytest.approx(p50, rel=0.02)
    assert np.percentile(drawn, 95) == pytest.approx(p95, rel=0.03)
    assert len(set(drawn)) > 19_000  # no constant
    assert max(drawn) <= 6 * p95


def test_a_spread_without_a_median_is_no_wait() -> None:
    assert Spread().draw(Random(1)) == 0.0


def test_a_request_has_its_own_numbers_whatever_came_before() -> None:
    profile = PROFILES["ollama-1.5b-4cpu"]
    first = Course(profile, "chat", seed=7, number=3)
    again = Course(profile, "chat", seed=7, number=3)
    assert first.first_ms == again.first_ms
    assert [first.next_ms(1) for _ in range(5)] == [again.next_ms(1) for _ in range(5)]
    assert Course(profile, "chat", 7, 4).first_ms != first.first_ms
    assert Course(profile, "chat", 8, 3).first_ms != first.first_ms


def test_a_local_model_makes_seventeen_tokens_a_second() -> None:
    profile = PROFILES["ollama-1.5b-4cpu"]
    paces = []
    for number in range(500):
        course = Course(profile, "chat", 1, number)
        paces.append(np.mean([course.next_ms(1) for _ in range(40)]))
    assert 1000 / np.median(paces) == pytest.approx(17.07, rel=0.03)


def test_eight_at_once_keep_sixteen_per_cent_of_their_speed() -> None:
    profile = PROFILES["ollama-1.5b-4cpu-parallel"]

    def mean(at_once: int) -> float:
        course = Course(profile, "chat", 1, 1)
        return float(np.mean([course.next_ms(at_once) for _ in range(500)]))

    assert mean(1) / mean(8) == pytest.approx(0.16, abs=0.005)
    course = Course(profile, "chat", 1, 1)
    assert course.slowed_first_ms(4) == pytest.approx(course.first_ms * 4**0.88)


def test_an_edge_call_takes_two_thirds_of_a_second() -> None:
    calls = []
    for number in range(2000):
        course = Course(PROFILES["edge"], "speech", 1, number)
        chunks = sum(course.next_ms(1) for _ in range(15))  # 1.9 s of speech
        calls.append(course.connect_ms + course.first_ms + chunks)
    assert np.median(calls) == pytest.approx(667, rel=0.08)


def test_errors_and_cuts_come_in_their_shares() -> None:
    profile = Profile(name="x", error_share=0.1, error_status=502, cut_share=0.2)
    courses = [Course(profile, "chat", 1, number) for number in range(4000)]
    errors = [course.error for course in courses if course.error]
    cuts = [course.cut_after for course in courses if course.cut_after]
    assert len(errors) / 4000 == pytest.approx(0.1, abs=0.015)
    assert set(errors) == {502}
    assert len(cuts) / 4000 == pytest.approx(0.2, abs=0.02)
    assert {1, 12} <= set(cuts) <= set(range(1, 13))


def test_no_profile_waits_for_nothing() -> None:
    course = Course(NONE, "speech", 1, 1)
    assert (course.connect_ms, course.first_ms, course.next_ms(9)) == (0, 0, 0)
    assert (course.error, course.cut_after) == (None, None)
    assert Throttling(NONE.throttle, 1, 0.0).refusal(0.0, 1000) is None


def test_too_many_at_once_are_refused_and_banned() -> None:
    throttling = Throttling(Throttle(at_once=4, status=429, ban_s=10), 1, began=100.0)
    assert throttling.refusal(100.0, 4) is None
    assert throttling.refusal(101.0, 5) == 429
    assert throttling.refusal(105.0, 1) == 429
    assert throttling.refusal(111.5, 1) is None


def test_too_many_a_minute_are_refused() -> None:
    throttling = Throttling(Throttle(per_minute=3, status=429), 1, began=0.0)
    assert [throttling.refusal(float(now), 1) for now in range(4)] == [None, None, None, 429]
    assert throttling.refusal(60.5, 1) is None


def test_waves_come_and_go() -> None:
    throttle = Throttle(wave_every_s=100, wave_for_s=20, wave_status=403)
    throttling = Throttling(throttle, 5, began=0.0)
    refused = [throttling.refusal(float(now), 1) == 403 for now in range(1000)]
    assert 160 <= sum(refused) <= 200
    begins = [now for now in range(1, 1000) if refused[now] and not refused[now - 1]]
    assert {later - sooner for sooner, later in pairwise(begins)} == {100}


def test_profiles_are_found_by_name_and_changed_by_json() -> None:
    assert parse("edge") is PROFILES["edge"]
    assert parse("") is NONE
    changed = parse('{"name": "ollama-1.5b-4cpu", "slots": 2}')
    assert changed.slots == 2
    assert changed.chat == PROFILES["ollama-1.5b-4cpu"].chat
    own = parse({"name": "mine", "chat": {"first_ms": {"p50": 5, "p95": 9}}})
    assert own.chat.first_ms.p95 == 9
    assert parse(changed.model_dump()) == changed


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("gpt", "'gpt' is no profile; known are ollama-1.5b-4cpu"),
        ("{", "is no JSON"),
        ({"name": "edge", "slot": 1}, "slot: Extra inputs"),
        ({"name": "edge", "slots": 0}, "slots: Input should be greater"),
        ({"slots": 1}, "name: Field required"),
        ({"name": "x", "connect_ms": {"p50": 5, "p95": 4}}, "p95 must be p50 or more"),
        (5, "a name or a JSON object"),
    ],
)
def test_wrong_profiles_name_the_member(data: Any, words: str) -> None:
    with pytest.raises(ProfileError) as problem:
        parse(data)
    assert words in str(problem.value)


def test_every_profile_tells_where_its_figures_are_from() -> None:
    assert all(len(profile.source) > 40 for profile in PROFILES.values())
