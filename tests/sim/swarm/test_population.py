"""A swarm is the mix that was asked for, however many of it take part."""

from __future__ import annotations

from collections import Counter

import pytest

from sim.swarm.population import Mix, populate


def test_any_ten_are_a_small_copy_of_the_whole() -> None:
    members = populate(1, 50)
    for first in range(0, 50, 10):
        modes = Counter(member.mode for member in members[first : first + 10])
        assert modes == {"auto": 8, "realtime": 1, "manual": 1}


def test_what_does_not_come_out_even_is_made_up_later() -> None:
    members = populate(1, 80, mix=Mix(versions={1: 15, 2: 1}))
    assert Counter(member.version for member in members) == {1: 75, 2: 5}


def test_roles_follow_each_other_and_fit_their_modes() -> None:
    members = populate(1, 5, 4, 3)
    assert [member.role for member in members] == ["talker"] * 5 + ["listener"] * 4 + ["idler"] * 3
    assert all(member.mode != "manual" for member in members[5:9])
    assert all(member.mode == "manual" for member in members[9:])


def test_the_seed_decides_and_nothing_else() -> None:
    assert populate(7, 20) == populate(7, 20)
    assert populate(7, 20) == populate(7, 30)[:20]
    assert populate(7, 20) != populate(8, 20)


def test_identities_differ() -> None:
    members = populate(1, 300)
    assert len({member.device_id for member in members}) == 300
    assert len({member.client_id for member in members}) == 300


def test_a_profile_is_what_was_dealt() -> None:
    member = populate(1, 1, mix=Mix(noise_dbfs={"-50": 1.0}, versions={3: 1.0}))[0]
    profile = member.profile("ws://127.0.0.1:1/", "secret")
    assert (profile.ambient_dbfs, profile.version, profile.token) == (-50.0, 3, "secret")
    assert profile.device_id == member.device_id


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"modes": {"sometimes": 1}}, "modes: 'sometimes' is unknown; possible are auto"),
        ({"versions": {4: 1}}, "versions: 4 is unknown"),
        ({"generations": {"9": 1}}, "generations"),
        ({"voices": {"cmn": -1}}, "voices: weights"),
        ({"frames_ms": {60: 0}}, "frames_ms: weights"),
        ({"noise_dbfs": {"loud": 1}}, "noise_dbfs: 'loud'"),
    ],
)
def test_a_wrong_mix_is_named(wrong: dict[str, dict[object, float]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Mix(**wrong)  # type: ignore[arg-type]
