"""The answer cache's index: three tiers over at most 50 000 answers, in memory.

Not an actor and without a clock: every call gets the time. Exact text and canonical
form are dictionary look-ups; only then the question is embedded, its neighbours
are found and each is put before the judgement, so an answer is never given on
likeness alone. When it is full, the answer that was not used for longest goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

from actors.cache.cacheable import Lists, Made, Verdict, cacheable, is_objection, worth_keeping
from actors.cache.canonical import Canonical, canonical
from actors.cache.embed import Embedder
from actors.cache.embed import Vectors as Rows
from actors.cache.entries import RULES, Candidate, Counts, Entry, Explanation, Hit, Miss, Scope
from actors.cache.feedback import STRIKES, Bans, Heard, Listeners, struck
from actors.cache.following import Follower, Nobody
from actors.cache.judgement import compare
from actors.cache.normalise import WAKE_WORDS, normalise
from actors.cache.stock import Stock


@dataclass(frozen=True, slots=True)
class Learned:
    """`entry` is None where nothing was learned; `evicted` are ids that had to go."""

    entry: Entry | None
    verdict: Verdict
    evicted: tuple[str, ...] = ()


class AnswerIndex:
    """Ask, learn, forget, why. One owner, no locks."""

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
        self.embedder = embedder
        self.capacity = capacity
        self.ttl_s = ttl_s
        self.threshold = embedder.threshold if threshold is None else threshold
        self.lists = lists or Lists()
        self.counts = Counts()
        self._candidates = candidates
        self._wake_words = wake_words
        self._follower: Follower = follower or Nobody()
        self._bans = Bans()
        self._listeners = Listeners()
        self._stocked: Stock | None = None

    def __len__(self) -> int:
        return len(self._stock)

    # --- asking -------------------------------------------------------------------

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
        same = self._same(canonical(said), scope, before, now_s) if verdict.cacheable else None
        if same is not None and self._listeners.repeats(asker, same.entry.id, now_s):
            self._strike(same.entry.id, now_s)
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
        return _identity(canonical(said), scope, before)

    def why(self, question: str, scope: Scope, now_s: float, *, context: str = "") -> Explanation:
        """What `ask` would answer and how it comes to that; nothing is counted or changed."""
        said = self._said(question)
        form = canonical(said)
        verdict, before = self._verdict(said, context)
        outcome, near = self._find(said, scope, before, now_s, thorough=True)
        if is_objection(said) or not verdict.cacheable:
            outcome = Miss(verdict.kind, verdict.reason, False)
        return Explanation(question, form.text, form.key, verdict, outcome, near)

    # --- learning -------------------------------------------------------------------

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

    def put(self, entry: Entry, now_s: float, vector: Rows | None = None) -> tuple[str, ...]:
        """Take in an entry as it is (import, warm start, another instance); ids that had to go.

        `vector` is what `vector_of` gave for it, under the same embedder.
        """
        if entry.expires_s <= now_s or self.capacity < 1:
            return ()
        entry, vector = self._read(entry, vector)
        evicted = self._stock.make_room() if entry.id not in self._stock else ()
        self.counts.evicted += len(evicted)
        self._stock.put(entry, vector)
        if evicted:
            self._follower.gone(evicted, "evicted")
        return evicted

    def restore(self, entry: Entry, now_s: float, vector: Rows | None = None) -> bool:
        """Take in an entry of before, if there is room and nothing newer; whether it was.

        The one used last must come first: each is put behind those that are there.
        """
        if entry.expires_s <= now_s or self._stock.full or entry.id in self._stock:
            return False
        if self._bans.holds(entry.id, entry.answer, now_s):
            return False
        entry, vector = self._read(entry, vector)
        if entry.id in self._stock:
            return False
        self._stock.put(entry, vector, unused=True)
        return True

    def vector_of(self, entry_id: str) -> Rows | None:
        return self._stock.vector_of(entry_id)

    # --- forgetting -------------------------------------------------------------------

    def forget(self, entry_id: str, *, told: bool = True) -> bool:
        """Drop one entry; whether it was there. `told`: those who keep copies hear of it."""
        entry = self._stock.get(entry_id)
        if entry is None:
            return False
        self._stock.drop(entry_id)
        self.counts.forgotten += 1
        if told:
            self._follower.forgotten(entry, "forgotten")
        return True

    def forget_question(self, question: str) -> tuple[str, ...]:
        """Drop every entry with this question, in every scope and context; their ids."""
        key = canonical(self._said(question)).key
        ids = [entry.id for entry in self._stock.entries() if entry.form.key == key]
        return tuple(entry_id for entry_id in ids if self.forget(entry_id))

    def clear(self, scope: Scope | None = None) -> int:
        """Drop everything, or everything of one scope; how many. Bans end with everything."""
        if scope is not None:
            ids = [entry.id for entry in self._stock.entries() if entry.scope == scope]
            return sum(self.forget(entry_id) for entry_id in ids)
        count = len(self._stock)
        self._stock.clear()
        self._bans.clear()
        self.counts.forgotten += count
        return count

    def sweep(self, now_s: float, at_most: int | None = None) -> tuple[str, ...]:
        """Drop what has expired; the ids. An expired entry is never said, swept or not."""
        expired = (entry.id for entry in self._stock.entries() if entry.expires_s <= now_s)
        ids = tuple(islice(expired, at_most))
        for entry_id in ids:
            self._stock.drop(entry_id)
        self.counts.expired += len(ids)
        self._bans.sweep(now_s)
        if ids:
            self._follower.gone(ids, "expired")
        return ids

    def ban(self, entry_id: str, answer: str, until_s: float) -> bool:
        """Another instance's listeners objected to this answer too often; whether it was here."""
        self._bans.add(entry_id, answer, until_s)
        entry = self._stock.get(entry_id)
        banned = entry is not None and entry.answer == answer
        if banned:
            self._stock.drop(entry_id)
        return banned

    def bans(self, now_s: float) -> tuple[tuple[str, str, float], ...]:
        """(id, answer, until when) of every answer that may not be learned now."""
        return self._bans.all(now_s)

    def object_to(self, entry_id: str, now_s: float) -> None:
        """Negative feedback on one entry from elsewhere (a button, another instance)."""
        self._strike(entry_id, now_s)

    def is_banned(self, entry: Entry, now_s: float) -> bool:
        return self._bans.holds(entry.id, entry.answer, now_s)

    # --- looking in ---------------------------------------------------------------------

    def entries(self) -> tuple[Entry, ...]:
        """All entries, the least recently used first (export)."""
        return self._stock.entries()

    def ids(self) -> tuple[str, ...]:
        return self._stock.ids()

    def entry(self, entry_id: str) -> Entry | None:
        return self._stock.get(entry_id)

    @property
    def vector_bytes(self) -> int:
        return self._stock.vector_bytes

    # --- inside -------------------------------------------------------------------------

    def _said(self, question: str) -> str:
        return normalise(question, self._wake_words)

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
        form = canonical(said)
        hit = self._same(form, scope, before, now_s)
        if hit is not None and not thorough:
            return hit, ()
        near = self._judged(form, (str(scope), before), now_s, thorough=thorough)
        hit = hit or next((found for found, _ in near if found is not None), None)
        candidates = tuple(candidate for _, candidate in near)
        return hit or _unknown(candidates), candidates

    def _same(self, form: Canonical, scope: Scope, before: str, now_s: float) -> Hit | None:
        """The answer to the same words, or to the same canonical form."""
        exact = self._stock.live(self._stock.by_text((str(scope), before), form.text), now_s)
        if exact is not None:
            return Hit(exact, "exact", 1.0, "the same words")
        same = self._stock.live(_identity(form, scope, before), now_s)
        if same is not None:
            return Hit(same, "canonical", 1.0, f"the same question: {form.key}")
        return None

    def _judged(
        self, form: Canonical, place: tuple[str, str], now_s: float, *, thorough: bool
    ) -> list[tuple[Hit | None, Candidate]]:
        """Neighbours by falling similarity, each judged; up to the first that is accepted."""
        if not len(self._stock):
            return []
        vector = self.embedder.embed([form.text])[0]
        near: list[tuple[Hit | None, Candidate]] = []
        found = self._stock.nearest(vector, place, self._candidates, self.threshold)
        for entry_id, similarity in found:
            entry = self._stock.live(entry_id, now_s)
            if entry is None:
                continue
            demanded = max(self.threshold, entry.threshold)
            judged = compare(form, entry.form)
            accepted = judged.accepted and similarity >= demanded
            hit = Hit(entry, "semantic", similarity, judged.reason) if accepted else None
            near.append((hit, Candidate(entry.question, similarity, demanded, judged)))
            if hit is not None and not thorough:
                break
        return near

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

    def _read(self, entry: Entry, vector: Rows | None) -> tuple[Entry, Rows]:
        """An entry under the rules of today, with its vector."""
        if entry.rules != RULES:
            entry = replace(entry, form=canonical(self._said(entry.question)), rules=RULES)
            vector = None
        return entry, self.embedder.embed([entry.form.text])[0] if vector is None else vector

    @property
    def _stock(self) -> Stock:
        if self._stocked is None:  # only now: a model that tells its dimensions loads itself
            self._stocked = Stock(self.capacity, self.embedder.dimensions)
        return self._stocked


def _identity(form: Canonical, scope: Scope, before: str) -> str:
    return Entry("", "", scope, 0.0, 0.0, form, before).id


def _unknown(candidates: tuple[Candidate, ...]) -> Miss:
    if not candidates:
        return Miss("unknown", "nothing like it was learned", True)
    nearest = candidates[0]
    accepted = nearest.judgement.accepted
    said = "the nearest is not near enough" if accepted else "the nearest was refused"
    reason = f"{said}: {nearest.question} ({nearest.judgement.reason})"
    return Miss("refused", reason, True)
