"""Ready speech: Opus packets by text, voice and codec, and the tier that holds it in memory.

Pure. A value is checked by length and checksum wherever it comes from. Speech does
not go stale: what is still asked for is kept on (`renew_due`), the rest is forgotten
`ttl_s` after it was made.
"""

from __future__ import annotations

import hashlib
import struct
import unicodedata
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

Packets = tuple[bytes, ...]

#: Format, checksum of what follows, number of packets; then a length for each; then they.
_HEAD = struct.Struct("<BIH")
_LENGTH = struct.Struct("<H")
_FORMAT = 1

#: Asked for after so much of its life: it lives on, in every tier. A share well below 1
#: also tells the tiers below, which see no hits, what is still wanted.
_RENEW_AFTER_SHARE: Final = 0.25

#: One clause; a longer one is not worth its room.
MAX_ENTRY_BYTES: Final = 256 * 1024

#: Full-width forms of ASCII, and the ideographic space.
_WIDTH: Final = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_OUTER_MARKS: Final = " .。｡,，!！;；、…~～"


@dataclass(frozen=True, slots=True)
class Sound:
    """What makes two utterances the same sound. `voice` names engine and voice."""

    text: str
    voice: str
    rate_hz: int
    frame_ms: int
    bitrate: int

    def key(self) -> str:
        """Texts that sound the same have one key: width and outer marks do not count.

        Case does (IT is read in letters, it is not), and so does a question mark.
        """
        text = " ".join(unicodedata.normalize("NFC", self.text).translate(_WIDTH).split())
        text = text.strip(_OUTER_MARKS)
        asks = text.endswith("?")
        text = text.rstrip("?" + _OUTER_MARKS) + "?" * asks
        parts = (text, self.voice, self.rate_hz, self.frame_ms, self.bitrate)
        return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]


def pack(packets: Sequence[bytes]) -> bytes:
    """Packets as one checked value; raises `ValueError` when it cannot hold them."""
    if len(packets) > 0xFFFF or any(len(packet) > 0xFFFF for packet in packets):
        raise ValueError("at most 65535 packets of at most 65535 bytes make one sound")
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


@dataclass(frozen=True, slots=True)
class Kept:
    """A value and when it is to be forgotten, in seconds since the epoch."""

    value: bytes
    expires: float


@dataclass(frozen=True, slots=True)
class TierSize:
    """How full a tier is."""

    entries: int = 0
    bytes: int = 0


def renew_due(expires: float, ttl_s: float, now: float) -> bool:
    """Whether a sound that was asked for now shall live on from now."""
    return expires - now < ttl_s * (1 - _RENEW_AFTER_SHARE)


class MemoryTier:
    """What is asked for most, least recently used goes first; `clock` as of the epoch."""

    def __init__(self, limit_bytes: int, ttl_s: float, clock: Callable[[], float]) -> None:
        self.bytes = 0
        self._limit = limit_bytes
        self._ttl_s = ttl_s
        self._clock = clock
        self._held: OrderedDict[str, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: str) -> bool:
        held = self._held.get(key)
        return held is not None and held.expires > self._clock()

    def find(self, key: str) -> Kept | None:
        held = self._held.get(key)
        if held is None:
            return None
        if held.expires <= self._clock():
            self._forget(key)
            return None
        self._held.move_to_end(key)
        return held

    def keep(self, key: str, value: bytes, expires: float | None = None) -> None:
        """Hold it until `expires`, else for the whole of its life from now."""
        self._forget(key)
        self._held[key] = Kept(value, self._clock() + self._ttl_s if expires is None else expires)
        self.bytes += len(value)
        while self.bytes > self._limit and self._held:
            self._forget(next(iter(self._held)))

    def renew(self, key: str) -> bytes | None:
        """Let it live on if it is time; then its value, for the tiers below."""
        held = self._held.get(key)
        if held is None or not renew_due(held.expires, self._ttl_s, self._clock()):
            return None
        self.keep(key, held.value)
        return held.value

    def clear(self) -> None:
        self._held.clear()
        self.bytes = 0

    def _forget(self, key: str) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self.bytes -= len(held.value)
