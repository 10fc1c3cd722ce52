"""Questions in flight: one leads, the others wait, nobody waits for ever."""

from __future__ import annotations

from actors.cache.together import Ended, Together


def test_the_first_leads_and_the_others_wait_for_the_answer() -> None:
    together: Together[str] = Together(3.0)
    assert together.ask("q", "a", "A", 0.0) == "lead"
    assert together.ask("q", "b", "B", 0.1) == "wait"
    assert together.ask("q", "c", "C", 0.2) == "wait"
    assert together.ask("other", "d", "D", 0.2) == "lead"
    assert together.waiting == 2
    assert together.answered("q") == ("B", "C")
    assert together.answered("q") == ()
    assert together.ask("q", "b", "B", 1.0) == "lead"


def test_a_lead_that_failed_is_handed_over() -> None:
    together: Together[str] = Together(3.0)
    together.ask("q", "a", "A", 0.0)
    together.ask("q", "b", "B", 0.1)
    together.ask("q", "c", "C", 0.2)
    assert together.failed("q", "stranger", 0.5) is None
    assert together.failed("q", "a", 0.5) == "B"
    assert together.failed("q", "a", 0.6) is None
    assert together.failed("q", "b", 0.7) == "C"
    assert together.failed("q", "c", 0.8) is None
    assert len(together) == 0


def test_nobody_waits_beyond_his_patience() -> None:
    together: Together[str] = Together(3.0)
    together.ask("q", "a", "A", 0.0)
    together.ask("q", "b", "B", 1.0)
    assert together.next_s() == 4.0
    assert together.time(3.9) == []
    assert together.time(4.0) == [Ended(None, ("B",))]
    assert together.answered("q") == ()


def test_a_leader_that_vanished_is_replaced() -> None:
    together: Together[str] = Together(3.0)
    together.ask("q", "a", "A", 0.0)
    together.ask("q", "b", "B", 4.0)
    together.ask("q", "c", "C", 4.5)
    assert together.time(6.0) == [Ended("B", ())]
    assert together.answered("q") == ("C",)
    together.ask("q", "a", "A", 10.0)
    assert together.time(16.0) == []
    assert together.next_s() is None


def test_who_comes_after_the_lead_is_over_leads_for_those_who_wait() -> None:
    together: Together[str] = Together(3.0)
    together.ask("q", "a", "A", 0.0)
    together.ask("q", "b", "B", 5.0)
    assert together.ask("q", "c", "C", 6.5) == "lead"
    assert together.answered("q") == ("B",)


def test_who_asks_again_is_waited_for_once() -> None:
    together: Together[str] = Together(3.0)
    together.ask("q", "a", "A", 0.0)
    assert together.ask("q", "a", "A2", 0.1) == "lead"
    together.ask("q", "b", "B", 0.2)
    assert together.ask("q", "b", "B2", 0.3) == "wait"
    assert together.answered("q") == ("B2",)


def test_it_is_bounded() -> None:
    together: Together[int] = Together(3.0, questions=2, waiting=1)
    assert together.ask("q", "a", 1, 0.0) == "lead"
    assert together.ask("q", "b", 2, 0.0) == "wait"
    assert together.ask("q", "c", 3, 0.0) == "lead"
    together.ask("r", "a", 4, 0.0)
    assert together.ask("s", "a", 5, 0.0) == "lead"
    assert len(together) == 2
    assert together.answered("s") == ()


def test_without_patience_everybody_leads() -> None:
    together: Together[int] = Together(0.0)
    assert together.ask("q", "a", 1, 0.0) == "lead"
    assert together.ask("q", "b", 2, 0.0) == "lead"
    assert together.waiting == 0
