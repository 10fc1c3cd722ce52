"""Who gets the first session: read from real checkpoints in a real store."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from actors.session.checkpoint import SessionState, create
from supervisor.urgency import by_urgency
from tests.supervisor.test_fdstore import Client, Launcher, open_descriptors


@pytest.fixture
def client() -> Iterator[Client]:
    before = open_descriptors()
    launcher = Launcher()
    made = Client(launcher)
    yield made
    made.close()
    launcher.close()
    assert open_descriptors() == before, "a descriptor was left open"


def put(client: Client, key: str, checkpoint: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client.put(key, ours, checkpoint)
        client.launcher.run()
    os.close(checkpoint)


def test_who_is_in_mid_turn_comes_first_others_in_their_order(client: Client) -> None:
    phases = ("idle", "listening", "speaking", "spoken", "hearing", "thinking", "idle", "speaking")
    for number, phase in enumerate(phases):
        put(client, f"k{number}", create(SessionState(device_id=f"d{number}", phase=phase)))
    found = by_urgency(client, client.keys())
    assert [state.phase for _key, state in found] == [
        *("speaking", "speaking", "thinking", "hearing"),
        *("spoken", "listening", "idle", "idle"),
    ]
    assert [key for key, _state in found] == ["k2", "k7", "k5", "k4", "k3", "k1", "k0", "k6"]
    assert [state.device_id for _key, state in found] == [
        "d2",
        "d7",
        "d5",
        "d4",
        "d3",
        "d1",
        "d0",
        "d6",
    ]


def test_what_cannot_be_read_comes_last_and_stops_nobody(client: Client) -> None:
    broken = os.memfd_create("broken")
    os.write(broken, b"no checkpoint at all")
    put(client, "broken", broken)
    put(client, "strange", create(SessionState(phase="a phase of tomorrow")))
    put(client, "idle", create(SessionState(phase="idle")))
    found = by_urgency(client, [*client.keys(), "dropped meanwhile"])
    assert [key for key, _state in found] == ["idle", "broken", "strange", "dropped meanwhile"]


def test_nothing_is_taken_over_by_looking(client: Client) -> None:
    put(client, "k", create(SessionState()))
    for _ in range(10):
        by_urgency(client, ["k"])
    kept = client.get("k")
    kept.connection.close()
    os.close(kept.checkpoint_fileno)
    assert kept.takeovers == 0
