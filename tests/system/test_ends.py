"""The end as the operator orders it, and a second start beside the first."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.system.conftest import Start
from tests.system.server import ROOT, STOP_S, Server, alive, command, environment
from tests.system.talker import LONG, SUM, talker
from tests.system.waiting import until

pytestmark = pytest.mark.system


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_ends_everything(start: Start, number: signal.Signals) -> None:
    """`stop` asserts that it lasts no 3 s and leaves no process."""
    server = start()
    assert len(server.pids()) > 12
    assert server.stop(number) == 0
    assert "stopped" in server.log()


def test_ctrl_c_reaches_the_launcher_alone(server: Server) -> None:
    """A terminal signals its whole process group: the actors must not be in it."""
    launcher, *below = server.pids()
    assert all(os.getpgid(pid) != os.getpgid(launcher) for pid in below)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_during_an_answer(start: Start, number: signal.Signals) -> None:
    """The device leaves speaking by a tts stop, then the connection is closed properly."""

    async def scenario() -> None:
        server = start()
        async with talker(server) as speaking, talker(server) as listening:
            await listening.body.listen()
            turn = asyncio.create_task(speaking.type(LONG))
            await speaking.until("first_frame")
            assert await asyncio.to_thread(server.stop, number) == 0
            await turn
            for device in (speaking, listening):
                await device.until("closed", within_s=1.0)
                assert "1001" in device.texts("closed")[0]
            assert (speaking.count("tts_start"), speaking.count("tts_stop")) == (1, 1)

    asyncio.run(scenario())


def test_a_short_answer_is_finished_first(start: Start) -> None:
    """Within `server.drain_timeout_s` a turn under way is heard to its end."""

    async def scenario() -> None:
        server = start()
        async with talker(server) as device:
            turn = asyncio.create_task(device.type(SUM))
            await device.until("first_frame")
            assert await asyncio.to_thread(server.stop) == 0
            result = await turn
            assert result.right, result.verdict
            assert device.count("tts_stop") == 1

    asyncio.run(scenario())


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    async def scenario() -> None:
        server = start({"server": {"drain_timeout_s": 60}})
        async with talker(server) as device:
            turn = asyncio.create_task(device.type(LONG))
            await device.until("first_frame")
            server.process.send_signal(signal.SIGINT)
            await asyncio.to_thread(until, lambda: "stopping" in server.log(), 2.0, "it drains")
            began = time.monotonic()
            assert await asyncio.to_thread(server.stop, signal.SIGINT) == 0
            assert time.monotonic() - began < 1.5
            await turn

    asyncio.run(scenario())


def test_it_ends_in_time_with_a_stopped_actor(start: Start) -> None:
    """An actor that answers nothing any more does not delay the end."""
    server = start()
    psutil.Process(server.pid("acceptor")).suspend()
    assert server.stop() == 0


@pytest.mark.parametrize("taken", ["device_port", "http_port"])
def test_a_second_start_says_who_holds_the_port(
    server: Server, start_unready: Start, taken: str
) -> None:
    """In one message, with the process and the setting, and it disturbs nobody."""
    held = {"device_port": server.device_port, "http_port": server.http_port}[taken]
    second = start_unready({"server": {taken: held}})
    assert second.process.wait(10) == 1
    said = second.log()
    assert f"Port {held} (server.{taken}) is taken by process {server.process.pid} " in said
    assert "run.py" in said
    assert f"set server.{taken}" in said
    assert "Traceback" not in said
    assert server.get("/readyz")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('[server]\ndevice_port = "many"\n', ("server.device_port", "many", "whole number")),
        ("[server]\ndevice_prot = 8000\n", ("server.device_prot", "device_port")),
        ('[[llm]]\nkind = "olama"\n', ("llm", "olama", "ollama")),
        ("[server\n", ("line 1",)),
    ],
    ids=["type", "name", "kind", "toml"],
)
def test_a_wrong_setting_is_named_and_nothing_starts(
    tmp_path: Path, settings: str, words: tuple[str, ...]
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(settings, encoding="utf-8")
    done = subprocess.run(
        command(file),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_start_may_be_ended_before_it_is_ready(start_unready: Start) -> None:
    server = start_unready()
    until(lambda: len(server.pids()) > 2, 10.0, "the first actors are there")
    pids = server.pids()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(STOP_S) == 0
    assert not alive(pids)
