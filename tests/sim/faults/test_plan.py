"""The fault time line: read, laid out, and whom it chooses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.faults.plan import PlanError, Target, choose, parse, parse_target, timeline


@dataclass(frozen=True)
class Process:
    pid: int
    name: str
    kind: str
    device: str = ""


TREE = [
    Process(10, "launcher", "launcher"),
    Process(11, "MultiProcAdmin", "admin"),
    Process(12, "logger", "logger"),
    Process(13, "root", "root"),
    Process(14, "router", "router"),
    Process(15, "asr/vosk-0", "asr"),
    Process(16, "llm/rules-0", "llm"),
    *(Process(20 + n, f"session-{n}", "session") for n in range(30)),
]


def test_a_fault_every_five_seconds_for_ten_minutes() -> None:
    plan = timeline(
        parse([{"action": "kill", "target": "any", "at_s": 5, "every_s": 5}]), 600, seed=7
    )
    assert len(plan) == 119
    assert [fault.at_s for fault in plan[:3]] == [5.0, 10.0, 15.0]
    assert [fault.number for fault in plan] == list(range(119))
    assert plan == timeline(
        parse([{"action": "kill", "target": "any", "at_s": 5, "every_s": 5}]), 600, seed=7
    )


def test_repeats_end_by_count_by_time_and_with_the_run() -> None:
    def count(**members: float) -> int:
        line = {"action": "stop", "target": "kind:asr", "every_s": 2, **members}
        return len(timeline(parse([line]), 60, seed=1))

    assert count() == 30
    assert count(count=20) == 20
    assert count(count=200) == 30
    assert count(until_s=10) == 5
    assert count(at_s=100) == 0


def test_lines_are_merged_in_order_of_time_and_independent() -> None:
    first = {"action": "kill", "target": "kind:llm", "at_s": 1, "every_s": 10}
    second = {"action": "stop", "target": "any", "at_s": 2, "every_s": 10, "for_s": 1}
    both = timeline(parse([first, second]), 40, seed=3)
    assert [fault.at_s for fault in both] == [1, 2, 11, 12, 21, 22, 31, 32]
    alone = timeline(parse([first]), 40, seed=3)
    assert [f.choice for f in both if f.action == "kill"] == [f.choice for f in alone]
    assert [f.choice for f in timeline(parse([first]), 40, seed=4)] != [f.choice for f in alone]


def test_the_members_reach_the_plan() -> None:
    settings = {"down": {"latency_ms": 200}}
    line = {
        "action": "proxy",
        "target": "proxy:db",
        "at_s": 3,
        "for_s": 30,
        "settings": settings,
    }
    (fault,) = timeline(parse([line]), 60, seed=0)
    assert fault.target == Target("proxy", "db")
    assert (fault.at_s, fault.for_s, fault.settings) == (3.0, 30.0, settings)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"action": "explode", "target": "any"}, "faults[0].action: is 'explode'"),
        ({"target": "any"}, "faults[0].action: is None"),
        ({"action": "kill"}, "faults[0].target: '' is no target"),
        ({"action": "kill", "target": "router"}, "'router' is no target"),
        ({"action": "kill", "target": "any:thing"}, "'any:thing' is no target"),
        ({"action": "kill", "target": "pid:one"}, "has no process id"),
        ({"action": "kill", "target": "any", "when": 5}, "faults[0].when: is unknown"),
        ({"action": "kill", "target": "any", "at_s": -1}, "at_s: is -1"),
        ({"action": "kill", "target": "any", "at_s": "5"}, "at_s: is '5'"),
        ({"action": "kill", "target": "any", "every_s": 0}, "every_s: is 0"),
        ({"action": "kill", "target": "any", "every_s": 1, "count": 0}, "count: is 0"),
        ({"action": "kill", "target": "any", "count": 3}, "every_s: is missing"),
        ({"action": "kill", "target": "proxy:db"}, "a proxy is no process"),
        ({"action": "proxy", "target": "any", "settings": {"refuse": True}}, "write proxy:NAME"),
        ({"action": "proxy", "target": "proxy:db"}, "settings: is missing"),
        ({"action": "kill", "target": "any", "settings": {"a": 1}}, "means nothing to kill"),
    ],
)
def test_wrong_lines_name_the_field_and_the_fix(line: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError) as problem:
        parse([line])
    assert words in str(problem.value)


def test_too_many_faults_are_refused() -> None:
    line = {"action": "kill", "target": "any", "every_s": 1e-6}
    with pytest.raises(PlanError, match="more than 100000"):
        timeline(parse([line]), 3600, seed=0)


@pytest.mark.parametrize("text", ["any", "any-kind", "launcher", "actor:asr/vosk-0", "part:db"])
def test_targets_print_as_they_are_written(text: str) -> None:
    assert str(parse_target(text)) == text


def chosen(text: str, choice: float) -> str | None:
    found = choose(parse_target(text), TREE, choice)
    return found.name if found else None


def test_targets_choose_among_those_they_mean() -> None:
    assert chosen("actor:router", 0.9) == "router"
    assert chosen("kind:admin", 0.0) == "MultiProcAdmin"
    assert chosen("pid:16", 0.3) == "llm/rules-0"
    assert {chosen("kind:worker", n / 10) for n in range(10)} == {"asr/vosk-0", "llm/rules-0"}
    assert chosen("kind:tts", 0.5) is None
    assert chosen("kind:serving", 0.5) is None
    serving = [*TREE, Process(99, "session-99", "session", "02:00")]
    assert choose(parse_target("kind:serving"), serving, 0.1) == serving[-1]
    assert chosen("launcher", 0.5) is None
    assert choose(parse_target("any"), [], 0.5) is None


def test_any_is_every_process_alike_and_any_kind_every_kind() -> None:
    uniform = [n / 3600 for n in range(3600)]
    every = Counter(chosen("any", choice) for choice in uniform)
    assert "launcher" not in every
    assert set(every.values()) == {100}
    kinds = Counter(
        found.kind
        for choice in uniform
        if (found := choose(parse_target("any-kind"), TREE, choice)) is not None
    )
    assert "launcher" not in kinds
    assert all(abs(count - 3600 / 7) < 2 for count in kinds.values())


@given(st.floats(0, 1, exclude_max=True), st.permutations(TREE))
def test_the_order_of_the_candidates_does_not_matter(choice: float, order: list[Process]) -> None:
    for text in ("any", "any-kind", "kind:session"):
        assert choose(parse_target(text), order, choice) == choose(parse_target(text), TREE, choice)
