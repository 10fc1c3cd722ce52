"""The measuring command and its data: what it counts is right, and the targets hold."""

from __future__ import annotations

import subprocess
import sys

from actors.cache.embed import NgramEmbedder
from actors.cache.index import AnswerIndex
from sim.datasets.pairs import PARTS, pairs
from sim.datasets.workload import SHARES, intents, workload
from tests.cache.quality import at_threshold, best_possible, cosines, replay


def test_the_pairs_are_many_and_always_the_same() -> None:
    tuned, heldout = pairs("tuned"), pairs("heldout")
    assert len(tuned) >= 600
    assert len(heldout) >= 500
    assert tuned == pairs("tuned")
    strangers = [pair for part in PARTS[2:] for pair in pairs(part)]
    assert len(strangers) == 1460
    assert sum(pair.same for pair in strangers) == 520
    texts = {(pair.first, pair.second) for pair in tuned}
    assert not texts & {(pair.first, pair.second) for pair in heldout}


def test_the_workload_is_as_stated() -> None:
    queries = workload()
    assert len(queries) >= 5000
    assert queries == workload()
    assert abs(sum(SHARES.values()) - 1) < 1e-9
    assert [query.at_s for query in queries] == sorted(query.at_s for query in queries)
    known = {intent.name for intent in intents()}
    assert all(query.intent in known for query in queries if query.kind != "tail")


def test_hits_reach_the_target_without_a_wrong_answer() -> None:
    queries = workload(3000)
    index = AnswerIndex(NgramEmbedder())
    result = replay(queries, index)
    assert result.wrong == []
    assert result.let_in == []
    assert result.hit_rate >= 0.60
    assert result.hit_rate <= best_possible(queries, index.ttl_s)


def test_likeness_alone_gives_wrong_answers() -> None:
    given = pairs("tuned")
    likeness = cosines(given, NgramEmbedder())
    assert at_threshold(given, likeness, 0.85, with_judgement=False).precision < 0.9
    assert at_threshold(given, likeness, 0.35, with_judgement=True).precision == 1.0


def test_the_command_prints_its_figures() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.cache.quality",
            "--part",
            "tuned",
            "--queries",
            "1050",
            "--entries",
            "300",
        ],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    for part in (
        "precision 1.0000",
        "wrong answers 0",
        "plain cosine 0.85",
        "300 entries",
        "evicted",
    ):
        assert part in done.stdout
