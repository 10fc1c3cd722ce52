"""The same question, asked by several at once, is asked of the model once.

Pure, on passed-in time. The first who asks leads: a model answers it, and what is
learned from that answers the others. One whose lead ends without an answer hands it
over to the next who waits; nobody waits longer than `patience_s`. Bounded: whoever
finds no room asks the model for himself.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeVar

Asker = TypeVar("Asker")

QUESTIONS: Final = 1024
#: Who wait for one question.
WAITING: Final = 256

#: A leader that says nothing for so many times the others' patience has vanished.
_LEAD: Final = 2.0


@dataclass(slots=True)
class _Question(Generic[Asker]):
    leader: str
    since_s: float
    #: By asker: who it is, and until when it waits.
    waiting: OrderedDict[str, tuple[Asker, float]] = field(default_factory=OrderedDict)


@dataclass(frozen=True, slots=True)
class Ended(Generic[Asker]):
    """Who need not wait any longer: `leads` (if any) must ask a model, as `others` must."""

    leads: Asker | None
    others: tuple[Asker, ...]


class Together(Generic[Asker]):
    """Questions in flight by their key; `patience_s` 0: nobody waits for another."""

    def __init__(
        self, patience_s: float, *, questions: int = QUESTIONS, waiting: int = WAITING
    ) -> None:
        self._patience_s = patience_s
        self._most_questions = questions
        self._most_waiting = waiting
        self._questions: OrderedDict[str, _Question[Asker]] = OrderedDict()  # the oldest lead first

    def __len__(self) -> int:
        return len(self._questions)

    @property
    def waiting(self) -> int:
        """Who wait; another thread may ask."""
        return sum(len(question.waiting) for question in list(self._questions.values()))

    def ask(self, key: str, name: str, asker: Asker, now_s: float) -> Literal["lead", "wait"]:
        """Who is called `name` asks; one who asks again goes ahead by himself."""
        question = self._questions.get(key)
        if question is None or self._patience_s <= 0 or now_s >= self._lead_ends(question):
            self._lead(key, name, now_s)
            return "lead"
        question.waiting.pop(name, None)
        if question.leader == name:
            self._lead(key, name, now_s)
            return "lead"
        if len(question.waiting) >= self._most_waiting:
            return "lead"
        question.waiting[name] = (asker, now_s + self._patience_s)
        return "wait"

    def answered(self, key: str) -> tuple[Asker, ...]:
        """There is an answer, or there will be none: everybody who waited for it."""
        question = self._questions.pop(key, None)
        return () if question is None else tuple(asker for asker, _ in question.waiting.values())

    def failed(self, key: str, name: str, now_s: float) -> Asker | None:
        """`name` brought no answer: the next who waits, if any, leads from now on."""
        question = self._questions.get(key)
        if question is None or question.leader != name:
            return None
        return self._hand_over(key, question, now_s)

    def time(self, now_s: float) -> list[Ended[Asker]]:
        """Look at the clock: whose patience is over, and whose leader has vanished."""
        ended: list[Ended[Asker]] = []
        for key, question in list(self._questions.items()):
            late = [name for name, (_, until_s) in question.waiting.items() if until_s <= now_s]
            others = tuple(question.waiting.pop(name)[0] for name in late)
            leads = None
            if now_s >= self._lead_ends(question):
                leads = self._hand_over(key, question, now_s)
            if leads is not None or others:
                ended.append(Ended(leads, others))
        return ended

    def next_s(self) -> float | None:
        """When `time` has something to do; None: nothing is in flight."""
        times = [self._lead_ends(question) for question in self._questions.values()]
        for question in self._questions.values():
            times += [until_s for _, until_s in question.waiting.values()]
        return min(times, default=None)

    def _lead_ends(self, question: _Question[Asker]) -> float:
        return question.since_s + _LEAD * self._patience_s

    def _lead(self, key: str, name: str, now_s: float) -> None:
        question = self._questions.pop(key, None)
        waiting: OrderedDict[str, tuple[Asker, float]] = OrderedDict()
        if question is not None:
            waiting = question.waiting
            waiting.pop(name, None)
        elif len(self._questions) >= self._most_questions:
            return  # too many are in flight: this one is asked without being known
        self._questions[key] = _Question(name, now_s, waiting)

    def _hand_over(self, key: str, question: _Question[Asker], now_s: float) -> Asker | None:
        if not question.waiting:
            del self._questions[key]
            return None
        name, (asker, _) = question.waiting.popitem(last=False)
        self._lead(key, name, now_s)
        return asker
