"""What a run has measured so far: on disk at once, so that a run that dies is not lost.

Everything goes to `records.jsonl` line by line as it comes, the sound of answers to
`answers.jsonl`; in memory stay only the figures of the live view. `collected` reads the
whole back for the verdict.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.swarm.orders import AnswerSound, Measured, Report, from_line, to_line
from sim.swarm.records import (
    CallSample,
    ConnectionRecord,
    CrowdSample,
    FaultRecord,
    HostSample,
    LagSample,
    ResourceSample,
    TurnRecord,
)

#: Turns that the live view's percentiles are made of.
_RECENT = 400
_SHOWN_TROUBLES = 6


@dataclass
class Tally:
    """The run in a few figures, for whoever watches it."""

    turns: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    by_phase: Counter[str] = field(default_factory=Counter)
    first_words_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))
    troubles: deque[str] = field(default_factory=lambda: deque(maxlen=_SHOWN_TROUBLES))
    dropped: int = 0
    failed: int = 0
    done: list[FaultRecord] = field(default_factory=list)
    crowd: dict[int, CrowdSample] = field(default_factory=dict)
    lags: dict[int, LagSample] = field(default_factory=dict)
    host: HostSample | None = None
    resources: ResourceSample | None = None
    #: Run time of the last turn that was answered or connection that was made.
    succeeded_s: float | None = None
    #: Run time of the first failure since then, and how many there were.
    failing_since_s: float | None = None
    failures: int = 0

    def add(self, report: Any) -> None:
        """Count one record."""
        if isinstance(report, TurnRecord):
            self._turn(report)
        elif isinstance(report, ConnectionRecord):
            self._connection(report)
        elif isinstance(report, LagSample):
            self.lags[report.generator] = report
        elif isinstance(report, CrowdSample):
            self.crowd[report.generator] = report
        elif isinstance(report, HostSample):
            self.host = report
        elif isinstance(report, ResourceSample):
            self.resources = report
        elif isinstance(report, FaultRecord):
            self.done.append(report)

    def has_left(self, generators: Iterable[int], since_s: float) -> bool:
        """Whether each of these generators has said since then that no device is connected."""
        latest = (self.crowd.get(number) for number in generators)
        return all(
            each is not None and each.at_s > since_s and not each.connected for each in latest
        )

    def _turn(self, turn: TurnRecord) -> None:
        self.turns += 1
        self.outcomes[turn.outcome] += 1
        self.faults.update(turn.faults)
        self.by_phase[turn.phase] += 1
        if turn.first_word_ms is not None:
            self.first_words_ms.append(turn.first_word_ms)
        if turn.problems:
            self.troubles.append(f"device {turn.device}, turn {turn.turn}: {turn.problems[0]}")
        at_s = turn.ended_s if turn.ended_s is not None else turn.intended_s
        self._went(turn.outcome in ("answered", "interrupted"), at_s)

    def _connection(self, event: ConnectionRecord) -> None:
        self.dropped += event.kind == "dropped"
        self.failed += event.kind == "failed"
        if event.kind == "failed":
            self.troubles.append(f"device {event.device}: {event.detail}")
        if event.kind in ("connected", "failed"):
            self._went(event.kind == "connected", event.at_s)

    def _went(self, well: bool, at_s: float) -> None:
        if well:
            self.succeeded_s, self.failing_since_s, self.failures = at_s, None, 0
            return
        self.failures += 1
        if self.failing_since_s is None:
            self.failing_since_s = at_s


@dataclass(frozen=True)
class Collected:
    """Every record of a run, each kind in order of time."""

    turns: tuple[TurnRecord, ...]
    connections: tuple[ConnectionRecord, ...]
    faults: tuple[FaultRecord, ...]
    crowd: tuple[CrowdSample, ...]
    resources: tuple[ResourceSample, ...]
    hosts: tuple[HostSample, ...]
    lags: tuple[LagSample, ...]
    calls: tuple[CallSample, ...] = ()


class Journal:
    """Writes records to a file as they come and keeps the tally."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tally = Tally()
        self.sounds = path.with_name("answers.jsonl")
        self._file = path.open("wb")
        self._sounds = self.sounds.open("wb")

    def add(self, report: Report | Measured) -> None:
        if isinstance(report, AnswerSound):
            self._sounds.write(to_line(report))
            return
        self._file.write(to_line(report))
        self.tally.add(report)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        self._sounds.close()


def collected(path: Path) -> Collected:
    """Read a journal back. A last line that was cut short by a crash is left out."""
    found: dict[type[Any], list[Any]] = {}
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            record = from_line(line)
            found.setdefault(type(record), []).append(record)

    def every(kind: type[Any], key: str = "at_s") -> tuple[Any, ...]:
        return tuple(sorted(found.get(kind, ()), key=lambda each: float(getattr(each, key))))

    return Collected(
        turns=every(TurnRecord, "intended_s"),
        connections=every(ConnectionRecord),
        faults=every(FaultRecord),
        crowd=_summed(every(CrowdSample)),
        resources=every(ResourceSample),
        hosts=every(HostSample),
        lags=every(LagSample),
        calls=every(CallSample),
    )


def _summed(samples: tuple[CrowdSample, ...]) -> tuple[CrowdSample, ...]:
    """The samples of all generators in each second together."""
    seconds: dict[int, list[CrowdSample]] = {}
    for sample in samples:
        seconds.setdefault(round(sample.at_s), []).append(sample)
    return tuple(
        CrowdSample(
            float(second),
            sum(each.connected for each in together),
            sum(each.speaking for each in together),
            sum(each.waiting for each in together),
            sum(each.hearing for each in together),
        )
        for second, together in sorted(seconds.items())
    )
