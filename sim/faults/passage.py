"""One connection through a fault proxy: bytes that wait, in pieces, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from sim.faults.conditions import Conditions, Weather

Direction = Literal["up", "down"]

#: So much waits in one direction at most; then its sender is held up.
MOST_WAITING_BYTES: Final = 1 << 20
_READ_BYTES: Final = 65536


@dataclass(slots=True)
class Traffic:
    """What passed so far."""

    connections: int = 0
    refused: int = 0
    failed: int = 0
    up_bytes: int = 0
    down_bytes: int = 0


class Air:
    """What all connections of a proxy share: the weather now, and what passed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.traffic = Traffic()
        self.weather = Weather()
        #: Set while the direction is not stalled.
        self.flows: dict[Direction, asyncio.Event] = {
            "up": asyncio.Event(),
            "down": asyncio.Event(),
        }
        self.change(self.weather)

    def change(self, weather: Weather) -> None:
        self.weather = weather
        for flow, conditions in (
            (self.flows["up"], weather.up),
            (self.flows["down"], weather.down),
        ):
            (flow.clear if conditions.stall else flow.set)()


class Passage:
    """One client's connection and ours to the server, with a pump for each direction.

    `connect` opens ours. Runs by itself from the start on; `task` is done at its end.
    """

    def __init__(
        self,
        air: Air,
        client: socket.socket,
        connect: Callable[[], Awaitable[socket.socket]],
        seed: int,
    ) -> None:
        self._air = air
        self._client = client
        self._connect = connect
        self._server: socket.socket | None = None
        self._source = Random(seed)
        self._reset = False
        self.task = asyncio.create_task(self._run())
        self.task.add_done_callback(self._close_both)  # even if it never began

    def end(self, reset: bool = False) -> None:
        self._reset = self._reset or reset
        self.task.cancel()

    async def _run(self) -> None:
        try:
            self._server = await self._connect()
            self._air.traffic.connections += 1
            for each in (self._client, self._server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up = self._pump("up", self._client, self._server)
            down = self._pump("down", self._server, self._client)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(up)
                pumps.create_task(down)
        except* (OSError, TimeoutError):
            # one side is gone: so is the other; a server that is not there resets
            self._reset = True
            if self._server is None:
                self._air.traffic.failed += 1

    def _close_both(self, _task: asyncio.Task[None]) -> None:
        close(self._client, self._reset)
        if self._server is not None:
            close(self._server, self._reset)

    async def _pump(self, direction: Direction, source: socket.socket, sink: socket.socket) -> None:
        """Read into a bounded queue, write from it when each piece is due; then half-close."""
        queue = _Delayed(MOST_WAITING_BYTES)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._read(direction, source, queue))
            both.create_task(self._write(direction, queue, sink))

    def _conditions(self, direction: Direction) -> Conditions:
        weather = self._air.weather
        return weather.up if direction == "up" else weather.down

    async def _read(self, direction: Direction, source: socket.socket, queue: _Delayed) -> None:
        loop = asyncio.get_running_loop()
        due = 0.0
        while True:
            await self._while_stalled(direction)
            window = self._conditions(direction).window_bytes
            data = await loop.sock_recv(source, window or _READ_BYTES)
            now = self._conditions(direction)
            shift_ms = now.latency_ms + self._source.uniform(-now.jitter_ms, now.jitter_ms)
            due = max(due, self._air.clock() + max(0.0, shift_ms) / 1000)
            await queue.put(due, data)
            if not data:
                return

    async def _write(self, direction: Direction, queue: _Delayed, sink: socket.socket) -> None:
        free_at = 0.0  # when the line has carried what was written before
        while True:
            due, data = await queue.get()
            await self._until(max(due, free_at))
            if not data:
                with contextlib.suppress(OSError):
                    sink.shutdown(socket.SHUT_WR)
                return
            for piece in self._pieces(direction, data):
                await self._while_stalled(direction)
                conditions = self._conditions(direction)
                if conditions.drop:
                    continue
                await self._until(free_at)
                await self._send(direction, sink, piece)
                free_at = max(free_at, self._air.clock()) + _carrying_s(conditions, len(piece))

    def _pieces(self, direction: Direction, data: bytes) -> list[bytes]:
        conditions = self._conditions(direction)
        size = conditions.segment_bytes
        if not size and conditions.bandwidth_bytes_per_s:
            size = max(1, int(conditions.bandwidth_bytes_per_s / 50))  # 20 ms of it at once
        return [data[at : at + size] for at in range(0, len(data), size)] if size else [data]

    async def _send(self, direction: Direction, sink: socket.socket, piece: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(sink, piece)
        traffic = self._air.traffic
        if direction == "up":
            traffic.up_bytes += len(piece)
        else:
            traffic.down_bytes += len(piece)

    async def _while_stalled(self, direction: Direction) -> None:
        await self._air.flows[direction].wait()

    async def _until(self, at: float) -> None:
        wait_s = at - self._air.clock()
        if wait_s > 0:
            await asyncio.sleep(wait_s)


class _Delayed:
    """Pieces with the time each is due, in order, at most so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._room = asyncio.Event()
        self._room.set()

    async def put(self, due: float, data: bytes) -> None:
        await self._room.wait()
        self._bytes += len(data)
        if self._bytes >= self._most:
            self._room.clear()
        self._queue.put_nowait((due, data))

    async def get(self) -> tuple[float, bytes]:
        due, data = await self._queue.get()
        self._bytes -= len(data)
        if self._bytes < self._most:
            self._room.set()
        return due, data


def _carrying_s(conditions: Conditions, size: int) -> float:
    line_s = size / conditions.bandwidth_bytes_per_s if conditions.bandwidth_bytes_per_s else 0.0
    return line_s + (conditions.segment_gap_ms / 1000 if conditions.segment_bytes else 0.0)


def shrink(end: socket.socket, size: int) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def close(end: socket.socket, reset: bool) -> None:
    with contextlib.suppress(OSError):
        if reset:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()
