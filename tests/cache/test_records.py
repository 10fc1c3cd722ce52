"""Answers as they are stored and as people read and write them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from actors.cache.embed import NgramEmbedder
from actors.cache.entries import Entry, Scope
from actors.cache.index import AnswerIndex
from actors.cache.lines import LineWrong, from_line, to_line
from actors.cache.records import clauses_of, joined, pack, unpack

SCOPE = Scope("xiaozhi", "zh", "", "1")


def entry() -> Entry:
    index = AnswerIndex(NgramEmbedder())
    found = index.learn(
        "中国的首都是哪里", "北京。\n它很大。", SCOPE, 5.0, emotion="happy", took_ms=612.5
    ).entry
    assert found is not None
    return found


VECTOR = np.linspace(-1, 1, 512, dtype=np.float32)


def test_what_is_stored_comes_back_with_its_vector() -> None:
    stored = unpack(pack(entry(), VECTOR, "ngrams/1"), "ngrams/1")
    assert stored.entry == entry()
    assert stored.vector is not None
    assert np.allclose(stored.vector, VECTOR, atol=1e-3)


def test_a_vector_of_another_space_is_none() -> None:
    stored = unpack(pack(entry(), VECTOR, "bge/1"), "ngrams/1")
    assert stored.entry == entry()
    assert stored.vector is None


@pytest.mark.parametrize("at", [0, 3, 20, -1])
def test_damage_is_noticed(at: int) -> None:
    packed = bytearray(pack(entry(), VECTOR, "s"))
    packed[at] ^= 1
    with pytest.raises(ValueError, match="not whole"):
        unpack(bytes(packed), "s")


@pytest.mark.parametrize("packed", [b"", b"\1", pack(entry(), VECTOR, "s")[:100]])
def test_half_a_record_is_noticed(packed: bytes) -> None:
    with pytest.raises(ValueError, match="not whole"):
        unpack(packed, "s")


def test_clauses_are_kept_apart() -> None:
    assert joined(("北京。", " ", "它\n很大。")) == "北京。\n它 很大。"
    assert clauses_of("北京。\n它 很大。") == ("北京。", "它 很大。")


def test_an_exported_line_is_for_people_and_reads_back() -> None:
    line = to_line(entry(), 105.0)
    shown = json.loads(line)
    assert shown["question"] == "中国的首都是哪里"
    assert shown["answer"] == ["北京。", "它很大。"]
    assert shown["seconds_left"] == 7100
    assert "\n" not in line
    read = from_line(line, 7200.0)
    assert (read.question, read.answer, read.scope) == (entry().question, entry().answer, SCOPE)
    assert (read.seconds_left, read.emotion, read.took_ms) == (7100, "happy", 612.5)


def test_question_and_answer_are_enough() -> None:
    read = from_line('{"question": "一公里多少米", "answer": "一千米。"}', 60.0)
    assert (read.answer, read.scope, read.seconds_left, read.strikes) == ("一千米。", None, 60.0, 0)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{", "line"),
        ("[]", "line"),
        ('"' + "x" * 20_000 + '"', "line"),
        ('{"question": "q", "answer": "a", "answr": 1}', "answr"),
        ('{"answer": "好"}', "question"),
        ('{"question": 5, "answer": "好"}', "question"),
        (json.dumps({"question": "问" * 500, "answer": "好"}), "question"),
        ('{"question": "q"}', "answer"),
        ('{"question": "q", "answer": "。"}', "answer"),
        ('{"question": "q", "answer": [1]}', "answer"),
        (json.dumps({"question": "q", "answer": "好" * 1001}), "answer"),
        ('{"question": "q", "answer": "好", "scope": "x"}', "scope"),
        ('{"question": "q", "answer": "好", "scope": {"person": "x"}}', "scope.person"),
        ('{"question": "q", "answer": "好", "seconds_left": 9999}', "seconds_left"),
        ('{"question": "q", "answer": "好", "seconds_left": NaN}', "seconds_left"),
        ('{"question": "q", "answer": "好", "hits": true}', "hits"),
        ('{"question": "q", "answer": "好", "threshold": 2}', "threshold"),
        ('{"question": "q", "answer": "好", "emotion": []}', "emotion"),
    ],
)
def test_what_is_wrong_in_a_line_is_named(line: str, field: str) -> None:
    with pytest.raises(LineWrong) as caught:
        from_line(line, 7200.0)
    assert caught.value.field == field
    assert caught.value.problem
