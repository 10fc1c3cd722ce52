"""Faults carried out on a real process tree, a real stand-in's controls and a proxy."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sim.faults import targets
from sim.faults.execute import FaultExecutor, Part, answers_on
from sim.faults.plan import parse, timeline
from sim.faults.proxy import FaultProxy
from sim.swarm.records import FaultRecord

LIMIT_S = 20.0
TREE = Path(__file__).with_name("tree.py")

pytestmark = [pytest.mark.faults, pytest.mark.system]


class Running:
    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.status_url = f"http://127.0.0.1:{port}/status"

    def names(self) -> dict[str, int]:
        return {each.name: each.pid for each in targets.scan(self.pid)}


@contextmanager
def running(*options: str) -> Iterator[Running]:
    command = [sys.executable, str(TREE), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            tree = Running(process.pid, int(process.stdout.readline()))
            deadline = time.monotonic() + 5
            while len(tree.names()) < 7:
                assert time.monotonic() < deadline, tree.names()
                time.sleep(0.01)
            yield tree
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as tree:
        yield tree


def executed(
    lines: list[dict[str, Any]], server: Running | None = None, **options: Any
) -> tuple[FaultRecord, ...]:
    async def work() -> tuple[FaultRecord, ...]:
        plan = timeline(parse(lines), 60, seed=1)
        known = {"launcher_pid": server.pid, "status_url": server.status_url} if server else {}
        executor = FaultExecutor(plan, **(known | options))
        async with asyncio.timeout(LIMIT_S):
            return await executor.run(time.monotonic())

    return asyncio.run(work())


def test_the_tree_is_read_from_its_titles(server: Running) -> None:
    names = server.names()
    assert names["launcher"] == server.pid
    assert {"root", "router", "asr/vosk-0", "llm/rules-0"} < set(names)
    kinds = {each.name: each.kind for each in targets.scan(server.pid)}
    assert kinds["asr/vosk-0"] == "asr"
    assert kinds["router"] == "router"


def test_a_killed_actor_is_measured_until_it_is_ready(server: Running) -> None:
    pid = server.names()["router"]
    (record,) = executed([{"action": "kill", "target": "actor:router"}], server)
    back = record.recovery
    assert record.ok
    assert (record.kind, record.target, record.detail) == (
        "kill",
        "actor:router",
        f"router ({pid})",
    )
    assert back is not None
    assert back.recovered
    assert (back.name, back.actor_kind, back.pid) == ("router", "router", pid)
    assert back.new_pid == server.names()["router"] != pid
    assert back.gone_s is not None
    assert back.back_s is not None
    assert back.ready_s is not None
    assert 0 <= back.gone_s <= back.ready_s


def test_a_stopped_actor_is_gone_when_its_hanging_was_noticed(server: Running) -> None:
    (record,) = executed([{"action": "stop", "target": "kind:llm"}], server)
    assert record.recovery is not None
    assert record.recovery.recovered
    assert record.recovery.gone_s is not None
    assert record.recovery.gone_s >= 0.4


def test_a_short_stop_is_survived_by_the_process_itself(server: Running) -> None:
    (record,) = executed([{"action": "stop", "target": "kind:asr", "for_s": 0.03}], server)
    assert record.until_s == pytest.approx(record.at_s + 0.03)
    assert record.recovery is not None
    assert record.recovery.recovered
    assert (record.recovery.gone_s, record.recovery.new_pid) == (None, None)


def test_the_device_of_a_session_is_followed(server: Running) -> None:
    async def serving() -> str:
        reader = targets.StatusReader(server.status_url)
        status = await reader.read()
        await reader.close()
        assert status is not None
        return next(actor.name for actor in status.actors if actor.device)

    name = asyncio.run(serving())
    (record,) = executed([{"action": "term", "target": f"actor:{name}"}], server)
    assert record.recovery is not None
    assert record.recovery.recovered
    assert record.recovery.actor_kind == "session"
    assert asyncio.run(serving()) != name


def test_many_faults_overlap_and_each_is_recorded(server: Running) -> None:
    line = {"action": "kill", "target": "any", "every_s": 0.05, "count": 8}
    records = executed([line], server)
    assert len(records) == 8
    assert [r.at_s for r in records] == sorted(r.at_s for r in records)
    assert all(r.recovery is not None and r.recovery.recovered for r in records if r.ok)
    assert sum(r.ok for r in records) >= 6  # a victim on its way back is not hit again


def test_without_a_status_being_back_by_name_counts(server: Running) -> None:
    (record,) = executed([{"action": "kill", "target": "kind:asr"}], launcher_pid=server.pid)
    assert record.recovery is not None
    assert record.recovery.recovered
    assert record.recovery.ready_s is None
    assert record.recovery.back_s is not None


def test_a_victim_that_stays_away_did_not_recover() -> None:
    with running("--lazy") as tree:
        line = {"action": "kill", "target": "actor:router"}
        (record,) = executed([line], tree, recover_by_s=0.3)
        assert record.ok
        assert record.recovery is not None
        assert not record.recovery.recovered
        assert record.recovery.gone_s is not None
        assert record.recovery.not_ready_s is not None


def test_what_cannot_be_done_is_recorded_with_the_reason(server: Running) -> None:
    lines = [
        {"action": "kill", "target": "kind:tts"},
        {"action": "kill", "target": "part:database"},
        {"action": "proxy", "target": "proxy:db", "settings": {"refuse": True}},
        {"action": "standin", "target": "standin:llm", "settings": {"faults": {}}},
    ]
    records = executed(lines, server)
    assert [record.ok for record in records] == [False] * 4
    assert {record.detail for record in records} == {
        "no process is kind:tts at the moment",
        "there is no part 'database'; none was given to this run",
        "there is no proxy 'db'; none was given to this run",
        "there is no stand-in 'llm'; none was given to this run",
    }
    (record,) = executed([{"action": "kill", "target": "any"}])
    assert record.detail == "no process of the server is known"
    (record,) = executed([{"action": "kill", "target": "launcher"}])
    assert "not known" in record.detail


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_a_part_is_started_again_after_its_time() -> None:
    processes = [sleeper()]

    def pid() -> int | None:
        return processes[-1].pid if processes[-1].poll() is None else None

    async def start() -> None:
        processes.append(sleeper())

    line = {"action": "kill", "target": "part:database", "for_s": 0.1}
    try:
        (record,) = executed([line], parts={"database": Part(pid, start)})
    finally:
        for process in processes:
            process.kill()
            process.wait()
    back = record.recovery
    assert back is not None
    assert back.recovered
    assert (back.pid, back.new_pid) == (processes[0].pid, processes[1].pid)
    assert back.ready_s is not None
    assert back.ready_s >= 0.1


def test_a_process_that_was_stopped_for_good_goes_on_at_the_end() -> None:
    with sleeper() as process:
        (record,) = executed([{"action": "stop", "target": f"pid:{process.pid}"}])
        assert record.ok
        assert record.recovery is None
        assert not targets.is_stopped(process.pid)
        process.kill()


def test_a_pid_that_is_gone_is_named() -> None:
    with sleeper() as process:
        process.kill()
    (record,) = executed([{"action": "kill", "target": f"pid:{process.pid}"}])
    assert record.detail == f"process {process.pid} is gone already"


def test_cancelling_takes_back_what_lasts() -> None:
    async def work(pid: int, proxy: FaultProxy) -> None:
        lines = [
            {"action": "stop", "target": f"pid:{pid}", "for_s": 50},
            {"action": "proxy", "target": "proxy:p", "settings": {"up": {"stall": True}}},
        ]
        plan = timeline(parse(lines), 60, seed=1)
        executor = FaultExecutor(plan, proxies={"p": proxy})
        run = asyncio.create_task(executor.run(time.monotonic()))
        while not (targets.is_stopped(pid) and proxy.weather.up.stall):
            await asyncio.sleep(0.005)
        run.cancel()
        await asyncio.wait([run])
        assert not targets.is_stopped(pid)
        assert not proxy.weather.up.stall
        assert [record.kind for record in executor.records] == ["proxy"]

    with sleeper() as process:
        asyncio.run(work(process.pid, FaultProxy("127.0.0.1", 9)))
        process.send_signal(signal.SIGKILL)


def test_a_proxy_gets_its_weather_back() -> None:
    proxy = FaultProxy("127.0.0.1", 9)
    settings = {"both": {"latency_ms": 200}}
    line = {"action": "proxy", "target": "proxy:db", "for_s": 0.05, "settings": settings}
    wrong = {"action": "proxy", "target": "proxy:db", "settings": {"up": {"lag": 1}}}
    done, refused = sorted(
        executed([line, wrong], proxies={"db": proxy}), key=lambda r: r.ok, reverse=True
    )
    assert done.until_s == pytest.approx(done.at_s + 0.05)
    assert "latency_ms" in done.detail
    assert proxy.weather.up.latency_ms == 0
    assert "up.lag is unknown" in refused.detail


def test_a_stand_in_is_disturbed_and_calmed_again() -> None:
    seen: list[Any] = []

    async def get(_: web.Request) -> web.Response:
        return web.json_response({"status": None})

    async def put(request: web.Request) -> web.Response:
        seen.append(await request.json())
        wrong = seen[-1].get("status") == 999
        return web.json_response({"error": "no"}, status=400 if wrong else 200)

    async def work() -> tuple[FaultRecord, ...]:
        app = web.Application()
        app.router.add_get("/standin/faults", get)
        app.router.add_put("/standin/faults", put)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        common = {"action": "standin", "target": "standin:llm"}
        lines = [
            {**common, "for_s": 0.05, "settings": {"faults": {"status": 503}}},
            {**common, "at_s": 0.3, "settings": {"faults": {"status": 999}}},
            {**common, "at_s": 0.3, "settings": {"mood": {}}},
        ]
        plan = timeline(parse(lines), 60, seed=1)
        records = await FaultExecutor(plan, standins={"llm": url}).run(time.monotonic())
        await runner.cleanup()
        return records

    first, *others = asyncio.run(work())
    assert first.ok
    assert seen == [{"status": 503}, {"status": None}, {"status": 999}]
    assert {other.detail.split(" ", 1)[1] for other in others if not other.ok} == {
        "answered 400: {'error': 'no'}",
        "is unknown; known are faults and profile",
    }


def test_a_port_answers_or_not() -> None:
    async def work() -> None:
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        assert await answers_on("127.0.0.1", port)()
        server.close()
        await server.wait_closed()
        assert not await answers_on("127.0.0.1", port)()

    asyncio.run(work())


def test_own_process_is_running() -> None:
    assert targets.is_running(os.getpid())
    assert targets.began(os.getpid()) > 0
