"""Where questions are answered, in order of arrival: bank, index, and who asks a model.

No actor and no thread: it is given messages and two clocks, and returns what must be
sent. A question that is too old when its turn comes is only overheard: whoever asked
has gone on, but an objection in it still counts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from actors.cache.cacheable import Made, Verdict
from actors.cache.entries import Entry, Hit, Miss, Scope
from actors.cache.index import AnswerIndex
from actors.cache.records import clauses_of, joined
from actors.cache.together import Together
from actors.messages import (
    Address,
    AnswerAwaited,
    AnswerKnown,
    AnswerUnknown,
    AskAnswer,
    LearnAnswer,
)

#: What is to be sent, and to whom.
Post = list[tuple[Address, AnswerKnown | AnswerUnknown | AnswerAwaited]]

#: Scopes that operators' questions look into.
_SCOPES: Final = 16

#: Bank questions whose number of answers is known.
_REPLIES: Final = 1024

#: Another try of the model may succeed where these failed.
_BY_CHANCE: Final = frozenset({"unfinished", "apology", "empty"})

#: Dropped in one sweep; the next one goes on.
SWEPT: Final = 500


class BankReply(Protocol):
    @property
    def clauses(self) -> tuple[str, ...]: ...

    @property
    def emotion(self) -> str: ...


class Bank(Protocol):
    """Common dialogues that are answered from the first minute."""

    def reply(self, question: str, count: int) -> BankReply | None:
        """What to say; `count` grows, so that it is not the same each time."""
        ...


class NoBank:
    def reply(self, question: str, count: int) -> BankReply | None:
        return None


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody who waits."""

    address: Address
    message: AskAnswer


class Desk:
    """One owner. `clock` is monotonic, `wall` gives seconds since the epoch."""

    def __init__(
        self,
        index: AnswerIndex,
        bank: Bank,
        *,
        ask_s: float,
        together_s: float,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.index = index
        self.together: Together[Asked] = Together(together_s)
        self._bank = bank
        self._ask_s = ask_s
        self._clock = clock
        self._wall = wall
        self._scopes: OrderedDict[Scope, None] = OrderedDict()
        self._replies: OrderedDict[str, int] = OrderedDict()
        self._from_bank = 0
        self._late = 0
        self._awaited = 0
        self._saved_ms = 0.0

    # --- sessions ---

    def ask(self, message: AskAnswer, sender: Address, arrived_s: float) -> Post:
        """`arrived_s` by the monotonic clock."""
        scope, asker = Scope(*message.scope), message.turn.session
        self._scopes[scope] = None
        self._scopes.move_to_end(scope)
        if len(self._scopes) > _SCOPES:
            self._scopes.popitem(last=False)
        if message.purpose == "ahead":
            return [] if self._too_late(arrived_s) else [(sender, self._foresee(message, scope))]
        if message.purpose == "said":
            self._count_said(message, scope)
            return []
        if self._too_late(arrived_s):
            return self._overheard(message, scope)
        reply = self.from_bank(message.question)
        if reply is not None:
            self._count_bank(message.question)
            self._overhear(message, scope)
            return [(sender, self._known(message, reply.clauses, reply.emotion, "bank"))]
        found = self.index.ask(
            message.question, scope, self._wall(), asker=asker, context=message.context
        )
        if isinstance(found, Hit):
            if self._too_late(arrived_s):
                self.index.not_said(found, asker)
                self._late += 1
                return []
            return [(sender, self._said(message, found))]
        return self._ask_model(Asked(sender, message), scope, found)

    def learn(self, message: LearnAnswer, sender: Address) -> Post:
        """How the model answered: for the index, and for those who waited for it."""
        scope, asker = Scope(*message.scope), message.turn.session
        key = self.index.entry_id(message.question, scope, message.context)
        learned = self.index.learn(
            message.question,
            joined(message.clauses),
            scope,
            self._wall(),
            made=Made(finished=message.finished, used_tools=message.used_tools),
            context=message.context,
            emotion=message.emotion,
            took_ms=message.took_ms,
            asker=asker,
        )
        if learned.entry is None and learned.verdict.kind in _BY_CHANCE:
            following = self.together.failed(key, asker, self._clock())
            return [] if following is None else [_alone(following, learned.verdict)]
        waited = self.together.answered(key)
        if learned.entry is None:
            return [_alone(asked, learned.verdict, learnable=False) for asked in waited]
        return [self._answer(asked) for asked in waited]

    def time(self) -> Post:
        """Let nobody wait too long. Call it at `next_s`."""
        post: Post = []
        verdict = Verdict(False, "waited", "another session's model has not answered")
        for ended in self.together.time(self._clock()):
            if ended.leads is not None:
                post.append(_alone(ended.leads, verdict))
            post += [_alone(asked, verdict, learnable=False) for asked in ended.others]
        return post

    def next_s(self) -> float | None:
        return self.together.next_s()

    def sweep(self) -> bool:
        """Drop what has expired, in pieces; whether there may be more."""
        return len(self.index.sweep(self._wall(), SWEPT)) == SWEPT

    # --- operators ---

    def scopes(self) -> tuple[Scope, ...]:
        """Those that sessions asked in, the last one first."""
        return tuple(reversed(self._scopes))

    def from_bank(self, question: str) -> BankReply | None:
        """What the phrase bank would say; nothing is counted."""
        return self._bank.reply(question, self._replies.get(self._key(question), 0))

    def figures(self) -> dict[str, Any]:
        """What happened since the start, for the status; another thread may ask."""
        counts = self.index.counts
        hits, misses = {"bank": self._from_bank, **counts.hits}, dict(counts.misses)
        said, missed = sum(hits.values()), sum(misses.values())
        return {
            "entries": len(self.index),
            "capacity": self.index.capacity,
            "hits": hits,
            "hit_rate": said / (said + missed) if said + missed else 0.0,
            "misses": misses,
            "saved_calls": said,
            "saved_ms": round(self._saved_ms),
            "learned": counts.learned,
            "evicted": counts.evicted,
            "expired": counts.expired,
            "struck": counts.struck,
            "forgotten": counts.forgotten,
            "awaited": self._awaited,
            "waiting": self.together.waiting,
            "late": self._late,
            "vector_bytes": self.index.vector_bytes,
            "threshold": self.index.threshold,
        }

    # --- inside ---

    def _foresee(self, message: AskAnswer, scope: Scope) -> AnswerKnown | AnswerUnknown:
        """What will be answered if this turns out to be the question; nothing is counted."""
        reply = self.from_bank(message.question)
        if reply is not None:
            return self._known(message, reply.clauses, reply.emotion, "bank")
        asker, context = message.turn.session, message.context
        found = self.index.foresee(
            message.question, scope, self._wall(), asker=asker, context=context
        )
        if found is None:
            return AnswerUnknown(message.turn, message.request, "not foreseen", False)
        clauses = clauses_of(found.entry.answer)
        return self._known(message, clauses, found.entry.emotion, found.tier)

    def _count_said(self, message: AskAnswer, scope: Scope) -> None:
        """What was foreseen is said: it counts as if it had been asked just now."""
        if self.from_bank(message.question) is not None:
            self._count_bank(message.question)
            self._overhear(message, scope)
            return
        asker, context = message.turn.session, message.context
        found = self.index.ask(message.question, scope, self._wall(), asker=asker, context=context)
        if isinstance(found, Hit):
            self._saved_ms += found.entry.took_ms

    def _key(self, question: str) -> str:
        return self.index.form_of(question).key

    def _count_bank(self, question: str) -> None:
        """The next one who says this is answered in other words."""
        self._from_bank += 1
        key = self._key(question)
        self._replies[key] = self._replies.pop(key, 0) + 1
        if len(self._replies) > _REPLIES:
            self._replies.popitem(last=False)

    def _too_late(self, arrived_s: float) -> bool:
        return self._clock() - arrived_s > self._ask_s

    def _overheard(self, message: AskAnswer, scope: Scope) -> Post:
        self._late += 1
        self._overhear(message, scope)
        return []

    def _overhear(self, message: AskAnswer, scope: Scope) -> None:
        asker, context = message.turn.session, message.context
        self.index.overhear(message.question, scope, self._wall(), asker=asker, context=context)

    def _ask_model(self, asked: Asked, scope: Scope, miss: Miss) -> Post:
        message = asked.message
        unknown = AnswerUnknown(message.turn, message.request, miss.reason, miss.learnable)
        if not miss.learnable or miss.kind == "repeat":
            return [(asked.address, unknown)]
        key = self.index.entry_id(message.question, scope, message.context)
        if self.together.ask(key, message.turn.session, asked, self._clock()) == "lead":
            return [(asked.address, unknown)]
        self._awaited += 1
        return [(asked.address, AnswerAwaited(message.turn, message.request))]

    def _answer(self, asked: Asked) -> tuple[Address, AnswerKnown | AnswerUnknown]:
        """For one who waited: what was learned just now."""
        message = asked.message
        found = self.index.ask(
            message.question,
            Scope(*message.scope),
            self._wall(),
            asker=message.turn.session,
            context=message.context,
        )
        if isinstance(found, Hit):
            return asked.address, self._said(message, found)
        unknown = AnswerUnknown(message.turn, message.request, found.reason, False)
        return asked.address, unknown

    def _said(self, message: AskAnswer, hit: Hit) -> AnswerKnown:
        entry: Entry = hit.entry
        self._saved_ms += entry.took_ms
        return self._known(message, clauses_of(entry.answer), entry.emotion, hit.tier)

    def _known(
        self, message: AskAnswer, clauses: tuple[str, ...], emotion: str, tier: str
    ) -> AnswerKnown:
        return AnswerKnown(message.turn, message.request, clauses, emotion, tier)


def _alone(
    asked: Asked, verdict: Verdict, *, learnable: bool = True
) -> tuple[Address, AnswerUnknown]:
    """Tell one who waited to ask a model."""
    message = asked.message
    unknown = AnswerUnknown(message.turn, message.request, verdict.reason, learnable)
    return asked.address, unknown
