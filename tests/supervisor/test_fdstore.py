"""The descriptor store and its client, over real Unix sockets, without actors."""

from __future__ import annotations

import json
import os
import selectors
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from actors import descriptors
from actors.descriptors import DescriptorStore, PoisonedConnection, StoreError
from supervisor import fdstore
from supervisor.fdstore import MAX_TAKEOVERS, PARK_S, TAKEOVER_WINDOW_S, Store


class Launcher:
    """A store with its loop in the hand of the test, and a clock that it sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.notes: list[tuple[str, dict[str, Any], int]] = []
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.store = Store(
            self.selector,
            {"device": self.listener},
            lambda *note: self.notes.append(note),
            lambda: self.now,
        )

    def turn(self) -> bool:
        """One round of the launcher's loop; False when there was nothing to do."""
        ready = self.selector.select(0)
        for key, _ in ready:
            key.data(key.fileobj)
        self.store.expire_parked()
        return bool(ready)

    def run(self) -> None:
        while self.turn():
            pass

    @property
    def left(self) -> int:
        """How many clients have left or were dropped."""
        return sum(1 for operation, _, _ in self.notes if operation == "left")

    def close(self) -> None:
        self.store.close_all()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()
        self.listener.close()


class Client(DescriptorStore):
    """The real client; while it waits for an answer the launcher's loop turns."""

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher
        super().__init__(launcher.store.address)
        launcher.run()

    def receive(self) -> tuple[dict[str, Any], list[int]]:
        self.launcher.run()
        return super().receive()

    def send(self, data: bytes, filenos: list[int] | None = None) -> None:
        """Send what no client would."""
        socket.send_fds(self._socket, [data], filenos or [])

    def ask(self, **request: Any) -> None:
        """Send a request and do not wait."""
        self.send(json.dumps(request).encode())

    @property
    def dropped(self) -> bool:
        self.launcher.run()
        self._socket.setblocking(False)
        try:
            return self._socket.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True


class Device:
    """A device's connection: the device's end, the server's end, and a checkpoint."""

    def __init__(self, text: bytes = b"checkpoint") -> None:
        self.end, self.connection = socket.socketpair()
        self.end.settimeout(2)
        self.checkpoint = os.memfd_create("checkpoint")
        os.write(self.checkpoint, text)

    def put(self, client: Client, key: str) -> None:
        """Keep the connection in the store, and there alone."""
        client.put(key, self.connection, self.checkpoint)
        client.launcher.run()
        self.connection.close()
        os.close(self.checkpoint)

    @property
    def ended(self) -> bool:
        self.end.setblocking(False)
        try:
            return self.end.recv(1) == b""
        except BlockingIOError:
            return False

    def close(self) -> None:
        self.end.close()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def fetch(client: Client, key: str) -> int:
    """Get a connection and let go of the duplicates; return the takeovers."""
    kept = client.get(key)
    kept.connection.close()
    os.close(kept.checkpoint_fileno)
    return kept.takeovers


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    before = open_descriptors()
    made = Launcher()
    yield made
    made.close()
    assert open_descriptors() == before, "a descriptor was left open"


@pytest.fixture
def client(launcher: Launcher) -> Iterator[Client]:
    made = Client(launcher)
    yield made
    made.close()


@pytest.fixture
def device() -> Iterator[Device]:
    made = Device()
    yield made
    made.close()


# --- what it is for ---


def test_a_listener_is_a_duplicate_of_the_launchers(launcher: Launcher, client: Client) -> None:
    with client.listener("device") as duplicate:
        assert duplicate.getsockname() == launcher.listener.getsockname()
        assert duplicate.fileno() != launcher.listener.fileno()


def test_what_was_put_comes_back_with_its_checkpoint(client: Client, device: Device) -> None:
    device.put(client, "key")
    kept = client.get("key")
    with kept.connection:
        kept.connection.sendall(b"hello")
        assert device.end.recv(16) == b"hello"
        assert os.pread(kept.checkpoint_fileno, 100, 0) == b"checkpoint"
    os.close(kept.checkpoint_fileno)
    assert (kept.key, kept.takeovers) == ("key", 0)


def test_a_connection_outlives_whoever_serves_it(client: Client, device: Device) -> None:
    device.put(client, "key")
    fetch(client, "key")
    assert not device.ended
    assert fetch(client, "key") == 1


def test_a_checkpoint_is_shared_not_copied(client: Client, device: Device) -> None:
    device.put(client, "key")
    first, second = client.get("key"), client.get("key")
    os.pwrite(first.checkpoint_fileno, b"CHECK", 0)
    assert os.pread(second.checkpoint_fileno, 100, 0) == b"CHECKpoint"
    for kept in (first, second):
        kept.connection.close()
        os.close(kept.checkpoint_fileno)


def test_whoever_looks_at_a_checkpoint_takes_nothing_over(client: Client, device: Device) -> None:
    device.put(client, "key")
    for _ in range(2 * MAX_TAKEOVERS):
        fileno = client.checkpoint("key")
        assert os.pread(fileno, 100, 0) == b"checkpoint"
        os.close(fileno)
    assert fetch(client, "key") == 0
    with pytest.raises(StoreError, match="nothing is kept under this key"):
        client.checkpoint("another")


def test_keys_come_in_several_answers_oldest_first(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fdstore, "KEYS_PER_ANSWER", 10)
    devices = [Device() for _ in range(25)]
    for number, device in enumerate(devices):
        device.put(client, f"key{number}")
    assert client.keys() == [f"key{number}" for number in range(25)]
    for device in devices:
        device.close()


def test_there_may_be_no_keys_or_just_one_full_answer(
    client: Client, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fdstore, "KEYS_PER_ANSWER", 1)
    assert client.keys() == []
    device.put(client, "key")
    assert client.keys() == ["key"]


def test_what_is_dropped_is_closed(launcher: Launcher, client: Client, device: Device) -> None:
    device.put(client, "key")
    client.drop("key")
    client.drop("never heard of")
    assert client.keys() == []
    assert len(launcher.store) == 0
    assert device.ended


def test_a_second_put_replaces_the_first(client: Client, device: Device) -> None:
    device.put(client, "key")
    other = Device(b"other")
    other.put(client, "key")
    assert device.ended
    kept = client.get("key")
    assert os.pread(kept.checkpoint_fileno, 100, 0) == b"other"
    kept.connection.close()
    os.close(kept.checkpoint_fileno)
    other.close()


def test_the_end_of_the_launcher_ends_every_connection(
    launcher: Launcher, client: Client, device: Device
) -> None:
    device.put(client, "key")
    kept = client.get("key")
    launcher.store.close_all()
    assert device.ended, "although a session still holds a duplicate"
    kept.connection.close()
    os.close(kept.checkpoint_fileno)


# --- a get that comes before its put ---


def test_a_get_waits_for_its_put(launcher: Launcher, client: Client, device: Device) -> None:
    session = Client(launcher)
    session.ask(op="get", key="key")
    launcher.run()
    assert not session.dropped
    device.put(client, "key")
    assert device.end.send(b"x") == 1
    reply, filenos = session.receive()
    assert reply == {"takeovers": 0}
    for fileno in filenos:
        os.close(fileno)
    session.close()


def test_a_get_that_nothing_is_put_for_is_refused_in_time(
    launcher: Launcher, client: Client
) -> None:
    client.ask(op="get", key="key")
    launcher.run()
    assert launcher.store.expire_parked() == pytest.approx(PARK_S)
    launcher.now += PARK_S
    with pytest.raises(StoreError, match=r"nothing is kept under this key \(key\)"):
        client.receive()
    assert launcher.store.expire_parked() is None
    assert client.keys() == []


def test_a_client_that_left_while_it_waited_is_forgotten(
    launcher: Launcher, client: Client, device: Device
) -> None:
    session = Client(launcher)
    session.ask(op="get", key="key")
    launcher.run()
    session.close()
    launcher.run()
    device.put(client, "key")
    assert fetch(client, "key") == 0, "the one that left has taken nothing over"


def test_a_client_may_leave_in_the_round_in_which_it_would_be_answered(
    launcher: Launcher, client: Client, device: Device
) -> None:
    session = Client(launcher)
    session.ask(op="get", key="key")
    launcher.run()
    client.put("key", device.connection, device.checkpoint)
    session.close()  # readable now, as is the one that put
    device.connection.close()
    os.close(device.checkpoint)
    launcher.run()
    assert launcher.left == 1
    assert client.keys() == ["key"]


def test_a_client_has_one_request_waiting_at_most(launcher: Launcher, client: Client) -> None:
    client.ask(op="get", key="key")
    client.ask(op="get", key="other")
    assert client.dropped
    assert launcher.left == 1


# --- poison ---


def test_the_fourth_takeover_within_the_window_closes_the_connection(
    client: Client, device: Device
) -> None:
    device.put(client, "key")
    assert [fetch(client, "key") for _ in range(1 + MAX_TAKEOVERS)] == [0, 1, 2, 3]
    assert not device.ended
    with pytest.raises(PoisonedConnection, match="key"):
        client.get("key")
    assert device.ended
    assert client.keys() == []


def test_poison_ends_a_connection_that_a_session_still_holds(
    client: Client, device: Device
) -> None:
    device.put(client, "key")
    kept = client.get("key")
    for _ in range(MAX_TAKEOVERS):
        fetch(client, "key")
    with pytest.raises(PoisonedConnection):
        client.get("key")
    assert device.ended
    kept.connection.close()
    os.close(kept.checkpoint_fileno)


def test_only_the_poisoned_connection_is_closed(client: Client, device: Device) -> None:
    other = Device()
    device.put(client, "key")
    other.put(client, "other")
    for _ in range(1 + MAX_TAKEOVERS):
        fetch(client, "key")
    with pytest.raises(PoisonedConnection):
        client.get("key")
    assert client.keys() == ["other"]
    assert fetch(client, "other") == 0
    assert not other.ended
    other.close()


def test_takeovers_that_are_far_apart_are_no_poison(
    launcher: Launcher, client: Client, device: Device
) -> None:
    device.put(client, "key")
    takeovers = []
    for _ in range(20):
        takeovers.append(fetch(client, "key"))
        launcher.now += TAKEOVER_WINDOW_S / MAX_TAKEOVERS
    assert takeovers == list(range(20))


def test_takeovers_by_a_new_acceptor_are_no_fault_of_the_connection(
    client: Client, device: Device
) -> None:
    device.put(client, "key")
    fetch(client, "key")
    for _ in range(3 * MAX_TAKEOVERS):
        client.listener("device").close()
        fetch(client, "key")
    for _ in range(MAX_TAKEOVERS):
        fetch(client, "key")
    with pytest.raises(PoisonedConnection):
        client.get("key")


@pytest.mark.parametrize("age_s", [0.0, 3600.0])
def test_an_old_connection_gets_as_many_takeovers_as_a_new_one(
    launcher: Launcher, client: Client, device: Device, age_s: float
) -> None:
    device.put(client, "key")
    fetch(client, "key")
    launcher.now += age_s
    for _ in range(MAX_TAKEOVERS):
        fetch(client, "key")
    with pytest.raises(PoisonedConnection):
        client.get("key")


# --- what clients say, and to whom it is answered ---


def test_notes_reach_the_launcher_with_the_pid_that_the_kernel_knows(
    launcher: Launcher, client: Client
) -> None:
    client.say("ready", answer=42)
    launcher.run()
    assert launcher.notes == [("ready", {"answer": 42}, os.getpid())]


def test_the_end_of_a_client_is_noted(launcher: Launcher, client: Client) -> None:
    other = Client(launcher)
    other.close()
    launcher.run()
    assert launcher.notes == [("left", {}, os.getpid())]
    assert client.keys() == []


def test_the_launcher_can_tell_a_client_by_its_pid(launcher: Launcher, client: Client) -> None:
    assert launcher.store.tell(os.getpid(), {"op": "drain", "deadline_ms": 5})
    assert client.receive() == ({"op": "drain", "deadline_ms": 5}, [])
    assert not launcher.store.tell(1, {"op": "drain"})


def test_another_users_process_is_refused(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fdstore.os, "getuid", lambda: 54321)
    stranger = Client(launcher)
    assert stranger.dropped
    stranger.close()


# --- what no client should send ---

A_SOCKET, A_FILE = "socket", "file"


@pytest.mark.parametrize(
    ("data", "descriptors"),
    [
        (b"\xff\xfe\x00", []),
        (b"{", []),
        (b"[" * 15000, []),
        (b"[]", []),
        (b"null", []),
        (b"{}", []),
        (b'{"op":7}', []),
        (b'{"op":null}', []),
        (b'{"op":"get"}', []),
        (b'{"op":"get","key":7}', []),
        (b'{"op":"get","key":["key"]}', []),
        (b'{"op":"get","key":""}', []),
        (b'{"op":"get","key":"%s"}' % (b"k" * 65), []),
        (b'{"op":"drop"}', []),
        (b'{"op":"drop","key":{}}', []),
        (b'{"op":"keys"}', []),
        (b'{"op":"keys","from":"x"}', []),
        (b'{"op":"keys","from":-1}', []),
        (b'{"op":"listener"}', []),
        (b'{"op":"listener","which":"unknown"}', []),
        (b'{"op":"listener","which":["device"]}', []),
        (b'{"op":"put","key":"new"}', []),
        (b'{"op":"put","key":"new"}', [A_SOCKET]),
        (b'{"op":"put","key":"new"}', [A_FILE, A_SOCKET]),
        (b'{"op":"put","key":"new"}', [A_SOCKET, A_FILE, A_FILE]),
        (b'{"op":"put","key":7}', [A_SOCKET, A_FILE]),
        (b'{"op":"get"}', [A_SOCKET, A_FILE]),
        (b"rubbish", [A_SOCKET, A_FILE, A_FILE, A_FILE]),
    ],
)
def test_who_sends_no_request_is_dropped_and_nobody_else(
    launcher: Launcher, client: Client, device: Device, data: bytes, descriptors: list[str]
) -> None:
    device.put(client, "key")
    before = open_descriptors()
    culprit = Client(launcher)
    with socket.socket() as a_socket, open("/dev/null", "rb") as a_file:
        filenos = {A_SOCKET: a_socket.fileno(), A_FILE: a_file.fileno()}
        culprit.send(data, [filenos[name] for name in descriptors])
        assert culprit.dropped
    culprit.close()
    assert open_descriptors() == before
    assert launcher.left == 1
    assert client.keys() == ["key"]


def test_descriptors_that_no_request_asks_for_are_closed(client: Client) -> None:
    before = open_descriptors()
    with socket.socket() as surplus:
        client.send(b'{"op":"keys","from":0}', [surplus.fileno()])
    assert client.receive() == ({"keys": [], "more": False}, [])
    client.send(b'{"op":"note"}', [0])
    client.launcher.run()
    assert open_descriptors() == before


def test_who_never_reads_its_answers_is_dropped(launcher: Launcher, client: Client) -> None:
    deaf = Client(launcher)
    for _ in range(5000):
        try:
            deaf.ask(op="keys", **{"from": 0})
        except ConnectionError:
            break
        launcher.run()
    assert launcher.left == 1
    assert client.keys() == []
    deaf.close()


# --- the client when the store fails it ---


def test_without_a_store_the_client_says_so() -> None:
    with pytest.raises(StoreError, match="does not answer"):
        DescriptorStore("nobody listens here")


def test_a_client_waits_no_longer_than_its_limit(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "TIMEOUT_S", 0.02)
    plain = DescriptorStore(launcher.store.address)  # nobody turns the launcher's loop
    with pytest.raises(StoreError, match="did not answer"):
        plain.keys()
    # A late answer must not be taken for that of the next request.
    with pytest.raises(StoreError, match="gone"):
        plain.keys()


def test_a_client_notices_the_end_of_the_store() -> None:
    launcher = Launcher()
    client = Client(launcher)
    launcher.close()
    with pytest.raises(StoreError):
        DescriptorStore.receive(client)
    with pytest.raises(StoreError):
        client.say("ready")
    client.close()
