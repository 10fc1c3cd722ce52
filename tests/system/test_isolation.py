"""Who can reach what: ports, descriptors, and two instances on one host."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.system.conftest import Start
from tests.system.server import Server
from tests.system.talker import SUM, SUMS, WHO, Talker, talker
from tests.system.waiting import eventually, until

pytestmark = pytest.mark.system

DEVICES = 20


def sockets(pid: int) -> list[Any]:
    """TCP and UDP sockets of a process; none once it is gone."""
    try:
        return list(psutil.Process(pid).net_connections("inet"))
    except psutil.NoSuchProcess:
        return []


def listening(server: Server) -> set[tuple[str, int]]:
    """Every address at which this server's processes can be reached, UDP included."""
    return {
        (each.laddr.ip, each.laddr.port)
        for pid in server.pids()
        for each in sockets(pid)
        if each.status in (psutil.CONN_LISTEN, psutil.CONN_NONE) and each.laddr
    }


def descriptors(pid: int) -> dict[str, str]:
    """What each descriptor of a process is."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[entry.name] = os.readlink(entry)
        except FileNotFoundError:
            continue
    return found


def test_only_two_ports_are_open_to_the_network(start: Start) -> None:
    server = start({"server": {"host": "0.0.0.0"}})

    async def scenario() -> None:
        async with talker(server) as device:
            await device.type(SUM)
            reachable = await asyncio.to_thread(listening, server)
            beyond = {address for address in reachable if address[0] != "127.0.0.1"}
            assert beyond == {("0.0.0.0", server.device_port), ("0.0.0.0", server.http_port)}
            assert len(reachable) > 12, "Thespian's own ports were not seen"

    asyncio.run(scenario())


def test_a_session_holds_only_its_own_descriptors(server: Server) -> None:
    """One device's socket, one checkpoint, and what it talks to its own system with."""
    launcher = server.process.pid
    before = len(descriptors(launcher))

    def kept() -> int:
        return sum("memfd:" in target for target in descriptors(launcher).values())

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            devices = [await stack.enter_async_context(talker(server)) for _ in range(DEVICES)]
            pids = await asyncio.to_thread(lambda: [server.session_of(d.id) for d in devices])
            assert len(set(pids)) == DEVICES
            assert kept() == DEVICES
            checkpoints = set()
            for device, pid in zip(devices, pids, strict=True):
                checkpoints |= check_descriptors(server, device, pid)
            assert len(checkpoints) == DEVICES, "two sessions share a checkpoint"
            # They talk with what they hold, a few of them at once.
            results = await asyncio.gather(*(d.type(SUM) for d in devices[:5]))
            assert all(result.right for result in results)

    asyncio.run(scenario())
    until(lambda: len(descriptors(launcher)) == before, 5.0, "the launcher keeps nothing of them")


def check_descriptors(server: Server, device: Talker, pid: int) -> set[int]:
    """Fails on any descriptor that is not this session's; returns its checkpoint's inode."""
    held = descriptors(pid)
    kinds = Counter(target.split(":")[0].split(" ")[0] for target in held.values())
    # Python's mmap keeps a duplicate of the descriptor it was given.
    memory = {
        os.stat(f"/proc/{pid}/fd/{number}").st_ino
        for number, target in held.items()
        if "memfd:" in target
    }
    assert len(memory) == 1, held
    allowed = {"/dev/null", str(server.log_file), "/memfd", "anon_inode", "socket"}
    assert set(kinds) <= allowed, held
    assert len(held) < 20, held
    tcp = [each for each in sockets(pid) if each.laddr]
    devices = [each for each in tcp if each.laddr.port == server.device_port]
    assert [each.raddr.port for each in devices] == [device.local_port]
    assert not [each for each in tcp if each.laddr.port == server.http_port]
    return memory


def test_no_other_actor_holds_a_device(server: Server) -> None:
    """Beside its session only the launcher, which keeps it for the next one."""

    async def scenario() -> None:
        async with talker(server) as device:
            holders = []
            for pid in await asyncio.to_thread(server.pids):
                if any(s.raddr and s.raddr.port == device.local_port for s in sockets(pid)):
                    holders.append(pid)
            session = await asyncio.to_thread(server.session_of, device.id)
            assert set(holders) == {server.process.pid, session}

    asyncio.run(scenario())


# --- two instances ---


def outside(server: Server) -> set[int]:
    """Loopback ports that this server's processes are connected to and none of them owns."""
    pids = server.pids()
    own = {port for _, port in listening(server)}
    connected = {
        each.raddr.port
        for pid in pids
        for each in sockets(pid)
        if each.status == psutil.CONN_ESTABLISHED
        and each.laddr.port not in (server.device_port, server.http_port)
    }
    ours = {each.laddr.port for pid in pids for each in sockets(pid) if each.laddr}
    return connected - own - ours


def test_two_instances_do_not_mix(server: Server, start: Start) -> None:
    """The same device at both at once; one of them dies, the other does not notice."""

    async def scenario() -> None:
        other = start({"dialogue": {"apology": "这是另一个。"}})
        assert not listening(server) & listening(other)
        same_id = "02:bb:bb:bb:bb:bb"
        async with (
            talker(server, device_id=same_id) as here,
            talker(other, device_id=same_id) as there,
        ):
            await asyncio.gather(here.ask(SUMS[0]), there.ask(SUMS[1]))
            here.check_unbroken()
            there.check_unbroken()
            for instance, device, question in (
                (server, here, SUMS[0]),
                (other, there, SUMS[1]),
            ):
                records = await asyncio.to_thread(instance.turns, same_id)
                assert [record["heard"] for record in records] == [question.words]
                assert records[0]["turn"].startswith(device.body.hello.session_id)
                assert not await asyncio.to_thread(outside, instance)
            pids = server.pids()
            turn = asyncio.create_task(here.type(WHO))
            await here.until("first_frame", 2)
            other.kill(other.process.pid)
            other.process.wait()
            await there.until("closed")
            assert (await turn).right
            here.check_unbroken()
            await eventually(lambda: set(pids) <= set(server.pids()), 1.0, "nothing was replaced")

    asyncio.run(scenario())
