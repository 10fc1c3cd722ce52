"""Servers, started for a test, a module or the whole run, and always ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.server import Server, SettingsTree
from tests.system.standins import StandIns, running

#: Starts a server with these settings and waits until it is ready.
Start = Callable[..., Server]

SHOWN_CHARS = 6000

_running: list[Server] = []


def starter(folder: Path, *, ready: bool = True) -> Iterator[Start]:
    """For fixtures: yields what starts servers, and ends them afterwards."""
    started: list[Server] = []

    def start(settings: SettingsTree | None = None, ports: tuple[int, int] | None = None) -> Server:
        server = Server(folder, settings, ports)
        started.append(server)
        _running.append(server)
        return server.wait_ready() if ready else server

    yield start
    for server in started:
        _running.remove(server)
        server.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers that end with the test."""
    yield from starter(tmp_path)


@pytest.fixture
def start_unready(tmp_path: Path) -> Iterator[Start]:
    """As `start`, without waiting until they are ready."""
    yield from starter(tmp_path, ready=False)


@pytest.fixture(scope="module")
def start_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start servers that end with the module's last test."""
    yield from starter(tmp_path_factory.mktemp("servers"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One embedded server for all tests that leave it as it was."""
    for start in starter(tmp_path_factory.mktemp("shared")):
        yield start()


@pytest.fixture(autouse=True)
def _logs_of_failures() -> Iterator[None]:
    """The end of what the servers logged is shown with a test that fails."""
    yield
    for server in _running:
        print(f"--- log of the server on port {server.device_port}")
        print(server.log()[-SHOWN_CHARS:])


@pytest.fixture(scope="session")
def _stand_ins() -> Iterator[StandIns]:
    with running() as stand_ins:
        yield stand_ins


@pytest.fixture
def stand_ins(_stand_ins: StandIns) -> Iterator[StandIns]:
    """The stand-ins without any fault, before and after the test."""
    _stand_ins.heal()
    yield _stand_ins
    _stand_ins.heal()
