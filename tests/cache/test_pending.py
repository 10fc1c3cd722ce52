"""Changes that wait: the latest of each answer, bounded, and what is dropped stays dropped."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.cache.pending import Ban, Change, Drop, Forget, Keep, Pending, Use


def keep(entry_id: str, body: bytes = b"new", used_s: float = 1.0) -> Keep:
    return Keep(entry_id, 100.0, used_s, body)


def test_the_latest_change_of_each_is_written_in_order() -> None:
    pending = Pending(10)
    for change in (keep("a"), keep("b"), Drop("a", "forgotten"), Use("b", 9.0), Ban("a", "x", 5.0)):
        pending.push(change)
    assert pending.take(10) == (
        False,
        [Drop("a", "forgotten"), keep("b", used_s=9.0), Ban("a", "x", 5.0)],
    )
    assert len(pending) == 0


def test_the_use_of_what_is_dropped_is_nothing() -> None:
    pending = Pending(10)
    pending.push(Drop("a", "struck"))
    pending.push(Use("a", 2.0))
    assert pending.take(10)[1] == [Drop("a", "struck")]


def test_what_could_not_be_written_comes_first_but_not_over_what_is_newer() -> None:
    pending = Pending(10)
    pending.push(keep("a", b"old"))
    pending.push(keep("b", b"old"))
    pending.push(keep("c", b"old"))
    taken = pending.take(10)
    pending.push(keep("b", b"new"))
    pending.push(Use("c", 7.0))
    pending.give_back(*taken)
    assert pending.take(10)[1] == [keep("a", b"old"), keep("b", b"new"), keep("c", b"old", 7.0)]


def test_clearing_comes_before_what_follows_and_undoes_what_was() -> None:
    pending = Pending(10)
    pending.push(keep("a"))
    taken = pending.take(1)
    pending.push(keep("b"))
    pending.clear()
    pending.give_back(*taken)
    pending.push(keep("c"))
    assert len(pending) == 2
    assert pending.take(10) == (True, [keep("c")])
    pending.give_back(True, [keep("c")])
    assert pending.take(10) == (True, [keep("c")])


def test_when_full_additions_go_before_removals() -> None:
    pending = Pending(2)
    for change in (Drop("a", "forgotten"), keep("b"), keep("c")):
        pending.push(change)
    assert pending.take(10)[1] == [Drop("a", "forgotten"), keep("c")]
    assert pending.lost == 1


changes = st.sampled_from("abc").flatmap(
    lambda i: st.sampled_from((keep(i), Use(i, 2.0), Drop(i, "forgotten"), Ban(i, "x", 3.0)))
)


@given(st.lists(changes, max_size=20), st.integers(1, 4))
def test_it_never_holds_more_than_its_limit(pushed: list[Change], limit: int) -> None:
    pending = Pending(limit)
    for number, change in enumerate(pushed):
        pending.push(change)
        if number % 5 == 4:
            taken = pending.take(2)
            pending.push(change)
            pending.give_back(*taken)
        assert len(pending) <= limit


def test_a_forgetting_waits_beside_what_is_learned_after_it() -> None:
    pending = Pending(10)
    fact = Forget("a", 5.0, 100.0)
    for change in (keep("a", b"old"), Drop("a", "forgotten"), fact, keep("a")):
        pending.push(change)
    assert pending.take(10)[1] == [fact, keep("a")]


def test_what_is_discarded_is_not_added_but_its_forgetting_is_told() -> None:
    pending = Pending(10)
    fact = Forget("a", 5.0, 100.0)
    for change in (keep("a"), fact, Use("b", 2.0), Drop("c", "struck"), keep("d")):
        pending.push(change)
    pending.discard(("a", "b", "c", "x"))
    assert pending.take(10)[1] == [fact, Drop("c", "struck"), keep("d")]
