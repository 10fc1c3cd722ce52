"""Whole runs on real sockets: what happens to the server, the record is kept."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from sim.swarm import conductor
from sim.swarm.command import exit_code
from sim.swarm.conductor import Job, conduct
from sim.swarm.live import Live
from sim.swarm.records import Run
from sim.swarm.scenario import Scenario, parse
from sim.swarm.server import Target
from tests.sim.fake_server import FakeServer, Script, fake_server
from tests.sim.swarm.tones import utterances

pytestmark = pytest.mark.system

PLAIN = {
    "modes": {"auto": 1},
    "generations": {"2.4": 1},
    "versions": {"1": 1},
    "noise_dbfs": {"none": 1},
}


@pytest.fixture(autouse=True)
def _tones(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(members: Any, *_: Any, **__: Any) -> Any:
        return {member.index: utterances(member.index) for member in members}

    monkeypatch.setattr("sim.swarm.utterances.prepare", prepare)
    monkeypatch.setattr(conductor, "_LEAD_S", 1.0)


def scenario(**members: Any) -> Scenario:
    told = {
        "name": "test",
        "talking": {"period_s": 2.0, "speech_s": 0.54},
        "mix": PLAIN,
        "patience_s": 1.0,
        "sample_s": 0.5,
        "phases": [{"minutes": 0.05, "talkers": 2}],
    }
    return parse(told | members)


async def run_against(url: str, folder: Path, **members: Any) -> Run:
    job = Job(scenario(**members), Target(url=url), folder, "python3 -m sim swarm")
    return await conduct(job, Live())


def free_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"ws://127.0.0.1:{probe.getsockname()[1]}/"


def test_a_run_to_its_end(tmp_path: Path) -> None:
    async def go() -> tuple[Run, FakeServer]:
        async with fake_server(Script(frames=8)) as fake:
            return await run_against(fake.url, tmp_path, generators=2), fake

    run, fake = asyncio.run(go())
    assert (run.info.ended, run.info.problem, run.info.generators) == ("complete", "", 2)
    assert len(run.turns) == 3  # of 2 devices in 3 s, one each 2 s
    assert {turn.outcome for turn in run.turns} == {"answered"}
    assert fake.connections == 3  # one of them to see that somebody is there
    assert {device.generator for device in run.devices} == {0, 1}
    assert {lag.generator for lag in run.lags} == {0, 1}
    assert run.hosts
    assert run.crowd
    assert max(each.connected for each in run.crowd) == 2
    assert [phase.name for phase in run.phases] == ["phase 1"]
    assert not list(tmp_path.glob("generator-*.err"))


def test_nobody_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = asyncio.run(run_against(free_url(), tmp_path))
    assert run.info.ended == "unreachable"
    assert "is the server running" in run.info.problem
    assert run.turns == ()
    assert run.verdict.summary.startswith("unreachable: ")
    assert exit_code(run) == 3


def test_a_server_that_refuses(tmp_path: Path) -> None:
    async def go() -> Run:
        async with fake_server(Script(status=401)) as fake:
            return await run_against(fake.url, tmp_path)

    run = asyncio.run(go())
    assert run.info.ended == "unreachable"
    assert "401" in run.info.problem


def test_a_server_that_dies_in_mid_run(tmp_path: Path) -> None:
    async def go() -> Run:
        async with fake_server(Script(frames=8)) as fake:
            task = asyncio.create_task(
                run_against(
                    fake.url,
                    tmp_path,
                    phases=[{"minutes": 5, "talkers": 2}],
                    give_up_after_s=1.0,
                    limits={"lost": "== 0"},
                )
            )
            async with asyncio.timeout(15):
                while len(fake.times("tts stop")) < 2:
                    await asyncio.sleep(0.05)
        return await task

    run = asyncio.run(go())
    assert run.info.ended == "server lost"
    assert "nothing succeeded for 1 s" in run.info.problem
    outcomes = {turn.outcome for turn in run.turns}
    assert "answered" in outcomes
    assert outcomes & {"not connected", "disconnected"}
    assert run.phases[0].end_s < 60
    assert run.aggregates[0].lost >= 1
    assert not run.verdict.passed
    assert exit_code(run) == 1


def test_a_generator_that_dies_is_no_fault_of_the_server(tmp_path: Path) -> None:
    async def go() -> Run:
        async with fake_server(Script(frames=8)) as fake:
            task = asyncio.create_task(
                run_against(fake.url, tmp_path, phases=[{"minutes": 5, "talkers": 2}])
            )
            async with asyncio.timeout(15):
                while not fake.times("got listen start"):
                    await asyncio.sleep(0.05)
            workers = [
                child.pid
                for child in psutil.Process().children()
                if "sim.swarm.worker" in child.cmdline()
            ]
            os.kill(workers[0], signal.SIGKILL)
            return await task

    run = asyncio.run(go())
    assert run.info.ended == "generator failed"
    assert "ended by itself" in run.info.problem
    assert exit_code(run) == 4


def test_stopping_keeps_what_was_measured(tmp_path: Path) -> None:
    async def go() -> Run:
        async with fake_server(Script(frames=8)) as fake:
            task = asyncio.create_task(
                run_against(fake.url, tmp_path, phases=[{"minutes": 5, "talkers": 2}])
            )
            async with asyncio.timeout(15):
                while len(fake.times("tts stop")) < 1:
                    await asyncio.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)
            return await task

    run = asyncio.run(go())
    assert run.info.ended == "stopped"
    assert run.lags
    assert exit_code(run) == 130
