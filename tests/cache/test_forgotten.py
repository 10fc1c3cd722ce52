"""What was forgotten is remembered as long as a copy could live, bounded, in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.cache import news
from actors.cache.forgotten import Forgotten
from actors.cache.pending import EVERYTHING, Ban, Forget, Keep

OWN = b"a" * news.OWN_CHARS
OTHER = b"b" * news.OWN_CHARS


def test_what_was_learned_before_falls_under_it() -> None:
    ledger = Forgotten()
    fact = Forget("a", 100.0, 700.0)
    assert ledger.add(fact, 100.0)
    assert ledger.by("a", 100.0) == fact
    assert ledger.by("a", 100.5) is None
    assert ledger.by("b", 50.0) is None
    assert not ledger.add(fact, 101.0)  # known
    assert not ledger.add(Forget("a", 90.0, 690.0), 101.0)  # says less
    assert not ledger.add(Forget("b", 90.0, 101.0), 101.0)  # is over


def test_a_clearing_covers_everything_and_takes_the_place_of_what_was_before() -> None:
    ledger = Forgotten()
    ledger.add(Forget("a", 100.0, 700.0), 100.0)
    ledger.add(Forget("b", 120.0, 720.0), 100.0)
    everything = Forget(EVERYTHING, 110.0, 710.0)
    assert ledger.add(everything, 110.0)
    assert ledger.by("c", 110.0) == everything
    assert ledger.by("b", 115.0) is not None
    assert ledger.facts(110.0) == (everything, Forget("b", 120.0, 720.0))
    assert ledger.facts(715.0) == (Forget("b", 120.0, 720.0),)


def test_what_is_learned_afterwards_counts_wherever_the_clock_stands() -> None:
    ledger = Forgotten()
    ledger.add(Forget("a", 100.0, 700.0), 90.0)
    assert ledger.after("a", 101.0) == 101.0
    assert ledger.after("a", 95.0) > 100.0
    assert ledger.by("a", ledger.after("a", 95.0)) is None
    assert ledger.after("b", 95.0) == 95.0


def test_it_is_bounded_and_a_clearing_stays() -> None:
    ledger = Forgotten(limit=3)
    ledger.add(Forget(EVERYTHING, 1.0, 700.0), 1.0)
    for number in range(10):
        ledger.add(Forget(f"id{number}", 10.0 + number, 700.0), 10.0)
    assert len(ledger) == 4
    assert ledger.by("id0", 1.0) is not None
    assert ledger.by("id0", 5.0) is None
    assert ledger.by("id9", 5.0) is not None


facts = st.builds(
    lambda i, at_s: Forget(i, float(at_s), at_s + 100.0),
    st.sampled_from((EVERYTHING, "a", "b")),
    st.integers(1, 20),
)


@given(st.lists(facts, max_size=8), st.randoms())
def test_the_order_in_which_it_is_heard_does_not_matter(
    told: list[Forget],
    chance: st.randoms,  # type: ignore[valid-type]
) -> None:
    shuffled = list(told)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = Forgotten(), Forgotten()
    for one, other in zip(told, shuffled, strict=True):
        first.add(one, 0.0)
        second.add(other, 0.0)
    for entry_id in ("a", "b", "c"):
        for learned_s in range(22):
            assert bool(first.by(entry_id, learned_s)) == bool(second.by(entry_id, learned_s))


@pytest.mark.parametrize(
    "fact",
    [
        Forget("0f", 1700000000.1234567, 1700007200.7654321),
        Forget(EVERYTHING, 1700000000.5, 1700007200.5),
        Ban("0f", "上海。 不 是", 1700007200.25),
    ],
)
def test_facts_survive_the_way(fact: news.Fact) -> None:
    assert news.heard(news.told(OTHER, fact), OWN) == fact
    assert news.heard(news.told(OWN, fact), OWN) is None
    assert news.fact_of(news.fact_member(fact), fact.until_s) == fact


def test_a_learned_body_survives_the_way() -> None:
    body = b"\x01\x00 body"
    assert news.heard(news.learned(OTHER, Keep("a", 2.0, 1.0, body)), OWN) == body


@pytest.mark.parametrize("said", [b"X" + OTHER + b"1.0 a", b"F" + OTHER, b"B" + OTHER + b"x y z"])
def test_other_news_are_said_to_be_none(said: bytes) -> None:
    with pytest.raises(ValueError, match=r"neither|float|unpack"):
        news.heard(said, OWN)
