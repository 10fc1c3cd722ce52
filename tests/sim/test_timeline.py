"""Times of a turn and its judgement, on made-up traces: no clock, no socket."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.timeline import Event, EventKind, Fate, Frame, TurnTrace, origin, timeline
from sim.verdict import judge


def frame(at: float, plays_at: float | None, fate: Fate = "accepted") -> Frame:
    return Frame(at, b"x", fate, plays_at)


def steady(first_at: float, count: int) -> tuple[Frame, ...]:
    """Frames in step with playback, one 60 ms frame ahead."""
    return tuple(
        frame(first_at + max(0, index - 1) * 0.06, first_at + index * 0.06)
        for index in range(count)
    )


EVENTS = (
    Event(10.0, "turn"),
    Event(10.5, "speech_started"),
    Event(12.0, "speech_ended"),
    Event(12.04, "speech_sent"),
    Event(12.3, "stt", "几点了"),
    Event(12.35, "tts_start"),
    Event(12.36, "emotion", "happy"),
    Event(12.37, "sentence", "现在三点。"),
    Event(12.7, "sentence", "下午。"),
    Event(13.2, "tts_stop"),
)
GOOD = TurnTrace(EVENTS, steady(12.4, 10), 60, audible_at=12.45)


def without(*kinds: EventKind) -> TurnTrace:
    return replace(GOOD, events=tuple(event for event in EVENTS if event.kind not in kinds))


def plus(*events: Event) -> TurnTrace:
    return replace(GOOD, events=tuple(sorted((*EVENTS, *events), key=lambda event: event.at)))


def test_hops_count_from_the_last_speech_sample() -> None:
    times = timeline(GOOD)
    assert times.speech_sent_ms == pytest.approx(40)
    assert times.stt_ms == pytest.approx(300)
    assert times.tts_start_ms == pytest.approx(350)
    assert times.emotion_ms == pytest.approx(360)
    assert times.sentence_ms == pytest.approx(370)
    assert times.first_frame_ms == pytest.approx(400)
    assert times.audible_ms == pytest.approx(450)
    assert times.last_frame_ms == pytest.approx(400 + 8 * 60)
    assert times.heard_ms == pytest.approx(400 + 600)
    assert times.tts_stop_ms == pytest.approx(1200)
    assert times.stop_margin_ms == pytest.approx(200)
    assert (times.frames, times.audio_ms, times.late, times.underruns) == (10, 600, 0, 0)
    assert times.longest_gap_ms == pytest.approx(60)
    assert times.deepest_queue_ms == pytest.approx(120)


def test_the_origin_is_what_ended_the_users_part() -> None:
    cut = Event(11.5, "speech_cut")
    typed = Event(10.1, "typed", "你好")
    assert origin(EVENTS) == 12.0
    assert origin((cut,)) == 11.5
    assert origin((typed,)) == 10.1
    assert origin(()) is None
    assert timeline(TurnTrace((Event(1, "tts_start"),), (), 60)).tts_start_ms is None


def test_a_hole_in_a_sentence_is_an_underrun_between_sentences_a_pause() -> None:
    frames = (
        frame(12.4, 12.4),
        frame(12.56, 12.56),  # 100 ms too late, no new sentence
        frame(12.9, 12.9),  # 280 ms too late, after the sentence at 12.7
        frame(12.97, 12.97),  # 10 ms: nobody hears that
    )
    times = timeline(replace(GOOD, frames=frames))
    assert times.late == 3
    assert (times.underruns, times.pauses) == (1, 1)
    assert times.underrun_ms == pytest.approx(100)
    assert times.pause_ms == pytest.approx(280)
    assert times.longest_gap_ms == pytest.approx(340)


def test_lost_frames_are_counted_by_reason() -> None:
    fates: tuple[tuple[float, Fate], ...] = (
        (12.2, "not speaking"),  # before tts start
        (12.36, "not speaking"),  # 10 ms behind it
        (12.5, "queue full"),
        (12.5, "cleared"),
        (12.5, "undecodable"),
    )
    frames = (*(frame(at, None, fate) for at, fate in fates), *GOOD.frames)
    times = timeline(replace(GOOD, frames=frames))
    assert (times.ignored, times.overtook) == (1, 1)
    assert (times.overflow, times.cleared, times.undecodable) == (1, 1, 1)
    assert times.audio_ms == 600


def test_abort_to_stop() -> None:
    assert timeline(GOOD).abort_to_stop_ms is None
    assert timeline(plus(Event(13.0, "abort"))).abort_to_stop_ms == pytest.approx(200)
    late = replace(GOOD, events=(*EVENTS, Event(13.5, "abort")))
    assert timeline(late).abort_to_stop_ms is None


def test_an_answer_that_ended_while_the_user_spoke_gives_no_times() -> None:
    """What a session that took over began to say, and the user's own speech interrupted."""
    before = (Event(11.0, "tts_start"), Event(11.01, "sentence", "对不起"), Event(11.3, "tts_stop"))
    times = timeline(replace(plus(*before), frames=(frame(11.05, 11.05), *GOOD.frames)))
    assert times.tts_start_ms == pytest.approx(350)
    assert times.sentence_ms == pytest.approx(370)
    assert times.first_frame_ms == pytest.approx(400)
    assert times.tts_stop_ms == pytest.approx(1200)
    assert times.stop_margin_ms == pytest.approx(200)
    assert times.frames == 11


def test_the_stop_that_counts_is_that_of_the_last_answer() -> None:
    again = plus(Event(12.6, "tts_stop"), Event(12.65, "tts_start"))
    assert timeline(again).stop_margin_ms == pytest.approx(200)
    assert timeline(replace(again, events=again.events[:-1])).stop_margin_ms is None


@given(
    st.lists(st.floats(0, 0.5), min_size=1, max_size=60),
    st.sampled_from((20, 60)),
)
def test_sound_and_silence_add_up(waits: list[float], frame_ms: int) -> None:
    """First sound to last is audio plus every hole, however the frames come."""
    frames, at, ends = [], 12.4, 12.4
    for wait in waits:
        at += wait
        starts = max(at, ends)
        frames.append(frame(at, starts))
        ends = starts + frame_ms / 1000
    times = timeline(TurnTrace(EVENTS, tuple(frames), frame_ms))
    assert times.heard_ms is not None
    assert times.first_frame_ms is not None
    span_ms = times.heard_ms - times.first_frame_ms
    holes_ms = span_ms - times.audio_ms
    assert times.underrun_ms + times.pause_ms <= holes_ms + 0.01
    assert holes_ms <= times.underrun_ms + times.pause_ms + 20 * times.late + len(waits) + 0.01
    assert times.underruns + times.pauses <= times.late < len(waits) or times.late == 0


# --- judgement -------------------------------------------------------------------


def test_a_good_turn_has_no_problem() -> None:
    verdict = judge(GOOD, expected="三点")
    assert verdict.outcome == "answered"
    assert verdict.problems == ()
    assert verdict.remarks == ()


@pytest.mark.parametrize(
    ("trace", "problem"),
    [
        (without("tts_stop"), "no tts stop"),
        (without("tts_start"), "no tts start"),
        (plus(Event(13.3, "tts_stop")), "2 tts stop"),
        (plus(Event(12.8, "tts_start")), "2 tts start"),
        (plus(Event(11.9, "speech_cut")), "before the speech was over"),
        (plus(Event(12.31, "sentence", "!")), "sentence_start before tts start"),
        (without("sentence"), "audio before the first sentence_start"),
        (plus(Event(12.8, "foreign")), "another session"),
        (replace(GOOD, frames=(), audible_at=None), "without audio"),
        (replace(GOOD, audible_at=None), "silence"),
        (replace(GOOD, frames=(frame(12.2, None, "not speaking"), *GOOD.frames)), "not speaking"),
        (replace(GOOD, frames=(*GOOD.frames, frame(13, None, "queue full"))), "overflowed"),
        (replace(GOOD, frames=(*GOOD.frames, frame(13, None, "cleared"))), "cut off"),
        (replace(GOOD, frames=(*GOOD.frames, frame(13, None, "undecodable"))), "longer than"),
    ],
)
def test_problem_is_named(trace: TurnTrace, problem: str) -> None:
    assert any(problem in each for each in judge(trace).problems), judge(trace)


@pytest.mark.parametrize(
    ("trace", "remark"),
    [
        (without("stt"), "no stt"),
        (replace(GOOD, frames=(frame(12.4, 12.4), frame(12.6, 12.6))), "holes"),
        (replace(GOOD, frames=(frame(12.6, 12.6), frame(12.9, 12.9))), "pauses"),
        (replace(GOOD, frames=(frame(12.36, None, "not speaking"), *GOOD.frames)), "right behind"),
        (replace(GOOD, frames=steady(12.4, 20)), "firmware 1.7 to 2.0"),
    ],
)
def test_remark_is_made_and_fails_nothing(trace: TurnTrace, remark: str) -> None:
    verdict = judge(trace)
    assert verdict.problems == ()
    assert any(remark in each for each in verdict.remarks), verdict


def test_text_is_compared_over_sentences_and_without_case() -> None:
    hello = replace(
        GOOD, events=(*EVENTS[:7], Event(12.37, "sentence", "Hel"), Event(12.4, "sentence", "lo"))
    )
    assert not any("hold" in each for each in judge(hello, expected="hello").problems)
    assert "the answer does not hold '四点'" in judge(GOOD, expected="四点").problems


def test_outcomes() -> None:
    assert judge(plus(Event(13.0, "abort"))).outcome == "interrupted"
    assert judge(plus(Event(13.0, "abort"))).problems == ()
    ended = replace(without("tts_stop"), events=(*EVENTS[:-1], Event(13, "closed", "dropped")))
    assert judge(ended).outcome == "disconnected"
    assert judge(TurnTrace(EVENTS[:4], (), 60), timed_out=True).outcome == "unanswered"
    assert judge(without("tts_stop"), timed_out=True).outcome == "incomplete"
