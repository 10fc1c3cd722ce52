"""What the caches know is said at once; what they do not know they are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.messages import AnswerAwaited, AnswerKnown, SoundAwaited, SoundKnown
from actors.session.recall import MOST_FORESEEN
from cfg.model import AnswerCache, Settings, SoundCache
from tests.session.harness import World, talking
from tests.session.scripted import BUSY, Plan, Script, packet

QUESTION = "现在几点"
CLAUSES = Script().clauses
WHOLE = [f"{clause}|{n}" for clause in CLAUSES for n in range(Script().frames)]


def sounds() -> dict[str, tuple[bytes, ...]]:
    return {clause: tuple(packet(f"{clause}|{n}") for n in range(8)) for clause in CLAUSES}


def over(world: World) -> World:
    world.until_over()
    world.mute()
    world.check_over()
    return world


def test_a_known_answer_in_known_sounds_needs_no_worker() -> None:
    world = over(talking(script=Script(answers={QUESTION: CLAUSES}, sounds=sounds())))
    assert world.outcomes == ["answered"]
    assert world.heard_frames() == WHOLE
    assert world.generates == []
    assert world.synthesised == []
    record = world.records[0]
    assert record.engines["answer"] == "exact"
    assert record.engines["sound"] == "cache"
    assert record.said == "".join(CLAUSES)


def test_a_known_answer_is_sent_at_once() -> None:
    world = over(talking(script=Script(answers={QUESTION: CLAUSES}, sounds=sounds())))
    hops = world.records[0].hops_ms
    assert hops["first_frame"] - hops["final_text"] <= 21, "tts start to first frame apart"


def test_a_known_answer_in_unknown_sounds_is_spoken() -> None:
    world = over(talking(script=Script(answers={QUESTION: CLAUSES})))
    assert world.heard_frames() == WHOLE
    assert world.generates == []
    assert [m.text for m in world.synthesised] == list(CLAUSES)


def test_what_was_not_known_is_told_once_it_is_whole() -> None:
    world = over(talking())
    (learned,) = world.learned
    (asked,) = world.questions
    assert (learned.request, learned.question) == (asked.request, QUESTION)
    assert (learned.clauses, learned.emotion, learned.finished) == (CLAUSES, "happy", True)
    assert learned.took_ms > 0
    assert {kept.text: kept.frames for kept in world.kept} == sounds()
    assert [kept.engine for kept in world.kept] == ["tts0", "tts0"]
    requests = [m.request for m in world.recalled]
    assert [kept.request for kept in world.kept] == requests


def test_the_question_before_is_the_context() -> None:
    world = over(talking())
    world.detect("那明天呢")
    world.until_over()
    assert [asked.context for asked in world.questions] == ["", QUESTION]
    assert world.questions[0].scope == world.questions[1].scope


@pytest.mark.parametrize("kind", ["asr", "llm", "tts"])
@pytest.mark.parametrize("plan", [Plan("refuses", 1), BUSY], ids=["refuses", "busy"])
def test_a_failed_answer_is_not_learned(kind: str, plan: Plan) -> None:
    script = Script(otherwise={kind: plan})
    world = talking(script=script)
    world.run(30)
    assert not [m for m in world.learned if m.finished and kind == "llm"]
    unknown = len(world.questions)
    assert len(world.learned) == unknown, "the cache waits for each to end"
    assert len(world.kept) == len(world.recalled)
    kept = [each for each in world.kept if each.text in CLAUSES]
    assert all(each.frames in ((), sounds()[each.text]) for each in kept)


def test_an_interrupted_answer_is_reported_and_not_learned() -> None:
    world = talking(script=Script(llm_s=3.0))
    world.until_stage("answering")
    world.run(0.1)
    world.abort()
    (learned,) = world.learned
    assert not learned.finished
    assert learned.clauses == ()


def test_silent_caches_cost_their_deadline_and_no_more() -> None:
    known = over(talking())
    silent = over(talking(script=Script(answers=None, sounds=None)))
    assert silent.heard_frames() == WHOLE
    assert silent.learned == []
    assert silent.kept == []
    lost_ms = silent.records[0].hops_ms["first_frame"] - known.records[0].hops_ms["first_frame"]
    assert lost_ms <= 40


def test_caches_that_are_off_are_not_asked() -> None:
    settings = Settings(
        answer_cache=AnswerCache(enabled=False), sound_cache=SoundCache(enabled=False)
    )
    world = over(talking(settings=settings))
    assert world.heard_frames() == WHOLE
    assert world.questions == []
    assert world.recalled == []


def test_an_answer_that_another_session_waits_for_is_waited_for() -> None:
    world = talking(script=Script(answers=None, sounds=sounds()))
    assert world.run_until(lambda: bool(world.questions))
    asked = world.questions[0]
    world.deliver(AnswerAwaited(asked.turn, asked.request))
    world.run(1.0)
    assert world.generates == []
    world.deliver(AnswerKnown(asked.turn, asked.request, CLAUSES, "happy", "exact"))
    over(world)
    assert world.heard_frames() == WHOLE
    assert world.generates == []


def test_an_awaited_answer_that_never_comes_is_made() -> None:
    world = talking(script=Script(answers=None))
    assert world.run_until(lambda: bool(world.questions))
    asked = world.questions[0]
    world.deliver(AnswerAwaited(asked.turn, asked.request))
    over(world)
    assert world.heard_frames() == WHOLE
    assert len(world.generates) == 1


def test_an_awaited_sound_comes_or_is_made() -> None:
    for comes in (True, False):
        world = talking(script=Script(sounds=None))
        assert world.run_until(lambda world=world: bool(world.recalled))
        asked = world.recalled[0]
        world.deliver(SoundAwaited(asked.turn, asked.request))
        world.run(0.5)
        assert world.synthesised == []
        if comes:
            frames = sounds()[asked.text]
            world.deliver(SoundKnown(asked.turn, asked.request, "tts1", frames))
        over(world)
        assert world.heard_frames() == WHOLE
        assert len(world.synthesised) == 2 - comes


def test_an_answer_keeps_the_voice_it_was_recalled_in() -> None:
    known = sounds()
    del known[CLAUSES[1]]
    world = over(talking(script=Script(answers={QUESTION: CLAUSES}, sounds=known)))
    assert world.heard_frames() == WHOLE
    assert [m.engines for m in world.recalled] == [(), ("tts0",)]
    (lease,) = [job.lease for job in world.all_jobs if job.lease.kind == "tts"]
    assert lease.prefer == "tts0"


def test_known_sounds_go_on_behind_the_frames_that_were_sent() -> None:
    old = talking(script=Script(answers={QUESTION: CLAUSES}, sounds=sounds()))
    assert old.run_until(lambda: len(old.heard_frames()) >= 3)
    world = old.successor()
    world.run(10)
    assert old.heard_frames() + world.heard_frames() == WHOLE
    assert world.synthesised == []
    assert world.outcomes == ["answered"]


# --- what the user seems to be saying is looked up ahead --------------------------------

KNOWN = Script(answers={QUESTION: CLAUSES}, sounds=sounds(), asr_s=0.2)


def known(**members: object) -> Script:
    return replace(KNOWN, asr=[], llm=[], tts=[], otherwise={}, **members)


def until_recognising(world: World) -> None:
    world.until_stage("recognising")


def test_a_foreseen_answer_is_there_before_its_question() -> None:
    """The device is told to speak when the speech has ended, and hears the answer as soon
    as the question is sure."""
    world = talking(script=known())
    until_recognising(world)
    ended_at = world.now
    over(world)
    assert world.heard_frames() == WHOLE
    assert world.times("tts start")[0] == pytest.approx(ended_at, abs=0.002)
    hops = world.records[0].hops_ms
    assert hops["first_frame"] - hops["final_text"] < 1
    assert not [key for key in world.leases if key[1] == "llm"], "no model is asked to be ready"
    assert [m.question for m in world.said] == [QUESTION], "it counts, once"
    assert world.questions == []


def test_the_question_is_what_was_understood_in_the_end() -> None:
    world = over(talking(script=known(final="几点开门")))
    assert world.said == []
    assert [m.question for m in world.questions] == ["几点开门"]
    assert world.generates[0].messages[-1] == ("user", "几点开门")
    assert world.outcomes == ["answered"]


def test_a_sound_that_was_foreseen_for_nothing_is_given_back() -> None:
    world = over(talking(script=known(sounds={}, final="几点开门", clauses=("八点。",))))
    (given_back, made) = world.kept
    assert (given_back.text, given_back.frames) == (CLAUSES[0], ())
    assert (made.text, made.engine) == ("八点。", "tts0")


def test_nothing_understood_after_all_leaves_nobody_speaking() -> None:
    world = talking(script=known(final=""))
    world.run(2)
    assert world.outcomes == ["void"]
    assert (world.wire.starts, world.wire.stops) == (1, 1)


def test_a_session_that_dies_in_between_leaves_nobody_speaking() -> None:
    old = talking(script=known())
    until_recognising(old)
    world = old.successor()
    world.script = Script(text="")
    world.run(3)
    assert old.wire.starts == 1
    assert world.outcomes == ["void"]
    assert (world.wire.starts, world.wire.stops) == (0, 1)


def test_it_is_looked_up_a_few_times_at_most() -> None:
    """A recogniser that changes its mind with every frame, in a user's long pause."""
    world = talking(script=known(answers={}))
    for number in range(40):
        world.script.text = f"现在几点{number}"
        world.run(0.02)
    over(world)
    assert 1 <= len(world.looked_up) <= MOST_FORESEEN


def test_half_a_sentence_is_not_looked_up() -> None:
    world = talking(script=known(text="我想问一下因为"))
    world.run(0.5)
    assert world.looked_up == []


def test_a_released_talk_key_is_enough_to_look_it_up() -> None:
    world = talking("manual", script=known())
    world.until_stage("hearing")
    world.speak(0.9, then="loud")
    world.stop_listening()
    world.quiet()
    over(world)
    hops = world.records[0].hops_ms
    assert [m.question for m in world.said] == [QUESTION]
    assert hops["first_frame"] - hops["final_text"] < 1
