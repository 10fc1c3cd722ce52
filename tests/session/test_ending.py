"""How a connection ends: goodbyes, deadlines, replacement, drain."""

from __future__ import annotations

import pytest

from cfg.model import Server, Settings
from tests.session.harness import FRAME_S, MODES, STAGES, World, at_stage, talking, with_dialogue
from tests.session.scripted import Script


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
