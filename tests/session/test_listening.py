"""What is heard, by mode: utterances, wake words, typed text, noise."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cfg.model import Listening, Settings
from tests.session.harness import FRAME_S, MODES, World, talking, with_dialogue
from tests.session.scripted import Script, packet

#: One whole turn on the wire, repeated frames once.
TURN = [
    "stt",
    "tts start",
    "llm",
    "tts sentence_start",
    "frame",
    "tts sentence_start",
    "frame",
    "tts stop",
]


@pytest.mark.parametrize("mode", ["auto", "realtime"])
def test_silence_ends_the_utterance_and_it_is_answered(mode: str) -> None:
    world = talking(mode)
    world.until_stage("hearing")
    world.until_over()
    assert world.outcomes == ["answered"]
    assert world.kinds() == ["hello", *TURN]
    assert world.texts("stt") == ["现在几点"]
    assert world.texts("tts sentence_start") == ["现在是三点，", "下午好。"]
    world.check_over()


def test_manual_mode_hears_until_listen_stop_whatever_the_silence() -> None:
    world = talking("manual")
    world.run(6)
    assert world.turn_stage == "hearing"
    world.speak(0.5)
    world.run(0.6)
    world.stop_listening()
    world.until_over()
    assert world.kinds() == ["hello", *TURN]
    assert len(world.all_jobs[0].pcm) > 6 * 32000
    world.check_over()


def test_manual_mode_takes_late_frames_and_no_more() -> None:
    world = talking("manual", speech_s=5)
    world.run(1)
    world.stop_listening()
    world.run(0.15)
    assert world.turn_stage == "hearing"
    world.run(0.1)
    assert world.turn_stage != "hearing"
    heard = len(world.all_jobs[0].pcm) / 32000
    assert 1.05 <= heard <= 1.2


def test_a_word_that_begins_in_the_late_frames_is_heard() -> None:
    world = World()
    world.hello()
    world.listen("manual")
    world.stop_listening()
    for _ in range(3):
        world.burst(FRAME_S)
    world.until_over()
    assert world.texts("stt") == ["现在几点"]


def test_auto_mode_waits_for_the_next_listen_start() -> None:
    world = talking("auto")
    world.run(10)
    world.speak(1)
    world.run(2)
    assert world.outcomes == ["answered"]
    world.listen("auto")
    world.speak(1)
    world.run(10)
    assert world.outcomes == ["answered"] * 2
    world.check_over()


def test_realtime_mode_arms_itself_again() -> None:
    world = talking("realtime")
    world.run(10)
    world.speak(1)
    world.run(10)
    assert world.outcomes == ["answered"] * 2
    world.check_over()


def test_listen_without_a_mode_is_auto() -> None:
    world = World()
    world.hello()
    world.send(type="listen", state="start")
    world.speak(1)
    world.run(10)
    assert world.outcomes == ["answered"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("asr_s", [0.02, 1.5])
def test_an_utterance_without_end_is_ended(mode: str, asr_s: float) -> None:
    settings = Settings(listening=Listening(max_utterance_s=3))
    world = talking(mode, speech_s=20, settings=settings, script=Script(asr_s=asr_s))
    world.run(4)
    assert world.texts("stt") or world.turn_stage == "recognising"
    world.run(40)
    heard = [len(job.pcm) / 32000 for job in world.all_jobs if job.lease.kind == "asr"]
    assert max(heard) < 4
    assert sum(heard) < 25


def test_audio_that_stops_coming_ends_the_utterance_as_silence_does() -> None:
    for mode in ("auto", "realtime"):
        world = talking(mode)
        world.run(1)
        world.mute()
        world.until_over()
        assert world.outcomes == ["answered"]


def test_a_manual_utterance_whose_audio_stops_ends_some_day_and_blames_nobody() -> None:
    world = talking("manual")
    world.run(1)
    world.mute()
    world.until_over(50)
    assert world.outcomes == ["answered"]
    assert [job.plan.name for job in world.all_jobs] == ["ok"] * 4
    assert not [note for note in world.notes if note.event == "work retried"]


def test_garbage_is_no_audio() -> None:
    world = talking("auto")
    world.run(1)
    world.mute()
    for _ in range(200):
        world.audio(b"\xff" * 40)
        world.run(FRAME_S)
    assert world.outcomes == ["answered"]
    world.check_over()


def test_zero_bytes_and_dtx_are_silence() -> None:
    world = talking("auto", speech_s=1)
    world.run(1)
    world.mute()
    for _ in range(40):
        world.audio(b"")
        world.audio(b"\x58")
        world.run(FRAME_S)
    assert world.texts("stt") == ["现在几点"]


# --- the wake word, and typed text ---


def test_a_wake_word_is_greeted_and_its_audio_is_not_heard() -> None:
    world = World()
    world.hello()
    world.burst(2)
    world.detect("你好小智")
    world.listen("auto")
    world.run(5)
    assert world.kinds() == ["hello", "tts start", "tts sentence_start", "frame", "tts stop"]
    assert world.texts("tts sentence_start") == ["我在。"]
    assert not [job for job in world.all_jobs if job.lease.kind == "asr"]
    world.listen("auto")
    world.speak(1)
    world.run(10)
    assert len(world.all_jobs[-1].pcm) == 0  # the last job is a voice
    (speech,) = [job for job in world.all_jobs if job.lease.kind == "asr"]
    assert len(speech.pcm) < 2 * 32000
    world.check_over()


def test_wake_words_are_not_always_greeted_with_the_same_words() -> None:
    greetings = ("我在。", "在呢。", "请说。", "没有声音的。")
    world = World(
        phrases={text: (packet(text),) for text in greetings[:3]},
        choices={"wake_greeting": greetings},
    )
    world.hello()
    for _ in range(4):
        world.detect("你好小智")
        world.run(5)
    said = world.texts("tts sentence_start")
    assert set(said) == set(greetings[:3]), "only what can be heard at once"
    assert all(one != other for one, other in pairwise(said))


def test_a_wake_word_in_realtime_mode_is_listened_to_after_the_greeting() -> None:
    world = World()
    world.hello()
    world.burst(2)
    world.detect("嗨，小智！")
    world.listen("realtime")
    world.run(3)
    world.speak(1)
    world.run(10)
    assert world.outcomes == ["answered", "answered"]


def test_without_a_greeting_the_wake_word_costs_nothing() -> None:
    world = World(with_dialogue(wake_greeting=""))
    world.hello()
    world.burst(2)
    world.detect("你好小智")
    world.listen("auto")
    world.run(0.3)
    assert world.kinds() == ["hello"]
    world.speak(1)
    world.run(8)
    assert world.outcomes == ["answered"]
    assert len(world.all_jobs[0].pcm) < 2.5 * 32000


def test_a_silent_wake_word_in_mid_utterance_begins_anew() -> None:
    world = talking("realtime", settings=with_dialogue(wake_greeting=""))
    world.until_stage("hearing")
    world.detect("你好小智")
    assert world.outcomes == ["interrupted"]
    world.run(10)
    assert world.outcomes == ["interrupted", "answered"]
    world.check_over()


def test_wake_word_audio_without_detect_is_pre_roll() -> None:
    world = World()
    world.hello()
    world.burst(2)
    world.listen("auto")
    world.speak(1)
    world.run(10)
    heard = len(world.all_jobs[0].pcm) / 32000
    assert heard < 2.5, "more than the pre-roll"


def test_old_audio_is_no_pre_roll() -> None:
    """The tail of the last utterance comes after its end; the next begins without it."""
    fresh, stale = World(), World()
    for world, pause_s in ((fresh, 0.2), (stale, 60.0)):
        world.hello()
        world.burst(0.6)
        world.run(pause_s)
        world.listen("manual")
        world.speak(1)
        world.run(1.5)
        world.stop_listening()
        world.run(10)
    lengths = [len(world.all_jobs[0].pcm) / 32000 for world in (fresh, stale)]
    assert lengths[0] - lengths[1] > 0.3


def test_detected_text_that_is_no_wake_word_is_a_question() -> None:
    world = World()
    world.hello()
    world.detect("  讲个故事 ")
    world.until_over()
    assert world.kinds() == ["hello", *TURN]
    assert world.texts("stt") == ["讲个故事"]
    assert world.generates[0].messages[-1] == ("user", "讲个故事")
    world.check_over()


def test_typed_text_interrupts_the_answer() -> None:
    world = talking("auto")
    world.until_stage("answering")
    world.run(0.3)
    world.detect("换一个问题")
    world.run(10)
    assert world.outcomes == ["interrupted", "answered"]
    assert world.wire.starts == world.wire.stops == 2


def test_an_empty_detect_is_nothing() -> None:
    world = talking("auto")
    world.until_stage("hearing")
    world.detect("  ")
    assert world.turn_stage == "hearing"


# --- nothing was understood ---


@pytest.mark.parametrize("mode", ["auto", "realtime"])
def test_a_void_utterance_keeps_listening(mode: str) -> None:
    world = talking(mode, script=Script(text=""))
    world.run(3)
    assert world.outcomes == ["void"]
    assert world.kinds() == ["hello"]
    world.script.text = "你好"
    world.speak(1)
    world.run(10)
    assert world.outcomes == ["void", "answered"]
    world.check_over()


def test_a_void_utterance_in_manual_mode_says_so() -> None:
    world = talking("manual", script=Script(text=""))
    world.run(1.2)
    world.stop_listening()
    world.until_over()
    assert world.outcomes == ["void"]
    assert world.texts("tts sentence_start") == ["没听清，请再说一遍。"]
    world.check_over()


def test_a_press_without_a_word_says_so() -> None:
    world = World()
    world.hello()
    world.listen("manual")
    world.quiet()
    world.run(1)
    world.stop_listening()
    world.mute()
    world.until_over()
    world.run(5)
    assert world.outcomes == ["void"]
    assert world.texts("tts sentence_start") == ["没听清，请再说一遍。"]


def test_noise_does_not_keep_the_channel_open() -> None:
    world = World(with_dialogue(idle_close_s=30), Script(text=""))
    world.hello()
    world.listen("auto")
    for _ in range(20):
        world.speak(0.8)
        world.run(2.5)
    assert world.wire.closed is not None
    assert world.outcomes[:3] == ["void"] * 3


# --- a device that was not understood ---


def test_a_device_that_sends_speech_for_long_is_listened_to() -> None:
    """Its `listen start` was lost with a session, or it never obeyed `tts start`."""
    world = World()
    world.hello()
    world.quiet()
    world.run(4)
    world.speak(1)
    world.run(10)
    assert world.outcomes == ["answered"]


def test_in_manual_mode_nobody_listens_without_being_told() -> None:
    world = World()
    world.hello()
    world.listen("manual")
    world.abort()
    world.speak(10)
    world.run(10)
    assert world.outcomes == []


def test_a_burst_alone_is_not_listened_to() -> None:
    world = World()
    world.hello()
    for _ in range(5):
        world.burst(2)
        world.run(10)
    assert world.state.turn == 0
