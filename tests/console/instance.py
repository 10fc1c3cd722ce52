"""An instance as its actors report it, and the console served on a loopback port."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp

from actors.console.http import build_app, run_http
from actors.console.snapshot import StatusSnapshot, snapshot
from actors.messages import ActorReport
from cfg.model import Settings

#: 2026-09-01 00:00:00 UTC
STARTED_S = 1_788_220_800.0

WHOLE = (
    ActorReport("root", "root", 100, "ready"),
    ActorReport("acceptor", "acceptor", 101, "ready"),
    ActorReport("router", "router", 102, "ready", in_flight=2),
    ActorReport(
        "asr/vosk-0",
        "asr worker",
        103,
        "ready",
        detail={"healthy": True, "model": "own", "tiny": True},
    ),
    ActorReport("llm/rules-0", "llm worker", 104, "busy", in_flight=1),
    ActorReport("tts/espeak-0", "tts worker", 105, "ready", restarts=3, detail={"voice": "cmn"}),
    ActorReport(
        "session-10", "session", 110, "ready", detail={"device": "aa:bb", "phase": "speaking"}
    ),
    ActorReport("session-9", "session", 109, "ready"),
    ActorReport(
        "answers",
        "answers",
        111,
        "ready",
        detail={
            "entries": 120,
            "capacity": 50_000,
            "hits": {"bank": 0, "exact": 9, "canonical": 3, "semantic": 0},
            "hit_rate": 0.75,
            "misses": {"time": 4},
            "saved_calls": 6,
            "saved_ms": 3600,
            "embedder": "ngrams-512",
            "redis": "not used",
            "disk": "ok",
        },
    ),
)


def without(kind: str) -> tuple[ActorReport, ...]:
    """The whole instance but for the actors of one kind."""
    return tuple(report for report in WHOLE if report.kind.split()[0] != kind)


def in_state(kind: str, state: str, reason: str = "") -> tuple[ActorReport, ...]:
    """The whole instance with the actors of one kind in another state."""
    return tuple(
        replace(report, state=state, detail=report.detail | {"reason": reason})
        if report.kind.split()[0] == kind
        else report
        for report in WHOLE
    )


class Instance:
    """What the console asks: settable reports and a settable clock."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.reports: tuple[ActorReport, ...] = WHOLE
        self.now_s = STARTED_S + 90.0
        self.asked = 0
        self.url = ""
        self.port = 0

    def clock(self) -> float:
        return self.now_s

    async def status(self) -> StatusSnapshot:
        self.asked += 1
        return snapshot(self.reports, self.settings, STARTED_S, self.now_s)

    @asynccontextmanager
    async def served(self, **options: float) -> AsyncIterator[aiohttp.ClientSession]:
        """Serve on a loopback port that this process opened, as the launcher does."""
        app = build_app(self.settings, self.status, self.clock, **options)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port = listening.getsockname()[1]
            self.url = f"http://127.0.0.1:{self.port}"
            async with run_http(app, listening), aiohttp.ClientSession(self.url) as client:
                yield client
