"""A device's conversation in its three modes, on a virtual clock."""

from __future__ import annotations

import pytest

from actors.wire.playback import GENERATIONS, DevicePlayback
from cfg.model import Dialogue, Downlink, Listening, Server, Settings
from tests.session.harness import FRAME_S, Script, World, talking

MODES = ["auto", "manual", "realtime"]
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


def with_dialogue(**members: object) -> Settings:
    return Settings(dialogue=Dialogue.model_validate(members))


# --- the three modes ---


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


# --- abort ---


def at_stage(stage: str, mode: str = "auto") -> World:
    """A world whose turn stands at `stage`."""
    script = Script()
    if stage == "recognising":
        script.asr_s = 2.0
    elif stage == "waiting for the model":
        script.llm_s = 3.0
    world = World(script=script)
    world.hello()
    if stage == "idle":
        return world
    world.listen(mode)
    if stage == "listening":
        world.quiet()
        world.run(0.5)
        return world
    world.speak(1)
    world.until_stage("hearing")
    if stage == "hearing":
        return world
    if mode == "manual":
        world.run(1.2)
        world.stop_listening()
    world.until_stage("recognising" if stage == "recognising" else "answering")
    world.mute()
    if stage == "speaking":
        assert world.run_until(lambda: bool(world.heard_frames()))
    return world


STAGES = ["idle", "listening", "hearing", "recognising", "waiting for the model", "speaking"]


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


# --- ends ---


def test_an_exit_phrase_closes_after_the_goodbye_was_heard() -> None:
    world = talking("auto", script=Script(text="再见！"))
    world.run(10)
    assert world.wire.closed is not None
    assert world.wire.closed.code == 1000
    assert world.texts("tts sentence_start") == ["再见，需要我的时候再叫我。"]
    frames, stop = world.times("frame"), world.times("tts stop")[0]
    assert stop >= frames[0] + len(frames) * FRAME_S
    world.check_over()


def test_an_interrupted_goodbye_closes_nothing() -> None:
    world = talking("realtime", script=Script(text="再见", frames=40))
    world.until_stage("answering")
    world.run(0.4)
    world.script.text = "等等"
    world.speak(1)
    world.run(10)
    assert world.wire.closed is None
    assert world.outcomes == ["interrupted", "answered"]


def test_an_idle_device_is_told_goodbye() -> None:
    world = World(with_dialogue(idle_close_s=20))
    world.hello()
    world.listen("auto")
    world.quiet()
    world.run(19)
    assert world.kinds() == ["hello"]
    world.run(10)
    assert world.texts("tts sentence_start") == ["再见，需要我的时候再叫我。"]
    assert world.wire.closed is not None
    world.check_over()


def test_a_connection_without_a_word_is_idle_too() -> None:
    world = World(with_dialogue(idle_close_s=20))
    world.hello()
    world.run(30)
    assert world.wire.closed is not None


def test_whoever_presses_the_button_is_not_idle() -> None:
    world = World(with_dialogue(idle_close_s=20))
    world.hello()
    world.run(19)
    world.listen("manual")
    world.run(3)
    assert world.kinds() == ["hello"]


@pytest.mark.parametrize("mode", MODES)
def test_whoever_wakes_the_device_during_the_goodbye_is_heard(mode: str) -> None:
    world = World(with_dialogue(idle_close_s=20))
    world.hello()
    world.listen(mode)
    world.run(20.1)
    assert world.turn_stage == "answering"
    world.listen(mode)
    world.speak(1)
    world.run(1.3)
    world.stop_listening()
    world.run(10)
    assert world.wire.closed is None
    assert world.outcomes == ["interrupted", "answered"]


def test_no_hello_closes() -> None:
    world = World(Settings(server=Server(hello_timeout_s=3)))
    world.run(2.9)
    assert world.wire.closed is None
    world.run(0.2)
    assert world.wire.closed is not None
    assert world.wire.closed.code == 1002


def test_no_hello_ends_what_runs_before_it_closes() -> None:
    world = World(Settings(server=Server(hello_timeout_s=3)))
    world.run(2.5)
    world.detect("讲个故事")
    world.run(5)
    assert world.wire.closed is not None
    assert world.kinds()[-1] == "tts stop"
    world.check_over()


def test_nothing_is_done_once_it_closes() -> None:
    world = talking("auto")
    world.conversation.end(world.now, "another connection of this device")
    world.step()
    world.conversation.end(world.now, "another connection of this device")
    world.conversation.drain(world.now, 1)
    world.detect("讲个故事")
    world.listen("auto")
    world.abort()
    world.send(type="ping")
    world.run(3)
    assert world.wire.closed is not None
    assert world.kinds() == ["hello"]
    world.check_over()


def test_a_device_that_is_gone_leaves_no_work() -> None:
    world = at_stage("speaking")
    world.conversation.gone(world.now)
    world.step()
    assert world.outcomes == ["interrupted"]
    world.check_over()


# --- drain ---


def test_drain_closes_an_idle_device_at_once() -> None:
    world = World()
    world.hello()
    world.listen("auto")
    world.conversation.drain(world.now, 5)
    world.step()
    assert world.wire.closed is not None
    assert world.wire.closed.code == 1001


@pytest.mark.parametrize("mode", MODES)
def test_drain_lets_the_answer_be_heard(mode: str) -> None:
    world = at_stage("speaking", mode)
    world.conversation.drain(world.now, 5)
    world.step()
    assert world.wire.closed is None
    world.run(5)
    assert world.outcomes == ["answered"]
    assert world.wire.closed is not None
    world.check_over()


@pytest.mark.parametrize("stage", STAGES[2:])
def test_drain_ends_at_its_deadline(stage: str) -> None:
    world = at_stage(stage)
    world.conversation.drain(world.now, 0.2)
    world.step()
    world.run(0.3)
    assert world.wire.closed is not None
    assert world.outcomes == ["interrupted"]
    world.check_over()


# --- what is remembered ---


def test_the_dialogue_goes_on() -> None:
    world = talking("realtime")
    world.run(8)
    world.script.text, world.script.clauses = "那明天呢", ("明天见。",)
    world.speak(1)
    world.run(8)
    said = [
        ("user", "现在几点"),
        ("assistant", "现在是三点，下午好。"),
        ("user", "那明天呢"),
        ("assistant", "明天见。"),
    ]
    assert world.generates[-1].messages[1:] == tuple(said[:3])
    assert [tuple(pair) for pair in world.state.dialogue] == said
    system = ("system", world.settings.dialogue.system_prompt)
    assert world.generates[-1].messages[0] == system


def test_of_an_interrupted_answer_only_what_was_heard_is_remembered() -> None:
    world = talking("auto")
    assert world.run_until(lambda: "现在是三点，|0" in world.heard_frames())
    world.abort()
    assert world.state.dialogue == [["user", "现在几点"], ["assistant", "现在是三点，"]]


def test_an_answer_that_was_not_heard_is_not_remembered() -> None:
    world = at_stage("waiting for the model")
    world.abort()
    assert world.state.dialogue == []


def test_ready_made_phrases_are_no_dialogue() -> None:
    world = World(script=Script(text="再见"))
    world.hello()
    world.detect("你好小智")
    world.run(5)
    world.detect("再见")
    world.run(10)
    assert world.state.dialogue == []


def test_english_clauses_are_remembered_as_one_text() -> None:
    world = talking(script=Script(clauses=("It is three.", "Good afternoon!")))
    world.run(8)
    assert world.state.dialogue[-1] == ["assistant", "It is three. Good afternoon!"]


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_the_dialogue_is_as_long_as_the_settings_say(turns: int) -> None:
    world = talking("realtime", settings=with_dialogue(history_turns=turns))
    for _ in range(4):
        world.run(8)
        world.speak(1)
    world.run(8)
    assert len(world.state.dialogue) == 2 * turns
    assert len(world.generates[-1].messages) == 2 + 2 * turns


# --- order, pace, length ---


def test_tts_stop_waits_until_all_was_heard() -> None:
    for frames in (1, 2, 3, 30):
        world = talking("auto", script=Script(frames=frames, clauses=("好。",)))
        world.until_over()
        sent, stop = world.times("frame"), world.times("tts stop")[0]
        assert len(sent) == frames
        played = sent[0] + frames * FRAME_S
        assert stop >= played + 0.24 - 1e-6
        assert stop <= played + 0.5


@pytest.mark.parametrize("lead", [1, 2, 5])
def test_never_more_than_the_lead_ahead(lead: int) -> None:
    settings = Settings(downlink=Downlink(lead_frames=lead))
    world = talking("auto", settings=settings, script=Script(frames=40))
    world.until_over()
    sent = world.times("frame")
    assert len(sent) == 80
    for number, at in enumerate(sent):
        played = (at - sent[0]) / FRAME_S
        assert number + 1 - played <= lead + 1e-6


def test_no_frame_comes_before_the_device_is_ready() -> None:
    world = talking("auto")
    world.until_over()
    assert world.times("frame")[0] - world.times("tts start")[0] >= 0.02


@pytest.mark.parametrize("generation", sorted(GENERATIONS))
@pytest.mark.parametrize("mode", MODES)
def test_every_generation_of_firmware_hears_all_of_it(generation: str, mode: str) -> None:
    world = at_stage("recognising", mode)
    world.script.frames = 30
    world.until_over()
    device = DevicePlayback(GENERATIONS[generation])
    began = world.wire.sent[0][0] * 1000
    device.connect(began)
    device.listen(mode, began)  # type: ignore[arg-type]
    if mode == "manual":
        device.release(began + 1)
    for at, kind, content in world.wire.sent:
        if kind == "tts start":
            device.tts_start(at * 1000)
        elif kind == "tts stop":
            assert device.silent_at_ms <= at * 1000
            device.tts_stop(at * 1000)
        elif kind == "frame":
            device.audio(content.opus, at * 1000)
    device.advance(world.now * 1000 + 1000)
    assert device.tally.lost == {}
    assert device.tally.played == 60
    assert device.tally.gaps <= 1  # between the clauses, at most
    assert device.state == ("idle" if mode == "manual" else "listening")


def test_texts_are_capped_for_the_screen_alone() -> None:
    settings = Settings(downlink=Downlink(max_text_chars=20))
    long = "很长" * 40
    world = talking("auto", settings=settings, script=Script(text=long, clauses=(long,)))
    world.until_over()
    assert [len(text) for text in world.texts("stt") + world.texts("tts sentence_start")] == [
        20,
        20,
    ]
    assert world.generates[0].messages[-1] == ("user", long)
    assert world.synthesised[0].text == long


def test_the_emotion_is_sent_once_after_tts_start() -> None:
    world = talking("auto", script=Script(clauses=("一。", "二。", "三。")))
    world.until_over()
    assert world.kinds().count("llm") == 1
    kinds = [kind for _, kind, _ in world.wire.sent]
    assert kinds.index("tts start") < kinds.index("llm") < kinds.index("frame")


def test_a_long_answer_is_not_cut_while_it_is_heard() -> None:
    settings = Settings.model_validate({"deadlines": {"turn_s": 5}})
    script = Script(clauses=tuple(f"第{n}句。" for n in range(12)), frames=30)
    world = talking("auto", settings=settings, script=script)
    world.until_over()
    assert world.outcomes == ["answered"]
    assert len(world.heard_frames()) == 360


def test_speech_is_made_only_a_little_ahead() -> None:
    script = Script(clauses=tuple(f"第{n}句。" for n in range(20)), frames=30)
    world = talking("auto", script=script)
    world.until_stage("answering")
    world.run(2)
    assert len(world.synthesised) <= 6
    world.until_over()
    assert len(world.heard_frames()) == 600


def test_an_answer_is_cut_after_so_many_clauses() -> None:
    script = Script(clauses=tuple(f"第{n}句。" for n in range(20)), frames=2)
    world = talking("auto", settings=with_dialogue(max_clauses=5), script=script)
    world.until_over()
    assert len(world.texts("tts sentence_start")) == 5
    assert world.outcomes == ["answered"]
    world.check_over()


def test_hops_are_counted_from_the_last_speech() -> None:
    world = talking("auto")
    world.until_over()
    hops = world.records[0].hops_ms
    order = ["end_decided", "final_text", "first_clause", "first_audio", "first_frame"]
    assert [hops[hop] for hop in order] == sorted(hops[hop] for hop in order)
    assert 200 <= hops["end_decided"] <= 600
    assert hops["last_frame"] < hops["stop"]
    assert world.records[0].engines == {"asr": "asr0", "llm": "llm0", "tts": "tts0"}


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


# --- the clock ---


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("seconds", [1.0, 10.0, 200.0])
def test_a_process_that_was_stopped_goes_on(stage: str, seconds: float) -> None:
    world = at_stage(stage)
    world.jump(seconds)
    world.mute()
    world.run(300)
    world.check_over()
