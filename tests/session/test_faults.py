"""Workers that die, fail, hang or are not there, at every stage: the turn ends well all the same."""

from __future__ import annotations

import itertools

import pytest

from actors.effects import Effect, ToRouter
from actors.leased import MAX_TRIES, LeasedJob, Patience
from actors.messages import (
    Busy,
    ClauseReady,
    FramesReady,
    Generated,
    Leased,
    LeaseLost,
    Partial,
    Recognise,
    Recognised,
    SpeechChunk,
    TurnId,
    WorkFailed,
)
from actors.session.turn import Turn
from cfg.model import Deadlines, Settings
from tests.session.harness import MODES, World, at_stage, talking
from tests.session.scripted import BUSY, MUTE, Plan, Script, packet

KINDS = ["asr", "llm", "tts"]
APOLOGY = "不好意思，刚才出了点问题，请再说一遍。"
BUSY_PHRASE = "现在有点忙，请稍等一下再说。"
PHRASES = {text: tuple(packet(f"{text}|{n}") for n in range(5)) for text in (APOLOGY, BUSY_PHRASE)}
#: Whatever happens to one worker, the turn is answered.
PASSING = [
    Plan("dies"),
    Plan("fails"),
    Plan("silent"),
    Plan("dies", 1),
    Plan("fails", 1),
    Plan("silent", 1),
    Plan("dies", 2),
    Plan("silent", 2),
    BUSY,
    MUTE,
]


def script_with(kind: str, *plans: Plan, **members: object) -> Script:
    script = Script(**members)  # type: ignore[arg-type]
    getattr(script, kind).extend(plans)
    return script


def through(world: World, mode: str = "auto") -> World:
    """Speak one utterance and see its turn through."""
    if mode == "manual":
        world.run(1.2)
        world.stop_listening()
    world.until_over(200)
    world.mute()
    world.check_over()
    return world


def jobs(world: World, kind: str) -> list[str]:
    """Engines that worked, in order."""
    return [job.engine for job in world.all_jobs if job.lease.kind == kind]


# --- one fault ---


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("plan", PASSING, ids=lambda plan: f"{plan.name}-{plan.after}")
@pytest.mark.parametrize("kind", KINDS)
def test_one_fault_is_not_noticed(kind: str, plan: Plan, mode: str) -> None:
    world = through(talking(mode, script=script_with(kind, plan)), mode)
    assert world.outcomes == ["answered"]
    assert world.texts("tts sentence_start") == ["现在是三点，", "下午好。"]
    frames = [f"{clause}|{n}" for clause in ("现在是三点，", "下午好。") for n in range(8)]
    assert world.heard_frames() == frames


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_that_failed_is_avoided_and_one_whose_worker_died_is_not(kind: str) -> None:
    failed = through(talking(script=script_with(kind, Plan("fails"))))
    assert jobs(failed, kind)[:2] == [f"{kind}0", f"{kind}1"]
    died = through(talking(script=script_with(kind, Plan("dies"))))
    assert jobs(died, kind)[:2] == [f"{kind}0", f"{kind}0"]


def test_a_second_recogniser_gets_all_of_the_speech() -> None:
    for after in (0, 3, 6):
        world = through(talking(script=script_with("asr", Plan("dies", after))))
        first, second = [job for job in world.all_jobs if job.lease.kind == "asr"]
        assert second.pcm.startswith(first.pcm)
        whole = through(talking())
        assert len(second.pcm) == len(whole.all_jobs[0].pcm)


def test_a_long_backlog_is_few_messages() -> None:
    world = talking("manual", speech_s=20, script=script_with("asr", Plan("dies", 100)))
    world.run(21)
    world.stop_listening()
    world.until_over()
    second = [job for job in world.all_jobs if job.lease.kind == "asr"][1]
    assert len(second.sequences) < 120
    assert len(second.pcm) > 20 * 32000


def test_a_second_model_goes_on_behind_the_first() -> None:
    clauses = ("一。", "二。", "三。", "四。")
    world = through(talking(script=script_with("llm", Plan("dies", 2), clauses=clauses)))
    assert world.generates[1].spoken == ("一。", "二。")
    assert world.texts("tts sentence_start") == list(clauses)
    assert world.outcomes == ["answered"]


def test_a_second_voice_goes_on_behind_what_was_sent() -> None:
    """Three frames were sent of the clause: the second voice's first three are skipped."""
    world = talking(script=script_with("tts", Plan("silent", 1), frames=20))
    world = through(world)
    assert world.heard_frames() == [
        f"{clause}|{n}" for clause in ("现在是三点，", "下午好。") for n in range(20)
    ]
    assert world.texts("tts sentence_start") == ["现在是三点，", "下午好。"]


def test_frames_that_wait_when_the_voice_dies_are_not_said_twice() -> None:
    """All but the last of the clause's frames are made, few are sent."""
    world = talking(script=script_with("tts", Plan("dies", 6), frames=20))
    world = through(world)
    assert len(world.heard_frames()) == 40
    assert len(set(world.heard_frames())) == 40


def test_one_voice_for_one_answer() -> None:
    world = through(talking(script=script_with("tts", Plan("fails"), clauses=("一。", "二。"))))
    assert jobs(world, "tts") == ["tts0", "tts1", "tts1"]


def test_an_empty_answer_is_asked_for_elsewhere() -> None:
    world = talking(script=Script(clauses=()))
    assert world.run_until(lambda: bool(world.generates))
    world.script.clauses = ("好。",)
    through(world)
    assert world.outcomes == ["answered"]
    assert jobs(world, "llm") == ["llm0", "llm1"]


def test_a_clause_that_cannot_be_spoken_is_passed_over() -> None:
    world = talking()
    assert world.run_until(lambda: bool(world.synthesised))
    job = world.all_jobs[-1]
    job.stopped = True
    world.deliver(FramesReady(job.lease.turn, job.lease.request, 0, 0, (), True))
    through(world)
    assert world.outcomes == ["answered"]
    assert world.heard_frames() == [f"下午好。|{n}" for n in range(8)]
    assert world.records[0].said == "下午好。"


# --- the same again and again ---


@pytest.mark.parametrize("plan", [Plan("dies"), Plan("fails"), Plan("silent"), BUSY, MUTE])
@pytest.mark.parametrize("phrases", [{}, PHRASES], ids=["no phrases", "phrases"])
@pytest.mark.parametrize("kind", KINDS)
def test_when_nobody_can_the_device_is_told(
    kind: str, phrases: dict[str, tuple[bytes, ...]], plan: Plan
) -> None:
    world = talking(script=Script(otherwise={kind: plan}), phrases=phrases)
    through(world)
    verdict = "refused" if plan.name in ("busy", "mute") else "failed"
    assert world.outcomes == [verdict]
    spoken = kind != "tts" or bool(phrases)
    phrase = BUSY_PHRASE if verdict == "refused" else APOLOGY
    assert world.texts("tts sentence_start")[-1:] == ([phrase] if spoken else [])
    assert bool(world.heard_frames()) == spoken
    assert world.wire.starts == world.wire.stops == 1
    assert world.state.dialogue == []


@pytest.mark.parametrize("kind", KINDS)
def test_tries_are_counted(kind: str) -> None:
    world = through(talking(script=Script(otherwise={kind: Plan("fails")}), phrases=PHRASES))
    assert len(jobs(world, kind)) == MAX_TRIES


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_other_can_do_is_not_tried_elsewhere(kind: str) -> None:
    world = through(talking(script=Script(otherwise={kind: Plan("refuses")}), phrases=PHRASES))
    assert len(jobs(world, kind)) == 1
    assert world.outcomes == ["failed"]


@pytest.mark.parametrize("mode", MODES)
def test_with_every_engine_dead_it_still_ends(mode: str) -> None:
    dead = dict.fromkeys(KINDS, BUSY)
    world = through(talking(mode, script=Script(otherwise=dead)), mode)
    assert world.outcomes == ["refused"]
    assert world.kinds()[-2:] == ["tts start", "tts stop"]
    spoken = through(talking(mode, script=Script(otherwise=dead), phrases=PHRASES), mode)
    assert spoken.texts("tts sentence_start") == [BUSY_PHRASE]
    assert len(spoken.heard_frames()) == 5


@pytest.mark.parametrize("plan", [Plan("dies"), Plan("fails"), Plan("silent"), BUSY])
def test_after_every_engine_was_dead_the_next_turn_works(plan: Plan) -> None:
    world = talking("realtime", script=Script(otherwise=dict.fromkeys(KINDS, plan)))
    world.until_over(200)
    world.script.otherwise.clear()
    world.speak(1)
    world.run(20)
    assert world.outcomes[-1] == "answered"


def test_a_voice_that_is_lost_in_mid_answer_apologises_behind_it() -> None:
    script = Script(clauses=("一。", "二。", "三。"), tts_s=0.5)
    script.tts = [Plan()]
    script.otherwise["tts"] = Plan("fails", 1)
    world = through(talking(script=script, phrases=PHRASES))
    assert world.outcomes == ["failed"]
    # Of the second clause three frames were heard, the third was never begun.
    assert world.texts("tts sentence_start") == ["一。", "二。", APOLOGY]
    assert world.heard_frames()[8:11] == ["二。|0", "二。|1", "二。|2"]
    assert world.heard_frames()[11].startswith(APOLOGY)
    assert world.state.dialogue[1] == ["assistant", "一。二。"]


def test_a_clause_that_was_never_heard_is_not_shown() -> None:
    script = Script(clauses=("一。", "二。"))
    script.tts = [Plan()]
    script.otherwise["tts"] = Plan("fails")
    world = through(talking(script=script, phrases=PHRASES))
    assert world.texts("tts sentence_start") == ["一。", APOLOGY]


def test_a_model_that_is_lost_in_mid_answer_apologises_behind_it() -> None:
    script = Script(clauses=("一。", "二。", "三。"), otherwise={"llm": Plan("fails", 1)})
    script.llm_s = 0.5
    world = through(talking(script=script, phrases=PHRASES))
    assert world.outcomes == ["failed"]
    assert world.texts("tts sentence_start") == ["一。", "二。", "三。", APOLOGY]


def test_a_voice_without_audio_is_no_answer() -> None:
    world = through(talking(script=Script(frames=0)))
    assert world.outcomes == ["failed"]
    assert world.wire.stops == 1


def test_a_voice_without_audio_can_still_apologise() -> None:
    """The voice recovers: the apology must not be cut off before it is made."""
    world = talking(script=Script(frames=0, tts_s=0.5))
    assert world.run_until(lambda: any(n.event == "turn failed" for n in world.notes))
    world.script.frames = 8
    through(world)
    assert world.heard_frames() == [f"{APOLOGY}|{n}" for n in range(8)]


def test_a_voice_without_end_is_given_up() -> None:
    world = through(talking(script=Script(frames=2100, tts_s=0.001), phrases=PHRASES))
    assert world.outcomes == ["failed"]
    assert len(jobs(world, "tts")) == MAX_TRIES


def test_a_turn_in_which_nothing_happens_apologises() -> None:
    settings = Settings(deadlines=Deadlines(turn_s=5, final_text_ms=20000))
    script = Script(otherwise={"asr": Plan("silent")})
    world = talking(settings=settings, script=script)
    world.until_stage("answering")
    asr = [status for (_, kind, _), status in world.leases.items() if kind == "asr"]
    assert asr == ["released"], "nobody waits for the text any more"
    through(world)
    assert world.outcomes == ["failed"]
    assert world.texts("tts sentence_start") == [APOLOGY]


def test_recognition_that_gave_up_while_the_user_speaks_stops_listening() -> None:
    world = talking("auto", speech_s=8, script=Script(otherwise={"asr": BUSY}), phrases=PHRASES)
    world.until_stage("answering")
    world.run(2)
    assert world.outcomes == ["refused"]
    assert not world.conversation.attention.armed


def test_whoever_waits_for_a_replacement_is_answered() -> None:
    """The only worker died; the next is ready after three seconds."""
    world = talking(script=script_with("asr", Plan("dies", 2), *[BUSY] * 11))
    through(world)
    assert world.outcomes == ["answered"]


def test_a_router_that_is_replaced_costs_no_turn() -> None:
    for kind in KINDS:
        world = through(talking(script=script_with(kind, MUTE, MUTE)))
        assert world.outcomes == ["answered"], kind


# --- what belongs to another turn or job ---


def test_late_messages_of_another_turn_change_nothing() -> None:
    world = talking("realtime", script=Script(frames=30))
    assert world.run_until(lambda: len(world.heard_frames()) > 5)
    world.abort()
    old = list(world.delivered)
    world.speak(1)
    world.until_stage("answering")
    before = list(world.wire.sent)
    for message in old:
        world.conversation.answer(message, world.now)
        world.step()
    assert world.wire.sent == before
    world.until_over()
    assert world.heard_frames().count("现在是三点，|0") == 2
    world.check_over()


def test_messages_of_nobody_change_nothing() -> None:
    world = at_stage("speaking")
    turn = world.conversation.turn
    assert turn is not None
    before = list(world.wire.sent)
    foreign = TurnId("another", turn.id.number)
    later = TurnId(turn.id.session, turn.id.number + 1)
    for which, job in itertools.product((foreign, later, turn.id), (0, 99)):
        for message in (
            Leased("tts", job, which, "w", "e", None),
            Busy("tts", job, which, "full"),
            LeaseLost("tts", job, which, "w", "killed"),
            Partial(which, job, "x"),
            Recognised(which, job, "x"),
            ClauseReady(which, job, 0, "x"),
            Generated(which, job, 1, 1.0),
            FramesReady(which, job, 0, 0, (b"x",), True),
            WorkFailed(which, job, "x"),
        ):
            world.conversation.answer(message, world.now)
            world.step()
    assert world.wire.sent == before
    world.until_over()
    assert world.outcomes == ["answered"]


def test_a_clause_that_comes_twice_is_said_once() -> None:
    world = talking(script=Script(clauses=("一。", "二。", "三。")))
    assert world.run_until(lambda: any(isinstance(m, ClauseReady) for m in world.delivered))
    first = world.delivered[-1]
    world.deliver(first)
    through(world)
    assert world.texts("tts sentence_start") == ["一。", "二。", "三。"]


def test_a_final_text_during_speech_is_taken() -> None:
    """A recogniser may know better; the turn must not hang for it."""
    world = talking(speech_s=3)
    world.until_stage("hearing")
    world.run(0.2)
    job = world.all_jobs[0]
    world.deliver(Recognised(job.lease.turn, job.lease.request, "好"))
    through(world)
    assert world.texts("stt") == ["好"]


def test_an_ended_turn_takes_nothing() -> None:
    world = at_stage("speaking")
    turn = world.conversation.turn
    assert isinstance(turn, Turn)
    world.abort()
    sent = len(world.wire.sent)
    turn.interrupt(world.now, "again")
    turn.time(world.now + 1000)
    for message in list(world.delivered):
        turn.take(message, world.now)
    world.step()
    assert turn.deadline() is None
    assert len(world.wire.sent) == sent
    assert len(world.records) == 1


def test_a_turn_that_is_over_in_two_ways_at_once_ends_once() -> None:
    """The apology's last voice gives up, and the turn's time is up, in one and the same call."""
    settings = Settings(deadlines=Deadlines(turn_s=6, first_audio_ms=1000))
    world = World(settings, Script(otherwise={"tts": Plan("silent")}))
    world.hello()
    world.detect("讲个故事")
    world.run(5.9)
    assert len(jobs(world, "tts")) == 6
    world.jump(2)
    assert world.outcomes == ["failed"]
    world.check_over()


def test_a_clock_that_jumps_over_everything_ends_the_turn_once() -> None:
    settings = Settings(deadlines=Deadlines(turn_s=5))
    dead = {"tts": Plan("silent")}
    for step in (3.0, 6.0, 50.0):
        world = talking(settings=settings, script=Script(otherwise=dead))
        for _ in range(30):
            world.run(0.5)
            world.jump(step)
        world.mute()
        world.run(100)
        world.check_over()


def test_speech_is_sent_in_pieces_of_three_frames_and_a_pause_at_once() -> None:
    world = talking()
    sizes = []
    original = world.ask_worker

    def watch(message: object) -> None:
        if isinstance(message, SpeechChunk):
            sizes.append(len(message.pcm))
        original(message)

    world.ask_worker = watch  # type: ignore[method-assign]
    through(world)
    speaking = sizes[1 : sizes.index(next(size for size in sizes[1:] if size < 3 * 1920))]
    assert speaking
    assert all(3 * 1920 <= size < 4 * 1920 for size in speaking)
    # While the user pauses, each packet's two windows of 32 ms go in one message.
    assert all(size < 3 * 1920 for size in sizes[1 + len(speaking) :])


def test_slow_work_is_not_given_to_the_only_engine_again() -> None:
    out: list[Effect] = []
    ends: list[tuple[str, bool]] = []
    job = LeasedJob(
        "asr",
        TurnId("s", 1),
        itertools.count(1),
        Patience(1.0, 3.0, 3.0),
        lambda number: [Recognise(TurnId("s", 1), number)],
        lambda reason, busy, now: ends.append((reason, busy)),
        out,
    )
    job.start(0.0)
    job.leased(Leased("asr", 1, TurnId("s", 1), "asr/vosk-0", "vosk", "address"), 0.0)
    job.time(3.0)
    lease = out[-1]
    assert isinstance(lease, ToRouter)
    assert (lease.message.avoid, lease.message.strict) == (("vosk",), True)
    job.busy(Busy("asr", 2, TurnId("s", 1), "avoided"), 3.0)
    assert ends == [("asr/vosk-0 gave nothing in time", True)]
