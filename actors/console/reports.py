"""Actors' reports as the console reads them: one row an actor, in a fixed order.

Pure. An actor may be reported twice, by itself and by its supervisor; the two are
made one here, and it is decided here whether an actor does its work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from actors.messages import ActorReport

#: Kinds of worker without one of which no turn can be answered.
WORKER_KINDS = ("asr", "llm", "tts")

#: States in which an actor does its work.
SERVING_STATES = frozenset({"ready", "busy", "serving"})

_KIND_ORDER = ("root", "supervisor", "acceptor", "router", "console", "pool", *WORKER_KINDS)


def merged(reports: Iterable[ActorReport]) -> list[ActorReport]:
    """Make one row of each actor: what it says of itself and what its supervisor says.

    The actor knows its work and detail, the supervisor its restarts and whether it
    is gone. Of two states the worse one counts; of two processes the later one.
    """
    rows: dict[str, ActorReport] = {}
    for report in reports:
        row = rows.get(report.name)
        rows[report.name] = report if row is None else _merge(row, report)
    return list(rows.values())


def serves(report: ActorReport) -> bool:
    """Whether the actor does its work, and its last probe did not fail."""
    return report.state in SERVING_STATES and report.detail.get("healthy") is not False


def role_name(report: ActorReport) -> str:
    """Return the kind, "asr" for an "asr worker"."""
    return report.kind.removesuffix(" worker")


def _merge(one: ActorReport, other: ActorReport) -> ActorReport:
    if one.pid != other.pid and one.restarts != other.restarts:
        return max(one, other, key=lambda report: report.restarts)
    states = (one.state, other.state)
    bad = [state for state in states if state not in SERVING_STATES]
    telling = [state for state in states if state != "ready"]
    return ActorReport(
        one.name,
        one.kind,
        other.pid or one.pid,
        (bad or telling or states)[0],
        max(one.restarts, other.restarts),
        max(one.in_flight, other.in_flight),
        one.detail | other.detail,
    )


def listing_order(report: ActorReport) -> tuple[int, str, list[tuple[int, str]]]:
    """Sort key: what everything hangs on first, sessions last, numbers as numbers."""
    role = role_name(report)
    rank = _KIND_ORDER.index(role) if role in _KIND_ORDER else len(_KIND_ORDER)
    return rank, report.kind, _natural(report.name)


def _natural(name: str) -> list[tuple[int, str]]:
    """Make 'session-10' follow 'session-9': text and numbers take turns in the split."""
    runs = re.split(r"([0-9]+)", name)
    return [(int(run), "") if odd % 2 else (-1, run) for odd, run in enumerate(runs)]
