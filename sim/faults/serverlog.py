"""When the server noticed a fault and was over it, by its own log.

Pure: text in, times out. The process table and the status are looked at every so often
and the status is half a second old; what the supervisors log has the instant. Both sides
must be on one host, for their clocks to be one.

| victim | noticed | served again |
|---|---|---|
| an actor | "child hangs", "child ended" with its pid | "restarted" with its name |
| a session | "session hangs", "session ended …" with its pid | "session replaced" with its device |
| root, admin, logger | "root hangs", "… is stopped", "actor system ended …" | "actor system is back" |

"connection taken over" tells when a device had a session again.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sim.swarm.records import FaultRecord, Recovery

#: What a fault brought about is logged within this.
WITHIN_S = 20.0
#: Sessions of a system that came back are all there within this; later ones are another's.
ADOPTED_WITHIN_S = 8.0

_SYSTEM = ("root", "admin", "logger")
_NOTICED = ("child hangs", "session hangs", "child ended", "session ended under its device")
_SPARE = "spare session ended"
_SYSTEM_NOTICED = (
    *("root hangs", "admin, logger or root is stopped"),
    "actor system ended; it is started again",
)

_CONSOLE = re.compile(r"(\S+) \[\w+ *\] (.+?)\s+(\w+=.*)")
_MEMBER = re.compile(r"(\w+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\{[^{}]*\}(?!\S)|\S*)")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event; `at` in seconds since 1970, members as text."""

    at: float
    event: str
    members: Mapping[str, str]


def read(lines: Iterable[str]) -> Iterator[LogLine]:
    """The events among the lines of a log, in either of its two styles."""
    for line in lines:
        found = _from_json(line) if line.startswith("{") else _from_console(line)
        if found is not None:
            yield found


def timed(
    faults: Sequence[FaultRecord], log: Iterable[LogLine], began_at: float
) -> tuple[FaultRecord, ...]:
    """The faults, with the times that the log tells. `began_at`: the run's start since 1970."""
    lines = sorted(log, key=lambda line: line.at)
    times = [line.at for line in lines]
    found = []
    ends = [fault.at_s for fault in faults if fault.ok and fault.recovery is not None]
    ends.sort()
    for fault in faults:
        if not fault.ok or fault.recovery is None:
            found.append(fault)
            continue
        at = began_at + fault.at_s
        first = bisect_left(times, at)
        after = lines[first : bisect_left(times, at + WITHIN_S)]
        later = next((end for end in ends if end > fault.at_s), float("inf"))
        until = min(at + ADOPTED_WITHIN_S, began_at + later)
        found.append(replace(fault, recovery=_told(fault.recovery, after, at, until)))
    return tuple(found)


def _told(back: Recovery, after: Sequence[LogLine], at: float, until: float) -> Recovery:
    def since(line: LogLine | None) -> float | None:
        return None if line is None else max(0.0, line.at - at)

    noticed = next((line for line in after if _is_notice(back, line)), None)
    served = next((line for line in after if _is_service(back, line)), None)
    adopted = [line for line in after if line.event == "connection taken over" and line.at < until]
    if back.device:
        adopted = [line for line in adopted if line.members.get("device") == back.device]
    return replace(
        back,
        noticed_s=since(noticed),
        served_s=since(served),
        adopted_s=since(adopted[-1]) if adopted else None,
    )


def _is_notice(back: Recovery, line: LogLine) -> bool:
    if back.actor_kind in _SYSTEM:
        return line.event in _SYSTEM_NOTICED
    return line.event in (*_NOTICED, _SPARE) and line.members.get("pid") == str(back.pid)


def _is_service(back: Recovery, line: LogLine) -> bool:
    if back.actor_kind in _SYSTEM:
        return line.event == "actor system is back"
    if back.actor_kind == "session":
        same = bool(back.device) and line.members.get("device") == back.device
        return line.event == "session replaced" and same
    return line.event == "restarted" and line.members.get("child") == back.name


def _from_console(line: str) -> LogLine | None:
    found = _CONSOLE.match(line)
    at = _instant(found[1]) if found else None
    if found is None or at is None:
        return None
    members = {name: _plain(value) for name, value in _MEMBER.findall(found[3])}
    return LogLine(at, found[2], members)


def _from_json(line: str) -> LogLine | None:
    try:
        told = json.loads(line)
    except ValueError:
        return None
    at = _instant(str(told.pop("timestamp", "")))
    event = str(told.pop("event", ""))
    if at is None or not event:
        return None
    return LogLine(at, event, {name: str(value) for name, value in told.items()})


def _instant(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _plain(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
