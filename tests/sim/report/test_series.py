"""What the report draws, from records made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sim.report import consumption, series
from sim.swarm.records import (
    ActorSample,
    CrowdSample,
    FaultRecord,
    Phase,
    Recovery,
    ResourceSample,
    Run,
    TurnRecord,
)
from tests.sim.report import runs

EMPTY = runs.empty()


def turn(at_s: float, first_word_ms: float | None = 300.0, **members: Any) -> TurnRecord:
    outcome = "answered" if first_word_ms is not None else "unanswered"
    base = TurnRecord(0, int(at_s * 10), "level", at_s, outcome, ended_s=at_s + 5)
    waits = {"first_word_ms": first_word_ms, "answer_ms": first_word_ms}
    return replace(base, **(waits | members))


def run(*turns: TurnRecord, **members: Any) -> Run:
    phases = (Phase("level", 0.0, 1000.0, 5),)
    return replace(EMPTY, phases=phases, turns=turns, **members)


def test_percentiles_over_time_leave_gaps_where_nobody_spoke() -> None:
    turns = [turn(1, 100), turn(2, 200), turn(3, 900), turn(31, 500), turn(4, None)]
    assert series.over_time(turns, "first_word_ms", 0.5, 10.0) == [
        (5.0, 200),
        None,
        None,
        (35.0, 500),
    ]
    assert series.over_time([], "first_word_ms", 0.5, 10.0) == []


def test_all_dots_are_drawn_or_the_slowest_and_a_choice() -> None:
    few = [turn(n, 100.0 + n) for n in range(10)]
    assert len(series.dots(few, "first_word_ms")) == 10
    many = [turn(n / 10, 100.0 + n % 997) for n in range(10_000)]
    drawn = series.dots(many, "first_word_ms")
    assert len(drawn) <= series.MOST_DOTS
    slowest = sorted((point[1] for point in drawn), reverse=True)[:100]
    assert slowest == sorted((t.first_word_ms or 0 for t in many), reverse=True)[:100]


def test_a_cumulative_curve_ends_with_the_slowest() -> None:
    curve = series.cumulative([float(n) for n in range(1, 1001)])
    assert curve[-1] == (1000.0, 100.0)
    assert {share: value for value, share in curve}[50.0] == 500.0
    assert series.cumulative([]) == []


def test_only_counted_phases_count() -> None:
    phases = (Phase("warm-up", 0, 10, 5, counted=False), Phase("level", 10, 20, 5))
    whole = replace(
        EMPTY, phases=phases, turns=(turn(1, phase="warm-up"), turn(11), turn(12, None))
    )
    assert [each.intended_s for each in series.counted_turns(whole)] == [11, 12]


def recovery(kind: str, ready_s: float | None, gone_s: float = 0.02) -> Recovery:
    return Recovery(f"{kind}-0", kind, 1, ready_s is not None, gone_s, None, 2, None, ready_s)


def test_a_fault_has_its_row_and_lasts_until_it_is_over() -> None:
    faults = (
        FaultRecord(10, "kill", "any", recovery=recovery("asr", 0.3)),
        FaultRecord(20, "kill", "any", recovery=recovery("asr", None)),
        FaultRecord(50, "kill", "any", "gone already", ok=False),
        FaultRecord(60, "proxy", "proxy:db", until_s=70),
    )
    assert [series.fault_lane(fault) for fault in (faults[0], faults[3])] == ["asr", "proxy:db"]
    assert [series.fault_end(fault) for fault in faults] == [10.3, 20, 50, 70]


def test_turns_are_parted_by_whether_they_felt_a_fault() -> None:
    faults = (
        FaultRecord(100, "kill", "any", recovery=recovery("asr", 0.5)),
        FaultRecord(101, "kill", "any", recovery=recovery("asr", 9.0)),
        FaultRecord(500, "kill", "any", "not done", ok=False),
    )
    turns = [turn(at) for at in (50, 94, 95.5, 105, 112.9, 113.1, 500)]
    felt, calm = series.with_and_without_faults(run(*turns, faults=faults))
    assert [each.intended_s for each in felt] == [95.5, 105, 112.9]
    assert [each.intended_s for each in calm] == [50, 94, 113.1, 500]


def test_the_crowd_is_summed_over_the_generators() -> None:
    crowd = (
        CrowdSample(0.0, 5, 1, 0, 0, generator=0),
        CrowdSample(0.2, 7, 2, 0, 1, generator=1),
        CrowdSample(30.0, 6, 0, 0, 0, generator=0),
    )
    lines = series.crowd(run(crowd=crowd))
    assert [count for _at, count in lines["connected"]] == [12, 13]
    assert [count for _at, count in lines["speaking"]] == [3, 2]


def sample(at_s: float, **cpu: float) -> ResourceSample:
    actors = tuple(ActorSample(name, 1, value, 10.0) for name, value in cpu.items())
    total = ActorSample("total", len(actors), sum(cpu.values()), 10.0 * len(actors))
    return ResourceSample(at_s, total, actors)


def test_actors_are_stacked_the_dearest_at_the_bottom() -> None:
    samples = [sample(0, asr=5, llm=20, tts=1, router=2), sample(2, asr=6, llm=30)]
    names = consumption.actor_names(samples, lambda a: a.cpu_percent, most=3)
    assert names == ["llm", "asr", "others"]
    layers = consumption.stacked(samples, names, lambda a: a.cpu_percent)
    assert [upper for _lower, upper in layers] == [
        [(0, 20), (2, 30)],
        [(0, 25), (2, 36)],
        [(0, 28), (2, 36)],
    ]
    assert layers[1][0] == layers[0][1]


def test_costs_are_means_and_peaks_with_the_total_last() -> None:
    told = run(resources=(sample(0, asr=5, llm=20), sample(2, asr=7)))
    llm, asr, total = consumption.costs(told)
    assert (llm.name, llm.cpu_percent) == ("llm", 20)
    assert (asr.cpu_percent, asr.cpu_most, asr.pss_mib) == (6, 7, 10)
    assert (total.name, total.cpu_percent) == ("total", 16)
    assert consumption.costs(EMPTY) == []


def test_a_leak_is_told_from_none_and_short_runs_say_nothing() -> None:
    leaking = runs.run(levels=(5,), minutes=15, faults=False, leak_mib_per_hour=400)
    verdicts = {trend.figure: trend.verdict for trend in consumption.soaked(leaking)}
    assert verdicts["memory, MiB"] == "leak"
    assert verdicts["descriptors"] == "no leak"
    assert verdicts["processes"] == "no leak"
    assert consumption.soaked(runs.run(levels=(5,), minutes=2, faults=False)) == ()
    assert consumption.soaked(EMPTY) == ()


def test_each_kind_of_trouble_comes_before_more_of_the_same() -> None:
    turns = [
        turn(1, None, faults=("no answer",)),
        turn(2, None, faults=("no answer",)),
        turn(3, 200, faults=("wrong answer",)),
        turn(4, None, outcome="disconnected", faults=("disconnected",)),
        turn(5, 5000),
        turn(6, 300),
        turn(7, 400),
    ]
    told = run(*turns)
    assert [each.intended_s for each in series.worst(told, lost=4, slow=2)] == [1, 4, 3, 2, 5, 7]
    assert series.worst(EMPTY) == []


@pytest.mark.parametrize("figure", ["first_word_ms", "stt_ms"])
def test_latencies_are_found_by_member_and_by_hop(figure: str) -> None:
    one = turn(1, 300, hops={"stt_ms": 120.0})
    assert series.values([one, turn(2, None)], figure) == [300 if figure[0] == "f" else 120]
