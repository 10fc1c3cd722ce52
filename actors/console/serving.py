"""Serving the console's application on a socket that somebody else opened.

Promises: at most `MAX_CONNECTIONS` clients at once (one more is told 503 and goes),
a client that sends nothing, or half a request, is dropped after `IDLE_S`, and
leaving the context ends everything within `STOP_S`.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

#: Clients connected at once; a page and a device hold one or two connections each.
MAX_CONNECTIONS = 256

#: A connection may be silent, or in the middle of its headers, for so long.
IDLE_S = 15.0

#: Longest time from leaving `run_http` to the last connection closed.
STOP_S = 1.0

_BACKLOG = 128


@asynccontextmanager
async def run_http(
    app: web.Application,
    listening_socket: socket.socket,
    *,
    max_connections: int = MAX_CONNECTIONS,
    idle_s: float = IDLE_S,
) -> AsyncIterator[None]:
    """Serve `app` on an already bound or listening socket while the context is open.

    The socket is closed when the context ends (this process's descriptor of it; a
    duplicate in another process goes on listening). Works on any thread's loop.
    Raises `OSError` when the socket cannot serve.
    """
    listening_socket.setblocking(False)
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=idle_s,
        lingering_time=min(2.0, idle_s),
        shutdown_timeout=STOP_S / 4,  # aiohttp waits for it twice, then cancels
    )
    await runner.setup()
    try:
        listener = await _listen(runner, listening_socket, max_connections)
        try:
            yield
        finally:
            listener.close()
    finally:
        await _stop(runner)


async def _listen(
    runner: web.AppRunner, listening_socket: socket.socket, max_connections: int
) -> asyncio.Server:
    server = runner.server
    assert server is not None  # the runner was set up

    def connection() -> asyncio.Protocol:
        return server() if len(server.connections) < max_connections else _Refusal()

    loop = asyncio.get_running_loop()
    return await loop.create_server(connection, sock=listening_socket, backlog=_BACKLOG)


async def _stop(runner: web.AppRunner) -> None:
    """A handler that will not end is cancelled by the runner; a stuck runner is left behind."""
    try:
        async with asyncio.timeout(STOP_S):
            await runner.cleanup()
    except TimeoutError:
        for connection in runner.server.connections if runner.server else ():
            connection.force_close()


class _Refusal(asyncio.Protocol):
    """Tells one client too many to come back, without reading what it sends."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        problem = "too many clients are connected"
        error = {"field": "connection", "problem": problem, "fix": "try again in a moment"}
        body = json.dumps({"error": error}).encode()
        head = (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nRetry-After: 2\r\nConnection: close\r\n\r\n"
        )
        transport.write(head.encode() + body)
        transport.close()
