"""A small TCP proxy that makes a connection bad, while it runs.

It sits between two programs that know nothing of it, and passes bytes on under
`Conditions`, one set for each direction: "up" from the client to the server, "down"
back. New conditions hold at once, also for the bytes already under way (a latency is
fixed when a byte arrives).

* latency and jitter never change the order of bytes;
* a stall reads nothing, so that the sender's window fills up;
* a lost cable ("drop") takes bytes and passes none on;
* segments of N bytes leave as packets of their own (`TCP_NODELAY`), `segment_gap_ms`
  apart, so that a reader sees frames in pieces;
* a small receive window is a small buffer on the socket that reads; the kernel does
  not go below about 2 kB. It holds for connections opened after it was set;
* `reset_all` ends every connection with RST, `cut_all` with FIN; `refuse` turns new
  ones away with RST.

At most 1 MiB waits in one direction; then the sender is held up.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any, Final

from sim.faults.conditions import Weather, parse
from sim.faults.passage import Air, Passage, Traffic, close, shrink

MOST_CONNECTIONS: Final = 4096
_CONNECT_S: Final = 5.0
#: A pause after a connection that could not be accepted.
_ACCEPT_AGAIN_S: Final = 0.02


class FaultProxy:
    """One listening port in front of one server. Use as an async context manager.

    `clock` and the loop's own sleep must agree; `seed` repeats the jitter.
    """

    def __init__(
        self,
        to_host: str,
        to_port: int,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        weather: Weather | None = None,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._to = (to_host, to_port)
        self._bind = (host, port)
        self._air = Air(clock)
        self._source = Random(seed)
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._links: set[Passage] = set()
        self.set(weather or Weather())

    # --- life ---

    async def __aenter__(self) -> FaultProxy:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> int:
        """Listen; returns the port. Raises `OSError` when it is taken."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        try:
            if self.weather.up.window_bytes:
                shrink(listener, self.weather.up.window_bytes)
            listener.bind(self._bind)
            listener.listen(1024)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        self._accepting = asyncio.create_task(self._accept(listener))
        return self.port

    @property
    def port(self) -> int:
        assert self._listener is not None, "start the proxy first"
        return int(self._listener.getsockname()[1])

    @property
    def weather(self) -> Weather:
        return self._air.weather

    @property
    def traffic(self) -> Traffic:
        """What passed so far."""
        return self._air.traffic

    @property
    def open_connections(self) -> int:
        return len(self._links)

    async def close(self) -> None:
        """End every connection and stop listening."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting], timeout=1.0)
        if self._listener is not None:
            self._listener.close()
        tasks = [link.task for link in self._links]
        self.cut_all()
        if tasks:
            await asyncio.wait(tasks)

    # --- at run time ---

    def set(self, weather: Weather) -> None:
        """Make these the conditions, for connections that exist and those to come."""
        self._air.change(weather)
        if self._listener is not None and weather.up.window_bytes:
            shrink(self._listener, weather.up.window_bytes)  # inherited by what it accepts

    def apply(self, settings: Mapping[str, Any]) -> Weather:
        """Do what a scenario's settings say (see `parse`); returns the weather before."""
        before = self.weather
        self.set(parse(settings, before))
        if settings.get("reset"):
            self.reset_all()
        if settings.get("cut"):
            self.cut_all()
        return before

    def reset_all(self) -> int:
        """End all connections with RST on both sides; returns how many."""
        for link in (links := list(self._links)):
            link.end(reset=True)
        return len(links)

    def cut_all(self) -> int:
        """End all connections with FIN; bytes under way are lost. Returns how many."""
        for link in (links := list(self._links)):
            link.end()
        return len(links)

    # --- inside ---

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:  # the peer is gone already, or no descriptor is left
                await asyncio.sleep(_ACCEPT_AGAIN_S)
                continue
            client.setblocking(False)
            if self.weather.refuse or len(self._links) >= MOST_CONNECTIONS:
                self.traffic.refused += 1
                close(client, reset=True)
                continue
            link = Passage(self._air, client, self._connect, self._source.getrandbits(64))
            self._links.add(link)
            link.task.add_done_callback(partial(self._ended, link))

    def _ended(self, link: Passage, _task: asyncio.Task[None]) -> None:
        self._links.discard(link)

    async def _connect(self) -> socket.socket:
        """A connection to the server, with the window of the "down" direction."""
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        server.setblocking(False)
        try:
            if self.weather.down.window_bytes:  # before the handshake, which announces it
                shrink(server, self.weather.down.window_bytes)
            async with asyncio.timeout(_CONNECT_S):
                await asyncio.get_running_loop().sock_connect(server, self._to)
        except (OSError, TimeoutError, asyncio.CancelledError):
            server.close()
            raise
        return server
