"""Everything that can go wrong before a device can talk, in words."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sim.device import SimulatedDevice
from sim.link import DeviceError, Link, NoHello, Refused, Unreachable
from sim.profile import DeviceProfile, random_identity
from sim.timeline import EventKind
from tests.sim.fake_server import Script, fake_server


def profile(url: str, hello_timeout_s: float = 0.3) -> DeviceProfile:
    return DeviceProfile(url, "02:00:00:00:00:01", "c", hello_timeout_s=hello_timeout_s)


async def connect_to(url: str, hello_timeout_s: float = 0.3) -> None:
    device = SimulatedDevice(profile(url, hello_timeout_s))
    try:
        await device.connect()
    finally:
        assert not device.connected
        assert device.state == "idle"


async def connect_to_fake(script: Script) -> None:
    async with fake_server(script) as fake:
        await connect_to(fake.url)


@pytest.mark.parametrize(
    ("status", "words"), [(400, "malformed"), (401, "--token"), (404, "path"), (503, "full")]
)
def test_refusal_tells_the_status_and_what_to_do(status: int, words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        asyncio.run(connect_to_fake(Script(status=status)))
    assert caught.value.status == status
    assert "as scripted" in str(caught.value)


def test_redirects_are_not_followed() -> None:
    with pytest.raises(Refused) as caught:
        asyncio.run(connect_to_fake(Script(status=302)))
    assert caught.value.status == 302


@pytest.mark.parametrize(
    ("hello", "words"),
    [
        ("none", r"within 0\.3 s"),
        ("no transport", "transport None"),
        ("close", "closed by the server with 1011 no"),
    ],
)
def test_a_missing_or_bad_hello_is_explained(hello: str, words: str) -> None:
    with pytest.raises(NoHello, match=words):
        asyncio.run(connect_to_fake(Script(hello=hello)))


def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(Unreachable, match="nothing listens there"):
            asyncio.run(connect_to(url))


def test_an_address_that_is_none() -> None:
    with pytest.raises(Unreachable, match="no WebSocket address"):
        asyncio.run(connect_to("http://127.0.0.1:8000/"))


def test_a_server_that_speaks_something_else() -> None:
    async def scenario() -> None:
        async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail ready\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(Unreachable, match="does not speak WebSocket"):
                await connect_to(f"ws://127.0.0.1:{port}/")

    asyncio.run(scenario())


def test_a_device_connects_once_and_again_after_closing() -> None:
    async def scenario() -> None:
        async with fake_server() as fake:
            device = SimulatedDevice(profile(fake.url))
            first = await device.connect()
            with pytest.raises(DeviceError, match="connected already"):
                await device.connect()
            await device.close()
            await device.close()
            second = await device.connect()
            assert (first.session_id, second.session_id) == ("session-1", "session-2")
            await device.close()
            with pytest.raises(DeviceError, match="not connected"):
                await device.typed_turn("你好")

    asyncio.run(scenario())


class StalledConnection:
    """A connection whose network takes nothing until it is released."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.sent: list[str | bytes] = []

    async def send(self, item: str | bytes) -> None:
        await self.released.wait()
        self.sent.append(item)

    async def recv(self) -> str:
        await asyncio.Event().wait()
        return ""


def test_a_stalled_network_loses_the_oldest_audio_and_no_text() -> None:
    async def scenario() -> None:
        connection = StalledConnection()
        marks: list[EventKind] = []
        link = Link(connection, None, lambda kind, _at: marks.append(kind))  # type: ignore[arg-type]
        link.send_text("first", "typed")
        await asyncio.sleep(0)  # the writer takes it and stalls
        for number in range(45):
            link.send_audio(bytes([number]))
        link.send_text("last", "abort")
        connection.released.set()
        while len(connection.sent) < 42:
            await asyncio.sleep(0)
        audio = [item for item in connection.sent if isinstance(item, bytes)]
        assert audio == [bytes([number]) for number in range(5, 45)]
        assert link.dropped == 5
        assert (connection.sent[0], connection.sent[-1]) == ("first", "last")
        await asyncio.sleep(0)
        assert marks == ["typed", "abort"]
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("member", "value"),
    [("version", 4), ("mode", "loud"), ("frame_ms", 30), ("generation", "9"), ("identity", "x")],
)
def test_a_wrong_profile_names_the_field(member: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{member} is {value!r}"):
        DeviceProfile("ws://h:1/", "d", "c", **{member: value})  # type: ignore[arg-type]


def test_tokens_are_sent_as_firmware_sends_them_and_never_shown() -> None:
    plain = DeviceProfile("ws://h:1/", "d", "c", token="secret")
    assert plain.headers()["Authorization"] == "Bearer secret"
    assert "secret" not in repr(plain)
    whole = DeviceProfile("ws://h:1/", "d", "c", token="Basic secret")
    assert whole.headers()["Authorization"] == "Basic secret"


def test_identities_are_repeatable_and_locally_administered() -> None:
    import random

    device_id, client_id = random_identity(random.Random(1))
    assert (device_id, client_id) == random_identity(random.Random(1))
    assert device_id.startswith("02:")
    assert len(device_id) == 17
    assert client_id[14] == "4"
