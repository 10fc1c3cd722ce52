"""python -m tests.cache.quality: how well the answer cache decides, in figures.

Prints, for the labelled pairs of `sim.datasets`: precision of what is accepted and
recall by kind, and both against the threshold beside plain cosine; for the
workload: hits by tier and by embedder and every wrong answer; for a full index:
memory, search time and insertion rate. Deterministic but for the times.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from actors.cache import libraries
from actors.cache.cacheable import cacheable
from actors.cache.embed import Embedder, NgramEmbedder, SentenceEmbedder
from actors.cache.entries import Hit, Scope
from actors.cache.index import AnswerIndex
from actors.cache.judgement import judge
from actors.cache.normalise import normalise
from sim.datasets.pairs import PARTS, Pair, Part, pairs
from sim.datasets.workload import Query, workload

SCOPE = Scope("measured", "zh", "", "1")
THRESHOLDS = (0.20, 0.30, 0.35, 0.40, 0.50, 0.60, 0.70, 0.80, 0.85, 0.90, 0.95)
#: Queries of the workload that fill the cache before hits are counted.
WARM_UP = 1000


@dataclass
class PairResult:
    """Counts over labelled pairs."""

    accepted_same: int = 0
    accepted_different: int = 0
    same: int = 0
    different: int = 0
    wrong: list[Pair] = field(default_factory=list)
    missed: list[Pair] = field(default_factory=list)
    by_kind: dict[str, list[int]] = field(default_factory=dict)

    @property
    def precision(self) -> float:
        accepted = self.accepted_same + self.accepted_different
        return self.accepted_same / accepted if accepted else 1.0

    @property
    def recall(self) -> float:
        return self.accepted_same / self.same if self.same else 1.0

    def count(self, pair: Pair, accepted: bool) -> None:
        if pair.same:
            self.same += 1
            self.accepted_same += accepted
            row = self.by_kind.setdefault(pair.kind, [0, 0])
            row[0] += accepted
            row[1] += 1
        else:
            self.different += 1
            self.accepted_different += accepted
        if pair.same != accepted:
            (self.missed if pair.same else self.wrong).append(pair)


def judged_pairs(part: Part) -> PairResult:
    """The judgement alone over one part of the pairs."""
    result = PairResult()
    for pair in pairs(part):
        result.count(pair, judge(pair.first, pair.second).accepted)
    return result


def _both_cacheable(pair: Pair) -> bool:
    return cacheable(pair.first).cacheable and cacheable(pair.second).cacheable


def cosines(given: Sequence[Pair], embedder: Embedder) -> list[float]:
    first = embedder.embed([normalise(pair.first) for pair in given])
    second = embedder.embed([normalise(pair.second) for pair in given])
    return [float(value) for value in np.sum(first * second, axis=1)]


def at_threshold(
    given: Sequence[Pair], likeness: Sequence[float], threshold: float, *, with_judgement: bool
) -> PairResult:
    result = PairResult()
    for pair, similarity in zip(given, likeness, strict=True):
        accepted = similarity >= threshold
        if with_judgement:
            accepted = accepted and judge(pair.first, pair.second).accepted
        result.count(pair, accepted)
    return result


@dataclass
class WorkloadResult:
    """What happened after the warm-up; a hit is wrong when another intent's answer was given."""

    cacheable: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    kept_out: Counter[str] = field(default_factory=Counter)
    let_in: list[str] = field(default_factory=list)

    @property
    def hit_rate(self) -> float:
        return sum(self.hits.values()) / self.cacheable if self.cacheable else 0.0


def replay(queries: Sequence[Query], index: AnswerIndex, warm_up: int = WARM_UP) -> WorkloadResult:
    """Ask each query at its time; learn what may be learned. The answer names the intent."""
    result = WorkloadResult()
    for number, query in enumerate(queries):
        found = index.ask(query.text, SCOPE, query.at_s)
        counted = number >= warm_up
        if counted and query.cacheable:
            result.cacheable += 1
        if isinstance(found, Hit):
            if found.answer != _answer(query.intent):
                result.wrong.append((query.text, found.entry.question))
            if counted:
                result.hits[found.tier] += 1
            continue
        if not found.learnable:
            if counted and query.cacheable:
                result.kept_out[found.kind] += 1
            continue
        if not query.cacheable:
            result.let_in.append(query.text)
        index.learn(query.text, _answer(query.intent), SCOPE, query.at_s)
    return result


def best_possible(queries: Sequence[Query], ttl_s: float, warm_up: int = WARM_UP) -> float:
    """Hit rate of a cache that knows every intent: only first askings and expiry miss."""
    until_s: dict[str, float] = {}
    hits = counted = 0
    for number, query in enumerate(queries):
        if not query.cacheable:
            continue
        hit = until_s.get(query.intent, 0.0) > query.at_s
        if not hit:
            until_s[query.intent] = query.at_s + ttl_s
        counted += number >= warm_up
        hits += hit and number >= warm_up
    return hits / counted if counted else 0.0


def replay_cosine(
    queries: Sequence[Query], embedder: Embedder, threshold: float, warm_up: int = WARM_UP
) -> tuple[float, int, int]:
    """Plain cosine over the cacheable queries: hit rate, hits, wrong answers (no expiry)."""
    kept: list[str] = []
    rows = np.zeros((0, embedder.dimensions), dtype=np.float32)
    hits = wrong = counted = 0
    for number, query in enumerate(queries):
        if not query.cacheable:
            continue
        vector = embedder.embed([normalise(query.text)])[0]
        likeness = rows @ vector
        best = int(np.argmax(likeness)) if len(kept) else -1
        counted += number >= warm_up
        if best >= 0 and likeness[best] >= threshold:
            hits += number >= warm_up
            wrong += kept[best] != query.intent
        else:
            kept.append(query.intent)
            rows = np.vstack([rows, vector])
    return (hits / counted if counted else 0.0), hits, wrong


def _answer(intent: str) -> str:
    return f"回答 {intent}"


# --- printing --------------------------------------------------------------------


def print_pairs(part: Part, *, names: bool) -> None:
    result = judged_pairs(part)
    print(f"\njudgement, {part} pairs: {result.same} same, {result.different} different")
    print(
        f"  precision {result.precision:.4f} ({result.accepted_different} wrong)"
        f"   recall {result.recall:.3f}"
    )
    kept = [pair for pair in pairs(part) if pair.same and _both_cacheable(pair)]
    known = sum(judge(pair.first, pair.second).accepted for pair in kept)
    print(f"  of the {len(kept)} same pairs that may be cached {known / max(len(kept), 1):.3f}")
    for kind, (accepted, total) in sorted(result.by_kind.items()):
        print(f"    {kind:<14} {accepted:>3} of {total:<3} {accepted / total:6.1%}")
    for title, found in (("wrong", result.wrong), ("missed", result.missed if names else [])):
        for pair in found:
            said = judge(pair.first, pair.second)
            print(f"    {title}: {pair.kind}: {pair.first} | {pair.second} ({said.reason})")


def print_curve(part: Part, embedder: Embedder) -> None:
    given = pairs(part)
    likeness = cosines(given, embedder)
    print(f"\nthreshold, {part} pairs, {embedder.name} (its own: {embedder.threshold:.2f})")
    print("             plain cosine              cosine and judgement")
    print("  from       precision   recall        precision   recall")
    for threshold in THRESHOLDS:
        plain = at_threshold(given, likeness, threshold, with_judgement=False)
        both = at_threshold(given, likeness, threshold, with_judgement=True)
        print(
            f"  {threshold:.2f}       {plain.precision:9.3f} {plain.recall:8.3f}"
            f"        {both.precision:9.3f} {both.recall:8.3f}"
        )


def print_workload(embedder: Embedder, count: int) -> None:
    queries = workload(count)
    cacheable = sum(query.cacheable for query in queries)
    print(
        f"\nworkload: {count} queries, {cacheable} cacheable, first {WARM_UP} warm up; {embedder.name}"
    )
    started = time.perf_counter()
    index = AnswerIndex(embedder)
    result = replay(queries, index)
    spent_ms = (time.perf_counter() - started) / count * 1000
    total = max(result.cacheable, 1)
    print(f"  hit rate of cacheable turns {result.hit_rate:.1%}, wrong answers {len(result.wrong)}")
    print(
        f"    could be at most {best_possible(queries, index.ttl_s):.1%} (first askings and expiry)"
    )
    for tier in ("exact", "canonical", "semantic"):
        print(f"    {tier:<10} {result.hits[tier] / total:6.1%}")
    print(
        f"  of all turns {sum(result.hits.values()) / (count - WARM_UP):.1%}; {spent_ms:.2f} ms a query"
    )
    print(f"  cacheable by the workload but kept out: {dict(result.kept_out)}")
    print(f"  not cacheable but let in: {len(result.let_in)} {sorted(set(result.let_in))[:8]}")
    for text, stored in result.wrong[:20]:
        print(f"    wrong: {text} got the answer to {stored}")
    for threshold in (0.85, 0.7):
        rate, hits, wrong = replay_cosine(queries, embedder, threshold)
        print(
            f"  plain cosine {threshold:.2f}: hit rate {rate:.1%}, {wrong} wrong answers ({hits} hits)"
        )


def print_scale(embedder: Embedder, entries: int) -> None:
    """A full index of made-up questions: memory, insertion, search, and at the limit."""
    chance = np.random.default_rng(5)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    index = AnswerIndex(embedder, capacity=entries)
    started = time.perf_counter()
    for number in range(entries):
        index.learn(f"第{number}号博物馆里有什么", f"{number}号馆里有石头。", SCOPE, 0.0)
    learned_s = time.perf_counter() - started
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    spent: dict[str, list[float]] = {"hit": [], "miss": []}
    for number in chance.integers(0, entries, 200):
        for kind, text in (
            ("hit", f"第{number}号博物馆里有什么"),
            ("miss", f"第{number}号体育馆里有什么"),
        ):
            started = time.perf_counter()
            index.ask(text, SCOPE, 1.0)
            spent[kind].append((time.perf_counter() - started) * 1000)
    print(f"\n{len(index)} entries, {embedder.name}: {entries / learned_s:.0f} learned a second")
    print(f"  memory +{grown_mb:.0f} MB, of it vectors {index.vector_bytes / 1e6:.0f} MB")
    for kind, values in spent.items():
        p50, p95 = np.percentile(values, [50, 95])
        print(f"  {kind}: p50 {p50:.2f} ms, p95 {p95:.2f} ms")
    for number in range(200):
        index.learn(f"第{number}号植物园里有什么", "花。", SCOPE, 2.0)
    print(f"  at the limit: {len(index)} entries after 200 more, {index.counts.evicted} evicted")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cache.quality", description=__doc__)
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--missed", action="store_true", help="name the pairs that were missed")
    parser.add_argument("--queries", type=int, default=6000, help="of the workload; 0: none")
    parser.add_argument("--entries", type=int, default=50_000, help="of the full index; 0: none")
    parser.add_argument(
        "--model", default="", help="also a sentence-transformers model: folder or name"
    )
    options = parser.parse_args()
    started = time.perf_counter()
    libraries.load()
    print(f"language libraries loaded in {time.perf_counter() - started:.2f} s")
    embedders: list[Embedder] = [NgramEmbedder()]
    if options.model:
        embedders.append(SentenceEmbedder(options.model))
    parts: tuple[Part, ...] = PARTS if options.part == "all" else (options.part,)
    for part in parts:
        print_pairs(part, names=options.missed)
        for embedder in embedders:
            print_curve(part, embedder)
    for embedder in embedders:
        if options.queries:
            print_workload(embedder, options.queries)
        if options.entries:
            print_scale(embedder, options.entries)


if __name__ == "__main__":
    main()
