"""Messages that overtake each other are put in order again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.ordering import MAX_AHEAD, InOrder


@given(st.permutations(range(12)), st.lists(st.integers(0, 11), max_size=10))
def test_any_order_with_repetitions_comes_out_in_order_once(
    arrivals: list[int], again: list[int]
) -> None:
    order: InOrder[int] = InOrder()
    out = [item for sequence in [*arrivals, *again] for item in order.push(sequence, sequence)]
    assert out == list(range(12))


@given(st.integers(1, 20))
def test_nothing_comes_out_behind_a_gap(gap: int) -> None:
    order: InOrder[int] = InOrder()
    out = [item for n in range(30) if n != gap for item in order.push(n, n)]
    assert out == list(range(gap))
    assert order.push(gap, gap) == list(range(gap, 30))


def test_what_is_absurdly_far_ahead_is_not_kept() -> None:
    order: InOrder[str] = InOrder()
    assert order.push(MAX_AHEAD + 1, "far") == []
    assert order.push(0, "first") == ["first"]
