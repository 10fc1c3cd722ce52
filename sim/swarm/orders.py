"""What the conductor and its generator processes say to each other: JSON lines.

Pure. A generator says `Ready` when it takes orders. The first is its `Spec`, then come
`PhaseOrder`s, then `Finish`. It answers with the records of `sim.swarm.records`, each
under its name, and at last `Done`. All processes of one host share the monotonic clock, so
`base`, the run's start, is the same instant for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from sim.swarm.population import Habits, Member
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
from sim.swarm.schedule import Talking


@dataclass(frozen=True, slots=True)
class Spec:
    """Everything that one generator needs; the utterances are in the file `bank`.

    `url` is the WebSocket address; with `ota` each device asks there at its boot.
    `patience_s` bounds each silence of the server. `hear_share` of the answers are kept
    as sound.
    """

    generator: int
    seed: int
    base: float
    members: tuple[Member, ...]
    bank: str
    url: str = ""
    ota: str = ""
    token: str = ""
    talking: Talking = field(default_factory=Talking)
    habits: Habits = field(default_factory=Habits)
    patience_s: float = 10.0
    linger_ms: float = 300.0
    apologies: tuple[str, ...] = ()
    hear_share: float = 0.0


@dataclass(frozen=True, slots=True)
class AnswerSound:
    """The answer of one turn, as Opus packets in base64, to be listened to after the run."""

    device: int
    turn: int
    rate_hz: int
    packets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PhaseOrder:
    """Who takes part from `start_s` to `end_s`. Devices that are not named leave."""

    name: str
    start_s: float
    end_s: float
    active: frozenset[int]


@dataclass(frozen=True, slots=True)
class Finish:
    """No more phases come: end the running turns, within `within_s`, and stop."""

    within_s: float


@dataclass(frozen=True, slots=True)
class Ready:
    """A generator has started and waits for its `Spec`."""

    pid: int


@dataclass(frozen=True, slots=True)
class Done:
    """A generator has told everything."""

    generator: int


Order = Spec | PhaseOrder | Finish
Report = TurnRecord | AnswerSound | ConnectionRecord | LagSample | CrowdSample | Ready | Done
#: What the conductor itself measures.
Measured = FaultRecord | HostSample | ResourceSample | CallSample

_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(Spec, PhaseOrder, Finish),
        *(TurnRecord, ConnectionRecord, LagSample, CrowdSample, Ready, Done),
        *(AnswerSound, CallSample, FaultRecord, HostSample, ResourceSample),
    )
}
_ADAPTERS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(kind) for name, kind in _KINDS.items()}


def to_line(message: Order | Report | Measured) -> bytes:
    """One line, its end included."""
    name = type(message).__name__
    return name.encode() + b" " + _ADAPTERS[name].dump_json(message, exclude_defaults=True) + b"\n"


def from_line(line: bytes) -> Any:
    """The message of one line. Raises ValueError for what is none."""
    name, _, body = line.partition(b" ")
    adapter = _ADAPTERS.get(name.decode("ascii", "replace"))
    if adapter is None:
        raise ValueError(f"{line[:80]!r} is no message between conductor and generator")
    return adapter.validate_json(body)
