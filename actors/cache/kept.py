"""The answers that are kept in memory: taken in, dropped, banned, and what went is told.

Not an actor and without a clock: every call gets the time. When it is full, the answer
that was not used for longest goes.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from actors.cache.canonical import canonical
from actors.cache.embed import Embedder
from actors.cache.embed import Vectors as Rows
from actors.cache.entries import RULES, Counts, Entry, Scope
from actors.cache.feedback import Bans
from actors.cache.following import Follower, Nobody
from actors.cache.normalise import WAKE_WORDS, normalise
from actors.cache.stock import Stock


class KeptAnswers:
    """One owner, no locks. `follower` keeps a copy."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        capacity: int = 50_000,
        ttl_s: float = 7200.0,
        wake_words: tuple[str, ...] = WAKE_WORDS,
        follower: Follower | None = None,
    ) -> None:
        self.embedder = embedder
        self.capacity = capacity
        self.ttl_s = ttl_s
        self.counts = Counts()
        self._wake_words = wake_words
        self._follower: Follower = follower or Nobody()
        self._bans = Bans()
        self._stocked: Stock | None = None

    def __len__(self) -> int:
        return len(self._stock)

    # --- taking in ---

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

    # --- forgetting ---

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

    def is_banned(self, entry: Entry, now_s: float) -> bool:
        return self._bans.holds(entry.id, entry.answer, now_s)

    # --- looking in ---

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

    # --- inside ---

    def _said(self, question: str) -> str:
        return normalise(question, self._wake_words)

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
