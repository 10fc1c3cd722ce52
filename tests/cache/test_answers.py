"""The answers actor: order under bursts, bounds, what it says of itself, operators' commands."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from actors.cache import libraries
from actors.cache.answers import MAX_WAITING
from actors.cache.answersfile import AnswersFile
from actors.messages import AnswerAwaited, AnswerKnown, AnswerUnknown, Probe, Ready, Report
from actors.questions import (
    CacheReply,
    CacheStats,
    ClearAnswers,
    ExportAnswers,
    ForgetAnswer,
    ImportAnswers,
    WhyAnswer,
)
from tests.cache.local_actor import Actor, answers

CAPITAL = "中国的首都是哪里"


def patient(**options: Any) -> dict[str, Any]:
    """Settings under which a question is answered even on a busy host."""
    return {"ask_ms": 1000, **options}


def test_a_learned_answer_is_known_to_all(tmp_path: Path) -> None:
    with answers(tmp_path, answer_cache=patient()) as made:
        made.wait_ready()
        first = made.reply(made.ask("a", CAPITAL))
        assert isinstance(first, AnswerUnknown)
        assert first.learnable
        waiting = made.ask("b", "中国首都在哪")
        assert isinstance(made.reply(waiting), AnswerAwaited)
        made.learn("a", CAPITAL, "北京。", "它很大。")
        (told,) = made.until(lambda: made.messages(AnswerKnown, "b"), "b is told")
        assert told.request == waiting
        assert told.clauses == ("北京。", "它很大。")
        assert made.known("c", CAPITAL).tier == "exact"
        made.until(lambda: made.detail()["saved_calls"] == 2, "two calls were saved")
        assert made.detail()["saved_ms"] == 1000


def test_the_phrase_bank_answers_from_the_first_minute(tmp_path: Path) -> None:
    with answers(tmp_path, answer_cache=patient()) as made:
        made.wait_ready()
        said = made.known("a", "你好")
        assert said.tier == "bank"
        assert said.clauses
        assert said.emotion


def test_who_waits_too_long_is_told_in_time(tmp_path: Path) -> None:
    with answers(tmp_path, answer_cache=patient(together_ms=100)) as made:
        made.wait_ready()
        made.reply(made.ask("a", CAPITAL))
        made.ask("b", CAPITAL)
        (told,) = made.until(lambda: made.messages(AnswerUnknown, "b"), "b is told")
        assert not told.learnable


def test_a_restart_after_a_kill_is_warm(tmp_path: Path) -> None:
    with answers(tmp_path, answer_cache=patient()) as made:
        made.wait_ready()
        made.learn("a", CAPITAL, "北京。")
        made.until(lambda: made.detail()["disk_entries"] == 1, "it is on disk")
    with answers(tmp_path, answer_cache=patient()) as again:
        again.wait_ready()  # it serves at once; what the disk has comes back meanwhile
        again.until(lambda: again.detail()["restored"] == 1, "what was learned is back")
        assert again.known("b", "中国首都在哪").clauses == ("北京。",)


def test_a_burst_is_answered_in_order_or_passed_over(tmp_path: Path) -> None:
    with answers(tmp_path, answer_cache={"ask_ms": 20}) as made:
        made.wait_ready()
        made.learn("a", CAPITAL, "北京。")
        made.until(lambda: made.detail()["entries"] == 1, "it is learned")
        asked = [made.ask(f"s{number}", CAPITAL) for number in range(MAX_WAITING + 100)]
        made.until(lambda: made.actor.report()[0].in_flight == 0, "all had their turn")
        made.deliver(0.2)
        known = [message.request for message in made.messages(AnswerKnown)]
        assert known == sorted(known)
        assert set(known) <= set(asked)
        figures = made.detail()
        refused = made.messages(AnswerUnknown)
        assert len(refused) == figures["overflow"]
        assert len(known) + figures["late"] + len(refused) == len(asked)
        assert made.known("z", CAPITAL).tier == "exact"


def test_a_probe_is_answered_while_it_works(tmp_path: Path) -> None:
    with answers(tmp_path) as made:
        made.receive(Probe(7), "root")
        (report,) = made.messages(Report, "root")
        assert report.actors[0].kind == "answers"
        made.wait_ready()
        made.receive(Probe(8), "root")
        detail = made.messages(Report, "root")[-1].actors[0].detail
        for name in ("hits", "misses", "entries", "vector_bytes", "embedder", "redis", "disk"):
            assert name in detail
        assert detail["redis"] == "not used"


def test_switched_off_it_knows_nothing_at_once(tmp_path: Path) -> None:
    with answers(tmp_path, answer_cache={"enabled": False}) as made:
        assert made.messages(Ready)
        made.ask("a", CAPITAL)
        (told,) = made.messages(AnswerUnknown, "a")
        assert not told.learnable
        made.learn("a", CAPITAL, "北京。")
        made.receive(WhyAnswer(1, CAPITAL), "console")
        assert "enabled" in made.messages(CacheReply)[0].problem
        assert made.actor.engine is None


def test_a_missing_library_keeps_nobody_from_serving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ImportError("No module named 'rjieba'")

    monkeypatch.setattr(libraries, "load", missing)
    with answers(tmp_path) as made:
        made.until(lambda: made.messages(Ready), "it is ready")
        assert "rjieba" in made.detail()["problem"]
        made.ask("a", CAPITAL)
        assert not made.messages(AnswerUnknown, "a")[0].learnable


def test_an_embedder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with answers(tmp_path, answer_cache={"embedder": "owner/model"}) as made:
        made.wait_ready()
        assert made.detail()["embedder"] == "ngrams-512"
        assert "owner/model" in made.detail()["embedder_problem"]


@pytest.mark.parametrize("question", [ForgetAnswer(1, CAPITAL), ClearAnswers(1)])
def test_what_was_said_to_be_forgotten_survives_a_kill(tmp_path: Path, question: Any) -> None:
    with answers(tmp_path) as made:
        made.wait_ready()
        made.learn("a", CAPITAL, "北京。")
        made.until(lambda: made.detail()["disk_entries"] == 1, "it is on disk")
        made.receive(question, "console")
        (reply,) = made.until(lambda: made.messages(CacheReply), "the operator is answered")
        assert reply.found == {"forgotten": 1}
    with answers(tmp_path) as again:  # nothing was closed
        again.wait_ready()
        assert again.detail()["entries"] == 0
        assert again.detail()["remembered_forgotten"] == 1


class TestOperators:
    @pytest.fixture
    def made(self, tmp_path: Path) -> Any:
        with answers(tmp_path, answer_cache=patient()) as made:
            made.wait_ready()
            made.reply(made.ask("a", CAPITAL))
            made.learn("a", CAPITAL, "北京。", "它很大。")
            made.until(lambda: made.detail()["entries"] == 1, "it is learned")
            yield made

    def found(self, made: Actor, question: Any) -> dict[str, Any]:
        made.receive(question, "console")

        def reply() -> Any:
            replies = made.messages(CacheReply, "console")
            return next((r for r in replies if r.request == question.request), None)

        answer = made.until(reply, "the operator is answered")
        assert answer.problem == ""
        found: dict[str, Any] = answer.found
        return found

    def test_why(self, made: Actor) -> None:
        found = self.found(made, WhyAnswer(1, "中国首都在哪"))
        assert "canonical" in found["scopes"][0]["explanation"]
        assert "北京。 它很大。" in found["scopes"][0]["explanation"]
        assert self.found(made, WhyAnswer(2, "你好"))["bank"]
        assert made.detail()["saved_calls"] == 0

    def test_forget_and_clear(self, made: Actor) -> None:
        assert self.found(made, ForgetAnswer(1, "请问中国首都在哪里")) == {"forgotten": 1}
        assert self.found(made, ForgetAnswer(2, CAPITAL)) == {"forgotten": 0}
        made.learn("a", CAPITAL, "北京。")
        assert self.found(made, ClearAnswers(3)) == {"forgotten": 1}
        assert self.found(made, CacheStats(4))["entries"] == 0

    def test_what_cannot_be_written_is_said(
        self, made: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(AnswersFile, "write", full)
        found = self.found(made, ForgetAnswer(1, CAPITAL))
        assert found["forgotten"] == 1
        assert "disk" in found["warning"]

    def test_export_and_import(self, made: Actor) -> None:
        for number in range(150):
            made.learn("a", f"第{number}号博物馆里有什么", "石头。")
        lines: list[str] = []
        after = 0
        for request in range(10, 20):
            page = self.found(made, ExportAnswers(request, after))
            assert page["total"] == 151
            lines += page["lines"]
            after = page["next"]
            if not after:
                break
        assert len(lines) == 151
        self.found(made, ClearAnswers(30))
        assert self.found(made, ImportAnswers(31, 1, tuple(lines)))["taken"] == 151
        assert made.known("b", CAPITAL).clauses == ("北京。", "它很大。")

    def test_a_wrong_line_is_named(self, made: Actor) -> None:
        lines = (
            json.dumps({"question": "一公里有多少米", "answer": "一千米。"}),
            "",
            json.dumps({"question": "现在几点", "answer": "八点。"}),
            "{",
        )
        found = self.found(made, ImportAnswers(1, 7, lines))
        assert found["taken"] == 1
        assert [(w["line"], w["field"]) for w in found["wrong"]] == [(9, "question"), (10, "line")]
        assert "always" in found["wrong"][0]["problem"]
        assert made.known("b", "一公里有多少米").clauses == ("一千米。",)
