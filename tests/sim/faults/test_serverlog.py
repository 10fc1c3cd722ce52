"""What the supervisors log of a fault, found again in either style of log."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from sim.faults import serverlog
from sim.swarm.records import FaultRecord, Recovery

BEGAN = datetime.fromisoformat("2026-11-24T08:49:00.000000").timestamp()
LOG = """\
Ready after 165 ms. A device talks when its OTA address is set to this host:
2026-11-24T08:49:10.005000 [warning  ] child ended              actor=root child=router given_up=False pid=41 reason='process ended' restart_in_ms=0
2026-11-24T08:49:10.085000 [info     ] restarted                actor=root after_ms=80 child=router pid=61 restarts=1
2026-11-24T08:49:21.150000 [error    ] child hangs              actor='pool asr' child=asr/vosk-0 pid=42 reason="its actor's \\"beat\\" was silent for 1.2 s"
2026-11-24T08:49:21.200000 [warning  ] child ended              actor='pool asr' child=asr/vosk-0 pid=42
2026-11-24T08:49:21.400000 [info     ] restarted                actor='pool asr' after_ms=200 child=asr/vosk-0 pid=62
2026-11-24T08:49:30.004000 [warning  ] session ended under its device actor=acceptor device=02:a pid=43 restarts=1 session=session-8
2026-11-24T08:49:30.010000 [warning  ] connection taken over    actor=session-27 device=02:b phase=idle
2026-11-24T08:49:30.020000 [warning  ] connection taken over    actor=session-28 device=02:a phase=hearing
2026-11-24T08:49:30.030000 [info     ] session replaced         actor=acceptor after_ms=26 device=02:a
2026-11-24T08:49:40.900000 [error    ] root hangs               actor=launcher pid=44 reason='its actor was silent for 1.1 s'
2026-11-24T08:49:40.910000 [error    ] actor system ended; it is started again actor=launcher devices=20 in_ms=0 reason="Thespian's admin ended"
2026-11-24T08:49:41.400000 [warning  ] actor system is back     actor=launcher after_ms=490 devices=20
2026-11-24T08:49:41.500000 [warning  ] connection taken over    actor=session-3 device=02:c phase=idle
2026-11-24T08:49:41.900000 [warning  ] connection taken over    actor=session-4 device=02:d phase=idle
"""


def fault(at_s: float, name: str, kind: str, pid: int, device: str = "") -> FaultRecord:
    return FaultRecord(at_s, "kill", "any", recovery=Recovery(name, kind, pid, True, device=device))


FAULTS = (
    fault(10.0, "router", "router", 41),
    fault(20.0, "asr/vosk-0", "asr", 42),
    fault(30.0, "session-8", "session", 43, "02:a"),
    fault(40.0, "root", "root", 44),
    FaultRecord(45.0, "kill", "actor:x", "no such", ok=False),
)


def told(log: str) -> list[tuple[float | None, float | None, float | None]]:
    faults = serverlog.timed(FAULTS, serverlog.read(log.splitlines()), BEGAN)
    assert faults[-1] == FAULTS[-1]
    backs = [each.recovery for each in faults if each.recovery is not None]
    return [(back.noticed_s, back.served_s, back.adopted_s) for back in backs]


def expected() -> list[tuple[float | None, ...]]:
    return [
        (pytest.approx(0.005, abs=1e-5), pytest.approx(0.085, abs=1e-5), None),
        (pytest.approx(1.15, abs=1e-5), pytest.approx(1.4, abs=1e-5), None),
        (
            pytest.approx(0.004, abs=1e-5),
            pytest.approx(0.03, abs=1e-5),
            pytest.approx(0.02, abs=1e-5),
        ),
        (pytest.approx(0.9, abs=1e-5), pytest.approx(1.4, abs=1e-5), pytest.approx(1.9, abs=1e-5)),
    ]


def test_each_kind_of_victim_is_found_in_the_console_s_log() -> None:
    assert told(LOG) == expected()


def test_json_tells_the_same() -> None:
    lines = [
        json.dumps(
            {"event": line.event, "timestamp": datetime.fromtimestamp(line.at).isoformat()}
            | dict(line.members)
        )
        for line in serverlog.read(LOG.splitlines())
    ]
    assert told("\n".join(["{broken", *lines])) == expected()


def test_quoted_values_are_read_whole() -> None:
    lines = {line.event: line.members for line in serverlog.read(LOG.splitlines())}
    assert lines["child hangs"]["actor"] == "pool asr"
    assert lines["child hangs"]["pid"] == "42"


def test_nothing_is_told_of_what_was_not_logged() -> None:
    assert told("") == [(None, None, None)] * 4
