"""A stand-in's answer may be given, and may repeat what was asked."""

from __future__ import annotations

import pytest

from sim.standins.faults import Faults
from sim.standins.streaming import answer_to

ASKED = [{"role": "user", "content": "三加五等于几"}]


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("你好。", "你好。"),
        ("好，{question}。", "好，三加五等于几。"),
        ("", "好的，你刚才说的是：三加五等于几。这是模拟模型的回答，它不会思考。"),
    ],
)
def test_a_given_answer_may_repeat_the_question(given: str, answer: str) -> None:
    assert answer_to(ASKED, Faults(answer=given)) == answer
