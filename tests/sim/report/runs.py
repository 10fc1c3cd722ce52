"""Invented runs for the report's tests and for looking at it: repeatable, and plausible."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

from sim.swarm.aggregate import aggregates
from sim.swarm.limits import check, judge, read_limits
from sim.swarm.records import (
    ActorSample,
    ConnectionRecord,
    CrowdSample,
    DeviceRecord,
    FaultRecord,
    HostSample,
    Knee,
    LagSample,
    Machine,
    Phase,
    Recovery,
    ResourceSample,
    Run,
    RunInfo,
    TurnRecord,
)

ACTORS = (
    ("session", 1.2, 4.0),
    ("asr/vosk", 0.8, 30.0),
    ("tts/espeak", 0.35, 24.0),
    ("llm/rules", 0.1, 12.0),
    ("acceptor", 0.1, 9.0),
    ("router", 0.2, 8.0),
    ("console", 0.05, 14.0),
    ("root", 0.02, 9.0),
    ("phrasebook", 0.01, 11.0),
)
LIMITS = {
    "availability": ">= 99.5",
    "completeness": ">= 99.5",
    "first_word_ms.p50": "<= 700",
    "first_word_ms.p95": "<= 1500",
    "cross_talk": "== 0",
    "disconnects": "== 0",
    "stuck_devices": "== 0",
}


def run(
    levels: tuple[int, ...] = (10, 20, 30, 40, 50),
    minutes: float = 5.0,
    seed: int = 1,
    faults: bool = True,
    slower: float = 1.0,
    leak_mib_per_hour: float = 0.0,
) -> Run:
    """A climb through `levels`; the latency bends upwards behind 40 talkers."""
    source = Random(seed)
    span_s = minutes * 60
    phases = tuple(
        Phase(f"{level} talkers", n * span_s, (n + 1) * span_s, level)
        for n, level in enumerate(levels)
    )
    lasted_s = phases[-1].end_s
    made = _faults(source, lasted_s) if faults else ()
    turns = tuple(turn for phase in phases for turn in _turns(source, phase, made, slower))
    resources = _resources(source, phases, leak_mib_per_hour)
    connections = _connections(source, max(levels), made)
    figures = aggregates(phases, turns, connections, resources)
    limits = check(read_limits(LIMITS), figures[0])
    return Run(
        info=_info(seed, lasted_s, max(levels)),
        phases=phases,
        devices=tuple(
            DeviceRecord(n, f"02:00:00:00:00:{n:02x}", "talker", "auto", 1, "2.4", "cmn+f2", 60)
            for n in range(max(levels))
        ),
        turns=turns,
        connections=connections,
        faults=made,
        crowd=_crowd(phases),
        resources=resources,
        hosts=tuple(
            HostSample(at, 20 + 40 * source.random(), 12.0, 18.0, 2 + source.random(), 41.0)
            for at in range(0, int(lasted_s), 2)
        ),
        lags=tuple(
            LagSample(float(at), g, 0.2 + source.random() / 5, source.expovariate(0.4), 35.0, 25)
            for at in range(0, int(lasted_s), 1)
            for g in (0, 1)
        ),
        aggregates=figures,
        limits=limits,
        knee=Knee(40, 50, ("first_word_ms.p95 <= 1500",)) if len(levels) > 3 else None,
        verdict=judge("complete", "", limits, ()),
    )


def empty() -> Run:
    """A run that never reached its server."""
    info = replace(_info(1, 0.0, 0), ended="unreachable", problem="nobody answers on port 8000")
    return Run(info=info, verdict=judge("unreachable", info.problem, (), ()))


def _info(seed: int, lasted_s: float, devices: int) -> RunInfo:
    return RunInfo(
        name=f"levels up to {devices}",
        about="Talking devices in rising numbers, with processes killed meanwhile.",
        seed=seed,
        command="python3 -m sim run levels.yaml",
        target="ws://127.0.0.1:8000/xiaozhi/v1/",
        started_at="2026-01-02T03:04:05+00:00",
        planned_s=lasted_s,
        lasted_s=lasted_s,
        generators=2,
        machine=Machine("Linux 6", "3.11.7", "a processor <of> a kind", 4, 8192),
        versions={"project": "0.1.0", "websockets": "15"},
        scenario={"name": "levels", "phases": [{"talkers": 10}]},
    )


def _faults(source: Random, lasted_s: float) -> tuple[FaultRecord, ...]:
    kinds = ("router", "asr", "llm", "session", "acceptor", "root", "admin")
    made = []
    for n, at_s in enumerate(range(40, int(lasted_s), 35)):
        kind, stopped = kinds[n % len(kinds)], n % 3 == 2
        gone = 1.0 + source.random() / 4 if stopped else 0.02
        ready = gone + 0.1 + source.random() / 2
        recovery = Recovery(
            f"{kind}-0", kind, 100 + n, n != 9, gone, gone + 0.05, 500 + n, gone, ready
        )
        if n == 9:
            recovery = replace(recovery, ready_s=None, back_s=None, new_pid=None)
        action = "stop" if stopped else "kill"
        made.append(
            FaultRecord(float(at_s), action, "any", f"{kind}-0 ({100 + n})", recovery=recovery)
        )
    made.append(FaultRecord(lasted_s / 2, "kill", "part:database", "there is no part", ok=False))
    made.append(FaultRecord(60.0, "proxy", "proxy:llm", "down {'latency_ms': 200}", 120.0))
    return tuple(sorted(made, key=lambda fault: fault.at_s))


def _turns(
    source: Random, phase: Phase, faults: tuple[FaultRecord, ...], slower: float
) -> list[TurnRecord]:
    turns = []
    for device in range(phase.talkers):
        at_s, number = phase.start_s + source.uniform(0, 12), 0
        while at_s < phase.end_s - 12:
            near = any(0 <= at_s - fault.at_s < 2 for fault in faults)
            turns.append(_turn(source, phase, device, number, at_s, near, slower))
            at_s, number = at_s + 12, number + 1
    return turns


def _turn(
    source: Random,
    phase: Phase,
    device: int,
    number: int,
    at_s: float,
    near: bool,
    slower: float,
) -> TurnRecord:
    crowded = math.exp(max(0, phase.talkers - 40) / 8)
    first = slower * crowded * source.lognormvariate(math.log(330), 0.25)
    if near:
        first += source.uniform(100, 1500)
    number += int(phase.start_s)
    common = {
        "device": device,
        "turn": number,
        "phase": phase.name,
        "intended_s": at_s,
        "said": "三百一十二加四十五等于多少",
        "expected": "357",
    }
    if source.random() < (0.03 if near else 0.0006):
        return TurnRecord(
            **common,
            outcome="unanswered",
            ended_s=at_s + 15,
            faults=("no answer",),
            problems=("no tts start: the server did not answer <b>",),
        )
    hops = {
        "speech_sent_ms": 12.0,
        "stt_ms": first * 0.7,
        "tts_start_ms": first * 0.8,
        "sentence_ms": first * 0.85,
        "first_frame_ms": first,
        "audible_ms": first + 35,
        "heard_ms": first + 3400,
        "tts_stop_ms": first + 3420,
    }
    wrong = source.random() < 0.002
    return TurnRecord(
        **common,
        outcome="answered",
        started_s=at_s,
        ended_s=at_s + 7,
        understood="三百一十二加四十五等于多少",
        answer="三百五十七。" if not wrong else "我没有听清。",
        hops=hops,
        first_word_ms=first,
        audible_ms=first + 35,
        answer_ms=first,
        end_to_end_ms=first + 3400,
        frames=55,
        audio_ms=3300.0,
        lag_ms=1.0,
        faults=("wrong answer",) if wrong else (),
        problems=("the answer does not hold '357'",) if wrong else (),
    )


def _resources(
    source: Random, phases: tuple[Phase, ...], leak_mib_per_hour: float
) -> tuple[ResourceSample, ...]:
    samples = []
    for phase in phases:
        for at in range(int(phase.start_s), int(phase.end_s), 2):
            leak = leak_mib_per_hour * at / 3600
            actors = []
            for name, cpu, mib in ACTORS:
                processes = phase.talkers + 2 if name == "session" else 1
                load = cpu * phase.talkers * source.uniform(0.8, 1.2)
                memory = mib * processes + (leak if name == "session" else 0.0)
                actors.append(
                    ActorSample(name, processes, load, memory, memory * 0.8, 12.0 * processes, 2.0)
                )
            total = ActorSample(
                "total",
                sum(each.processes for each in actors),
                sum(each.cpu_percent for each in actors),
                sum(each.pss_mib or 0.0 for each in actors),
                sum(each.own_mib or 0.0 for each in actors),
                sum(each.fds or 0.0 for each in actors),
                sum(each.threads for each in actors),
            )
            samples.append(ResourceSample(float(at), total, tuple(actors)))
    return tuple(samples)


def _connections(
    source: Random, devices: int, faults: tuple[FaultRecord, ...]
) -> tuple[ConnectionRecord, ...]:
    made = [ConnectionRecord(n, -5.0, "connected", source.uniform(8, 30)) for n in range(devices)]
    if faults:
        made.append(ConnectionRecord(3, 412.0, "dropped", cut=True, detail="connection reset"))
    return tuple(made)


def _crowd(phases: tuple[Phase, ...]) -> tuple[CrowdSample, ...]:
    return tuple(
        CrowdSample(float(at), p.talkers // 2, p.talkers // 8, p.talkers // 16, p.talkers // 6, g)
        for p in phases
        for at in range(int(p.start_s), int(p.end_s))
        for g in (0, 1)
    )
