"""Clients that break the rules: plain sockets, and a WebSocket that sends what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.system.server import Server

ANSWER_S = 5.0

HELLO = {"type": "hello", "version": 1, "transport": "websocket"}


def headers(token: str, **others: str) -> dict[str, str]:
    """What a device sends with its request; its own id each time."""
    return {
        "Authorization": f"Bearer {token}",
        "Device-Id": "02:ff:" + ":".join(f"{octet:02x}" for octet in os.urandom(4)),
        "Client-Id": "11111111-1111-4111-8111-111111111111",
        **{name.replace("_", "-"): value for name, value in others.items()},
    }


class RawDevice:
    """An open WebSocket. Every wait has a deadline."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: dict[str, Any] | str | bytes) -> None:
        await self.connection.send(json.dumps(message) if isinstance(message, dict) else message)

    async def receive(self, kind: str) -> dict[str, Any]:
        """The next text message of this type; others before it are passed over."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                message = await self.connection.recv()
                if isinstance(message, str) and json.loads(message)["type"] == kind:
                    return dict(json.loads(message))

    async def hello(self, **members: Any) -> dict[str, Any]:
        await self.send({**HELLO, **members})
        return await self.receive("hello")

    async def check_alive(self) -> None:
        """The server still listens to this connection."""
        await self.send({"type": "ping"})
        await self.receive("pong")

    async def complaint(self) -> dict[str, Any]:
        """The server's note on what was wrong, complete with field, problem and fix."""
        note = await self.receive("error")
        assert note["field"]
        assert note["problem"]
        assert note["fix"]
        return note

    async def closed(self) -> tuple[int, str]:
        """Code and reason with which the server closed the connection."""
        try:
            async with asyncio.timeout(ANSWER_S):
                while True:
                    await self.connection.recv()
        except ConnectionClosed as end:
            close = end.rcvd
        assert close is not None, "dropped without a Close frame"
        return close.code, close.reason


@asynccontextmanager
async def raw_device(server: Server, token: str, **others: str) -> AsyncIterator[RawDevice]:
    async with connect(
        server.url,
        additional_headers=headers(token, **others),
        compression=None,
        ping_interval=None,
        close_timeout=0.2,
        proxy=None,
    ) as connection:
        yield RawDevice(connection)


@asynccontextmanager
async def tcp(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A plain connection to the device port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.device_port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def exchange(server: Server, data: bytes, *, within_s: float = ANSWER_S) -> tuple[int, str]:
    """Send bytes to the device port; the HTTP status and body before the server hung up."""
    async with tcp(server) as (reader, writer), asyncio.timeout(within_s):
        writer.write(data)
        answer = (await reader.read()).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


def request(path: str = "/xiaozhi/v1/", **fields: str) -> bytes:
    """A WebSocket request with these header fields changed; one that is '' is left out."""
    lines = {
        "Host": "here",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    } | {name.replace("_", "-"): value for name, value in fields.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()
