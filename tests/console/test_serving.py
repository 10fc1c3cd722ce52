"""Serving on a socket opened by somebody else: bounds, and a prompt end."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress

import pytest
from aiohttp import web

from actors.console.serving import STOP_S, run_http


def hanging_app(begun: asyncio.Event, ignored_cancellations: int) -> web.Application:
    async def hang(request: web.Request) -> web.Response:
        begun.set()
        for _ in range(ignored_cancellations):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/", hang)
    return app


async def ask(port: int, request: bytes = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("ignored_cancellations", [0, 1])
def test_ends_in_time_with_a_request_under_way(ignored_cancellations: int) -> None:
    async def scenario() -> None:
        begun = asyncio.Event()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            loop = asyncio.get_running_loop()
            async with run_http(hanging_app(begun, ignored_cancellations), listening):
                asking = asyncio.create_task(ask(port))
                await begun.wait()
                left_s = loop.time()
            assert loop.time() - left_s < STOP_S + 0.5
            assert await asking == b""

    asyncio.run(scenario())


def test_a_duplicate_of_the_socket_goes_on_listening() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as kept:
            async with run_http(web.Application(), kept.dup()):
                pass
            with socket.create_connection(kept.getsockname(), timeout=1):
                accepted, _ = kept.accept()
                accepted.close()

    asyncio.run(scenario())


def test_one_client_too_many_is_told() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            async with run_http(web.Application(), listening, max_connections=1):
                _, first = await asyncio.open_connection("127.0.0.1", port)
                refusal = b""
                while b" 503 " not in refusal:  # until the first one has been accepted
                    refusal = await ask(port)
                assert json.loads(refusal.partition(b"\r\n\r\n")[2])["error"]["fix"]
                first.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: h\r\n"])
def test_half_a_request_does_not_hold_a_connection(begun: bytes) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            async with (
                asyncio.timeout(10),
                run_http(web.Application(), listening, idle_s=0.05),
            ):
                assert await ask(port, begun) == b""

    asyncio.run(scenario())
