"""Each device's answers are its own, and foreign words are recognised."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.swarm.numerals import numbers_in, plain, spell
from sim.swarm.questions import (
    MOST_MARKED,
    Question,
    answered_rightly,
    common,
    heard_rightly,
    of_another,
    sums,
)

SUM = Question("sum", "三十五加二十八等于几", (35, 28), 63)


@given(st.integers(0, 999))
def test_numbers_survive_being_spelled(number: int) -> None:
    assert numbers_in(f"等于{spell(number)}。") == (number,)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("35 + 28 = 63", (35, 28, 63)),
        ("一百零五和一百一十五", (105, 115)),
        ("二零二六年", (2026,)),
        ("两千零三", (2003,)),
        ("没有", ()),
    ],
)
def test_numbers_are_found(text: str, numbers: tuple[int, ...]) -> None:
    assert numbers_in(text) == numbers


def test_the_same_words_are_the_same_however_written() -> None:
    assert plain("三十五 加 二十八，等于多少？") == plain("35+28=几")
    assert plain("Hello, World!") == "helloworld"


def test_no_answer_belongs_to_two_devices() -> None:
    owners: dict[int, set[int]] = {}
    for device in range(MOST_MARKED):
        for question in sums(1, device, MOST_MARKED, 6, "{a}加{b}"):
            assert question.answer is not None
            owners.setdefault(question.answer, set()).add(device)
    assert all(len(devices) == 1 for devices in owners.values())


def test_a_device_asks_different_things_with_different_answers_in_a_row() -> None:
    asked = sums(1, 3, 50, 12, "请问{a}加{b}等于多少")
    assert len({question.text for question in asked}) == 12
    assert all(a.answer != b.answer for a, b in pairwise(asked))
    for question in asked:
        assert question.operands is not None
        assert sum(question.operands) == question.answer
        assert numbers_in(question.text) == question.operands


def test_everyday_questions_take_any_words() -> None:
    asked = common(1, 2, 9)
    assert len(asked) == 9
    assert answered_rightly(asked[0], "现在三点。")
    assert not answered_rightly(asked[0], " ")


def test_what_was_understood_is_compared_word_for_word() -> None:
    assert heard_rightly(SUM, "三十五 加二十八 等于几？")
    assert not heard_rightly(SUM, "三十五加二十九等于几")


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("三十五加二十八等于六十三。", True),
        ("63", True),
        ("你刚才说的是：三十五加二十八等于几。", True),  # a stand-in that repeats
        ("等于六十四。", False),
        ("我不知道。", False),
    ],
)
def test_an_answer_carries_its_marker(answer: str, right: bool) -> None:
    assert answered_rightly(SUM, answer) is right


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("四十加二十七等于六十七", True),
        ("等于六十七", True),
        ("三十五加二十八等于六十三", False),
        ("三十五加三十二等于六十七", False),  # misheard: one of its own numbers is there
        ("不知道", False),
    ],
)
def test_words_of_another_are_told_from_slips(text: str, foreign: bool) -> None:
    assert of_another(SUM.text, text, "四十加二十七等于几", 67) is foreign


def test_the_same_operands_the_other_way_round_are_nobody_elses() -> None:
    assert not of_another("三加五等于几", "等于九", "五加三等于几", 8)
