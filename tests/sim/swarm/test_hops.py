"""A server's log told by phase: which turns, from where, and each hop from the one before."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.swarm import hops
from sim.swarm.hops import durations, logged, summed
from tests.sim.swarm import turnlog


def test_turns_are_read_from_a_log() -> None:
    first, _second, last = logged(turnlog.LOG.splitlines())
    assert first.device == turnlog.DEVICE
    assert first.engines == {"asr": "vosk", "llm": "openai", "tts": "espeak"}
    assert not first.cached
    assert last.cached
    assert last.heard == "请问三十四加四十五等于多少"
    assert (last.hops["first_frame"], last.stop_ms) == (231.9, 3936.4)
    assert not {"stop", "last_frame"} & last.hops.keys()


def test_the_other_style_of_log_says_the_same() -> None:
    last = turnlog.LOG.splitlines()[-1]
    told = {
        "event": "turn ended",
        "timestamp": last.split()[0],
        "device": turnlog.DEVICE,
        "engines": {"asr": "vosk", "answer": "exact", "sound": "cache"},
        "heard": "请问三十四加四十五等于多少",
        "end_decided_ms": 192.0,
        "final_text_ms": 213.1,
        "answer_recalled_ms": 213.1,
        "first_clause_ms": 213.1,
        "first_audio_ms": 220.1,
        "first_frame_ms": 231.9,
        "last_frame_ms": 3514.6,
        "stop_ms": 3936.4,
        "turn": 4,
    }
    assert list(logged([json.dumps(told)])) == list(logged([last]))


@pytest.mark.parametrize("line", ["turn ended", '{"event": "turn ended"}', "turn ended a=1"])
def test_a_line_that_is_none_is_passed_over(line: str) -> None:
    assert list(logged([line])) == []


def test_a_turn_without_hops_is_still_a_turn() -> None:
    line = (
        "2026-11-24T12:32:26.972000 [info     ] turn ended    device=02:6b:8a:f4:76:01"
        " engines={} outcome=failed turn=1"
    )
    (found,) = summed(turnlog.run(), logged([line]))
    assert (found.phase, found.turns, found.to_first_frame, found.hops) == ("off", 1, None, {})


def test_each_phase_apart_and_remembered_answers_apart() -> None:
    found = summed(turnlog.run(), logged(turnlog.LOG.splitlines()))
    assert [(each.phase, each.cached, each.turns) for each in found] == [
        ("off", False, 1),
        ("empty", False, 1),
        ("warm", True, 1),  # though the speech was over behind the phase's end
    ]
    assert [(each.model, each.voice) for each in found] == [(1, 1), (1, 1), (0, 0)]
    warm = found[-1]
    assert warm.to_first_frame is not None
    assert warm.to_first_frame.p95 == pytest.approx(39.9)
    assert {name: spread.p50 for name, spread in warm.hops.items()} == pytest.approx(
        {
            "end_decided": 192.0,
            "final_text": 21.1,
            "answer_recalled": 0.0,
            "first_clause": 0.0,
            "first_audio": 7.0,
            "first_frame": 11.8,
        }
    )
    assert list(warm.hops) == list(hops.ORDER)


def test_a_turn_of_an_unknown_device_is_placed_by_its_time() -> None:
    log = turnlog.LOG.replace(turnlog.DEVICE, "02:00:00:00:00:00")
    found = summed(turnlog.run(), logged(log.splitlines()))
    assert [(each.phase, each.turns) for each in found] == [("off", 1), ("empty", 1)]


def test_a_record_from_before_the_base_was_kept_finds_it_by_the_turns() -> None:
    run = turnlog.run()
    old = replace(run, info=replace(run.info, base_at_s=0.0))
    turns = list(logged(turnlog.LOG.splitlines()))
    assert hops.base_at_s(old, turns) == pytest.approx(turnlog.BASE_AT_S, abs=0.2)
    assert summed(old, turns) == summed(run, turns)


def test_without_any_turn_the_record_itself_says_when_it_began() -> None:
    run = replace(turnlog.run(), turns=())
    assert hops.base_at_s(run, ()) == pytest.approx(1767225600.0)


def test_hops_are_in_order_of_time_not_of_the_turn() -> None:
    """An answer may be recalled before it is certain that speech is over."""
    early = {"end_decided": 192.0, "answer_recalled": 100.0, "first_frame": 200.0}
    assert durations(early) == {"answer_recalled": 100.0, "end_decided": 92.0, "first_frame": 8.0}


@given(st.dictionaries(st.sampled_from((*hops.ORDER, "new")), st.integers(0, 5000).map(float)))
def test_hops_add_up_to_the_last(instants: dict[str, float]) -> None:
    parts = durations(instants)
    assert parts.keys() == instants.keys()
    assert sum(parts.values()) == pytest.approx(max(instants.values(), default=0.0))
    assert all(part >= 0 for part in parts.values())
