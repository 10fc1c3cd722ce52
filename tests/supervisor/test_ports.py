"""Binding the network's two ports, and saying what is wrong when that fails."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from supervisor import ports
from supervisor.ports import PortTaken, bind, holder

SETTING = "server.device_port"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_free_port_is_listened_on() -> None:
    with bind("127.0.0.1", 0, SETTING) as listener:
        socket.create_connection(listener.getsockname(), 2).close()


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6 loopback")
def test_an_address_with_colons_is_ipv6() -> None:
    with bind("::1", 0, SETTING) as listener:
        assert listener.family == socket.AF_INET6


def test_a_host_without_ipv6_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(ports.socket, "socket", refuse)
    with pytest.raises(PortTaken, match=r"Cannot listen on :: .*family not supported"):
        bind("::", 8000, SETTING)


def test_a_taken_port_names_the_setting_and_who_holds_it(taken: int) -> None:
    with pytest.raises(PortTaken) as problem:
        bind("127.0.0.1", taken, SETTING)
    text = str(problem.value)
    assert text.startswith(f"Port {taken} ({SETTING}) is taken by process {os.getpid()} (")
    assert f"set {SETTING} in the settings file" in text


def test_the_holder_may_be_another_process() -> None:
    script = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0));"
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, "the-other-server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        with pytest.raises(PortTaken, match=rf"process {other.pid} \({re.escape(sys.executable)}"):
            bind("127.0.0.1", port, SETTING)
        other.kill()


def test_a_port_is_free_again_at_once_after_a_connection_was_closed() -> None:
    with bind("127.0.0.1", 0, SETTING) as first:
        address = first.getsockname()
        client = socket.create_connection(address, 2)
        served, _ = first.accept()
        served.close()  # this side closes first, so the kernel keeps the pair for a minute
        assert client.recv(1) == b""
        client.close()
    bind("127.0.0.1", address[1], SETTING).close()


def test_a_holder_that_may_not_be_seen_is_another_user(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = next(c for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == taken)
    monkeypatch.setattr(psutil, "net_connections", lambda _kind: [found._replace(pid=None)])
    assert holder(taken) == "a process of another user"


@pytest.mark.parametrize("trouble", [psutil.AccessDenied(1), psutil.NoSuchProcess(1)])
def test_a_holder_that_cannot_be_asked_is_another_user(
    monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def refuse(_kind: str) -> None:
        raise trouble

    monkeypatch.setattr(psutil, "net_connections", refuse)
    assert holder(1) == "a process of another user"


def test_a_low_port_says_that_it_is_for_root() -> None:
    error = OSError(errno.EACCES, "Permission denied")
    assert ports._explain("0.0.0.0", 80, SETTING, error) == (
        f"Port 80 ({SETTING}) is only for root: choose one above 1023."
    )


def test_an_address_that_is_not_ours_names_the_setting() -> None:
    with pytest.raises(PortTaken, match=r"Cannot listen on 198\.51\.100\.1 .*server\.host"):
        bind("198.51.100.1", 8000, SETTING)
