"""The record of a run from what its conductor knew at its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sim.faults import serverlog
from sim.swarm import hops, host
from sim.swarm.journal import Journal, collected
from sim.swarm.limits import read_limits
from sim.swarm.listening import listened
from sim.swarm.population import Member
from sim.swarm.records import DeviceRecord, FaultRecord, Knee, Phase, Run, RunEnd, RunInfo
from sim.swarm.scenario import Scenario
from sim.swarm.server import SERVER_LOG
from sim.swarm.summing import shortened, summed


@dataclass(frozen=True)
class Conducted:
    """How far a run came. Times in s; `base` on the machine's monotonic clock."""

    ended: RunEnd
    problem: str
    address: str
    base: float = 0.0
    planned_s: float = 0.0
    lasted_s: float = 0.0
    generators: int = 0
    phases: tuple[Phase, ...] = ()
    facts: host.ServerFacts = field(default_factory=host.ServerFacts)
    knee: Knee | None = None


def record_of(
    scenario: Scenario,
    command: str,
    began_at: datetime,
    members: Sequence[Member],
    journal: Journal,
    done: Conducted,
) -> Run:
    """Read the journal back, listen to answers, sum up and judge."""
    found = collected(journal.path)
    log = journal.path.with_name(SERVER_LOG)
    base_at_s = done.base + time.time() - time.monotonic()
    faults = _with_log(found.faults, log, base_at_s)
    phases = done.phases if done.ended == "complete" else shortened(done.phases, done.lasted_s)
    run = summed(
        _info(scenario, command, began_at, done, base_at_s),
        phases,
        [_device(member, done.generators) for member in members],
        replace(found, turns=listened(found.turns, journal.sounds), faults=faults),
        read_limits(scenario.limits),
        read_limits(scenario.each_phase),
        scenario.trust.trust(),
        done.knee,
    )
    return with_hops(run, log)


def with_hops(run: Run, log: Path) -> Run:
    """The run with what the log of its server tells of each phase's turns, if it has one."""
    if not log.exists():
        return run
    with log.open(encoding="utf-8", errors="replace") as lines:
        return replace(run, server_turns=hops.summed(run, hops.logged(lines)))


def _with_log(
    faults: tuple[FaultRecord, ...], log: Path, began_at: float
) -> tuple[FaultRecord, ...]:
    """The faults with what the server itself logged of them, if this run started it."""
    if not faults or not log.exists():
        return faults
    with log.open(encoding="utf-8", errors="replace") as lines:
        return serverlog.timed(faults, serverlog.read(lines), began_at)


def _info(
    scenario: Scenario, command: str, began_at: datetime, done: Conducted, base_at_s: float
) -> RunInfo:
    versions = host.versions()
    if done.facts.version:
        versions["server"] = f"{done.facts.version} ({done.facts.parts})"
    return RunInfo(
        name=scenario.name,
        about=scenario.about,
        seed=scenario.seed,
        command=command,
        target=done.address,
        started_at=began_at.isoformat(timespec="seconds"),
        planned_s=done.planned_s,
        lasted_s=done.lasted_s,
        generators=done.generators,
        machine=host.machine(),
        versions=versions,
        scenario=scenario.model_dump(mode="json", exclude={"target": {"token"}}),
        ended=done.ended,
        problem=done.problem,
        clock_base_s=done.base,
        base_at_s=base_at_s,
    )


def _device(member: Member, generators: int) -> DeviceRecord:
    return DeviceRecord(
        index=member.index,
        device_id=member.device_id,
        role=member.role,
        mode=member.mode,
        version=member.version,
        generation=member.generation,
        voice=member.voice,
        frame_ms=member.frame_ms,
        noise_dbfs=member.noise_dbfs,
        generator=member.index % generators if generators else 0,
        link=member.link,
    )
