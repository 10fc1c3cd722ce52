"""Speech over an answer, and speech that goes on: nothing the user said is lost or heard twice."""

from __future__ import annotations

import pytest

from cfg.model import Listening, Settings
from tests.session.harness import FRAME_S, World, talking
from tests.session.scripted import Plan, Script


def heard_s(world: World) -> list[float]:
    """Seconds of speech that each recogniser was given."""
    return [len(job.pcm) / 32000 for job in world.all_jobs if job.lease.kind == "asr"]


def test_speech_stops_the_answer_and_is_answered() -> None:
    world = talking("realtime", script=Script(frames=60))
    assert world.run_until(lambda: len(world.heard_frames()) > 10)
    began = world.now
    world.script.text = "别说了"
    world.speak(1)
    assert world.run_until(lambda: world.wire.stops == 1)
    assert world.now - began < 0.6
    frames = len(world.heard_frames())
    world.until_stage("recognising")
    assert len(world.heard_frames()) == frames
    world.until_over()
    assert world.outcomes == ["interrupted", "answered"]
    assert world.records[0].reason == "barge-in"
    assert world.texts("stt") == ["现在几点", "别说了"]
    assert world.state.dialogue[:2] == [["user", "现在几点"], ["assistant", "现在是三点，"]]
    world.check_over()


def test_the_interrupting_speech_is_heard_from_its_beginning_once() -> None:
    world = talking("realtime", script=Script(frames=60))
    assert world.run_until(lambda: len(world.heard_frames()) > 10)
    world.speak(1)
    world.run(3)
    # The same second of speech, said while nobody speaks.
    world.until_over()
    world.speak(1)
    world.until_stage("recognising")
    over, plain = heard_s(world)[1:]
    # The pauses before and after differ by some frames; no packet is missing or double.
    assert abs(over - plain) <= 2 * FRAME_S


def test_a_cough_interrupts_nothing() -> None:
    world = talking("realtime", script=Script(frames=60))
    assert world.run_until(lambda: len(world.heard_frames()) > 10)
    for _ in range(3):
        world.speak(0.2)
        world.run(1.2)
    world.until_over()
    assert world.outcomes == ["answered"]


@pytest.mark.parametrize("mode", ["auto", "manual"])
def test_only_realtime_mode_hears_while_it_speaks(mode: str) -> None:
    world = talking(mode, script=Script(frames=60))
    world.run(1.2)
    world.stop_listening()
    assert world.run_until(lambda: len(world.heard_frames()) > 10)
    world.speak(1)
    world.until_over()
    assert world.outcomes == ["answered"]


def test_barge_in_can_be_switched_off() -> None:
    settings = Settings(listening=Listening(barge_in=False))
    world = talking("realtime", settings=settings, script=Script(frames=60))
    assert world.run_until(lambda: len(world.heard_frames()) > 10)
    world.speak(1)
    world.until_over()
    assert world.outcomes == ["answered"]


def test_words_that_nobody_answered_yet_belong_to_those_that_follow() -> None:
    world = talking("realtime", script=Script(text="帮我定一个", llm_s=3))
    world.until_stage("answering")
    world.script.text = "八点的闹钟"
    world.speak(1)
    world.run_until(lambda: len(world.texts("stt")) == 2)
    assert world.texts("stt")[1] == "帮我定一个八点的闹钟"
    world.script.llm_s = 0.02
    world.until_over()
    assert world.outcomes == ["interrupted", "answered"]
    assert world.state.dialogue[0] == ["user", "帮我定一个八点的闹钟"]
    assert world.generates[-1].messages[-1] == ("user", "帮我定一个八点的闹钟")
    assert world.wire.starts == world.wire.stops == 2


def test_carried_words_survive_a_noise() -> None:
    """What follows was nothing: then the first words are the question."""
    world = talking("realtime", script=Script(text="现在几点", llm_s=3))
    world.until_stage("answering")
    world.run(0.1)
    world.script.text, world.script.llm_s = "", 0.02
    world.speak(1)
    world.run(8)
    assert world.outcomes == ["interrupted", "answered"]
    assert world.texts("stt") == ["现在几点", "现在几点"]


def test_english_words_are_carried_with_a_space() -> None:
    world = talking("realtime", script=Script(text="set an alarm", llm_s=3))
    world.until_stage("answering")
    world.run(0.1)
    world.script.text, world.script.llm_s = "for eight", 0.02
    world.speak(1)
    world.run(8)
    assert world.texts("stt")[1] == "set an alarm for eight"


@pytest.mark.parametrize("mode", ["auto", "realtime"])
def test_speech_that_goes_on_during_recognition_is_one_utterance(mode: str) -> None:
    world = talking(mode, script=Script(asr_s=3))
    world.until_stage("recognising")
    first = heard_s(world)[0]
    world.script.asr_s = 0.02
    world.speak(1)
    world.run(8)
    assert world.outcomes == ["interrupted", "answered"]
    assert world.texts("stt") == ["现在几点"]
    assert heard_s(world)[1] > first + 0.9


def test_carried_words_survive_speech_during_recognition() -> None:
    """First over the model, then over the recogniser: nothing of it may be lost."""
    world = talking("realtime", script=Script(text="一", llm_s=3))
    world.until_stage("answering")
    world.script.text, world.script.asr_s = "二", 3.0
    world.speak(1)
    world.until_stage("recognising")
    world.script.asr_s, world.script.llm_s = 0.02, 0.02
    world.speak(1)
    world.until_over()
    assert world.texts("stt") == ["一", "一二"]
    assert world.outcomes == ["interrupted", "interrupted", "answered"]


def test_a_television_is_bounded() -> None:
    settings = Settings(listening=Listening(max_utterance_s=4))
    text = "说" * 300
    world = talking("realtime", 60, settings=settings, script=Script(text=text, llm_s=5))
    world.run(65)
    assert max(len(text) for text in world.texts("stt")) <= 250
    assert max(len(g.messages[-1][1]) for g in world.generates) <= 800
    assert max(heard_s(world)) < 5
    world.mute()
    world.run(60)
    world.check_over()


def test_barge_in_over_an_apology() -> None:
    world = talking("realtime", script=Script(llm=[Plan("refuses")], frames=60))
    assert world.run_until(lambda: len(world.heard_frames()) > 3)
    world.speak(1)
    world.run(15)
    assert world.outcomes == ["interrupted", "answered"]
    assert world.state.dialogue[0] == ["user", "现在几点"]
    assert world.state.dialogue[1][1].startswith("现在是三点")


def test_speech_that_began_before_the_answer_ended_is_heard() -> None:
    world = talking("realtime", script=Script(clauses=("好。",)))
    assert world.run_until(lambda: len(world.heard_frames()) == 8)
    # Too late to interrupt, early enough to be lost.
    world.run(world.times("frame")[0] + 8 * FRAME_S + 0.2 - world.now)
    assert world.turn_stage == "answering"
    world.speak(1)
    world.run(10)
    assert world.outcomes == ["answered", "answered"]
    assert heard_s(world)[1] > 1.2
