"""Abort and interruption at every stage: one `tts stop` at once, and the talk goes on."""

from __future__ import annotations

import pytest

from tests.session.harness import MODES, STAGES, at_stage, talking
from tests.session.scripted import Script


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stage", STAGES)
def test_an_abort_is_answered_by_one_tts_stop_at_once(stage: str, mode: str) -> None:
    world = at_stage(stage, mode)
    running = world.state.turn
    world.abort(reason="wake_word_detected")
    assert world.kinds()[-1] == "tts stop"
    assert world.wire.stops == 1
    assert world.outcomes == ["interrupted"] * running
    sent = len(world.wire.sent)
    world.mute()
    world.run(10)
    assert len(world.wire.sent) == sent, "something of the aborted turn was sent"
    world.check_over()


@pytest.mark.parametrize("mode", ["auto", "realtime"])
@pytest.mark.parametrize("stage", ["listening", "hearing", "recognising"])
def test_after_an_abort_a_device_that_listens_is_heard(stage: str, mode: str) -> None:
    """Not every client sends `listen start` after it; in these stages it is listening."""
    world = at_stage(stage, mode)
    world.abort()
    world.quiet()
    world.run(0.5)
    world.script.asr_s = 0.02
    world.speak(1)
    world.run(10)
    assert world.outcomes[-1] == "answered"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stage", STAGES)
def test_the_talk_goes_on_after_an_abort(stage: str, mode: str) -> None:
    world = at_stage(stage, mode)
    world.abort()
    world.script = Script()
    world.listen(mode)
    world.speak(1)
    world.run(1.5)
    world.stop_listening()
    world.run(15)
    assert world.outcomes[-1] == "answered"
    assert world.texts("stt")[-1] == "现在几点"
    world.check_over()


def test_an_abort_before_the_late_frames_are_over_stays_silent() -> None:
    world = talking("manual", speech_s=3)
    world.run(1)
    world.stop_listening()
    world.abort()
    world.mute()
    world.run(5)
    assert world.kinds() == ["hello", "tts stop"]


def test_the_aborted_wake_word_is_no_pre_roll() -> None:
    world = talking("auto", speech_s=2)
    world.run(1.5)
    world.abort(reason="wake_word_detected")
    world.listen("auto")
    world.mute()
    world.run(0.01)
    world.quiet()
    world.run(1)
    assert world.turn_stage == ""


# --- interruption ---


def test_listen_start_interrupts_in_manual_mode() -> None:
    world = at_stage("speaking", "manual")
    world.listen("manual")
    assert world.outcomes == ["interrupted"]
    assert world.kinds()[-1] == "tts stop"
    world.speak(1)
    world.run(1.2)
    world.stop_listening()
    world.run(10)
    assert world.outcomes == ["interrupted", "answered"]
    world.check_over()


@pytest.mark.parametrize("mode", ["auto", "realtime"])
def test_listen_start_does_not_interrupt_an_answer_in_the_other_modes(mode: str) -> None:
    world = at_stage("speaking", mode)
    world.listen(mode)
    world.until_over()
    assert world.outcomes == ["answered"]


def test_listen_start_in_mid_utterance_begins_anew() -> None:
    world = talking("auto", speech_s=3)
    world.run(2)
    world.listen("auto")
    assert world.outcomes == ["interrupted"]
    world.run(10)
    assert world.outcomes == ["interrupted", "answered"]


# --- the clock ---


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("seconds", [1.0, 10.0, 200.0])
def test_a_process_that_was_stopped_goes_on(stage: str, seconds: float) -> None:
    world = at_stage(stage)
    world.jump(seconds)
    world.mute()
    world.run(300)
    world.check_over()
