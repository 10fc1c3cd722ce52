"""The answer cache's index: three tiers over at most 50 000 answers, in memory.

Not an actor and without a clock: every call gets the time. Exact text and canonical
form are dictionary look-ups; only then the question is embedded, its neighbours
are found and each is put before the judgement, so an answer is never given on
likeness alone. When it is full, the answer that was not used for longest goes.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from actors.cache.cacheable import Lists, Made, Verdict, cacheable, is_objection, worth_keeping
from actors.cache.canonical import Canonical, canonical
from actors.cache.embed import Embedder
from actors.cache.embed import Vectors as Rows
from actors.cache.entries import RULES, Candidate, Counts, Entry, Explanation, Hit, Miss, Scope
from actors.cache.feedback import STRIKES, Heard, Listeners, struck
from actors.cache.judgement import compare
from actors.cache.neighbours import Neighbours
from actors.cache.normalise import WAKE_WORDS, normalise

#: Wordings of one question that the exact tier remembers.
_WORDINGS: Final = 16
_BANNED: Final = 1024
_Text = tuple[str, str, str]


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
        self._entries: OrderedDict[str, Entry] = OrderedDict()  # the least recently used first
        self._texts: dict[_Text, str] = {}
        self._wordings: dict[str, set[_Text]] = {}
        self._banned: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._listeners = Listeners()
        self._neighbours: Neighbours | None = None

    def __len__(self) -> int:
        return len(self._entries)

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
            heard = self._listeners.objected(asker, now_s)
            if heard is not None:
                self._strike(heard.entry_id, now_s, heard)
            return self._missed(Miss("objection", "it objects to the last answer", False))
        verdict, before = self._verdict(said, context)
        if not verdict.cacheable:
            return self._missed(Miss(verdict.kind, verdict.reason, False))
        found, _ = self._find(said, scope, before, now_s)
        if isinstance(found, Miss):
            return self._missed(found)
        entry_id = found.entry.id
        if self._listeners.repeats(asker, entry_id, now_s):
            self._strike(entry_id, now_s)
            return self._missed(Miss("repeat", "the same was asked again at once", True))
        hit = replace(found, entry=replace(found.entry, hits=found.entry.hits + 1))
        self._entries[entry_id] = hit.entry
        self._entries.move_to_end(entry_id)
        self.counts.hits[hit.tier] += 1
        self._listeners.heard(asker, hit, now_s)
        return hit

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
    ) -> Learned:
        """Keep a model's answer, where question and answer both are of the kind to keep."""
        said = self._said(question)
        verdict, before = self._verdict(said, context)
        if verdict.cacheable:
            verdict = worth_keeping(answer, made or Made(), said)
        if not verdict.cacheable:
            return Learned(None, verdict)
        until_s = now_s + self.ttl_s
        form = canonical(said)
        entry = Entry(question, answer.strip(), scope, now_s, until_s, form, before, emotion)
        if self._banned.get((entry.id, entry.answer), 0.0) > now_s:
            return Learned(None, Verdict(False, "banned", "this answer was objected to"))
        old = self._entries.get(entry.id)
        if old is not None:
            strikes = old.strikes if old.answer == entry.answer else 0
            entry = replace(entry, hits=old.hits, threshold=old.threshold, strikes=strikes)
        evicted = self.put(entry, now_s)
        self.counts.learned += 1
        return Learned(entry, verdict, evicted)

    def put(self, entry: Entry, now_s: float, vector: Rows | None = None) -> tuple[str, ...]:
        """Take in an entry as it is (import, warm start, another instance); ids that had to go.

        `vector` is what `vector_of` gave for it, under the same embedder.
        """
        if entry.expires_s <= now_s or self.capacity < 1:
            return ()
        if entry.rules != RULES:
            entry = replace(entry, form=canonical(self._said(entry.question)), rules=RULES)
        evicted = self._make_room() if entry.id not in self._entries else ()
        if vector is None:
            vector = self.embedder.embed([entry.form.text])[0]
        place = (str(entry.scope), entry.context)
        self._near().put(entry.id, vector, place)
        self._entries[entry.id] = entry
        self._entries.move_to_end(entry.id)
        wordings = self._wordings.setdefault(entry.id, set())
        if len(wordings) < _WORDINGS:
            wordings.add((*place, entry.form.text))
            self._texts[(*place, entry.form.text)] = entry.id
        return evicted

    def vector_of(self, entry_id: str) -> Rows | None:
        return self._near().vector_of(entry_id)

    # --- forgetting -------------------------------------------------------------------

    def forget(self, entry_id: str) -> bool:
        """Drop one entry; whether it was there."""
        if entry_id not in self._entries:
            return False
        self._drop(entry_id)
        self.counts.forgotten += 1
        return True

    def forget_question(self, question: str) -> tuple[str, ...]:
        """Drop every entry with this question, in every scope and context; their ids."""
        key = canonical(self._said(question)).key
        ids = [entry_id for entry_id, entry in self._entries.items() if entry.form.key == key]
        return tuple(entry_id for entry_id in ids if self.forget(entry_id))

    def clear(self, scope: Scope | None = None) -> int:
        """Drop everything, or everything of one scope; how many."""
        ids = [i for i, entry in self._entries.items() if scope is None or entry.scope == scope]
        return sum(self.forget(entry_id) for entry_id in ids)

    def sweep(self, now_s: float) -> tuple[str, ...]:
        """Drop what has expired; the ids. An expired entry is never said, swept or not."""
        ids = tuple(i for i, entry in self._entries.items() if entry.expires_s <= now_s)
        for entry_id in ids:
            self._drop(entry_id)
        self.counts.expired += len(ids)
        for key in [key for key, until_s in self._banned.items() if until_s <= now_s]:
            del self._banned[key]
        return ids

    def object_to(self, entry_id: str, now_s: float) -> None:
        """Negative feedback on one entry from elsewhere (a button, another instance)."""
        self._strike(entry_id, now_s)

    # --- looking in ---------------------------------------------------------------------

    def entries(self) -> tuple[Entry, ...]:
        """All entries, the least recently used first (export)."""
        return tuple(self._entries.values())

    def entry(self, entry_id: str) -> Entry | None:
        return self._entries.get(entry_id)

    @property
    def vector_bytes(self) -> int:
        return self._near().size_bytes

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
        hit: Hit | None = None
        exact = self._live(self._texts.get((str(scope), before, form.text)), now_s)
        same = exact or self._live(Entry("", "", scope, 0.0, 0.0, form, before).id, now_s)
        if exact is not None:
            hit = Hit(exact, "exact", 1.0, "the same words")
        elif same is not None:
            hit = Hit(same, "canonical", 1.0, f"the same question: {form.key}")
        if hit is not None and not thorough:
            return hit, ()
        near = self._judged(form, (str(scope), before), now_s, thorough=thorough)
        hit = hit or next((found for found, _ in near if found is not None), None)
        candidates = tuple(candidate for _, candidate in near)
        return hit or _unknown(candidates), candidates

    def _judged(
        self, form: Canonical, place: tuple[str, str], now_s: float, *, thorough: bool
    ) -> list[tuple[Hit | None, Candidate]]:
        """Neighbours by falling similarity, each judged; up to the first that is accepted."""
        if not self._entries:
            return []
        vector = self.embedder.embed([form.text])[0]
        near: list[tuple[Hit | None, Candidate]] = []
        found = self._near().nearest(vector, place, self._candidates, self.threshold)
        for entry_id, similarity in found:
            entry = self._live(entry_id, now_s)
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

    def _live(self, entry_id: str | None, now_s: float) -> Entry | None:
        entry = self._entries.get(entry_id) if entry_id is not None else None
        return entry if entry is not None and entry.expires_s > now_s else None

    def _missed(self, miss: Miss) -> Miss:
        self.counts.missed(miss.kind)
        return miss

    def _strike(self, entry_id: str, now_s: float, heard: Heard | None = None) -> None:
        """Count against an entry; with too many strikes it goes, its answer banned for a while."""
        entry = self._entries.get(entry_id)
        if entry is None:
            return
        entry = struck(entry, heard)
        self._entries[entry_id] = entry
        self.counts.struck += 1
        if entry.strikes < STRIKES:
            return
        self._banned[(entry_id, entry.answer)] = now_s + self.ttl_s
        while len(self._banned) > _BANNED:
            self._banned.popitem(last=False)
        self._drop(entry_id)

    def _make_room(self) -> tuple[str, ...]:
        evicted: list[str] = []
        while len(self._entries) >= self.capacity:
            evicted.append(next(iter(self._entries)))
            self._drop(evicted[-1])
        self.counts.evicted += len(evicted)
        return tuple(evicted)

    def _drop(self, entry_id: str) -> None:
        del self._entries[entry_id]
        self._near().remove(entry_id)
        for wording in self._wordings.pop(entry_id, ()):
            self._texts.pop(wording, None)

    def _near(self) -> Neighbours:
        if self._neighbours is None:
            self._neighbours = Neighbours(self.embedder.dimensions, self.capacity)
        return self._neighbours


def _unknown(candidates: tuple[Candidate, ...]) -> Miss:
    if not candidates:
        return Miss("unknown", "nothing like it was learned", True)
    nearest = candidates[0]
    accepted = nearest.judgement.accepted
    said = "the nearest is not near enough" if accepted else "the nearest was refused"
    reason = f"{said}: {nearest.question} ({nearest.judgement.reason})"
    return Miss("refused", reason, True)
