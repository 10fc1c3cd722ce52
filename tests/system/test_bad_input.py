"""Whatever comes in at the device port: a clear error each, and nobody else notices.

All cases run at the same time on one server while a device talks there.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import pytest

from sim.link import Refused
from tests.system.conftest import Start
from tests.system.raw import exchange, headers, raw_device, request, tcp
from tests.system.server import Server
from tests.system.side_by_side import Outcomes, side_by_side, takes_long
from tests.system.talker import HELLO, SUM, SUMS, Talker, talker

pytestmark = pytest.mark.system

TOKEN = "a-token-of-the-tests"
MAX_MESSAGE_BYTES = 8192
MAX_PENDING = 40
SETTINGS = {
    "server": {
        "tokens": [TOKEN],
        "max_message_bytes": MAX_MESSAGE_BYTES,
        "max_pending_handshakes": MAX_PENDING,
        "handshake_timeout_s": 1.0,
        "hello_timeout_s": 1.5,
    }
}

CASES: dict[str, Callable[[Server], Awaitable[None]]] = {}


def case(function: Callable[[Server], Awaitable[None]]) -> Callable[[Server], Awaitable[None]]:
    CASES[function.__name__] = function
    return function


# --- text messages ---


@case
async def text_that_is_no_message_is_answered_with_what_is_wrong(server: Server) -> None:
    async with raw_device(server, TOKEN) as device:
        await device.hello()
        for text, words in (
            ('{"type":', "JSON"),
            ("[1, 2]", "object"),
            ("{}", "type"),
            ('{"type": 5}', "type"),
            ('{"type": "listen", "state": "start", "mode": "loud"}', "mode"),
            ('{"type": "listen"}', "state"),
            ("[" * 5000, "JSON"),
        ):
            await device.send(text)
            note = await device.complaint()
            said = f"{note['field']} {note['problem']} {note['fix']}"
            assert words in said, (text, note)
        await device.check_alive()


@case
async def unknown_types_are_ignored(server: Server) -> None:
    async with raw_device(server, TOKEN) as device:
        await device.hello()
        await device.send({"type": "dance", "state": ["polka"], "session_id": None})
        await device.send({"type": "iot", "update": True, "states": [{"name": "Speaker"}]})
        await device.send({"type": "mcp", "payload": {"jsonrpc": "2.0", "id": "x", "error": 1}})
        await device.check_alive()


@case
async def text_that_is_not_utf8_harms_nobody(server: Server) -> None:
    async with raw_device(server, TOKEN) as device:
        await device.hello()
        await device.connection.send(b'{"type": "\xff\xfe"}', text=True)
        await device.connection.send(b"\xff\xfe", text=True)
        await device.complaint()
        await device.check_alive()


@case
async def messages_before_the_hello_harm_nobody(server: Server) -> None:
    async with raw_device(server, TOKEN) as device:
        await device.send({"type": "listen", "state": "start", "mode": "auto"})
        await device.send({"type": "abort"})
        await device.send({"type": "listen", "state": "stop"})
        await device.send(b"\xf8\xff\xfe")
        assert (await device.hello())["transport"] == "websocket"
        await device.check_alive()


@case
async def without_a_hello_it_is_closed(server: Server) -> None:
    async with raw_device(server, TOKEN) as device:
        code, reason = await device.closed()
        assert code == 1002
        assert "hello" in reason


@case
async def a_second_connection_of_a_device_replaces_the_first(server: Server) -> None:
    async with raw_device(server, TOKEN, Device_Id="02:aa:aa:aa:aa:aa") as first:
        await first.hello()
        async with raw_device(server, TOKEN, Device_Id="02:aa:aa:aa:aa:aa") as second:
            await second.hello()
            code, reason = await first.closed()
            assert (code, "another connection" in reason) == (1000, True)
            await second.check_alive()


# --- frames ---


@case
async def a_frame_that_is_too_large_closes_with_1009(server: Server) -> None:
    for message in (b"\0" * (MAX_MESSAGE_BYTES + 1), "x" * (MAX_MESSAGE_BYTES + 1)):
        async with raw_device(server, TOKEN) as device:
            await device.hello()
            await device.send(message)
            assert (await device.closed())[0] == 1009


@case
async def fragments_that_add_up_to_too_much_close_with_1009(server: Server) -> None:
    async with raw_device(server, TOKEN) as device:
        await device.hello()
        await device.connection.send([b"\0" * 5000, b"\0" * 5000])
        assert (await device.closed())[0] == 1009


@case
async def a_message_in_fragments_is_put_together(server: Server) -> None:
    async with raw_device(server, TOKEN) as device:
        await device.hello()
        await device.connection.send(['{"ty', 'pe":"pi', 'ng"}'])
        await device.receive("pong")


@case
async def garbage_instead_of_opus_costs_only_itself(server: Server) -> None:
    """Random packets before and between real speech: the turn is right all the same."""
    async with talker(server, token=TOKEN) as device:
        await device.body.listen()
        for length in (1, 3, 80, 1275, 4000):
            device.body._body.send_audio(b"\xff" + os.urandom(length))
        await device.ask(SUMS[1])


@case
async def wrong_binary_headers_are_named(server: Server) -> None:
    opus = b"\xf8\xff\xfe"
    for version, frame in (
        (2, struct.pack(">HHIII", 2, 0, 0, 0, 4000) + opus),
        (2, struct.pack(">HHIII", 7, 0, 0, 0, len(opus)) + opus),
        (2, b"\0\2"),
        (3, struct.pack(">BBH", 0, 0, 4000) + opus),
        (3, b"\0"),
    ):
        async with raw_device(server, TOKEN, Protocol_Version=str(version)) as device:
            assert (await device.hello(version=version))["version"] == version
            await device.send(frame)
            note = await device.complaint()
            assert "frame" in note["field"], note
            await device.send(b"")  # some clients mark an end by it
            await device.check_alive()


@case
async def broken_frames_close_with_1002(server: Server) -> None:
    for data in (
        b"\x81\x05hello",  # a client must mask
        b"\x83\x80\0\0\0\0",  # an opcode that does not exist
        b"\xc1\x80\0\0\0\0",  # a reserved bit
        b"\x89\xfe\x00\x80\0\0\0\0" + b"\0" * 128,  # a ping that is too long
        b"\x80\x80\0\0\0\0",  # the middle of a message that never began
    ):
        async with tcp(server) as (reader, writer), asyncio.timeout(5):
            writer.write(request(**headers(TOKEN)))
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 101 " in head
            writer.write(data)
            answer = await reader.read()
        assert answer[0] == 0x88, (data, answer)
        assert struct.unpack(">H", answer[2:4])[0] == 1002, (data, answer)


# --- handshakes ---


@case
async def a_wrong_token_is_refused_with_401(server: Server) -> None:
    for wrong in ({"token": "wrong"}, {}, {"token": TOKEN + "x"}, {"token": f"Basic {TOKEN}"}):
        with pytest.raises(Refused, match="Authorization") as refused:
            await Talker(server.url, **wrong).body.connect()
        assert refused.value.status == 401
    async with talker(server, token=TOKEN, identity="query") as device:
        device.check_unbroken()


@case
async def a_request_without_device_id_is_refused_with_400(server: Server) -> None:
    status, body = await exchange(server, request(Authorization=f"Bearer {TOKEN}"))
    assert (status, "Device-Id" in body) == (400, True), body
    fields = headers(TOKEN, Device_Id="no such id\x01")
    status, body = await exchange(server, request(**fields))
    assert status == 400
    fields = headers(TOKEN, Protocol_Version="7")
    status, body = await exchange(server, request(**fields))
    assert (status, "rotocol-" in body) == (400, True), body


@case
async def what_is_no_websocket_request_is_refused(server: Server) -> None:
    status, body = await exchange(server, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (status, "WebSocket" in body) == (426, True), body
    status, body = await exchange(server, b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
    assert (status, "POST" in body) == (405, True), body
    status, body = await exchange(server, b"\x16\x03\x01\x02\x00\x01\r\n\r\n")
    assert (status, bool(body)) == (400, True)
    status, body = await exchange(server, request(**headers(TOKEN), Sec_WebSocket_Key=""))
    assert status == 400
    status, body = await exchange(server, b"GET / HTTP/1.1\r\nX: " + b"x" * 9000)
    assert (status, "8192" in body) == (400, True), body


@case
async def half_a_handshake_is_given_up(server: Server) -> None:
    for begun in (b"", b"GET", request()[:-2]):
        status, body = await exchange(server, begun)
        assert (status, "too long" in body) == (408, True), body


@case
async def a_client_that_leaves_in_its_handshake_is_forgotten(server: Server) -> None:
    async with tcp(server) as (_, writer):
        writer.write(b"GET /xiaozhi")
        await writer.drain()


# --- all of them at once, beside a device that talks ---


@pytest.fixture(scope="module")
def server(start_for_module: Start) -> Server:
    return start_for_module(SETTINGS)


@pytest.fixture(scope="module")
def outcomes(server: Server) -> Outcomes:
    async def neighbour() -> None:
        async with talker(server, token=TOKEN) as device:
            for question in SUMS[:2]:
                await device.ask(question)
            device.check_unbroken()

    bad = {name: partial(test, server) for name, test in CASES.items()}
    return side_by_side({"neighbour": neighbour, **bad})


@takes_long
@pytest.mark.parametrize("name", CASES)
def test_bad_input(outcomes: Outcomes, name: str) -> None:
    """See the function of this name above."""
    outcomes.check(name)


def test_the_neighbour_noticed_nothing(outcomes: Outcomes, server: Server) -> None:
    outcomes.check("neighbour")
    assert "Traceback" not in server.log()
    restarted = [actor["name"] for actor in server.status()["actors"] if actor["restarts"]]
    assert not restarted


def test_too_many_pending_handshakes_are_refused(server: Server) -> None:
    """Those that wait do not block who talks; when they are given up, the door is open again."""

    async def scenario() -> None:
        async with talker(server, token=TOKEN) as neighbour, AsyncExitStack() as stack:
            turn = asyncio.create_task(neighbour.ask(SUM))
            await neighbour.until("speech_started")
            waiting = [await stack.enter_async_context(tcp(server)) for _ in range(MAX_PENDING)]
            status, body = await exchange(server, request(**headers(TOKEN)))
            assert (status, "pending" in body) == (503, True), body
            with pytest.raises(Refused) as refused:
                await Talker(server.url, token=TOKEN).body.connect()
            assert refused.value.status == 503
            for reader, _ in waiting:
                async with asyncio.timeout(5):
                    assert b" 408 " in await reader.read()
            async with talker(server, token=TOKEN) as late:
                late.check_unbroken()
            await turn
            neighbour.check_unbroken()

    asyncio.run(scenario())


def test_more_devices_than_sessions_are_refused(start: Start) -> None:
    """Clearly, with 503; and a place that became free is given away."""
    server = start({"server": {"max_sessions": 2, "spare_sessions": 0}})

    async def scenario() -> None:
        async with talker(server) as first:
            async with talker(server):
                with pytest.raises(Refused, match="max_sessions") as refused:
                    await Talker(server.url).body.connect()
                assert refused.value.status == 503

            async def is_let_in() -> None:
                while True:
                    try:
                        async with talker(server) as third:
                            assert (await third.type(HELLO)).right
                            return
                    except Refused:
                        await asyncio.sleep(0.02)

            await asyncio.wait_for(is_let_in(), 10)
            first.check_unbroken()

    asyncio.run(scenario())
