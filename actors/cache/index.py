"""The answer cache's index: three tiers over at most 50 000 answers, in memory.

Not an actor and without a clock: every call gets the time. What is asked, learned and
objected to; how an answer is found is `lookup`'s part, keeping it that of `kept`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from actors.cache.cacheable import Lists, Made, Verdict, cacheable, is_objection, worth_keeping
from actors.cache.canonical import Canonical, canonical
from actors.cache.embed import Embedder
from actors.cache.entries import Candidate, Entry, Explanation, Hit, Miss, Scope
from actors.cache.feedback import STRIKES, Heard, Listeners, struck
from actors.cache.following import Follower
from actors.cache.kept import KeptAnswers
from actors.cache.lookup import Likeness, Sought, same, unknown
from actors.cache.normalise import WAKE_WORDS


@dataclass(frozen=True, slots=True)
class Learned:
    """`entry` is None where nothing was learned; `evicted` are ids that had to go."""

    entry: Entry | None
    verdict: Verdict
    evicted: tuple[str, ...] = ()


class AnswerIndex(KeptAnswers):
    """Ask, learn, why. One owner, no locks."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        capacity: int = 50_000,
        ttl_s: float = 7200.0,
        candidates: int = 8,
        threshold: float | None = None,
        lists: Lists | None = None,
        wake_words: tuple[str, ...] = WAKE_WORDS,
        follower: Follower | None = None,
    ) -> None:
        """`threshold` replaces the embedder's own; `candidates` are judged per question."""
        super().__init__(
            embedder, capacity=capacity, ttl_s=ttl_s, wake_words=wake_words, follower=follower
        )
        self.threshold = embedder.threshold if threshold is None else threshold
        self.lists = lists or Lists()
        self._candidates = candidates
        self._listeners = Listeners()

    # --- asking ---

    def ask(
        self, question: str, scope: Scope, now_s: float, *, asker: str = "", context: str = ""
    ) -> Hit | Miss:
        """The answer to say, or why there is none.

        `asker` (a session) makes objections and quick repeats count. `context` is the
        question before: one that leans on it is looked up together with it only.
        """
        said = self._said(question)
        if is_objection(said):
            self._objected(asker, now_s)
            return self._missed(Miss("objection", "it objects to the last answer", False))
        verdict, before = self._verdict(said, context)
        if not verdict.cacheable:
            return self._missed(Miss(verdict.kind, verdict.reason, False), asker)
        found, _ = self._find(said, scope, before, now_s)
        if isinstance(found, Miss):
            return self._missed(found, asker)
        entry_id = found.entry.id
        if self._listeners.repeats(asker, entry_id, now_s):
            self._strike(entry_id, now_s)
            return self._missed(Miss("repeat", "the same was asked again at once", True))
        hit = replace(found, entry=replace(found.entry, hits=found.entry.hits + 1))
        self._stock.change(hit.entry)
        self._stock.used(entry_id)
        self._follower.used(entry_id, now_s)
        self.counts.hits[hit.tier] += 1
        self._listeners.heard(asker, hit, now_s)
        return hit

    def foresee(
        self, question: str, scope: Scope, now_s: float, *, asker: str = "", context: str = ""
    ) -> Hit | None:
        """What `ask` would answer if this were asked now; nothing is counted or changed."""
        said = self._said(question)
        verdict, before = self._verdict(said, context)
        if is_objection(said) or not verdict.cacheable:
            return None
        found, _ = self._find(said, scope, before, now_s)
        if isinstance(found, Miss) or self._listeners.would_repeat(asker, found.entry.id, now_s):
            return None
        return found

    def overhear(
        self, question: str, scope: Scope, now_s: float, *, asker: str, context: str = ""
    ) -> None:
        """A question that somebody else answers by now: what it says of the last answer counts.

        Nothing is looked up by likeness, and nothing is counted as asked.
        """
        said = self._said(question)
        if is_objection(said):
            self._objected(asker, now_s)
            return
        verdict, before = self._verdict(said, context)
        if verdict.cacheable:
            hit = same(self._stock, Sought(canonical(said), scope, before), now_s)
            if hit is not None and self._listeners.repeats(asker, hit.entry.id, now_s):
                self._strike(hit.entry.id, now_s)
        self._listeners.forget(asker)

    def not_said(self, hit: Hit, asker: str) -> None:
        """Take back a hit that came too late to be said."""
        self._listeners.forget(asker)
        self.counts.hits[hit.tier] -= 1

    def answered_otherwise(self, asker: str) -> None:
        """This asker heard something that is no entry: an objection is not about one."""
        self._listeners.forget(asker)

    def may_keep(self, question: str) -> Verdict:
        """Whether this question, by itself, is ever answered from here."""
        return self._verdict(self._said(question), "")[0]

    def form_of(self, question: str) -> Canonical:
        return canonical(self._said(question))

    def entry_id(self, question: str, scope: Scope, context: str = "") -> str:
        """The id that an answer to this question has or would have; the same for the same."""
        said = self._said(question)
        _, before = self._verdict(said, context)
        return Sought(canonical(said), scope, before).id

    def why(self, question: str, scope: Scope, now_s: float, *, context: str = "") -> Explanation:
        """What `ask` would answer and how it comes to that; nothing is counted or changed."""
        said = self._said(question)
        form = canonical(said)
        verdict, before = self._verdict(said, context)
        outcome, near = self._find(said, scope, before, now_s, thorough=True)
        if is_objection(said) or not verdict.cacheable:
            outcome = Miss(verdict.kind, verdict.reason, False)
        return Explanation(question, form.text, form.key, verdict, outcome, near)

    # --- learning ---

    def learn(
        self,
        question: str,
        answer: str,
        scope: Scope,
        now_s: float,
        *,
        made: Made | None = None,
        context: str = "",
        emotion: str = "",
        took_ms: float = 0.0,
        asker: str = "",
    ) -> Learned:
        """Keep a model's answer, where question and answer both are of the kind to keep.

        `asker` heard it from the model: an objection to it counts.
        """
        said = self._said(question)
        verdict, before = self._verdict(said, context)
        if verdict.cacheable:
            verdict = worth_keeping(answer, made or Made(), said)
        if not verdict.cacheable:
            return Learned(None, verdict)
        until_s = now_s + self.ttl_s
        form = canonical(said)
        answer = answer.strip()
        entry = Entry(
            question, answer, scope, now_s, until_s, form, before, emotion, took_ms=took_ms
        )
        if self._bans.holds(entry.id, answer, now_s):
            return Learned(None, Verdict(False, "banned", "this answer was objected to"))
        if self.capacity < 1:
            return Learned(None, Verdict(False, "full", "the cache has room for no answer"))
        entry = replace(entry, learned_s=self._follower.learned_s(entry.id, now_s))
        old = self._stock.get(entry.id)
        if old is not None:
            strikes = old.strikes if old.answer == answer else 0
            entry = replace(entry, hits=old.hits, threshold=old.threshold, strikes=strikes)
        evicted = self.put(entry, now_s)
        self.counts.learned += 1
        self._follower.kept(entry)
        self._listeners.told(asker, entry.id, now_s)
        return Learned(entry, verdict, evicted)

    def object_to(self, entry_id: str, now_s: float) -> None:
        """Negative feedback on one entry from elsewhere (a button, another instance)."""
        self._strike(entry_id, now_s)

    # --- inside ---

    def _verdict(self, said: str, context: str) -> tuple[Verdict, str]:
        """May it be kept, and beside which question before it ("" for by itself)."""
        verdict = cacheable(said, self.lists)
        if verdict.kind != "context" or not context:
            return verdict, ""
        before = self._said(context)
        if not cacheable(before, self.lists).cacheable:
            return verdict, ""
        return Verdict(True, "in context", "beside the question before"), canonical(before).key

    def _find(
        self, said: str, scope: Scope, before: str, now_s: float, *, thorough: bool = False
    ) -> tuple[Hit | Miss, tuple[Candidate, ...]]:
        sought = Sought(canonical(said), scope, before)
        hit = same(self._stock, sought, now_s)
        if hit is not None and not thorough:
            return hit, ()
        likeness = Likeness(self.embedder, self.threshold, self._candidates)
        near = likeness.judged(self._stock, sought, now_s, thorough=thorough)
        hit = hit or next((found for found, _ in near if found is not None), None)
        candidates = tuple(candidate for _, candidate in near)
        return hit or unknown(candidates), candidates

    def _missed(self, miss: Miss, asker: str = "") -> Miss:
        """Count it; whoever hears another answer now objects to that, if at all."""
        self.counts.missed(miss.kind)
        self._listeners.forget(asker)
        return miss

    def _objected(self, asker: str, now_s: float) -> None:
        heard = self._listeners.objected(asker, now_s)
        if heard is not None:
            self._strike(heard.entry_id, now_s, heard)

    def _strike(self, entry_id: str, now_s: float, heard: Heard | None = None) -> None:
        """Count against an entry; with too many strikes it goes, its answer banned for a while."""
        entry = self._stock.get(entry_id)
        if entry is None:
            return
        entry = struck(entry, heard)
        self._stock.change(entry)
        self.counts.struck += 1
        if entry.strikes < STRIKES:
            self._follower.kept(entry)
            return
        until_s = now_s + self.ttl_s
        self._bans.add(entry_id, entry.answer, until_s)
        self._stock.drop(entry_id)
        self._follower.forgotten(entry, "struck")
        self._follower.banned(entry_id, entry.answer, until_s)
