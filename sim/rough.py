"""A link that is worse than loopback: small segments up, a small and stalling window down.

What Wi-Fi does to a real device, on the device's own socket: its frames arrive in pieces,
so that at any moment the server holds part of one; it takes little at a time, and now and
then nothing, so that the server's output waits.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection


@dataclass(frozen=True, slots=True)
class Roughness:
    """0: nothing of it.

    Up: pieces of `segment_bytes` at most, `segment_gap_ms` apart. Down: `window_bytes` of
    the receiving socket (the kernel gives it at least some 2 kB), and for `stall_s` in each
    `stall_every_s` nothing is read.
    """

    segment_bytes: int = 0
    segment_gap_ms: float = 0.0
    window_bytes: int = 0
    stall_s: float = 0.0
    stall_every_s: float = 0.0

    def __bool__(self) -> bool:
        return self != SMOOTH


SMOOTH: Final = Roughness()
#: The links that a swarm can have, by name.
LINKS: Final[dict[str, Roughness]] = {
    "plain": SMOOTH,
    "split": Roughness(segment_bytes=24, segment_gap_ms=8.0),
    "narrow": Roughness(window_bytes=2048, stall_s=1.5, stall_every_s=5.0),
    "rough": Roughness(24, 8.0, 2048, 1.5, 5.0),
}


class RoughTransport:
    """A transport before another one, in whose way it stands. On its event loop's thread."""

    def __init__(self, transport: asyncio.Transport, rough: Roughness) -> None:
        self._transport = transport
        self._rough = rough
        self._loop = asyncio.get_running_loop()
        self._pieces: deque[bytes] = deque()
        self._pump: asyncio.TimerHandle | None = None
        self._stalls: asyncio.TimerHandle | None = None
        self._stalled = False
        self._paused = False
        if rough.stall_s and rough.stall_every_s:
            self._stalls = self._loop.call_later(rough.stall_every_s, self._stall)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    @property
    def stalled(self) -> bool:
        """Nothing is read at the moment, whatever comes."""
        return self._stalled

    # --- up ---

    def write(self, data: bytes | bytearray | memoryview) -> None:
        size = self._rough.segment_bytes
        if not size:
            self._transport.write(data)
            return
        whole = bytes(data)
        self._pieces.extend(whole[at : at + size] for at in range(0, len(whole), size))
        if self._pump is None:
            self._send_piece()

    def _send_piece(self) -> None:
        self._pump = None
        if self._pieces:
            self._transport.write(self._pieces.popleft())
            gap_s = self._rough.segment_gap_ms / 1000
            self._pump = self._loop.call_later(gap_s, self._send_piece)

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        self._flush()
        self.rest()
        self._transport.close()

    def abort(self) -> None:
        self.rest()
        self._transport.abort()

    def _flush(self) -> None:
        rest = b"".join(self._pieces)
        self._pieces.clear()
        if rest:
            self._transport.write(rest)

    def rest(self) -> None:
        """Nothing more will happen here."""
        for timer in (self._pump, self._stalls):
            if timer is not None:
                timer.cancel()
        self._pump = self._stalls = None
        self._pieces.clear()

    # --- down ---

    def pause_reading(self) -> None:
        self._paused = True
        self._read_or_not()

    def resume_reading(self) -> None:
        self._paused = False
        self._read_or_not()

    def _stall(self) -> None:
        self._stalled = not self._stalled
        self._read_or_not()
        rough = self._rough
        wait_s = rough.stall_s if self._stalled else rough.stall_every_s - rough.stall_s
        self._stalls = self._loop.call_later(max(0.0, wait_s), self._stall)

    def _read_or_not(self) -> None:
        if self._transport.is_closing():
            return
        if self._stalled or self._paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


def connection_over(rough: Roughness) -> type[ClientConnection]:
    """For `connect(create_connection=...)`: a connection over such a link."""

    class RoughConnection(ClientConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            # What stands before a transport has all of its methods.
            super().connection_made(RoughTransport(transport, rough))  # type: ignore[arg-type]

        def connection_lost(self, exc: Exception | None) -> None:
            if isinstance(self.transport, RoughTransport):
                self.transport.rest()
            super().connection_lost(exc)

    return RoughConnection


async def narrow_socket(url: str, window_bytes: int) -> socket.socket:
    """A connected socket whose window was small from the first segment on. Raises OSError."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _name, address = found[0]
    narrow = socket.socket(family, kind, protocol)
    try:
        narrow.setblocking(False)
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
        await loop.sock_connect(narrow, address)
    except BaseException:
        narrow.close()
        raise
    return narrow
