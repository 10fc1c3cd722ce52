"""What the caches know for a turn: the answer to its question, the sound of its clauses.

Pure. A cache is asked with a short deadline and the turn goes on without it: a cache
that is dead, frozen or slow costs that deadline and nothing else. What it did not know
and the turn then found out is told it, once for each time it said that it did not know.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from actors.effects import ToAnswers, ToSounds
from actors.messages import (
    AnswerAwaited,
    AnswerKnown,
    AnswerUnknown,
    AskAnswer,
    KeepSound,
    LearnAnswer,
    RecallSound,
    SoundAwaited,
    SoundKnown,
    SoundUnknown,
)
from actors.session.work import TurnWork

AnswerNews = AnswerKnown | AnswerUnknown | AnswerAwaited
SoundNews = SoundKnown | SoundUnknown | SoundAwaited

#: (persona, language, tools, model generation), see `messages.AskAnswer`.
Scope = tuple[str, str, str, str]

#: So often a turn looks up ahead what its user seems to be saying.
MOST_FORESEEN = 6


class AnswerRecall:
    """One question. `known` is called with an answer, `unknown` when there is none.

    What the user seems to be saying may be looked up ahead (`foresee`); when it turns out
    to be the question, its answer is there at once.
    """

    def __init__(
        self,
        work: TurnWork,
        known: Callable[[AnswerKnown, float], None],
        unknown: Callable[[float], None],
    ) -> None:
        self._work = work
        self._known = known
        self._unknown = unknown
        self._question = self._context = ""
        self._scope: Scope = ("", "", "", "")
        self._request = 0
        self._due = math.inf
        self._asked_at = 0.0
        self._learnable = False
        self._ahead: AskAnswer | None = None
        self._ahead_count = 0
        self._foreseen: AnswerKnown | None = None

    @property
    def asking(self) -> bool:
        return self._due < math.inf

    def foresee(self, question: str, scope: Scope, context: str) -> None:
        """Look this up: it may be the question. Nothing follows but what `foreseen` says."""
        ahead = self._ahead
        if ahead is not None and (ahead.question, ahead.context) == (question, context):
            return
        if not self._work.settings.answer_cache.enabled or self._ahead_count >= MOST_FORESEEN:
            return
        self._ahead_count += 1
        self._foreseen = None
        request = self._work.next_number()
        self._ahead = AskAnswer(self._work.turn, request, question, scope, context, "ahead")
        self._work.out.append(ToAnswers(self._ahead))

    def foreseen(self, question: str, context: str) -> AnswerKnown | None:
        """Its answer, if it was looked up ahead and is known."""
        ahead = self._ahead
        if ahead is None or (ahead.question, ahead.context) != (question, context):
            return None
        return self._foreseen

    def ask(self, question: str, scope: Scope, context: str, now: float) -> None:
        """One of the callbacks follows, at once when there is no cache."""
        limits = self._work.settings.answer_cache
        if not limits.enabled:
            self._unknown(now)
            return
        foreseen = self.foreseen(question, context)
        if foreseen is not None:
            said = AskAnswer(self._work.turn, foreseen.request, question, scope, context, "said")
            self._work.out.append(ToAnswers(said))
            self._answered(foreseen, now)
            return
        self._question, self._scope, self._context = question, scope, context
        self._request = self._work.next_number()
        self._asked_at, self._due = now, now + limits.ask_ms / 1000
        ask = AskAnswer(self._work.turn, self._request, question, scope, context)
        self._work.out.append(ToAnswers(ask))

    def take(self, message: AnswerNews, now: float) -> AnswerKnown | None:
        """News of the question; returns the answer to what was looked up ahead, if it is that."""
        if self._ahead is not None and message.request == self._ahead.request:
            self._foreseen = message if isinstance(message, AnswerKnown) else None
            return self._foreseen
        self._take(message, now)
        return None

    def _take(self, message: AnswerNews, now: float) -> None:
        if message.request != self._request:
            return
        if isinstance(message, AnswerUnknown):
            # Wanted also when it comes too late for this turn.
            self._learnable = message.learnable
        if not self.asking:
            return
        if isinstance(message, AnswerAwaited):
            self._due = now + self._work.settings.answer_cache.together_ms / 1000
            return
        self._due = math.inf
        if isinstance(message, AnswerKnown):
            self._answered(message, now)
        else:
            self._unknown(now)

    def _answered(self, message: AnswerKnown, now: float) -> None:
        self._work.mark("answer_recalled", now)
        self._work.engines["answer"] = message.tier
        self._known(message, now)

    def deadline(self) -> float | None:
        return self._due if self.asking else None

    def time(self, now: float) -> None:
        if now >= self._due:
            self._due = math.inf
            self._unknown(now)

    def learn(self, clauses: tuple[str, ...], emotion: str, now: float, *, finished: bool) -> None:
        """How a model answered instead; the first call after each question counts."""
        if not self._learnable:
            return
        self._learnable = False
        first_ms = self._work.hops_ms.get("first_clause", self._work.since_ms(now))
        took_ms = round(first_ms - self._work.since_ms(self._asked_at), 1)
        self._work.out.append(
            ToAnswers(
                LearnAnswer(
                    self._work.turn,
                    self._request,
                    self._question,
                    self._scope,
                    self._context,
                    clauses if finished else (),
                    emotion,
                    finished,
                    False,
                    took_ms,
                )
            )
        )

    def stop(self, now: float) -> None:
        """The turn ends: no answer is wanted, and none will be told."""
        self._due = math.inf
        self.learn((), "", now, finished=False)


@dataclass(slots=True)
class _Clause:
    text: str
    request: int
    due: float
    frames: tuple[bytes, ...] = ()
    engine: str = ""
    #: The cache has said that it wants this sound.
    wanted: bool = False
    made: list[bytes] = field(default_factory=list)

    @property
    def asking(self) -> bool:
        return self.due < math.inf


class SoundRecall:
    """The clauses of one answer, by their number."""

    def __init__(self, work: TurnWork) -> None:
        self._work = work
        self._clauses: dict[int, _Clause] = {}

    def want(self, number: int, text: str, engine: str, now: float) -> None:
        """Ask for this clause, once; `engine`: in this voice only ('': in any)."""
        limits = self._work.settings.sound_cache
        known = self._clauses.get(number)
        if not limits.enabled or (known is not None and known.text == text):
            return
        if known is not None:
            self._withdraw(known)  # other words than were foreseen
        request = self._work.next_number()
        self._clauses[number] = _Clause(text, request, now + limits.ask_ms / 1000)
        engines = (engine,) if engine else ()
        self._work.out.append(ToSounds(RecallSound(self._work.turn, request, text, engines)))

    def asking(self, number: int) -> bool:
        """Whether it may still be known."""
        clause = self._clauses.get(number)
        return clause is not None and clause.asking

    def found(self, number: int) -> tuple[str, tuple[bytes, ...]] | None:
        """(voice's engine, packets), if it was known."""
        clause = self._clauses.get(number)
        return (clause.engine, clause.frames) if clause is not None and clause.frames else None

    def take(self, message: SoundNews, now: float) -> None:
        clause = next((c for c in self._clauses.values() if c.request == message.request), None)
        if clause is None:
            return
        if isinstance(message, SoundUnknown):
            clause.wanted = True  # also when it comes too late for this turn
            clause.due = math.inf
        elif clause.asking and isinstance(message, SoundAwaited):
            clause.due = now + self._work.settings.sound_cache.together_ms / 1000
        elif clause.asking and isinstance(message, SoundKnown):
            clause.frames, clause.engine, clause.due = message.frames, message.engine, math.inf

    def deadline(self) -> float | None:
        return min((c.due for c in self._clauses.values() if c.asking), default=None)

    def time(self, now: float) -> None:
        for clause in self._clauses.values():
            if now >= clause.due:
                clause.due = math.inf

    # --- what was spoken instead ---

    def begins(self, number: int) -> None:
        """A voice begins to speak this clause, from its start."""
        clause = self._clauses.get(number)
        if clause is not None:
            clause.made.clear()

    def made(self, number: int, frames: tuple[bytes, ...]) -> None:
        clause = self._clauses.get(number)
        if clause is not None:
            clause.made += frames

    def whole(self, number: int, engine: str) -> None:
        """The voice of `engine` has spoken all of it."""
        clause = self._clauses.get(number)
        if clause is not None and clause.wanted:
            self._keep(clause, engine, tuple(clause.made))

    def stop(self) -> None:
        """What is still wanted will not come."""
        for clause in self._clauses.values():
            self._withdraw(clause)

    def _withdraw(self, clause: _Clause) -> None:
        clause.due = math.inf
        if clause.wanted:
            self._keep(clause, "", ())

    def _keep(self, clause: _Clause, engine: str, frames: tuple[bytes, ...]) -> None:
        clause.wanted = False
        clause.made.clear()
        turn = self._work.turn
        keep = KeepSound(turn, clause.request, clause.text, engine, frames)
        self._work.out.append(ToSounds(keep))
