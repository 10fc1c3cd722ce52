"""Finding the answer to a question: the same words, the same question, or one that is near.

Pure. Exact text and canonical form are dictionary look-ups; only then the question is
embedded, its neighbours are found and each is put before the judgement, so an answer is
never given on likeness alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from actors.cache.canonical import Canonical
from actors.cache.embed import Embedder
from actors.cache.entries import Candidate, Entry, Hit, Miss, Scope
from actors.cache.judgement import compare
from actors.cache.neighbours import Place
from actors.cache.stock import Stock


@dataclass(frozen=True, slots=True)
class Sought:
    """A question in its scope, beside the question `before` ("" for by itself)."""

    form: Canonical
    scope: Scope
    before: str

    @property
    def id(self) -> str:
        """That its answer has, or would have."""
        return Entry("", "", self.scope, 0.0, 0.0, self.form, self.before).id

    @property
    def place(self) -> Place:
        return str(self.scope), self.before


def same(stock: Stock, sought: Sought, now_s: float) -> Hit | None:
    """The answer to the same words, or to the same canonical form."""
    exact = stock.live(stock.by_text(sought.place, sought.form.text), now_s)
    if exact is not None:
        return Hit(exact, "exact", 1.0, "the same words")
    found = stock.live(sought.id, now_s)
    if found is not None:
        return Hit(found, "canonical", 1.0, f"the same question: {sought.form.key}")
    return None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How neighbours are sought: `candidates` of them, from `threshold` up."""

    embedder: Embedder
    threshold: float
    candidates: int

    def judged(
        self, stock: Stock, sought: Sought, now_s: float, *, thorough: bool
    ) -> list[tuple[Hit | None, Candidate]]:
        """Neighbours by falling similarity, each judged; up to the first that is accepted."""
        if not len(stock):
            return []
        vector = self.embedder.embed([sought.form.text])[0]
        near: list[tuple[Hit | None, Candidate]] = []
        found = stock.nearest(vector, sought.place, self.candidates, self.threshold)
        for entry_id, similarity in found:
            entry = stock.live(entry_id, now_s)
            if entry is None:
                continue
            demanded = max(self.threshold, entry.threshold)
            judged = compare(sought.form, entry.form)
            accepted = judged.accepted and similarity >= demanded
            hit = Hit(entry, "semantic", similarity, judged.reason) if accepted else None
            near.append((hit, Candidate(entry.question, similarity, demanded, judged)))
            if hit is not None and not thorough:
                break
        return near


def unknown(candidates: tuple[Candidate, ...]) -> Miss:
    """Why nothing was found."""
    if not candidates:
        return Miss("unknown", "nothing like it was learned", True)
    nearest = candidates[0]
    accepted = nearest.judgement.accepted
    said = "the nearest is not near enough" if accepted else "the nearest was refused"
    reason = f"{said}: {nearest.question} ({nearest.judgement.reason})"
    return Miss("refused", reason, True)
