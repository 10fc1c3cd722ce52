"""Whatever a device, the workers and the clock do, in whatever order: what must hold, holds.

The world checks at every step (see `tests.session.harness`): nothing is sent outside of a
turn or after the close, no second `tts start`, no turn ends twice, no lease is asked for
twice at once or released twice, no request number comes again, nothing wakes without end.
At the end every turn has ended in one outcome and the device is not left speaking.
"""

from __future__ import annotations

import dataclasses

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cfg.model import Deadlines, Dialogue, Listening, Settings
from tests.session.harness import FRAME_S, World
from tests.session.scripted import OK, Plan, Script, packet, packets

DIALOGUE = Dialogue()
PHRASES = {
    text: (packet(f"{text}|0"), packet(f"{text}|1"))
    for text in (DIALOGUE.apology, DIALOGUE.busy, DIALOGUE.goodbye)
}
PLANS = st.builds(
    Plan,
    st.sampled_from(["ok", "ok", "silent", "fails", "refuses", "dies", "busy", "mute"]),
    st.integers(0, 3),
)
OUTCOMES = {"answered", "interrupted", "refused", "failed", "void"}


class Sessions(RuleBasedStateMachine):
    """One device, its session, and everybody's moods."""

    @initialize(
        ready=st.booleans(),
        greeting=st.sampled_from(["我在。", ""]),
        idle_s=st.sampled_from([5.0, 120.0]),
        turn_s=st.sampled_from([5.0, 120.0]),
        hello=st.booleans(),
    )
    def begin(self, ready: bool, greeting: str, idle_s: float, turn_s: float, hello: bool) -> None:
        made = Settings(
            dialogue=Dialogue(wake_greeting=greeting, idle_close_s=idle_s, history_turns=2),
            deadlines=Deadlines(
                turn_s=turn_s, first_clause_ms=2000, first_audio_ms=1000, final_text_ms=800
            ),
            listening=Listening(max_utterance_s=5),
        )
        self.world = World(made, Script(frames=6), phrases=PHRASES if ready else {})
        self.past: list[World] = []
        if hello:
            self.world.hello()

    # --- the device ---

    @rule(mode=st.sampled_from(["auto", "manual", "realtime"]))
    def listen(self, mode: str) -> None:
        self.world.listen(mode)

    @rule()
    def stop_listening(self) -> None:
        self.world.stop_listening()

    @rule(text=st.sampled_from(["你好小智", "讲个故事", "再见", "", " "]))
    def detect(self, text: str) -> None:
        self.world.detect(text)

    @rule(reason=st.sampled_from(["", "wake_word_detected"]))
    def abort(self, reason: str) -> None:
        self.world.abort(reason=reason)

    @rule(version=st.sampled_from([1, 2, 3, 7, None]), mcp=st.booleans())
    def hello(self, version: int | None, mcp: bool) -> None:
        self.world.hello(features={"mcp": mcp})
        self.world.send(type="hello", version=version)

    @rule(text=st.sampled_from(["{", "[]", '{"type":"listen"}', '{"type":"ping"}', "\x00"]))
    def odd_text(self, text: str) -> None:
        self.world.conversation.text(text, self.world.now)
        self.world.step()

    @rule(data=st.binary(max_size=30))
    def odd_audio(self, data: bytes) -> None:
        self.world.binary(data)

    @rule(frames=st.integers(1, 30), pace=st.sampled_from([0.0, FRAME_S]))
    def speak(self, frames: int, pace: float) -> None:
        for number in range(frames):
            self.world.audio(packets(True)[number])
            self.world.run(pace)

    @rule(frames=st.integers(1, 20))
    def be_quiet(self, frames: int) -> None:
        for number in range(frames):
            self.world.audio(packets(False)[number])
            self.world.run(FRAME_S)

    # --- the clock ---

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.1, 0.5, 2.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.world.run(seconds)

    @rule(seconds=st.sampled_from([0.3, 3.0, 30.0, 300.0]))
    def jump(self, seconds: float) -> None:
        self.world.jump(seconds)

    # --- the workers ---

    @rule(kind=st.sampled_from(["asr", "llm", "tts"]), plans=st.lists(PLANS, max_size=4))
    def moods(self, kind: str, plans: list[Plan]) -> None:
        setattr(self.world.script, kind, plans)

    @rule(kind=st.sampled_from(["asr", "llm", "tts"]), plan=PLANS)
    def lasting_mood(self, kind: str, plan: Plan) -> None:
        self.world.script.otherwise[kind] = plan

    @rule(
        text=st.sampled_from(["现在几点", "", "再见"]),
        clauses=st.lists(st.sampled_from(["好。", "是，", "三点。"]), max_size=3),
        frames=st.sampled_from([0, 1, 6, 40]),
        seconds=st.sampled_from([0.01, 0.2, 1.0]),
    )
    def say_other_things(self, text: str, clauses: list[str], frames: int, seconds: float) -> None:
        script = self.world.script
        script.text, script.clauses, script.frames = text, tuple(clauses), frames
        script.asr_s = script.llm_s = script.tts_s = seconds

    @rule(which=st.integers(0, 1 << 16))
    def kill_a_worker(self, which: int) -> None:
        held = [job for job in self.world.all_jobs if not job.stopped]
        if held:
            self.world.lose(held[which % len(held)])

    @rule(which=st.integers(0, 1 << 16), shift=st.sampled_from([-1, 0, 0, 1]))
    def late_double_or_foreign(self, which: int, shift: int) -> None:
        """Something that was delivered comes again, perhaps under another turn's number."""
        if self.world.delivered:
            message = self.world.delivered[which % len(self.world.delivered)]
            turn = message.turn._replace(number=message.turn.number + shift)
            again = dataclasses.replace(message, turn=turn)
            if shift == 0 or turn.number > self.world.state.turn:
                self.world.conversation.answer(again, self.world.now)
                self.world.step()

    # --- the session's life ---

    @rule()
    def is_killed(self) -> None:
        if not self.world.closed:
            self.past.append(self.world)
            self.world = self.world.successor()

    @rule(ending=st.sampled_from(["drain", "end", "gone"]), seconds=st.sampled_from([0.0, 3.0]))
    def ends(self, ending: str, seconds: float) -> None:
        conversation, now = self.world.conversation, self.world.now
        if ending == "drain":
            conversation.drain(now, seconds)
        elif ending == "end":
            conversation.end(now, "replaced")
        else:
            conversation.gone(now)
        self.world.step()

    # --- what must hold ---

    @invariant()
    def outcomes_are_known(self) -> None:
        if hasattr(self, "world"):
            assert set(self.world.outcomes) <= OUTCOMES
            assert len(self.world.state.dialogue) <= 4

    @invariant()
    def one_turn_at_most_runs(self) -> None:
        if hasattr(self, "world"):
            running = self.world.conversation.turn is not None
            ended = len(self.world.records) + self.world._first_turn - 1
            assert self.world.state.turn == ended + running

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        world.mute()
        world.run(400)
        world.check_over()
        if not world.closed:
            self._still_works(world)

    @staticmethod
    def _still_works(world: World) -> None:
        """After all that an ordinary turn is answered."""
        world.script = Script()
        world.script.otherwise = dict.fromkeys(("asr", "llm", "tts"), OK)
        world.listen("manual")
        world.speak(1, then=None)
        world.run(1.5)
        world.stop_listening()
        world.run(20)
        assert world.outcomes[-1] == "answered"
        world.check_over()


Sessions.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestSessions = Sessions.TestCase
