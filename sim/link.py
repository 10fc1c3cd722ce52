"""A device's WebSocket: opened as firmware opens it, written in order, read at once.

Promises: no keepalive pings, no compression, no proxy, no redirect, no Close frame
(protocol sections 1.1 and 5). What the device says goes through one bounded queue:
when the network stalls, the oldest audio is dropped, as in firmware. Every failure
to connect is a `DeviceError` in words.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)

from sim.rough import SMOOTH, Roughness, RoughTransport, connection_over, narrow_socket
from sim.timeline import EventKind

#: Audio packets that wait for the network (protocol section 3).
UPLINK_QUEUE_PACKETS = 40
#: Handshake time-out of the firmware's client (section 5).
OPEN_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 1.0
_MAX_TEXTS = 256


class DeviceError(Exception):
    """A device cannot go on; the text says why and what would mend it."""


class Unreachable(DeviceError):
    """No WebSocket server answers at the address."""


class Refused(DeviceError):
    """The server answered the handshake with another status than 101."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class NoHello(DeviceError):
    """The connection stands but no usable server hello came in time."""


class Stuck(DeviceError):
    """The device is in *speaking* and the server has gone silent: it owes a tts stop."""


class Receiver(Protocol):
    """Who gets what arrives; called in order, from the event loop, and must not block."""

    def text_came(self, text: str, at: float) -> None: ...
    def audio_came(self, data: bytes, at: float) -> None: ...
    def link_ended(self, reason: str, at: float) -> None: ...


class _Connect(connect):
    """Firmware does not follow redirects."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Link:
    """One connection. Make it with `Link.open`; end it with `close`."""

    def __init__(
        self,
        connection: ClientConnection,
        receiver: Receiver,
        written: Callable[[EventKind, float], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._receiver = receiver
        self._written = written
        self._queue: deque[tuple[str | bytes, EventKind | None]] = deque()
        self._packets = 0
        self._ready = asyncio.Event()
        #: Audio packets lost because the network did not take them in time.
        self.dropped = 0
        self._tasks = (
            self._loop.create_task(self._read()),
            self._loop.create_task(self._write()),
        )

    @property
    def stalled(self) -> bool:
        """Whether a bad link reads nothing at the moment."""
        transport = self._connection.transport
        return isinstance(transport, RoughTransport) and transport.stalled

    @classmethod
    async def open(
        cls,
        url: str,
        headers: dict[str, str],
        receiver: Receiver,
        written: Callable[[EventKind, float], None],
        rough: Roughness = SMOOTH,
    ) -> Link:
        """Do the handshake. `written(mark, at)` is called when a marked item was sent.

        Raises `Unreachable` or `Refused`.
        """
        try:
            worse = await _worse(url, rough)
            connection = await _Connect(
                url,
                additional_headers=headers,
                user_agent_header=None,
                compression=None,
                ping_interval=None,
                open_timeout=OPEN_TIMEOUT_S,
                close_timeout=_CLOSE_TIMEOUT_S,
                proxy=None,
                **worse,
            )
        except InvalidStatus as error:
            raise refusal(url, error.response.status_code, error.response.body) from None
        except TimeoutError:
            raise Unreachable(f"{url}: no answer within {OPEN_TIMEOUT_S:g} s") from None
        except InvalidURI:
            raise Unreachable(f"{url}: is no WebSocket address (ws://host:port/path)") from None
        except ConnectionRefusedError:
            raise Unreachable(f"{url}: nothing listens there; is the server running?") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise Unreachable(f"{url}: {reason}; is the server running there?") from None
        except (InvalidHandshake, ConnectionClosed, EOFError) as error:
            raise Unreachable(f"{url}: does not speak WebSocket ({error})") from None
        return cls(connection, receiver, written)

    def send_text(self, text: str, mark: EventKind | None = None) -> None:
        """Queue a text frame. A device that cannot get rid of its texts is given up."""
        if len(self._queue) - self._packets >= _MAX_TEXTS:
            self._connection.transport.abort()
            return
        self._queue.append((text, mark))
        self._ready.set()

    def send_audio(self, data: bytes, mark: EventKind | None = None) -> None:
        """Queue a binary frame; beyond 40 waiting ones the oldest is lost."""
        self._queue.append((data, mark))
        self._packets += 1
        if self._packets > UPLINK_QUEUE_PACKETS:
            self._drop_oldest_audio()
        self._ready.set()

    def send_burst(self, frames: list[bytes]) -> None:
        """Queue many binary frames at once: wake-word audio is sent faster than real time."""
        self._queue.extend((data, None) for data in frames)
        self._packets += len(frames)
        self._ready.set()

    async def close(self) -> None:
        """Drop the connection without a Close frame, as firmware does. Safe to repeat."""
        self._connection.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connection.wait_closed(), _CLOSE_TIMEOUT_S)

    def _drop_oldest_audio(self) -> None:
        for index, (item, _mark) in enumerate(self._queue):
            if isinstance(item, bytes):
                del self._queue[index]
                self._packets -= 1
                self.dropped += 1
                return

    async def _read(self) -> None:
        reason = "closed"
        try:
            while True:
                message = await self._connection.recv()
                at = self._loop.time()
                if isinstance(message, str):
                    self._receiver.text_came(message, at)
                else:
                    self._receiver.audio_came(message, at)
        except ConnectionClosed as closed:
            reason = _reason(closed)
        self._tasks[1].cancel()
        self._receiver.link_ended(reason, self._loop.time())

    async def _write(self) -> None:
        try:
            while True:
                while self._queue:
                    item, mark = self._queue.popleft()
                    if isinstance(item, bytes):
                        self._packets -= 1
                    await self._connection.send(item)
                    if mark is not None:
                        self._written(mark, self._loop.time())
                self._ready.clear()
                await self._ready.wait()
        except ConnectionClosed:
            return  # the reader tells


async def _worse(url: str, rough: Roughness) -> dict[str, Any]:
    """What to open a connection with, for it to be as bad as that."""
    worse: dict[str, Any] = {}
    if rough:
        worse["create_connection"] = connection_over(rough)
    if rough.window_bytes:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            worse["sock"] = await narrow_socket(url, rough.window_bytes)
    return worse


def refusal(url: str, status: int, body: bytes | bytearray | None) -> Refused:
    """The error for a handshake that was answered with `status`."""
    said = bytes(body or b"")[:200].decode("utf-8", "replace").strip()
    meaning = {
        400: "the server found the request malformed; check --device-id",
        401: "the server does not accept the token; give one with --token",
        403: "the server forbids this device",
        404: "no WebSocket at this path; firmware's is /xiaozhi/v1/",
        503: "the server is full or not ready yet; try again",
    }.get(status, "the server did not open a WebSocket")
    return Refused(status, f"{url}: {status}, {meaning}" + (f" ({said})" if said else ""))


def _reason(closed: ConnectionClosed) -> str:
    if closed.rcvd is None:
        return "dropped without a Close frame"
    text = f" {closed.rcvd.reason}" if closed.rcvd.reason else ""
    return f"closed by the server with {closed.rcvd.code}{text}"
