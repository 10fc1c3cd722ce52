"""The device's last packets, in memory that outlives the session. Pure.

What a user says is kept as it came, with its times, until it is answered: the successor
of a session that is killed hears it again. A ring over a piece of a larger memory: two
positions that only grow, then the bytes. A packet's bytes are written before the
position that makes them count, so a writer killed in mid-write leaves what was before.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator

#: Positions of the oldest packet and behind the newest.
_POSITION = struct.Struct("<Q")
_HEADER_BYTES = 2 * _POSITION.size

#: When it came, in seconds of the monotonic clock (one for all processes of a host), and
#: its length.
_ENTRY = struct.Struct("<dH")


class PacketRing:
    """Packets in order of arrival; the oldest go when there is no room. One writer."""

    def __init__(self, memory: mmap.mmap | bytearray, start: int, size_bytes: int) -> None:
        """Go on with what is in `memory[start : start + size_bytes]`; zeros are an empty ring."""
        self._memory = memory
        self._start = start
        self._content = start + _HEADER_BYTES
        self._room = size_bytes - _HEADER_BYTES
        self._oldest = self._position(0)
        self._end = self._position(1)
        if not 0 <= self._end - self._oldest <= self._room:
            self._oldest = self._end

    def __iter__(self) -> Iterator[tuple[float, bytes]]:
        """(arrival, packet), the oldest first."""
        at = self._oldest
        while at < self._end:
            arrived, length = self._entry(at)
            at += _ENTRY.size
            yield arrived, self._read(at, length)
            at += length

    def append(self, now: float, packet: bytes) -> None:
        """Keep a packet, unless it alone is larger than the ring."""
        needed = _ENTRY.size + len(packet)
        if needed > self._room or len(packet) > 0xFFFF:
            return
        while self._end + needed - self._oldest > self._room:
            self._forget_oldest()
        self._write(self._end, _ENTRY.pack(now, len(packet)) + packet)
        self._end += needed
        self._set_position(1, self._end)

    def trim(self, before: float) -> None:
        """Forget what came before this time."""
        while self._oldest < self._end and self._entry(self._oldest)[0] < before:
            self._forget_oldest()

    def clear(self) -> None:
        """Forget everything; the next packets use the same memory again."""
        if self._end == 0:
            return
        # In this order: in between, the ring is empty too.
        self._oldest = self._end
        self._set_position(0, self._oldest)
        self._set_position(1, 0)
        self._set_position(0, 0)
        self._oldest = self._end = 0

    # --- inside ---

    def _forget_oldest(self) -> None:
        self._oldest += _ENTRY.size + self._entry(self._oldest)[1]
        self._set_position(0, self._oldest)

    def _entry(self, at: int) -> tuple[float, int]:
        arrived, length = _ENTRY.unpack(self._read(at, _ENTRY.size))
        return arrived, length

    def _position(self, which: int) -> int:
        (position,) = _POSITION.unpack_from(self._memory, self._start + which * _POSITION.size)
        return int(position)

    def _set_position(self, which: int, position: int) -> None:
        _POSITION.pack_into(self._memory, self._start + which * _POSITION.size, position)

    def _read(self, at: int, length: int) -> bytes:
        begin = at % self._room
        first = min(length, self._room - begin)
        content = self._content
        data = bytes(self._memory[content + begin : content + begin + first])
        return data + bytes(self._memory[content : content + length - first])

    def _write(self, at: int, data: bytes) -> None:
        begin = at % self._room
        first = min(len(data), self._room - begin)
        content = self._content
        self._memory[content + begin : content + begin + first] = data[:first]
        self._memory[content : content + len(data) - first] = data[first:]
