"""Whom a fault cost what: booked once, on the right one."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sim.faults.toll import Toll, missed, stage_of, tolls
from sim.swarm.records import (
    ConnectionRecord,
    DeviceRecord,
    Fault,
    FaultRecord,
    Phase,
    Recovery,
    Run,
    TurnOutcome,
    TurnRecord,
)
from tests.sim.swarm.test_records import INFO


def turn(
    device: int,
    at_s: float,
    outcome: TurnOutcome = "answered",
    faults: tuple[Fault, ...] = (),
    number: int = 0,
) -> TurnRecord:
    """Three seconds of speech, 0.3 s of thinking, an answer of 3.7 s."""
    return TurnRecord(
        device=device,
        turn=number,
        phase="talk",
        intended_s=at_s,
        started_s=at_s,
        ended_s=at_s + 7,
        outcome=outcome,
        speech_ms=3000,
        first_word_ms=300,
        faults=faults,
    )


def fault(
    at_s: float, name: str, signal: str = "kill", device: str = "", **told: float
) -> FaultRecord:
    kind = name.partition("/")[0].partition("-")[0]
    back = Recovery(name, kind, 1, True, 0.01, 0.02, 2, 0.1, 0.2, device=device, **told)
    return FaultRecord(at_s, signal, f"actor:{name}", recovery=back)


def run(turns: tuple[TurnRecord, ...], *faults: FaultRecord, **members: object) -> Run:
    devices = tuple(
        DeviceRecord(n, f"02:{n}", "talker", "auto", 1, "2.4", "cmn", 60) for n in range(4)
    )
    told = Run(INFO, (Phase("talk", 0, 1000, 4),), devices, turns, faults=faults)
    return replace(told, **members)  # type: ignore[arg-type]


def by_name(*runs: Run) -> dict[str, Toll]:
    return {f"{each.actor} {each.signal}".rstrip(): each for each in tolls(runs)}


def test_an_actor_s_fault_touches_whoever_talks_then_a_session_s_its_own_device() -> None:
    turns = (turn(0, 10), turn(1, 12), turn(2, 30))
    found = by_name(
        run(turns, fault(14, "router"), fault(15, "session-3", device="02:1"), fault(100, "root"))
    )
    assert found["router kill"].touched == 2
    assert found["session kill"].touched == 1
    assert found["root kill"].touched == 0


def test_a_lost_turn_is_booked_on_the_fault_that_it_ran_into() -> None:
    turns = (turn(0, 10, "apology"), turn(1, 10), turn(2, 50, "missed"))
    router, session = fault(11, "router"), fault(12, "session-1", "stop", device="02:0")
    found = by_name(run(turns, router, session, fault(45, "asr/vosk-0")))
    assert found["router kill"].reasons == "1 apology (hearing)"
    assert found["session stop"].lost == ()
    assert found["asr kill"].reasons == "1 missed (hearing)" or found["asr kill"].lost_count == 1


def test_a_turn_that_no_fault_explains_is_told_as_such() -> None:
    turns = (turn(0, 10, "unanswered"), turn(1, 200, "apology"))
    found = by_name(run(turns, fault(20, "session-1", device="02:0")))
    assert found["(no fault)"].lost_count == 2
    assert found["session kill"].lost == ()


def test_damage_counts_apart_from_loss() -> None:
    turns = (turn(0, 10, faults=("wrong length",)), turn(1, 60, faults=("misheard",)))
    toll = by_name(run(turns, fault(14, "tts/espeak-0")))["tts kill"]
    assert toll.lost_count == 0
    assert toll.reasons == "1 answered (speaking), wrong length"
    assert missed(toll) == ()


def test_disconnects_stuck_and_crossed_devices_break_promises() -> None:
    turns = (
        turn(0, 10, "unanswered", ("stuck",)),
        turn(1, 11, "answered", ("cross-talk",)),
        turn(2, 10, "disconnected", ("disconnected",)),
    )
    dropped = (ConnectionRecord(2, 12.5, "dropped", cut=True), ConnectionRecord(3, 5, "dropped"))
    found = by_name(run(turns, fault(12, "acceptor"), connections=dropped))
    toll = found["acceptor kill"]
    assert (toll.stuck, toll.cross_talk, toll.disconnects, toll.lost_count) == (1, 1, 1, 2)
    assert found["(no fault)"].disconnects == 1
    assert len(missed(toll)) == 3


def test_times_are_the_log_s_where_it_has_them() -> None:
    seen, logged = fault(10, "llm/rules-0"), fault(30, "llm/rules-0", noticed_s=0.003, served_s=0.7)
    toll = by_name(run((), seen, logged))["llm kill"]
    assert toll.noticed is not None
    assert toll.back is not None
    assert (toll.noticed.p50, toll.noticed.most) == (0.003, 0.01)
    assert (toll.back.p50, toll.back.most) == (0.2, 0.7)
    assert missed(toll) == ("back after 0.70 s (limit 0.5 s)",)


def test_a_worker_may_cost_no_turn() -> None:
    toll = by_name(run((turn(0, 10, "apology"),), fault(12, "asr/vosk-1", "stop")))["asr stop"]
    assert missed(toll) == ("1 turns lost by a worker's end (limit 0)",)


def test_what_could_not_be_done_is_counted() -> None:
    undone = FaultRecord(20, "kill", "kind:serving", "no process is", ok=False)
    toll = by_name(run((), fault(10, "session-1"), undone))["session kill"]
    assert (toll.made, toll.wanted) == (1, 2)


def test_runs_add_up() -> None:
    one = run((turn(0, 10, "apology"),), fault(12, "router"))
    assert by_name(one, one)["router kill"].lost_count == 2
    assert by_name(one, one)["router kill"].made == 2


def test_warm_up_turns_cost_nothing() -> None:
    phases = (Phase("talk", 0, 1000, 4, counted=False),)
    assert (
        by_name(run((turn(0, 10, "apology"),), fault(12, "router"), phases=phases))[
            "router kill"
        ].lost
        == ()
    )


def test_the_stage_is_told_by_the_clock() -> None:
    told = [stage_of(turn(0, 10), at_s) for at_s in (9.9, 11, 13.2, 14, 18)]
    assert told == ["before its first word", "hearing", "thinking", "speaking", "over"]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 90)), max_size=12),
    st.lists(st.tuples(st.sampled_from(["router", "session-1", "asr/v-0"]), st.floats(0, 90))),
)
def test_every_lost_turn_is_booked_exactly_once(
    talks: list[tuple[int, float]], hits: list[tuple[str, float]]
) -> None:
    turns = tuple(turn(d, at, "apology", number=n) for n, (d, at) in enumerate(talks))
    faults = tuple(fault(at, name, device="02:1") for name, at in hits)
    booked = [each.turn for toll in tolls([run(turns, *faults)]) for each in toll.lost]
    assert sorted(booked) == [each.turn for each in turns]
