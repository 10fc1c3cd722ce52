"""How an answer leaves: subtitles before their frames, frames on the grid, the end after all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.session.playout import Frame, Playout, Subtitle

FRAME_S = 0.06
MARGIN_S = 0.24


def playout(lead: int = 2) -> Playout:
    made = Playout(60, lead, MARGIN_S)
    made.open(10.0)
    return made


def packets(clause: int, count: int) -> list[bytes]:
    return [f"{clause}.{n}".encode() for n in range(count)]


def say(out: Playout, clause: int, count: int) -> None:
    out.subtitle(clause, f"clause {clause}")
    out.frames(clause, packets(clause, count))


def drain(out: Playout, now: float = 10.0) -> list[tuple[float, Subtitle | Frame]]:
    """Poll at each due time until nothing is due."""
    left: list[tuple[float, Subtitle | Frame]] = []
    while (due := out.next_due()) is not None:
        now = max(now, due)
        sent = out.poll(now)
        assert sent, "due, and nothing was sent: a busy loop"
        left += [(now, item) for item in sent]
    return left


def names(left: list[tuple[float, Subtitle | Frame]]) -> list[str]:
    return [i.text if isinstance(i, Subtitle) else i.opus.decode() for _, i in left]


def test_nothing_leaves_before_the_device_is_ready() -> None:
    out = playout()
    say(out, 0, 3)
    assert out.poll(9.99) == []
    assert out.next_due() == 10.0
    assert len(out.poll(10.0)) == 3  # a subtitle and the lead


def test_a_subtitle_leaves_with_its_first_frame() -> None:
    out = playout()
    out.subtitle(0, "one")
    assert out.poll(10.0) == []
    assert out.next_due() is None
    out.frames(0, packets(0, 4))
    say(out, 1, 2)
    out.complete()
    left = drain(out)
    assert names(left) == ["one", "0.0", "0.1", "0.2", "0.3", "clause 1", "1.0", "1.1"]
    at = dict(zip(names(left), [at for at, _ in left], strict=True))
    assert at["clause 1"] == at["1.0"] > at["0.3"]


def test_timestamps_count_from_the_start_of_the_answer() -> None:
    out = playout()
    say(out, 0, 2)
    say(out, 1, 2)
    stamps = [item.timestamp_ms for _, item in drain(out) if isinstance(item, Frame)]
    assert stamps == [0, 60, 120, 180]


def test_clauses_without_a_frame_are_shown_at_the_end() -> None:
    out = playout()
    out.subtitle(0, "…")
    out.complete()
    assert names(drain(out)) == ["…"]
    assert out.finished_at() is not None


def test_the_end_is_known_when_all_was_sent() -> None:
    out = playout()
    say(out, 0, 5)
    assert out.finished_at() is None
    out.complete()
    assert out.finished_at() is None
    drain(out)
    end = out.finished_at()
    assert end is not None
    assert abs(end - (10.0 + 5 * FRAME_S + MARGIN_S)) < 1e-9
    out.reopen()
    assert out.finished_at() is None


def test_an_empty_answer_ends_at_once() -> None:
    out = playout()
    out.complete()
    assert out.finished_at() == 10.0
    assert out.next_due() is None


def test_a_pause_moves_the_end() -> None:
    out = playout()
    say(out, 0, 2)
    drain(out)
    out.poll(11.0)
    say(out, 1, 1)
    out.complete()
    drain(out, 11.0)
    end = out.finished_at()
    assert end is not None
    assert abs(end - (11.0 + FRAME_S + MARGIN_S)) < 1e-9


def test_what_was_not_sent_can_be_taken_back() -> None:
    out = playout(lead=2)
    say(out, 0, 5)
    say(out, 1, 5)
    out.poll(10.0)
    assert out.withdraw(0) == 2
    assert out.waiting_ms == 300
    assert out.withdraw(1) == 0
    assert out.waiting_ms == 0
    out.frames(1, packets(1, 1))
    assert names(drain(out)) == ["clause 1", "1.0"]


def test_a_dropped_clause_is_not_shown() -> None:
    out = playout()
    say(out, 0, 1)
    out.subtitle(1, "never spoken")
    out.drop(1)
    say(out, 2, 1)
    assert names(drain(out)) == ["clause 0", "0.0", "clause 2", "2.0"]
    assert out.begun_clauses() == {0, 2}


def test_cleared_is_silent() -> None:
    out = playout()
    say(out, 0, 5)
    out.poll(10.0)
    out.clear()
    assert out.next_due() is None
    assert out.poll(11.0) == []
    assert out.waiting_ms == 0
    assert out.begun_clauses() == {0}


@given(
    lead=st.integers(1, 5),
    steps=st.lists(
        st.tuples(st.sampled_from(["frames", "wait", "subtitle", "withdraw"]), st.integers(0, 40)),
        max_size=30,
    ),
)
def test_whatever_comes_the_lead_is_kept_and_the_end_is_behind_all(
    lead: int, steps: list[tuple[str, int]]
) -> None:
    out, now, clause = playout(lead), 10.0, 0
    sent: list[float] = []
    for what, amount in steps:
        if what == "frames":
            out.frames(clause, packets(clause, amount))
        elif what == "subtitle":
            clause += 1
            out.subtitle(clause, "x")
        elif what == "withdraw":
            out.withdraw(clause)
        now += amount / 100 if what == "wait" else 0.0
        sent += [now for item in out.poll(now) if isinstance(item, Frame)]
    out.complete()
    sent += [at for at, item in drain(out, now) if isinstance(item, Frame)]
    played = 0.0
    grace = FRAME_S / 2 if lead == 1 else 0.0
    for at in sent:
        # What the device holds: the rest of what it plays, and what waits behind it.
        played = max(played, at) + FRAME_S
        assert played - at <= lead * FRAME_S + grace + 1e-6
    end = out.finished_at()
    assert end is not None
    if sent:
        assert end >= played + MARGIN_S - grace - 1e-6
