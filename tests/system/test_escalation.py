"""An acceptor that cannot start: everything is started anew, once; then it is tried again
slowly while the others serve; and when it can start, devices talk on where they were."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.system import server as servers
from tests.system.conftest import Start
from tests.system.talker import HELLO, SUM, talker
from tests.system.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.faults]


def test_what_cannot_start_escalates_once_and_is_then_tried_slowly(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "blocked"
    program = [sys.executable, "-m", "tests.system.blocked_acceptor", "serve", "--config"]
    monkeypatch.setattr(servers, "command", lambda config: [*program, str(config)])
    monkeypatch.setenv("BLOCKED", str(blocked))
    server = start()

    def logged(text: str, times: int = 1) -> None:
        until(lambda: server.log().count(text) >= times, 20.0, f"{text!r}, {times} times")

    async def run() -> None:
        async with talker(server) as device:
            await device.type(HELLO)
            root = await asyncio.to_thread(server.pid, "root")
            blocked.touch()
            acceptor = await asyncio.to_thread(server.pid, "acceptor")
            await asyncio.to_thread(server.kill, acceptor)
            await asyncio.to_thread(logged, "acceptor was given up: OSError: the door is blocked")
            await asyncio.to_thread(logged, "started anew in vain", 2)
            # The second system lives on without it, and says so.
            found = await asyncio.to_thread(server.actor, "acceptor")
            assert found is not None
            assert found["state"] != "ready"
            again = await asyncio.to_thread(server.pid, "root")
            assert again != root
            assert server.log().count("actor system ended") == 1
            blocked.unlink()
            await asyncio.to_thread(server.pid, "acceptor")
            await device.ask(SUM)
            device.check_unbroken()
            assert await asyncio.to_thread(server.pid, "root") == again

    asyncio.run(run())
