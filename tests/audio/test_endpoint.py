"""The end of an utterance: how long silence must be, and what the user's pauses teach."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.audio.endpoint import Completeness, Endpointer, EndReason
from cfg.model import Listening

TEXTS = {
    Completeness.COMPLETE: "打开客厅的灯",
    Completeness.UNSURE: "我想喝水",
    Completeness.INCOMPLETE: "打开客厅的",
}


def endpointer(**listening: float | bool) -> Endpointer:
    return Endpointer(Listening.model_validate(listening))


@pytest.mark.parametrize(
    ("look", "wait_ms", "reason"),
    [
        (Completeness.COMPLETE, 190, EndReason.COMPLETE),
        (Completeness.UNSURE, 500, EndReason.UNSURE),
        (Completeness.INCOMPLETE, 1400, EndReason.INCOMPLETE),
    ],
)
def test_each_look_has_its_wait(look: Completeness, wait_ms: int, reason: EndReason) -> None:
    end = endpointer()
    end.partial(TEXTS[look])
    assert end.look is look
    assert end.wait_ms() == wait_ms
    assert end.silence(wait_ms - 1) is None
    assert end.silence(wait_ms) is reason


def test_without_text_nobody_is_sure() -> None:
    """Not every recogniser gives partials."""
    end = endpointer()
    assert end.silence(499) is None
    assert end.silence(500) is EndReason.UNSURE


def test_the_last_partial_counts_and_begin_forgets_it() -> None:
    end = endpointer()
    end.partial("打开客厅的灯")
    end.partial("打开客厅的灯然后")
    assert end.wait_ms() == 1400
    end.partial("打开客厅的灯")
    end.begin()
    assert end.wait_ms() == 500


def test_a_language_may_be_chosen() -> None:
    end = Endpointer(Listening(), "en")
    end.partial("what time is it")
    assert end.wait_ms() == 190


def test_too_long_is_too_long_speaking_or_not() -> None:
    end = endpointer(max_utterance_s=2)
    assert end.speech(1999) is None
    assert end.silence(0) is None
    assert end.speech(1) is EndReason.TOO_LONG
    assert end.silence(0) is EndReason.TOO_LONG
    end.begin()
    assert end.speech(1) is None


def test_the_users_pauses_are_waited_for() -> None:
    end = endpointer()
    end.partial(TEXTS[Completeness.UNSURE])
    for _ in range(60):
        end.resumed(600)
    assert end.wait_ms() == int(1.3 * 600)


def test_one_pause_of_many_moves_little() -> None:
    end = endpointer()
    end.partial(TEXTS[Completeness.UNSURE])
    end.resumed(500)
    end.resumed(1500)
    assert end.wait_ms() == int(1.3 * (0.9 * 500 + 0.1 * 1500))


def test_what_was_learnt_outlives_the_utterance() -> None:
    end = endpointer()
    end.partial(TEXTS[Completeness.UNSURE])
    end.resumed(600)
    end.begin()
    end.partial(TEXTS[Completeness.UNSURE])
    assert end.wait_ms() == 780


def test_pauses_in_half_sentences_do_not_slow_whole_ones() -> None:
    end = endpointer()
    for _ in range(20):
        end.partial(TEXTS[Completeness.INCOMPLETE])
        end.resumed(1300)
    end.partial(TEXTS[Completeness.COMPLETE])
    assert end.wait_ms() == 190


def test_consonants_are_no_pauses() -> None:
    end = endpointer(endpoint_complete_ms=100)
    end.partial(TEXTS[Completeness.COMPLETE])
    end.resumed(96)
    assert end.wait_ms() == 100


def test_nothing_is_learnt_when_told_so() -> None:
    end = endpointer(adaptive=False)
    end.partial(TEXTS[Completeness.UNSURE])
    end.resumed(900)
    assert end.wait_ms() == 500


LOOKS = st.sampled_from(list(Completeness))
PAUSES = st.lists(st.tuples(LOOKS, st.integers(0, 20000)), max_size=40)
LIMITS = st.tuples(st.integers(100, 3000), st.integers(100, 5000), st.integers(100, 10000))


@given(PAUSES, LIMITS)
def test_the_wait_stays_between_its_limits_and_in_order(
    pauses: list[tuple[Completeness, int]], limits: tuple[int, int, int]
) -> None:
    """Even with settings that are out of order."""
    complete, unsure, incomplete = limits
    end = endpointer(
        endpoint_complete_ms=complete, endpoint_unsure_ms=unsure, endpoint_incomplete_ms=incomplete
    )
    for look, pause_ms in pauses:
        end.partial(TEXTS[look])
        end.resumed(pause_ms)
    waits = []
    for look in (Completeness.COMPLETE, Completeness.UNSURE, Completeness.INCOMPLETE):
        end.partial(TEXTS[look])
        waits.append(end.wait_ms())
    assert waits == sorted(waits)
    assert complete <= waits[0]
    assert waits[-1] <= max(limits)


@given(PAUSES, LOOKS, st.integers(0, 12000), st.integers(0, 12000))
def test_more_silence_never_takes_an_end_back(
    pauses: list[tuple[Completeness, int]], look: Completeness, first: int, second: int
) -> None:
    end = endpointer()
    for paused, pause_ms in pauses:
        end.partial(TEXTS[paused])
        end.resumed(pause_ms)
    end.partial(TEXTS[look])
    shorter, longer = sorted((first, second))
    if end.silence(shorter) is not None:
        assert end.silence(longer) is end.silence(shorter)
    assert (end.silence(longer) is not None) == (longer >= end.wait_ms())
