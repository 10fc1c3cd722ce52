"""The fault time line: from a scenario's data to what is done to whom, and when.

Pure: no clock, no process; chance comes from the seed alone. A scenario lists faults as
JSON objects; each has an `action`, a `target` and its times:

    {"action": "kill", "target": "kind:llm", "at_s": 30}
    {"action": "stop", "target": "any", "at_s": 10, "every_s": 5, "count": 20}
    {"action": "kill", "target": "actor:router", "at_s": 60, "every_s": 10, "until_s": 300}
    {"action": "proxy", "target": "proxy:database", "at_s": 60, "for_s": 30,
     "settings": {"down": {"latency_ms": 200, "jitter_ms": 50}}}
    {"action": "standin", "target": "standin:ollama", "at_s": 60, "for_s": 60,
     "settings": {"faults": {"status": 503}}}

| action | does | `for_s` |
|---|---|---|
| kill, term | SIGKILL, SIGTERM | a part that does not come back by itself is started again then |
| stop | SIGSTOP: it exists and does nothing | SIGCONT then, should it still exist |
| proxy | new conditions for a fault proxy (`sim.faults.proxy`) | the old ones return then |
| standin | new faults or profile for a stand-in | the old ones return then |

| target | is |
|---|---|
| any | one process below the launcher, at random |
| any-kind | a kind at random, then one process of it |
| actor:NAME | the actor of this name in the status, "MultiProcAdmin" and "logger" too |
| kind:KIND | one of this kind at random (router, session, asr, pool, admin, …); "worker": asr, llm or tts; "serving": a session with a device |
| launcher | the server's first process |
| pid:N | this process |
| part:NAME, standin:NAME, proxy:NAME | what the run was given under this name |

The launcher is never chosen at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal, Protocol, TypeVar, get_args

Action = Literal["kill", "stop", "term", "proxy", "standin"]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)

TargetKind = Literal[
    "any", "any-kind", "actor", "kind", "launcher", "pid", "part", "standin", "proxy"
]
_ALONE: Final[tuple[TargetKind, ...]] = ("any", "any-kind", "launcher")
_NAMED: Final[tuple[TargetKind, ...]] = ("actor", "kind", "pid", "part", "standin", "proxy")

WORKER_KINDS: Final = ("asr", "llm", "tts")
#: More faults than this in one run are a slip of the pen.
MOST_FAULTS: Final = 100_000


class PlanError(ValueError):
    """A fault that cannot be planned. `str` says the field, the problem and the fix."""

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field}: {problem}; {fix}")
        self.field, self.problem, self.fix = field, problem, fix


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a fault means; `name` is '' for the kinds that stand alone."""

    kind: TargetKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One line of a scenario; the module says what the members mean."""

    action: Action
    target: Target
    at_s: float = 0.0
    every_s: float | None = None
    until_s: float | None = None
    count: int | None = None
    for_s: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault of the time line. `choice` in [0, 1) picks among the candidates then."""

    number: int
    at_s: float
    action: Action
    target: Target
    choice: float
    for_s: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


class Candidate(Protocol):
    """A process that may be meant: see `sim.faults.targets.TreeProcess`."""

    @property
    def pid(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def device(self) -> str: ...


C = TypeVar("C", bound=Candidate)


# --- reading a scenario -------------------------------------------------------


def parse(faults: Sequence[Mapping[str, Any]]) -> tuple[FaultSpec, ...]:
    """The faults of a scenario. Raises `PlanError` for the first wrong member."""
    return tuple(_spec(f"faults[{number}]", members) for number, members in enumerate(faults))


def parse_target(text: str, where: str = "target") -> Target:
    """A target as it is written in a scenario. Raises `PlanError`."""
    written, _, name = text.partition(":")
    kind = next((each for each in (_NAMED if name else _ALONE) if each == written), None)
    if kind is not None:
        if kind == "pid" and not (name.isdecimal() and int(name) > 1):
            raise PlanError(where, f"{text!r} has no process id", "write pid:4711")
        return Target(kind, name)
    raise PlanError(
        where,
        f"{text!r} is no target",
        f"write {', '.join(_ALONE)}, or one of {', '.join(f'{each}:NAME' for each in _NAMED)}",
    )


def _spec(where: str, members: Mapping[str, Any]) -> FaultSpec:
    known = ("action", "target", "at_s", "every_s", "until_s", "count", "for_s", "settings")
    if not isinstance(members, Mapping):
        raise PlanError(where, "is no object", 'write {"action": "kill", "target": "any", …}')
    for name in members:
        if name not in known:
            raise PlanError(f"{where}.{name}", "is unknown", f"known are {', '.join(known)}")
    action = members.get("action")
    if action not in ACTIONS:
        raise PlanError(f"{where}.action", f"is {action!r}", f"write one of {', '.join(ACTIONS)}")
    spec = FaultSpec(
        action=action,
        target=parse_target(str(members.get("target", "")), f"{where}.target"),
        at_s=_number(where, members, "at_s", 0.0) or 0.0,
        every_s=_number(where, members, "every_s", None, above=0.0),
        until_s=_number(where, members, "until_s", None),
        count=_count(where, members),
        for_s=_number(where, members, "for_s", None),
        settings=members.get("settings", {}),
    )
    _check(where, spec)
    return spec


def _check(where: str, spec: FaultSpec) -> None:
    wants = {"proxy": "proxy", "standin": "standin"}.get(spec.action)
    if wants and spec.target.kind != wants:
        raise PlanError(
            f"{where}.target", f"is {spec.target} for {spec.action}", f"write {wants}:NAME"
        )
    if not wants and spec.target.kind == "proxy":
        raise PlanError(f"{where}.target", "a proxy is no process", "write action: proxy")
    if wants and not (isinstance(spec.settings, Mapping) and spec.settings):
        raise PlanError(f"{where}.settings", "is missing", "say what shall be wrong")
    if not wants and spec.settings:
        raise PlanError(f"{where}.settings", f"means nothing to {spec.action}", "leave it out")
    if spec.every_s is None and (spec.until_s is not None or spec.count is not None):
        raise PlanError(f"{where}.every_s", "is missing", "until_s and count repeat a fault")


def _number(
    where: str,
    members: Mapping[str, Any],
    name: str,
    default: float | None,
    above: float | None = None,
) -> float | None:
    value = members.get(name, default)
    if value is None:
        return None
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or not 0 <= value < float("inf") or (above is not None and value <= above):
        least = "above 0" if above is not None else "0 or more"
        raise PlanError(f"{where}.{name}", f"is {value!r}", f"give seconds, {least}")
    return float(value)


def _count(where: str, members: Mapping[str, Any]) -> int | None:
    value = members.get("count")
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise PlanError(f"{where}.count", f"is {value!r}", "give a whole number above 0")


# --- the time line ------------------------------------------------------------


def timeline(specs: Sequence[FaultSpec], duration_s: float, seed: int) -> tuple[PlannedFault, ...]:
    """Every fault that falls into the run, in order of time.

    The same arguments give the same faults; another line in the scenario leaves the
    choices of the others as they were.
    """
    drawn: list[tuple[float, int, FaultSpec, float]] = []
    for line, spec in enumerate(specs):
        source = Random(f"{seed} {line} {spec.action} {spec.target}")
        for at_s in _instants(spec, duration_s):
            drawn.append((at_s, line, spec, source.random()))
            if len(drawn) > MOST_FAULTS:
                raise PlanError(
                    f"faults[{line}].every_s",
                    f"makes more than {MOST_FAULTS} faults",
                    "make it larger",
                )
    drawn.sort(key=lambda each: each[:2])
    return tuple(
        PlannedFault(number, at_s, spec.action, spec.target, choice, spec.for_s, spec.settings)
        for number, (at_s, _line, spec, choice) in enumerate(drawn)
    )


def _instants(spec: FaultSpec, duration_s: float) -> list[float]:
    if spec.every_s is None:
        return [spec.at_s] if spec.at_s < duration_s else []
    ends_s = duration_s if spec.until_s is None else min(spec.until_s, duration_s)
    instants: list[float] = []
    while spec.count is None or len(instants) < spec.count:
        at_s = spec.at_s + len(instants) * spec.every_s  # no sum of rounding errors
        if at_s >= ends_s or len(instants) > MOST_FAULTS:
            break
        instants.append(at_s)
    return instants


# --- choosing -----------------------------------------------------------------


def choose(target: Target, processes: Sequence[C], choice: float) -> C | None:
    """The process that a fault hits, of those there are now; None when there is none.

    Candidates are put in order of their names, so that the same names and the same
    `choice` give the same one. For targets outside the tree ("part", "launcher", …)
    there is nothing to choose: None.
    """
    found = [each for each in processes if _is_meant(target, each)]
    if target.kind == "any-kind":
        kinds = sorted({each.kind for each in found})
        if not kinds:
            return None
        place = choice * len(kinds)
        found = [each for each in found if each.kind == kinds[int(place)]]
        choice = place - int(place)
    found.sort(key=lambda each: (each.kind, each.name, each.pid))
    return found[int(choice * len(found))] if found else None


def _is_meant(target: Target, process: Candidate) -> bool:
    if process.kind == "launcher":
        return False
    if target.kind in ("any", "any-kind"):
        return True
    if target.kind == "actor":
        return process.name == target.name
    if target == Target("kind", "serving"):
        return process.kind == "session" and bool(process.device)
    if target.kind == "kind":
        kinds = WORKER_KINDS if target.name == "worker" else (target.name,)
        return process.kind in kinds
    return target.kind == "pid" and process.pid == int(target.name)
