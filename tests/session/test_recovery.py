"""A session is killed and another takes the device over: it leaves *speaking* and talks on."""

from __future__ import annotations

import pytest

from actors.session.checkpoint import SessionState
from actors.session.ready import ReadyPhrases
from cfg.model import Settings
from tests.session.harness import MODES, STAGES, World, at_stage, talking
from tests.session.scripted import Script

APOLOGY = "不好意思，刚才出了点问题，请再说一遍。"


def talk_on(world: World, mode: str) -> None:
    """The next turn works, by what a device in this mode does."""
    if mode != "realtime":
        world.listen(mode)
    world.speak(1)
    world.run(1.3)
    if mode == "manual":
        world.stop_listening()
    world.run(12)
    assert world.outcomes[-1] == "answered"
    world.mute()
    world.check_over()


WHOLE = [f"{clause}|{n}" for clause in Script().clauses for n in range(Script().frames)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stage", STAGES[2:])
def test_a_broken_turn_goes_on(stage: str, mode: str) -> None:
    old = at_stage(stage, mode)
    world = old.successor()
    world.script = Script()
    if mode == "manual" and stage == "hearing":
        world.run(1)
        assert world.kinds() == [], "the button is still pressed"
        world.stop_listening()
    world.until_over()
    assert world.outcomes == ["answered"]
    assert old.texts("stt") + world.texts("stt") == ["现在几点"], "told once"
    assert old.heard_frames() + world.heard_frames() == WHOLE, "no frame twice, none missing"
    assert old.wire.starts + world.wire.starts == 1
    assert world.records[0].turn.number > old.state.turn
    talk_on(world, mode)


@pytest.mark.parametrize("sent", range(1, 2 * Script().frames))
def test_an_answer_goes_on_behind_any_frame(sent: int) -> None:
    old = at_stage("speaking")
    assert old.run_until(lambda: len(old.heard_frames()) >= sent)
    world = old.successor()
    world.run(10)
    assert old.heard_frames() + world.heard_frames() == WHOLE
    assert old.texts("tts sentence_start") + world.texts("tts sentence_start") == [
        *Script().clauses
    ]
    stamps = [m.timestamp_ms for w in (old, world) for _, k, m in w.wire.sent if k == "frame"]
    assert stamps == sorted(set(stamps)), "a device drops what goes back in time"
    assert world.outcomes == ["answered"]
    assert not world.wire.speaking


def test_speech_is_recognised_from_its_beginning() -> None:
    """Of a second of speech half was heard by the session that died."""
    old = at_stage("hearing")
    old.run(0.5)
    world = old.successor()
    world.speak(0.5)
    world.run(10)
    assert world.outcomes == ["answered"]
    asr = next(job for job in world.all_jobs if job.lease.kind == "asr")
    assert len(asr.pcm) >= 32000 * 0.9


def test_speech_that_had_ended_is_not_waited_for() -> None:
    world = at_stage("recognising").successor()
    world.script = Script()
    world.until_over()
    assert world.times("stt")[0] - world.records[0].hops_ms["final_text"] / 1000 > 0
    assert world.texts("stt") == ["现在几点"]


@pytest.mark.parametrize("stage", ["listening", "hearing"])
def test_a_talk_key_released_before_the_death_is_not_waited_for(stage: str) -> None:
    """`listen stop` was read and its late frames were awaited."""
    old = at_stage(stage, "manual")
    old.stop_listening()
    old.mute()
    old.run(0.05)
    world = old.successor()
    world.script = Script()
    world.run(5)
    assert world.texts("tts sentence_start"), "the user waits for an answer for ever"


@pytest.mark.parametrize("mode", ["auto", "realtime"])
def test_nobody_speaks_into_the_user_s_speech(mode: str) -> None:
    old = at_stage("hearing", mode)
    world = old.successor()
    world.script = Script()
    world.speak(1.0)
    world.run(0.9)
    assert world.kinds() == [], "the user still speaks"
    world.run(15)
    assert world.outcomes == ["answered"]


def test_a_pause_in_speech_that_is_heard_again_does_not_end_it() -> None:
    """The session that died knew that the sentence went on; its partial text died with it."""
    old = talking("manual", 0.6)
    old.run(1.8)
    old.speak(0.4)
    old.run(0.4)
    old.state.mode = "auto"
    world = old.successor()
    world.speak(0.3)
    world.run(10)
    assert world.outcomes == ["answered"]
    asr = [job for job in world.all_jobs if job.lease.kind == "asr"]
    assert len(asr) == 1
    assert len(asr[0].pcm) >= 32000 * 2.2


def test_an_answer_that_did_not_fit_the_checkpoint_is_apologised_for() -> None:
    old = at_stage("speaking")
    old.state.answer = None
    world = old.successor()
    world.script = Script()
    world.until_over()
    assert world.texts("tts sentence_start") == [APOLOGY]
    assert world.outcomes == ["failed"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stage", ["idle", "listening"])
def test_without_a_turn_nothing_is_said_and_listening_goes_on(stage: str, mode: str) -> None:
    world = at_stage(stage, mode).successor()
    assert world.kinds() == ["tts stop"], "the last act of the first may have been lost"
    if stage == "idle":
        talk_on(world, "auto")
        return
    world.speak(1)
    world.run(1.3)
    world.stop_listening()
    world.run(10)
    assert world.outcomes == ["answered"]


@pytest.mark.parametrize("stage", STAGES)
def test_killed_again_and_again(stage: str) -> None:
    world = at_stage(stage)
    for _ in range(3):
        world = world.successor()
        world.run(0.2)
    world.script = Script()
    world.run(10)
    assert not world.wire.speaking
    talk_on(world, "auto")


def test_the_greeting_that_was_read_and_not_answered_is_sent() -> None:
    state = SessionState(device_id="d", session_id="s", protocol_version=3)
    world = World(state=state).successor()
    (hello, _) = world.wire.sent
    assert hello[1] == "hello"
    assert hello[2]["version"] == 3
    world.run(60)
    assert world.wire.closed is None
    world.hello()
    talk_on(world, "auto")


def test_the_device_s_tools_are_asked_for_again() -> None:
    world = World()
    world.hello(features={"mcp": True})
    after = world.successor()
    assert [m["payload"]["method"] for _, kind, m in after.wire.sent if kind == "mcp"] == [
        "initialize"
    ]


def test_the_dialogue_survives() -> None:
    world = at_stage("speaking")
    world.until_over()
    after = world.successor()
    after.detect("那明天呢")
    after.until_over()
    assert ("user", "现在几点") in after.generates[0].messages


@pytest.mark.parametrize("next_act", ["listen", "abort", "detect"])
def test_speech_heard_again_may_be_given_up(next_act: str) -> None:
    """Then the next utterance is as good as any."""
    world = at_stage("hearing", "manual").successor()
    if next_act == "abort":
        world.abort()
    elif next_act == "detect":
        world.detect("你好小智")
        world.run(5)
    world.listen("manual")
    world.speak(1)
    world.run(1.3)
    world.stop_listening()
    world.run(10)
    assert world.outcomes[-1] == "answered"
    assert APOLOGY not in world.texts("tts sentence_start")


def test_the_apology_needs_no_voice() -> None:
    frames = {APOLOGY: (b"\x58a", b"\x58b")}
    old = at_stage("speaking")
    old.conversation.turns.phrases = ReadyPhrases(frames)
    old.settings = Settings()
    old.state.answer = None
    world = old.successor()
    world.run(5)
    assert len(world.heard_frames()) == 2
    assert world.all_jobs == []


@pytest.mark.parametrize("mode", ["auto", "realtime"])
def test_an_answer_that_was_sent_whole_is_not_apologised_for(mode: str) -> None:
    old = at_stage("speaking", mode)
    for _ in range(400):
        if old.state.phase == "spoken":
            break
        old.run(0.02)
    assert old.state.phase == "spoken"
    world = old.successor()
    world.script = Script()
    assert world.kinds() == ["tts stop"]
    talk_on(world, mode)
