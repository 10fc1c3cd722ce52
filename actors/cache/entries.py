"""What the answer cache keeps, what it says when asked, and how it explains itself.

Data only. Times are seconds of whatever clock the caller passes in; an instance
that shares entries with others passes the wall clock.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final, Literal

from actors.cache.cacheable import Verdict
from actors.cache.canonical import Canonical
from actors.cache.judgement import Judgement

#: Changes with the rules: an entry stored under others is read anew.
RULES: Final = "1"

Tier = Literal["exact", "canonical", "semantic"]
TIERS: Final[tuple[Tier, ...]] = ("exact", "canonical", "semantic")


@dataclass(frozen=True, slots=True)
class Scope:
    """Answers are shared only inside one scope: persona, language, tools, model generation."""

    agent: str = ""
    language: str = "zh"
    tools: str = ""
    model: str = ""

    def __str__(self) -> str:
        return "/".join((self.agent, self.language, self.tools, self.model))


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer. `context` is the question before it, for one that leans on that.

    `threshold` is the similarity that this entry alone demands; 0 for the embedder's.
    `took_ms` is what the model needed for its first words: what a hit saves. `form` and
    `rules` spare a restart the reading of every question.
    """

    question: str
    answer: str
    scope: Scope
    learned_s: float
    expires_s: float
    form: Canonical
    context: str = ""
    emotion: str = ""
    hits: int = 0
    strikes: int = 0
    threshold: float = 0.0
    took_ms: float = 0.0
    rules: str = RULES

    @property
    def id(self) -> str:
        """The same for the same question in the same scope, in every instance."""
        named = "\x1f".join((str(self.scope), self.context, self.form.key))
        return hashlib.blake2b(named.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer that may be said. `similarity` is 1.0 where no vector was needed."""

    entry: Entry
    tier: Tier
    similarity: float
    reason: str

    @property
    def answer(self) -> str:
        return self.entry.answer


@dataclass(frozen=True, slots=True)
class Miss:
    """No answer. `learnable`: the model's answer to this question may be learned."""

    kind: str
    reason: str
    learnable: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """One stored question that was near, and what the judgement said of it."""

    question: str
    similarity: float
    threshold: float
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a question hits or misses, for the operator."""

    question: str
    text: str
    key: str
    verdict: Verdict
    outcome: Hit | Miss
    candidates: tuple[Candidate, ...]

    def __str__(self) -> str:
        found = self.outcome
        lines = [
            f"question   {self.question}",
            f"normalised {self.text}",
            f"canonical  {self.key}",
            f"cacheable  {'yes' if self.verdict.cacheable else 'no'}: {self.verdict.reason}",
        ]
        if isinstance(found, Hit):
            said = " ".join(found.answer.split())
            lines.append(
                f"hit        {found.tier}, {found.reason}; {found.entry.question} → {said}"
            )
        else:
            lines.append(f"miss       {found.kind}: {found.reason}")
        for near in self.candidates:
            word = "accepted" if near.judgement.accepted else "refused"
            lines.append(
                f"  {near.similarity:.3f} {near.question}: {word}, {near.judgement.reason}"
            )
        return "\n".join(lines)


@dataclass(slots=True)
class Counts:
    """What happened since the start."""

    hits: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TIERS, 0))
    misses: dict[str, int] = field(default_factory=dict)
    learned: int = 0
    evicted: int = 0
    expired: int = 0
    struck: int = 0
    forgotten: int = 0

    def missed(self, kind: str) -> None:
        self.misses[kind] = self.misses.get(kind, 0) + 1
