"""Ready speech: Opus packets by text, voice and codec; in memory, and on disk for longer.

The disk tier is a `diskcache.Cache` (SQLite: crash-safe, bounded, least recently used
goes first); what comes from it is checked by length and checksum before it is used.
The memory tier holds what is asked for most. Both forget after `ttl_s`; what is still
asked for shortly before that is kept on, because speech does not go stale.
"""

from __future__ import annotations

import hashlib
import struct
import unicodedata
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import diskcache

Packets = tuple[bytes, ...]

#: Format, checksum of what follows, number of packets; then a length for each; then they.
_HEAD = struct.Struct("<BIH")
_LENGTH = struct.Struct("<H")
_FORMAT = 1

#: Asked for again in the last quarter of its life: it lives on.
_RENEW_SHARE = 0.25

#: One clause; a longer one is not worth its room.
MAX_ENTRY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Sound:
    """What makes two utterances the same sound. `voice` names engine and voice."""

    text: str
    voice: str
    rate_hz: int
    frame_ms: int
    bitrate: int

    def key(self) -> str:
        """Texts that sound the same have one key: width, case and outer marks do not count."""
        text = unicodedata.normalize("NFKC", self.text).casefold().strip(" \t\n。.，,！!；;、")
        tail = "?" if text.endswith("?") else ""
        parts = (text.rstrip("?") + tail, self.voice, self.rate_hz, self.frame_ms, self.bitrate)
        return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]


def pack(packets: Sequence[bytes]) -> bytes:
    """Packets as one checked value; raises `ValueError` when one is longer than 65 535."""
    if any(len(packet) > 0xFFFF for packet in packets):
        raise ValueError("an Opus packet has at most 65535 bytes")
    body = b"".join(_LENGTH.pack(len(packet)) for packet in packets) + b"".join(packets)
    return _HEAD.pack(_FORMAT, zlib.crc32(body), len(packets)) + body


def unpack(value: bytes) -> Packets | None:
    """The packets in a value; None when it is not whole."""
    if len(value) < _HEAD.size:
        return None
    form, checksum, count = _HEAD.unpack_from(value)
    body = value[_HEAD.size :]
    if form != _FORMAT or zlib.crc32(body) != checksum or len(body) < count * _LENGTH.size:
        return None
    at = count * _LENGTH.size
    packets = []
    for number in range(count):
        (length,) = _LENGTH.unpack_from(body, number * _LENGTH.size)
        packets.append(body[at : at + length])
        at += length
    return tuple(packets) if at == len(body) else None


@dataclass(slots=True)
class SoundCounts:
    memory_hits: int = 0
    disk_hits: int = 0
    misses: int = 0
    kept: int = 0
    damaged: int = 0


class SoundStore:
    """Both tiers. `clock` gives seconds since the epoch; `folder` None: memory only."""

    def __init__(
        self,
        folder: Path | None,
        *,
        disk_bytes: int,
        memory_bytes: int,
        ttl_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._memory: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._memory_bytes = 0
        self._memory_limit = memory_bytes
        self._disk = (
            diskcache.Cache(
                str(folder),
                size_limit=disk_bytes,
                eviction_policy="least-recently-used",
                disk_min_file_size=64 * 1024,
            )
            if folder is not None
            else None
        )
        self.counts = SoundCounts()

    def find(self, sound: Sound) -> Packets | None:
        """The packets, or None; a damaged entry is dropped and counts as missing."""
        key, now = sound.key(), self._clock()
        held = self._memory.get(key)
        if held is not None and held[0] > now:
            self._memory.move_to_end(key)
            self.counts.memory_hits += 1
            self._renew(key, held[0], held[1], now)
            return unpack(held[1])
        if held is not None:
            self._forget(key)
        if self._disk is not None:
            value, expires = self._disk.get(key, expire_time=True)
            if value is not None:
                return self._from_disk(key, bytes(value), float(expires or now), now)
        self.counts.misses += 1
        return None

    def _from_disk(self, key: str, value: bytes, expires: float, now: float) -> Packets | None:
        packets = unpack(value)
        if packets is None:
            self.counts.damaged += 1
            self.counts.misses += 1
            assert self._disk is not None
            self._disk.delete(key)
            return None
        self.counts.disk_hits += 1
        self._remember(key, expires, value)
        self._renew(key, expires, value, now)
        return packets

    def keep(self, sound: Sound, packets: Sequence[bytes]) -> bool:
        """Remember a whole clause; False when it is empty or too long to be worth it."""
        value = pack(packets)
        if not packets or len(value) > MAX_ENTRY_BYTES:
            return False
        key = sound.key()
        self._remember(key, self._clock() + self._ttl_s, value)
        if self._disk is not None:
            self._disk.set(key, value, expire=self._ttl_s)
        self.counts.kept += 1
        return True

    def _renew(self, key: str, expires: float, value: bytes, now: float) -> None:
        if expires - now < self._ttl_s * _RENEW_SHARE:
            self._remember(key, now + self._ttl_s, value)
            if self._disk is not None:
                self._disk.touch(key, expire=self._ttl_s)

    def _remember(self, key: str, expires: float, value: bytes) -> None:
        self._forget(key)
        self._memory[key] = (expires, value)
        self._memory_bytes += len(value)
        while self._memory_bytes > self._memory_limit and self._memory:
            self._forget(next(iter(self._memory)))

    def _forget(self, key: str) -> None:
        held = self._memory.pop(key, None)
        if held is not None:
            self._memory_bytes -= len(held[1])

    def clear(self) -> None:
        self._memory.clear()
        self._memory_bytes = 0
        if self._disk is not None:
            self._disk.clear()

    def close(self) -> None:
        if self._disk is not None:
            self._disk.close()

    def size(self) -> dict[str, int]:
        """Entries and bytes of each tier, for the status."""
        sizes = {"memory_entries": len(self._memory), "memory_bytes": self._memory_bytes}
        if self._disk is not None:
            sizes |= {"disk_entries": len(self._disk), "disk_bytes": self._disk.volume()}
        return sizes
