"""What the console shows: one picture of the whole instance, as plain frozen data.

Pure: made from the actors' own reports and the settings, with the time passed in.
It promises to whoever prints it (the HTTP routes, the page, a start-up banner)
that nothing in it is a secret and that everything in `as_json` is plain JSON.

What it takes from an `ActorReport`:

* ``kind`` names the role: "asr worker" (or "asr"), likewise llm and tts; "router",
  "acceptor", "session"; any other kind is listed and not judged.
* ``state`` "ready", "busy" or "serving" means that it does its work.
* a worker's name holds its engine's ("asr/vosk-0") unless ``detail["engine"]`` says it;
  ``detail["model"]`` and ``["tiny"]`` tell what it really loaded; ``["healthy"]`` False
  that its last probe failed, ``["reason"]`` why.
* a session's ``detail["device"]`` is present while a device is connected to it, and
  ``["phase"]`` is what that device is doing.

An actor may be reported twice, by itself and by its supervisor: see `reports.merged`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from actors.console.plain import cut, plain
from actors.console.reports import WORKER_KINDS, listing_order, merged, role_name, serves
from actors.messages import ActorReport
from cfg.model import Engine, Settings

#: Version of the product; a test keeps it equal to the package's.
VERSION = "0.1.0"

Role = Literal["embedded", "production"]

#: What serves on a bare machine; see `role_of` for Vosk, which may be either.
EMBEDDED_ENGINES = frozenset({("llm", "rules"), ("tts", "espeak")})

_PART_NAMES = {
    "asr": "speech recognition",
    "llm": "language model",
    "tts": "speech synthesis",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One configured engine. `ready` counts its workers that serve, of `workers` wanted."""

    kind: str
    name: str
    engine: str
    role: Role
    model: str
    weight: int
    workers: int
    ready: int
    in_flight: int
    slots: int
    problem: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """Session processes: with a device, kept ready without one, and the limit."""

    connected: int
    spare: int
    limit: int


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that keeps the instance from answering a device, and what mends it."""

    part: str
    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ready`: a device that connects now is answered."""

    ready: bool
    missing: tuple[Missing, ...]

    def as_json(self) -> dict[str, Any]:
        return {"ready": self.ready, "missing": [asdict(item) for item in self.missing]}


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """The instance at one moment. Times are seconds since the epoch."""

    version: str
    started_at_s: float
    now_s: float
    parts: tuple[Part, ...]
    sessions: Sessions
    actors: tuple[ActorReport, ...]

    @property
    def uptime_s(self) -> float:
        """Never negative, though the wall clock may have been set back."""
        return max(0.0, self.now_s - self.started_at_s)

    def readiness(self) -> Readiness:
        """Say whether a device would be answered, and what is missing if not."""
        missing = [_missing_part(self, kind) for kind in WORKER_KINDS]
        missing += [_missing_actor(self.actors, kind) for kind in ("acceptor", "router")]
        found = tuple(item for item in missing if item is not None)
        return Readiness(ready=not found, missing=found)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values; what looks like a secret is left out."""
        return {
            "version": self.version,
            "started_at_s": round(self.started_at_s, 3),
            "now_s": round(self.now_s, 3),
            "uptime_s": round(self.uptime_s, 1),
            "readiness": self.readiness().as_json(),
            "parts": [asdict(part) for part in self.parts],
            "sessions": asdict(self.sessions),
            "actors": [_actor_json(report) for report in self.actors],
        }


def snapshot(
    reports: Iterable[ActorReport], settings: Settings, started_at: float, now: float
) -> StatusSnapshot:
    """Make the picture from every actor's report; times in seconds since the epoch."""
    actors = tuple(sorted(merged(reports), key=listing_order))
    sessions = [report for report in actors if report.kind == "session"]
    connected = sum(1 for report in sessions if report.detail.get("device"))
    return StatusSnapshot(
        version=VERSION,
        started_at_s=started_at,
        now_s=now,
        parts=_parts(actors, settings),
        sessions=Sessions(
            connected=connected,
            spare=len(sessions) - connected,
            limit=settings.server.max_sessions,
        ),
        actors=actors,
    )


def role_of(kind: str, engine: Engine, detail: Mapping[str, Any] | None = None) -> Role:
    """Say whether an engine is an embedded stand-by or meant for production.

    `detail` is what a worker reported. Vosk is embedded with the tiny model; with
    "auto" and nothing loaded yet the humbler answer is given.
    """
    engine_kind: str = getattr(engine, "kind", "")
    if (kind, engine_kind) in EMBEDDED_ENGINES:
        return "embedded"
    if engine_kind != "vosk":
        return "production"
    found = dict(detail or {})
    if isinstance(found.get("tiny"), bool):
        return "embedded" if found["tiny"] else "production"
    wanted: str = getattr(engine, "model", "")
    loaded = str(found.get("model") or wanted).rstrip("/").rsplit("/", 1)[-1]
    return "embedded" if loaded == "auto" or "tiny" in loaded else "production"


def engine_name(engine: Engine) -> str:
    """Return the engine's name in the settings: its own, or else its kind."""
    return engine.name or str(getattr(engine, "kind", ""))


def _parts(actors: tuple[ActorReport, ...], settings: Settings) -> tuple[Part, ...]:
    configured: dict[str, tuple[Engine, ...]] = {
        "asr": settings.asr,
        "llm": settings.llm,
        "tts": settings.tts,
    }
    return tuple(
        _part(kind, engine, _workers_of(kind, engine, engines, actors))
        for kind, engines in configured.items()
        for engine in engines
    )


def _workers_of(
    kind: str, engine: Engine, engines: tuple[Engine, ...], actors: tuple[ActorReport, ...]
) -> list[ActorReport]:
    names = [engine_name(each) for each in engines]
    return [
        report
        for report in actors
        if role_name(report) == kind and _engine_of(report, names) == engine_name(engine)
    ]


def _engine_of(report: ActorReport, names: list[str]) -> str:
    named = report.detail.get("engine")
    if isinstance(named, str) and named:
        return named
    found = re.fullmatch(r"[a-z]+/(.+)-[0-9]+", report.name)
    if found and found[1] in names:
        return found[1]
    inside = [name for name in names if name in report.name]
    return max(inside, key=len, default=names[0] if len(names) == 1 else "")


def _part(kind: str, engine: Engine, workers: list[ActorReport]) -> Part:
    serving = [report for report in workers if serves(report)]
    detail = serving[0].detail if serving else {}
    wanted = getattr(engine, "model", "") or getattr(engine, "voice", "")
    return Part(
        kind=kind,
        name=engine_name(engine),
        engine=str(getattr(engine, "kind", "")),
        role=role_of(kind, engine, detail),
        model=cut(str(detail.get("model") or wanted)),
        weight=engine.weight,
        workers=engine.workers,
        ready=len(serving),
        in_flight=sum(report.in_flight for report in workers),
        slots=engine.slots * len(serving),
        problem=_problem(workers, serving),
    )


def _problem(workers: list[ActorReport], serving: list[ActorReport]) -> str:
    idle = [report for report in workers if report not in serving]
    for report in idle:
        reason = report.detail.get("reason")
        if reason:
            return f"{report.name} is {report.state}: {cut(str(reason))}"
    if idle:
        return f"{idle[0].name} is {idle[0].state}"
    return "" if workers else "no worker has reported"


def _missing_part(picture: StatusSnapshot, kind: str) -> Missing | None:
    parts = [part for part in picture.parts if part.kind == kind]
    if any(part.ready for part in parts):
        return None
    problems = "; ".join(f"{part.name}: {part.problem}" for part in parts if part.problem)
    return Missing(
        part=kind,
        problem=f"no worker for {_PART_NAMES[kind]} is ready ({problems or 'none configured'})",
        fix=f"mend what the worker reports, or configure another engine under '{kind}'; "
        "a part that is still starting needs only a moment",
    )


def _missing_actor(actors: tuple[ActorReport, ...], kind: str) -> Missing | None:
    found = [report for report in actors if report.kind == kind]
    if any(serves(report) for report in found):
        return None
    states = ", ".join(f"{report.name} is {report.state}" for report in found)
    return Missing(
        part=kind,
        problem=f"no {kind} serves ({states or 'none has reported'})",
        fix=f"it is started again by itself; if that lasts, the log has a line of the {kind} "
        "with the reason",
    )


def _actor_json(report: ActorReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "kind": report.kind,
        "pid": report.pid,
        "state": report.state,
        "restarts": report.restarts,
        "in_flight": report.in_flight,
        "detail": plain(report.detail),
    }
