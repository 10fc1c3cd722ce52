"""Excuses vary, and a long wait for an answer is filled with a phrase."""

from __future__ import annotations

import pytest

from tests.session.harness import World, talking, with_dialogue
from tests.session.scripted import BUSY, Plan, Script, packet

FILLERS = ("嗯，让我想想。", "稍等。")
APOLOGIES = ("不好意思。", "抱歉。")
CLAUSES = Script().clauses
READY = {text: (packet(text), packet(text)) for text in (*FILLERS, *APOLOGIES)}
CHOICES = {"filler": FILLERS, "apology": APOLOGIES, "busy": APOLOGIES}


def waiting(llm_s: float = 3.0, **members: object) -> World:
    """A turn whose model takes `llm_s` for each clause."""
    settings = with_dialogue(filler_after_ms=1000)
    script = Script(llm_s=llm_s, **members)  # type: ignore[arg-type]
    return talking(settings=settings, script=script, phrases=READY, choices=CHOICES)


def over(world: World) -> World:
    world.until_over()
    world.mute()
    world.check_over()
    return world


def test_a_long_wait_is_filled_once() -> None:
    world = over(waiting())
    filler, *words = world.texts("tts sentence_start")
    assert filler in FILLERS
    assert tuple(words) == CLAUSES
    assert world.outcomes == ["answered"]
    (record,) = world.records
    assert record.engines["filler"] == "ready"
    assert 1000 <= record.hops_ms["first_frame"] - record.hops_ms["final_text"] < 1100


def test_fillers_are_no_words_of_the_answer() -> None:
    world = over(waiting())
    assert [m.clauses for m in world.learned] == [CLAUSES]
    assert world.state.dialogue == [["user", "现在几点"], ["assistant", "".join(CLAUSES)]]
    assert world.generates[0].spoken == ()


def test_a_model_that_dies_behind_a_filler_begins_anew() -> None:
    world = over(waiting(1.5, llm=[Plan("dies", 0)]))
    assert [m.spoken for m in world.generates] == [(), ()]
    assert tuple(world.texts("tts sentence_start")[1:]) == CLAUSES


def test_a_model_that_says_nothing_is_not_excused_by_a_filler() -> None:
    world = over(waiting(1.5, clauses=()))
    assert world.outcomes == ["failed"]
    assert world.texts("tts sentence_start")[-1] in APOLOGIES


def test_what_is_answered_in_time_needs_no_filler() -> None:
    for world in (waiting(0.3), waiting(answers={"现在几点": CLAUSES})):
        over(world)
        assert tuple(world.texts("tts sentence_start")) == CLAUSES


def test_no_filler_where_none_is_ready_or_wanted() -> None:
    slow = Script(llm_s=3.0)
    silent = talking(settings=with_dialogue(filler_after_ms=1000), script=slow)
    unwanted = talking(
        settings=with_dialogue(filler_after_ms=0), script=slow, phrases=READY, choices=CHOICES
    )
    for world in (silent, unwanted):
        over(world)
        assert tuple(world.texts("tts sentence_start")) == CLAUSES


def test_an_interrupted_wait_is_not_filled() -> None:
    world = waiting()
    world.until_stage("answering")
    world.abort()
    world.mute()
    world.run(5)
    assert world.texts("tts sentence_start") == []


@pytest.mark.parametrize("after_s", [1.02, 1.1, 2.0])
def test_a_session_that_dies_behind_a_filler_answers_without_another(after_s: float) -> None:
    old = waiting()
    old.until_stage("answering")
    old.run(after_s)
    world = old.successor()
    world.script = Script(llm_s=3.0)
    over(world)
    said = old.texts("tts sentence_start") + world.texts("tts sentence_start")
    assert said[0] in FILLERS
    assert tuple(said[1:]) == CLAUSES
    assert world.outcomes == ["answered"]


def test_excuses_vary() -> None:
    said = []
    for plan in (BUSY, Plan("refuses")):
        world = talking(script=Script(otherwise={"llm": plan}), phrases=READY, choices=CHOICES)
        for _ in range(3):
            over(world)
            said.append(world.texts("tts sentence_start")[-1])
            world.listen("auto")
            world.speak(1)
            world.until_stage("recognising")
    assert set(said) == set(APOLOGIES)


def test_an_excuse_that_has_no_sound_is_the_settings_own() -> None:
    """A voice may still say it."""
    script = Script(otherwise={"llm": Plan("refuses")})
    world = over(talking(script=script, choices=CHOICES))
    assert world.texts("tts sentence_start") == [world.settings.dialogue.apology]
