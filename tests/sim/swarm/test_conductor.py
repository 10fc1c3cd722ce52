"""Whole runs on real sockets: what happens to the server, the record is kept."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from sim.swarm import conductor
from sim.swarm.command import exit_code
from sim.swarm.conductor import Job, conduct
from sim.swarm.live import Live
from sim.swarm.records import Run
from sim.swarm.scenario import Scenario, parse
from sim.swarm.server import NotStarted, Target
from sim.swarm.surroundings import Surroundings
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
    monkeypatch.setattr(conductor, "_ANSWERED_AFTER_S", 0.1)


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


class Restarted:
    """In place of the run's own server: notes when it was started again, and for what."""

    def __init__(self, settings: dict[str, Any], fake: FakeServer, fails: bool = False) -> None:
        self.settings = settings
        self.starts: list[dict[str, Any]] = []
        self.open_then: list[int] = []
        self._fake = fake
        self._fails = fails

    async def restart(self, settings: dict[str, Any]) -> None:
        if self._fails:
            raise NotStarted("the server was not ready within 1 s: no room")
        self.open_then.append(self._fake.connections - len(self._fake.endings))
        self.settings = settings
        self.starts.append(settings)


def phases_of_two_servers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fails: bool = False
) -> tuple[Run, Restarted]:
    off = {"answer_cache": {"enabled": False}}
    told = scenario(
        serve={},
        generators=2,
        phases=[
            {"name": "off", "minutes": 0.04, "talkers": 2, "settings": off},
            {"name": "on", "minutes": 0.04, "talkers": 2},
            {"name": "still on", "minutes": 0.02, "talkers": 2},
        ],
    )

    async def go() -> tuple[Run, Restarted]:
        async with fake_server(Script(frames=8)) as fake:
            server = Restarted(told.settings_of(told.phases[0]), fake, fails)

            @asynccontextmanager
            async def surroundings(*_: Any) -> AsyncIterator[Surroundings]:
                yield Surroundings(Target(url=fake.url), server=cast("Any", server))

            monkeypatch.setattr(conductor, "surroundings", surroundings)
            job = Job(told, Target(), folder, "python3 -m sim run")
            return await conduct(job, Live()), server

    return asyncio.run(go())


def test_a_phase_with_other_settings_has_a_server_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, server = phases_of_two_servers(tmp_path, monkeypatch)
    assert run.info.ended == "complete"
    assert server.starts == [{}]  # once: the third phase goes on with the second's
    assert server.open_then == [0]  # everybody had left
    first, second, third = run.phases
    assert first.settings == {"answer_cache": {"enabled": False}}
    assert second.start_s > first.end_s + 1
    assert third.start_s == second.end_s
    assert {turn.outcome for turn in run.turns} == {"answered"}
    assert {turn.phase for turn in run.turns} >= {"off", "on"}
    assert not [each for each in run.connections if each.kind in ("dropped", "failed")]


def test_a_server_that_does_not_start_again_leaves_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _server = phases_of_two_servers(tmp_path, monkeypatch, fails=True)
    assert (run.info.ended, run.info.problem) == (
        "server lost",
        "the server was not ready within 1 s: no room",
    )
    assert {turn.phase for turn in run.turns} == {"off"}
    assert exit_code(run) == 1


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
