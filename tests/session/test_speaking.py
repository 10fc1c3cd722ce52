"""What a device is sent: order, pace, length; and what is remembered of it."""

from __future__ import annotations

import pytest

from actors.wire.playback import GENERATIONS, DevicePlayback
from cfg.model import Downlink, Settings
from tests.session.harness import FRAME_S, MODES, World, at_stage, talking, with_dialogue
from tests.session.scripted import Script


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
    assert 190 <= hops["end_decided"] <= 600
    assert hops["last_frame"] < hops["stop"]
    assert world.records[0].engines == {"asr": "asr0", "llm": "llm0", "tts": "tts0"}


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
