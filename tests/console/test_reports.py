"""One row an actor, in a fixed order."""

from __future__ import annotations

import pytest

from actors.console.reports import listing_order, merged
from actors.messages import ActorReport


def test_an_actor_reported_twice_is_one_row() -> None:
    own = ActorReport(
        "llm/rules-0", "llm worker", 9, "ready", in_flight=2, detail={"healthy": True}
    )
    seen = ActorReport(
        "llm/rules-0", "llm worker", 9, "ready", restarts=3, detail={"last_end": "process ended"}
    )
    whole = ActorReport(
        "llm/rules-0",
        "llm worker",
        9,
        "ready",
        3,
        2,
        {"healthy": True, "last_end": "process ended"},
    )
    assert merged([own, seen]) == merged([seen, own]) == [whole]


@pytest.mark.parametrize(
    ("own", "supervisor", "shown"),
    [
        ("ready", "waiting", "waiting"),
        ("failed", "ready", "failed"),
        ("serving", "ready", "serving"),
        ("ready", "ready", "ready"),
    ],
)
def test_of_two_states_the_worse_counts(own: str, supervisor: str, shown: str) -> None:
    one, other = (ActorReport("a", "x", 9, state) for state in (own, supervisor))
    assert merged([one, other])[0].state == merged([other, one])[0].state == shown


def test_of_two_processes_the_later_counts() -> None:
    stale = ActorReport("a", "x", 8, "ready", in_flight=4)
    replaced = ActorReport("a", "x", 9, "starting", restarts=1)
    assert merged([stale, replaced]) == merged([replaced, stale]) == [replaced]


def test_odd_names_can_be_sorted() -> None:
    names = ["a-²", "a-１", "1a", "", "a", "10", "9"]
    rows = [ActorReport(name, "x", 1, "ready") for name in names]
    assert sorted(row.name for row in sorted(rows, key=listing_order)) == sorted(names)
