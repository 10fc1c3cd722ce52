"""The desk: who is answered by what, who asks a model, and whose objection counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from actors.cache.desk import BankReply, Desk, NoBank
from actors.cache.embed import NgramEmbedder
from actors.cache.index import AnswerIndex
from actors.messages import (
    AnswerAwaited,
    AnswerKnown,
    AnswerUnknown,
    AskAnswer,
    LearnAnswer,
    TurnId,
)

SCOPE = ("xiaozhi", "zh", "", "1")
CAPITAL = "中国的首都是哪里"


class Clock:
    """Both clocks of a desk, moved by hand; `step_s` passes with every look."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.step_s = 0.0

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


@dataclass(frozen=True)
class Said:
    clauses: tuple[str, ...]
    emotion: str


class Bank:
    def reply(self, question: str, count: int) -> BankReply | None:
        return Said((f"你好{count}。",), "happy") if question in ("你好", "您好") else None


class Sessions:
    """Sessions by name; each question is a turn of its own."""

    def __init__(self, bank: Any = None, **options: Any) -> None:
        self.clock = Clock()
        self.index = AnswerIndex(NgramEmbedder(), **options)
        self.desk = Desk(
            self.index,
            bank or NoBank(),
            ask_s=0.02,
            together_s=3.0,
            clock=self.clock,
            wall=self.clock,
        )
        self._number = 0

    def question(self, name: str, text: str, context: str = "") -> AskAnswer:
        self._number += 1
        return AskAnswer(TurnId(name, self._number), self._number, text, SCOPE, context)

    def ask(self, name: str, text: str, *, waited_s: float = 0.0) -> list[tuple[str, Any]]:
        message = self.question(name, text)
        return self.desk.ask(message, name, self.clock.now_s - waited_s)

    def learn(
        self, name: str, text: str, *clauses: str, finished: bool = True, used_tools: bool = False
    ) -> list[tuple[str, Any]]:
        turn = TurnId(name, self._number)
        message = LearnAnswer(
            turn, 0, text, SCOPE, "", clauses, "happy", finished, used_tools, 600.0
        )
        return self.desk.learn(message, name)

    def known(self, name: str, text: str) -> AnswerKnown:
        ((to, message),) = self.ask(name, text)
        assert to == name
        assert isinstance(message, AnswerKnown), message
        return message

    def unknown(self, name: str, text: str) -> AnswerUnknown:
        ((_, message),) = self.ask(name, text)
        assert isinstance(message, AnswerUnknown), message
        return message

    def taught(self, name: str = "teacher") -> None:
        """The capital is known."""
        assert self.unknown(name, CAPITAL).learnable
        self.learn(name, CAPITAL, "北京。", "它很大。")


def test_what_one_learned_the_others_are_told_clause_by_clause() -> None:
    sessions = Sessions()
    sessions.taught()
    found = sessions.known("b", "中国首都在哪儿")
    assert (found.clauses, found.emotion, found.tier) == (
        ("北京。", "它很大。"),
        "happy",
        "canonical",
    )
    figures = sessions.desk.figures()
    assert (figures["saved_calls"], figures["saved_ms"]) == (1, 600)
    assert figures["hits"]["canonical"] == 1


def test_the_bank_comes_first_and_varies() -> None:
    sessions = Sessions(Bank())
    assert sessions.known("a", "你好").tier == "bank"
    assert sessions.known("b", "你好").clauses == ("你好1。",)
    assert sessions.desk.figures()["hits"]["bank"] == 2
    why = sessions.desk.from_bank("你好")
    assert why is not None
    assert why.clauses == ("你好2。",)


def test_the_same_question_in_flight_is_asked_once() -> None:
    sessions = Sessions()
    assert sessions.unknown("a", CAPITAL).learnable
    first = sessions.ask("b", "中国首都在哪")
    second = sessions.ask("c", CAPITAL)
    assert [type(message) for _, message in (*first, *second)] == [AnswerAwaited, AnswerAwaited]
    post = sessions.learn("a", CAPITAL, "北京。")
    assert [(to, type(message)) for to, message in post] == [("b", AnswerKnown), ("c", AnswerKnown)]
    (_, told), _ = post
    assert told.request == first[0][1].request
    assert sessions.desk.figures()["saved_calls"] == 2


def test_other_questions_and_other_scopes_do_not_wait() -> None:
    sessions = Sessions()
    assert sessions.unknown("a", CAPITAL).learnable
    assert sessions.unknown("b", "日本的首都是哪里").learnable
    other = replace(sessions.question("c", CAPITAL), scope=("other", "zh", "", "1"))
    ((_, message),) = sessions.desk.ask(other, "c", sessions.clock.now_s)
    assert isinstance(message, AnswerUnknown)


def test_an_unfinished_answer_hands_the_question_over() -> None:
    sessions = Sessions()
    sessions.unknown("a", CAPITAL)
    sessions.ask("b", CAPITAL)
    sessions.ask("c", CAPITAL)
    ((to, message),) = sessions.learn("a", CAPITAL, finished=False)
    assert to == "b"
    assert message.learnable
    ((to, message),) = sessions.learn("b", CAPITAL, "北京。")
    assert (to, type(message)) == ("c", AnswerKnown)


def test_an_answer_that_may_not_be_kept_releases_everybody() -> None:
    sessions = Sessions()
    sessions.unknown("a", CAPITAL)
    sessions.ask("b", CAPITAL)
    sessions.ask("c", CAPITAL)
    post = sessions.learn("a", CAPITAL, "北京。", used_tools=True)
    assert [to for to, _ in post] == ["b", "c"]
    assert all(isinstance(message, AnswerUnknown) for _, message in post)
    assert len(sessions.index) == 0


def test_nobody_waits_longer_than_agreed() -> None:
    sessions = Sessions()
    sessions.unknown("a", CAPITAL)
    sessions.ask("b", CAPITAL)
    assert sessions.desk.time() == []
    next_s = sessions.desk.next_s()
    assert next_s is not None
    sessions.clock.now_s = next_s
    ((to, message),) = sessions.desk.time()
    assert (to, message.learnable) == ("b", False)
    assert sessions.learn("a", CAPITAL, "北京。") == []
    assert sessions.known("b", CAPITAL).tier == "exact"


def test_a_leader_that_vanished_is_followed_by_one_who_waits() -> None:
    sessions = Sessions()
    sessions.unknown("a", CAPITAL)
    sessions.clock.now_s += 4.0
    sessions.ask("b", CAPITAL)
    sessions.clock.now_s += 2.0
    ((to, message),) = sessions.desk.time()
    assert (to, message.learnable) == ("b", True)


class TestLate:
    """Asked so long ago that the session has gone on."""

    def test_it_is_not_answered(self) -> None:
        sessions = Sessions()
        sessions.taught()
        assert sessions.ask("b", CAPITAL, waited_s=0.5) == []
        assert sessions.desk.figures()["late"] == 1
        assert sessions.desk.figures()["saved_calls"] == 0
        assert sessions.known("b", CAPITAL).tier == "exact"  # it was never said, so no repeat

    def test_its_objection_counts(self) -> None:
        sessions = Sessions()
        sessions.taught()
        for _ in range(2):
            sessions.known("b", CAPITAL)
            assert sessions.ask("b", "那不对", waited_s=0.5) == []
        assert len(sessions.index) == 0

    def test_its_repeat_counts(self) -> None:
        sessions = Sessions()
        sessions.taught()
        sessions.known("b", CAPITAL)
        sessions.ask("b", "中国首都在哪", waited_s=0.5)
        assert sessions.index.counts.struck == 1

    def test_what_is_found_too_late_is_not_said(self) -> None:
        sessions = Sessions()
        sessions.taught()
        sessions.clock.step_s = 0.015
        assert sessions.ask("b", CAPITAL) == []
        sessions.clock.step_s = 0.0
        assert sessions.index.counts.hits["exact"] == 0
        assert sessions.known("b", CAPITAL).tier == "exact"


class TestObjections:
    def test_to_what_the_model_said_counts_against_what_was_learned(self) -> None:
        sessions = Sessions()
        sessions.taught("a")
        assert not sessions.unknown("a", "你说错了").learnable
        assert sessions.index.counts.struck == 1

    def test_to_another_answer_does_not(self) -> None:
        sessions = Sessions(Bank())
        sessions.taught()
        sessions.known("b", CAPITAL)
        sessions.unknown("b", "太阳有多大")
        sessions.unknown("b", "那不对")
        sessions.known("c", CAPITAL)
        sessions.known("c", "你好")
        sessions.unknown("c", "那不对")
        assert sessions.index.counts.struck == 0

    def test_who_asks_again_what_was_just_learned_is_answered(self) -> None:
        sessions = Sessions()
        sessions.taught("a")
        assert sessions.known("a", CAPITAL).tier == "exact"

    def test_who_repeats_is_answered_by_a_model_alone(self) -> None:
        sessions = Sessions()
        sessions.taught()
        sessions.known("b", CAPITAL)
        assert sessions.unknown("b", CAPITAL).learnable
        assert len(sessions.desk.together) == 0


def test_without_room_nothing_is_learned() -> None:
    sessions = Sessions(capacity=0)
    sessions.taught()
    sessions.clock.now_s += 30.0
    assert sessions.unknown("b", CAPITAL).learnable


def test_expired_answers_are_swept_in_pieces() -> None:
    sessions = Sessions(ttl_s=10.0)
    for number in range(3):
        sessions.learn("a", f"第{number}号博物馆里有什么", "石头。")
    sessions.clock.now_s += 11.0
    assert not sessions.desk.sweep()
    assert len(sessions.index) == 0


# --- what is looked up before the question is sure ------------------------------------


def purpose(sessions: Sessions, name: str, text: str, what: str) -> list[tuple[str, Any]]:
    message = replace(sessions.question(name, text), purpose=what)
    return sessions.desk.ask(message, name, sessions.clock.now_s)


def counted(sessions: Sessions) -> tuple[Any, ...]:
    figures = sessions.desk.figures()
    return figures["hits"], figures["misses"], figures["saved_ms"], figures["waiting"]


def test_what_is_looked_up_ahead_counts_only_once_it_is_said() -> None:
    sessions = Sessions()
    sessions.ask("a", CAPITAL)
    sessions.learn("a", CAPITAL, "北京。")
    before = counted(sessions)
    ((_, foreseen),) = purpose(sessions, "b", "请问中国的首都是哪里呀", "ahead")
    ((_, unknown),) = purpose(sessions, "b", "法国的首都是哪里", "ahead")
    assert isinstance(foreseen, AnswerKnown)
    assert (foreseen.clauses, foreseen.tier) == (("北京。",), "exact")
    assert isinstance(unknown, AnswerUnknown)
    assert not unknown.learnable
    assert counted(sessions) == before
    assert purpose(sessions, "b", "请问中国的首都是哪里呀", "said") == []
    figures = sessions.desk.figures()
    assert figures["hits"]["exact"] == 1
    assert figures["saved_ms"] == 600


def test_a_repeat_is_not_foreseen_and_still_counts_against_the_answer() -> None:
    sessions = Sessions()
    sessions.ask("a", CAPITAL)
    sessions.learn("a", CAPITAL, "北京。")
    sessions.known("b", CAPITAL)
    ((_, ahead),) = purpose(sessions, "b", CAPITAL, "ahead")
    assert isinstance(ahead, AnswerUnknown)
    assert "again" in sessions.unknown("b", CAPITAL).reason


def test_what_was_said_ahead_can_be_objected_to() -> None:
    sessions = Sessions()
    sessions.ask("a", CAPITAL)
    sessions.learn("a", CAPITAL, "上海。")
    for name in ("b", "c"):
        purpose(sessions, name, CAPITAL, "ahead")
        purpose(sessions, name, CAPITAL, "said")
        sessions.ask(name, "那不对")
    assert sessions.desk.figures()["struck"] == 2


def test_a_phrase_of_the_bank_is_foreseen_and_varies_only_when_it_is_said() -> None:
    sessions = Sessions(Bank())
    for _ in range(2):
        ((_, ahead),) = purpose(sessions, "a", "你好", "ahead")
        assert ahead.clauses == ("你好0。",)
    purpose(sessions, "a", "你好", "said")
    assert sessions.known("a", "你好").clauses == ("你好1。",)
