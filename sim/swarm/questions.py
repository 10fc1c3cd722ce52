"""What simulated users ask, and whether what came back belongs to it.

Pure. A *sum* has one right answer, and no two devices that talk at the same time have
the same answers: a number that belongs to another device is cross-talk, not a slip.
A *common* question is from the everyday dialogues that a server may answer from its
caches; only its transcript can be checked.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from sim.swarm.numerals import numbers_in, plain, spell

Kind = Literal["sum", "common"]

#: Longest first: the speech's length chooses among them. All are understood by the
#: embedded recogniser with every voice of `population.VOICES`.
PATTERNS = (
    "请你帮我算一下{a}加{b}等于多少",
    "请问{a}加{b}等于多少",
    "小智{a}加{b}等于几",
    "{a}加{b}等于几",
)
#: Everyday questions of about one to three seconds.
COMMON = ("现在几点了", "今天星期几", "你好小智", "你是谁", "今天是几号", "谢谢你", "你会做什么")

#: Sums are between two numbers of two digits, which the recogniser knows best.
_LOW, _HIGH = 11, 99
#: Answers from 2 * _LOW to 2 * _HIGH are shared out among at most so many devices.
MOST_MARKED = 80


@dataclass(frozen=True, slots=True)
class Question:
    """`answer` is the marker of a sum, None for a common question."""

    kind: Kind
    text: str
    operands: tuple[int, int] | None = None
    answer: int | None = None

    @property
    def expected(self) -> str:
        return "" if self.answer is None else str(self.answer)


def sums(seed: int, device: int, devices: int, count: int, pattern: str) -> tuple[Question, ...]:
    """`count` sums of one device, all different, neighbours with different answers.

    With up to `MOST_MARKED` devices no answer is another device's; beyond that each
    answer has a few owners, and the operands still tell them apart.
    """
    groups = max(1, min(devices, MOST_MARKED))
    answers = [
        each for each in range(2 * _LOW + 2, 2 * _HIGH - 1) if each % groups == device % groups
    ]
    source = random.Random(f"{seed}/sums/{device}")
    source.shuffle(answers)
    pairs: dict[int, list[tuple[int, int]]] = {}
    for answer in answers:
        low, high = max(_LOW, answer - _HIGH), min(_HIGH, answer - _LOW)
        pairs[answer] = [(first, answer - first) for first in range(low, high + 1)]
        source.shuffle(pairs[answer])
    found: list[Question] = []
    while len(found) < count and any(pairs.values()):
        for answer in answers:
            if pairs[answer] and len(found) < count:
                first, second = pairs[answer].pop()
                text = pattern.format(a=spell(first), b=spell(second))
                found.append(Question("sum", text, (first, second), answer))
    return tuple(found)


def common(seed: int, device: int, count: int) -> tuple[Question, ...]:
    """`count` everyday questions, in an order of the device's own."""
    order = list(COMMON)
    random.Random(f"{seed}/common/{device}").shuffle(order)
    return tuple(Question("common", order[index % len(order)]) for index in range(count))


def heard_rightly(question: Question, understood: str) -> bool:
    """Whether the transcript is what was said, numbers and all."""
    return plain(understood) == plain(question.text)


def answered_rightly(question: Question, answer: str) -> bool:
    """Whether an answer belongs to the question.

    A sum's answer holds the result, or repeats both operands (a stand-in model that
    cannot add echoes the question). A common question takes any words.
    """
    if question.answer is None or question.operands is None:
        return bool(answer.strip())
    return belongs(question, answer)


def belongs(question: Question, text: str) -> bool:
    """Whether `text` carries this question's marker: its result or both its operands."""
    if question.answer is None or question.operands is None:
        return False
    return question.answer in (found := numbers_in(text)) or _holds(found, question.operands)


def of_another(said: str, text: str, other_said: str, other_answer: int) -> bool:
    """Whether `text`, got by the device that said `said`, is of the one that said the other.

    A misheard number can make a result that another device expects, so a result alone
    proves nothing while an operand of the device's own is there too.
    """
    own, other, found = numbers_in(said), numbers_in(other_said), numbers_in(text)
    if len(own) != 2 or len(other) != 2 or set(own) == set(other):
        return False
    if _holds(found, (own[0], own[1])):
        return False
    if _holds(found, (other[0], other[1])):
        return True
    return other_answer in found and not set(own) & set(found) and other_answer != sum(own)


def _holds(numbers: tuple[int, ...], operands: tuple[int, int]) -> bool:
    first, second = operands
    return first in numbers and numbers.count(second) > (first == second)
