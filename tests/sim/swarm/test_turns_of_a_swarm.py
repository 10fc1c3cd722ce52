"""Every fault of a server is caught, and every delay measured, on a virtual clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sim.swarm.aggregate import aggregate, with_cross_talk
from sim.swarm.orders import PhaseOrder, Spec
from sim.swarm.population import Habits, Mix, populate
from sim.swarm.records import ConnectionRecord, TurnRecord
from sim.swarm.schedule import Talking
from sim.swarm.utterances import save
from sim.swarm.worker import Generator
from tests.sim.swarm.assistant import Assistant, Script
from tests.sim.swarm.tones import SPEECH_MS, utterances
from tests.sim.swarm.virtual import run

PERIOD_S = 8.0
PLAIN: dict[str, Any] = {
    "modes": {"auto": 1.0},
    "generations": {"2.4": 1.0},
    "versions": {1: 1.0},
    "noise_dbfs": {"none": 1.0},
}


class Swarm:
    """A generator against an assistant, for a time; then what it told."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.assistant = Assistant()
        self.folder = tmp_path
        self.told: list[Any] = []
        monkeypatch.setattr("sim.device.Link", self.assistant)

    def talk(
        self,
        devices: int = 1,
        seconds: float = 3 * PERIOD_S,
        mix: dict[str, Any] | None = None,
        habits: Habits | None = None,
        patience_s: float = 5.0,
        active: Sequence[int] | None = None,
        talkers: int | None = None,
        break_s: float = 0.0,
    ) -> list[TurnRecord]:
        members = populate(
            1, devices if talkers is None else talkers, 0, 0, Mix(**(PLAIN | (mix or {})))
        )
        if talkers is not None:
            members = populate(1, talkers, devices - talkers, 0, Mix(**(PLAIN | (mix or {}))))
        bank = {m.index: utterances(m.index) for m in members if m.role == "talker"}
        for spoken in bank.values():
            self.assistant.knows(spoken)
        self.ids = [member.device_id for member in members]
        path = self.folder / "bank.json"
        save(bank, path)

        async def generate() -> None:
            loop = asyncio.get_running_loop()
            self.base = loop.time() + 4
            spec = Spec(
                generator=0,
                seed=1,
                base=self.base,
                members=members,
                bank=str(path),
                url="ws://127.0.0.1:1/",
                talking=Talking(PERIOD_S, SPEECH_MS / 1000),
                habits=habits or Habits(),
                patience_s=patience_s,
                apologies=("对不起",),
            )
            generator = Generator(spec, self.told.append)
            watching = loop.create_task(generator.watch())
            everybody = frozenset(range(devices) if active is None else active)
            generator.begin(PhaseOrder("all", 0.0, seconds, everybody))
            await asyncio.sleep(self.base + seconds - loop.time())
            if break_s:  # everybody leaves; then the same once more
                generator.begin(PhaseOrder("", seconds, seconds, frozenset()))
                await asyncio.sleep(break_s - 4)
                again_s = seconds + break_s
                generator.begin(PhaseOrder("again", again_s, again_s + seconds, everybody))
                await asyncio.sleep(4 + seconds)
            await generator.finish(30.0)
            watching.cancel()

        run(generate())
        return sorted(self.of(TurnRecord), key=lambda turn: (turn.device, turn.turn))

    def of(self, kind: type[Any]) -> list[Any]:
        return [each for each in self.told if isinstance(each, kind)]


@pytest.fixture
def swarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Swarm:
    return Swarm(tmp_path, monkeypatch)


def only_the_second(script: Script) -> Any:
    return lambda _device, turn: script if turn == 1 else Script()


class TestTiming:
    def test_a_right_turn_is_right(self, swarm: Swarm) -> None:
        turns = swarm.talk()
        assert [turn.outcome for turn in turns] == ["answered"] * 3
        assert not any(turn.faults or turn.problems for turn in turns)
        assert all(turn.understood == turn.said for turn in turns)

    def test_the_first_word_is_when_the_server_sent_it(self, swarm: Swarm) -> None:
        delays = (0.0, 150.0, 900.0)
        swarm.assistant.scripts = lambda _device, turn: Script(stt_ms=delays[turn])
        for turn in swarm.talk():
            assert turn.started_s is not None
            assert turn.first_word_ms is not None
            ended = swarm.base + turn.started_s + turn.speech_ms / 1000
            sent = swarm.assistant.sent[swarm.ids[0], turn.turn, "frame"]
            assert turn.first_word_ms == pytest.approx((sent - ended) * 1000, abs=0.1)
            heard = swarm.assistant.sent[swarm.ids[0], turn.turn, "stt"]
            assert turn.hops["stt_ms"] == pytest.approx((heard - ended) * 1000, abs=0.1)

    def test_audible_is_after_the_first_frame_by_the_quiet_in_it(self, swarm: Swarm) -> None:
        for turn in swarm.talk():
            assert turn.first_word_ms is not None
            assert turn.audible_ms is not None
            assert 0 <= turn.audible_ms - turn.first_word_ms < 200

    def test_turns_begin_when_they_should(self, swarm: Swarm) -> None:
        for turn in swarm.talk():
            assert turn.started_s is not None
            assert 0 <= turn.started_s - turn.intended_s < 0.15
            assert turn.waited_ms == 0
            assert turn.answer_ms == turn.first_word_ms

    def test_a_turn_behind_a_slow_one_counts_from_its_intended_start(self, swarm: Swarm) -> None:
        slow = Script(stt_ms=1000 * PERIOD_S)
        swarm.assistant.scripts = lambda _device, turn: slow if turn == 0 else Script()
        turns = swarm.talk(patience_s=12)
        assert turns[0].outcome == "answered"
        late = turns[1]
        assert late.outcome == "answered"
        assert late.waited_ms > 1000
        assert late.first_word_ms is not None
        assert late.answer_ms == pytest.approx(late.first_word_ms + late.waited_ms)
        assert late.first_word_ms < 700
        figures = aggregate("all", 24, turns)
        assert figures.availability == pytest.approx(100 / 3)  # the third alone was in time

    def test_a_turn_whose_time_is_over_is_missed_and_told(self, swarm: Swarm) -> None:
        dead = Script(answers=False)
        swarm.assistant.scripts = lambda _device, turn: dead if turn == 0 else Script()
        turns = swarm.talk(patience_s=2.5 * PERIOD_S, seconds=5 * PERIOD_S)
        assert [turn.outcome for turn in turns] == [
            "unanswered",
            "missed",
            "answered",
            "answered",
            "answered",
        ]
        assert "its time passed" in turns[1].problems[0]

    def test_every_intended_turn_has_one_record(self, swarm: Swarm) -> None:
        swarm.assistant.scripts = lambda _device, turn: Script(answers=turn % 3 != 1)
        turns = swarm.talk(devices=4, seconds=10 * PERIOD_S)
        assert [(turn.device, turn.turn) for turn in turns] == [
            (device, turn) for device in range(4) for turn in range(10)
        ]


class TestFaults:
    @pytest.mark.parametrize(
        ("script", "outcome", "fault"),
        [
            (Script(answers=False), "unanswered", "no answer"),
            (Script(stops=0), "incomplete", "no tts stop"),
            (Script(stops=0), "incomplete", "stuck"),
            (Script(stops=2), "answered", "stop twice"),
            (Script(greets_twice=True), "answered", "start twice"),
            (Script(frames=0, stop_after_ms=0), "incomplete", "no audio"),
            (Script(silent=True), "answered", "silence"),
            (Script(burst=True, frames=60, stop_after_ms=180), "answered", "frames lost"),
            (Script(late_frames=5), "answered", "frames lost"),
            (Script(stop_after_ms=-600), "answered", "early stop"),
            (Script(frames=6), "answered", "wrong length"),
            (Script(swapped=True), "answered", "order"),
            (Script(transcript="三加五等于几"), "answered", "misheard"),
            (Script(answer="等于一。这一定没有错。"), "answered", "wrong answer"),
            (Script(foreign=True), "answered", "foreign session"),
            (Script(hole_before=10, hole_ms=400), "answered", "underrun"),
            (Script(cut_after_frames=10), "disconnected", "disconnected"),
        ],
    )
    def test_each_is_caught(self, swarm: Swarm, script: Script, outcome: str, fault: str) -> None:
        swarm.assistant.scripts = only_the_second(script)
        turns = swarm.talk()
        assert turns[1].outcome == outcome
        assert fault in turns[1].faults
        assert turns[1].problems or fault in ("underrun", "early stop")
        assert turns[0].faults == turns[2].faults == ()

    def test_a_hole_is_as_long_as_it_was_made(self, swarm: Swarm) -> None:
        swarm.assistant.scripts = only_the_second(Script(hole_before=10, hole_ms=400))
        turn = swarm.talk()[1]
        assert turn.underruns == 1
        # The server is one frame ahead, and the device holds one more.
        assert 400 - 2 * 60 <= turn.underrun_ms <= 400
        assert turn.longest_gap_ms == pytest.approx(460, abs=1)

    def test_a_dropped_frame_is_a_hole(self, swarm: Swarm) -> None:
        swarm.assistant.scripts = only_the_second(Script(dropped=frozenset({10, 11, 12})))
        turns = swarm.talk()
        assert turns[1].underruns == 1
        assert turns[1].frames == turns[0].frames - 3

    def test_an_early_stop_cuts_only_old_firmware(self, swarm: Swarm) -> None:
        swarm.assistant.scripts = only_the_second(Script(stop_after_ms=-600, burst=True))
        old = swarm.talk(mix={"generations": {"1.8": 1.0}})
        assert "early stop" in old[1].faults
        assert old[1].lost_frames > 0
        assert aggregate("all", 24, old).completeness == pytest.approx(200 / 3)

    def test_an_apology_is_a_lost_turn(self, swarm: Swarm) -> None:
        swarm.assistant.scripts = only_the_second(Script(answer="对不起，刚才出了点问题。"))
        turns = swarm.talk()
        assert turns[1].outcome == "apology"
        figures = aggregate("all", 24, turns)
        assert (figures.lost, figures.answered) == (1, 2)

    def test_a_stuck_device_is_switched_off_and_on(self, swarm: Swarm) -> None:
        swarm.assistant.scripts = only_the_second(Script(stops=0))
        turns = swarm.talk()
        assert swarm.assistant.connections == 2
        assert turns[2].outcome == "answered"
        assert aggregate("all", 24, turns).stuck_devices == 1

    def test_an_answer_to_half_of_the_speech_is_not_taken_for_the_turns_end(
        self, swarm: Swarm
    ) -> None:
        """In realtime mode a session that took over apologises into the user's speech."""
        swarm.assistant.scripts = only_the_second(Script(apology_frames=2))
        turns = swarm.talk(mix={"modes": {"realtime": 1.0}})
        assert turns[1].outcome == "apology"
        assert "stuck" not in turns[1].faults
        assert turns[1].frames == 2 + turns[0].frames
        assert turns[1].first_word_ms == pytest.approx(turns[0].first_word_ms, abs=70)
        assert turns[2].faults == ()

    def test_an_answer_that_begins_after_a_turn_is_not_the_next_ones(self, swarm: Swarm) -> None:
        swarm.assistant.scripts = only_the_second(Script(again_after_ms=100))
        turns = swarm.talk()
        assert turns[1].outcome == "apology"
        assert "start twice" in turns[1].faults
        assert "stuck" not in turns[1].faults
        assert turns[2].faults == ()
        assert swarm.assistant.connections == 1

    def test_a_device_that_is_still_spoken_to_waits_for_its_turn(self, swarm: Swarm) -> None:
        late = (PERIOD_S - SPEECH_MS / 1000 - 3.2) * 1000
        swarm.assistant.scripts = only_the_second(Script(again_after_ms=late))
        turns = swarm.talk()
        assert turns[1].faults == ()
        assert turns[2].faults == ()
        assert turns[2].waited_ms > 0
        assert turns[2].first_word_ms == pytest.approx(turns[0].first_word_ms, abs=70)

    def test_words_of_another_device_are_cross_talk(self, swarm: Swarm) -> None:
        other = utterances(1)[0].question
        assert other.operands is not None
        words = f"{other.operands[0]}加{other.operands[1]}等于{other.answer}"
        swarm.assistant.scripts = lambda device, turn: (
            Script(answer=words) if device == swarm.ids[0] and turn == 0 else Script()
        )
        turns = with_cross_talk(swarm.talk(devices=2))
        assert "cross-talk" in turns[0].faults
        assert "device 1" in turns[0].problems[-1]
        assert aggregate("all", 24, turns).cross_talk == 1

    def test_a_wrong_answer_alone_is_no_cross_talk(self, swarm: Swarm) -> None:
        swarm.assistant.scripts = only_the_second(Script(answer="这个我真的不知道。"))
        turns = with_cross_talk(swarm.talk(devices=2))
        figures = aggregate("all", 24, turns)
        assert (figures.wrong_answers, figures.cross_talk) == (2, 0)


class TestLife:
    @pytest.mark.parametrize("mode", ["auto", "manual", "realtime"])
    @pytest.mark.parametrize("version", [1, 2, 3])
    def test_all_modes_and_framings_talk(self, swarm: Swarm, mode: str, version: int) -> None:
        turns = swarm.talk(mix={"modes": {mode: 1.0}, "versions": {version: 1.0}})
        assert [turn.outcome for turn in turns] == ["answered"] * 3
        assert not any(turn.faults for turn in turns)
        assert all(turn.waited_ms == 0 for turn in turns)

    @pytest.mark.parametrize("generation", ["1.6", "1.7", "1.8", "2.2.6", "2.4"])
    def test_all_generations_talk(self, swarm: Swarm, generation: str) -> None:
        turns = swarm.talk(mix={"generations": {generation: 1.0}})
        assert not any(turn.faults for turn in turns)

    def test_leaving_users_come_back_with_a_new_connection(self, swarm: Swarm) -> None:
        turns = swarm.talk(habits=Habits(leaving=1.0))
        assert swarm.assistant.connections == 3
        assert [turn.outcome for turn in turns] == ["answered"] * 3
        kinds = [each.kind for each in swarm.of(ConnectionRecord)]
        assert kinds == ["connected", "left"] * 3

    def test_interruptions_are_no_fault(self, swarm: Swarm) -> None:
        turns = swarm.talk(habits=Habits(interrupting=1.0))
        assert [turn.outcome for turn in turns] == ["interrupted"] * 3
        assert not any(turn.faults for turn in turns)
        assert all(turn.abort_to_stop_ms is not None for turn in turns)
        figures = aggregate("all", 24, turns)
        assert (figures.lost, figures.completeness) == (0, None)

    def test_vanishing_users_are_no_fault(self, swarm: Swarm) -> None:
        turns = swarm.talk(habits=Habits(vanishing=1.0))
        assert {turn.outcome for turn in turns} == {"interrupted"}
        assert not any(turn.faults or turn.problems for turn in turns)
        assert swarm.assistant.connections == 3

    def test_typed_questions_are_asked(self, swarm: Swarm) -> None:
        turns = swarm.talk(habits=Habits(typing=1.0))
        assert [(turn.kind, turn.outcome) for turn in turns] == [("typed", "answered")] * 3
        assert not any(turn.faults for turn in turns)

    def test_a_server_that_is_down_costs_its_turns_alone(self, swarm: Swarm) -> None:
        swarm.assistant.scripts = lambda _device, turn: (
            Script(cut_after_frames=5) if turn == 0 else Script()
        )
        swarm.assistant.down = lambda: (
            swarm.base + PERIOD_S <= asyncio.get_running_loop().time() < swarm.base + 2 * PERIOD_S
        )
        turns = swarm.talk(seconds=4 * PERIOD_S)
        outcomes = [turn.outcome for turn in turns]
        assert outcomes == ["disconnected", "not connected", "answered", "answered"]
        assert "is the server running" in turns[1].problems[0]

    def test_a_close_on_purpose_is_told_from_a_cut(self, swarm: Swarm) -> None:
        swarm.assistant.scripts = only_the_second(Script(cut_after_frames=5, close_code=1000))
        swarm.talk()
        dropped = [each for each in swarm.of(ConnectionRecord) if each.kind == "dropped"]
        assert [each.cut for each in dropped] == [False]

    def test_listeners_keep_their_microphone_open(self, swarm: Swarm) -> None:
        turns = swarm.talk(devices=3, talkers=1)
        assert len(turns) == 3
        assert swarm.assistant.connections == 3

    def test_who_left_for_a_break_is_early_again(self, swarm: Swarm) -> None:
        turns = swarm.talk(devices=2, break_s=20.0)
        assert {turn.phase for turn in turns} == {"all", "again"}
        assert {turn.outcome for turn in turns} == {"answered"}
        for device in (0, 1):
            mine = [each for each in swarm.of(ConnectionRecord) if each.device == device]
            assert [each.kind for each in mine] == ["connected", "left"] * 2
            first_s = min(t.intended_s for t in turns if (t.device, t.phase) == (device, "again"))
            assert 1 <= first_s - mine[2].at_s <= 3

    def test_who_is_not_active_stays_away(self, swarm: Swarm) -> None:
        turns = swarm.talk(devices=3, active=[1])
        assert {turn.device for turn in turns} == {1}
        assert swarm.assistant.connections == 1


def test_the_same_seed_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def once() -> str:
        swarm = Swarm(tmp_path, monkeypatch)
        turns = swarm.talk(devices=3, habits=Habits(0.3, 0.3, 0.2, 0.2))
        return json.dumps([(t.device, t.turn, t.intended_s, t.outcome, t.said) for t in turns])

    assert once() == once()
