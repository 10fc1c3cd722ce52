"""Binary WebSocket frames: one Opus packet each, in the three framings that devices speak.

Promises: `decode_frame` takes any bytes and either returns a `BinaryFrame` or
raises `FrameError` with a sentence about what is wrong; `encode_frame` writes
exactly what the firmware reads. The firmware (main/protocols/websocket_protocol.cc)
checks neither type nor size of what it gets, so what is written here must be right.

    v1   payload
    v2   u16 version=2 | u16 type | u32 reserved=0 | u32 timestamp ms | u32 size | payload
    v3   u8 type | u8 reserved=0 | u16 size | payload

All numbers are big-endian; type 0 is an Opus packet, 1 is JSON text.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

#: The framings that exist; the device chooses one (`Protocol-Version` header, hello).
VERSIONS = (1, 2, 3)

TYPE_OPUS = 0
TYPE_JSON = 1

_V2_HEADER = struct.Struct(">HHIII")
_V3_HEADER = struct.Struct(">BBH")
_V3_MAX_PAYLOAD_BYTES = 0xFFFF
_TIMESTAMP_MASK = 0xFFFF_FFFF


class FrameError(ValueError):
    """A binary frame cannot be used; the text says why. Only this frame is affected."""


@dataclass(frozen=True, slots=True)
class BinaryFrame:
    """One frame's content. `timestamp_ms` is 0 where the framing carries none.

    An empty payload means "no audio": browser clients end their speech with one.
    """

    payload: bytes
    timestamp_ms: int = 0
    is_json: bool = False


def decode_frame(version: int, data: bytes) -> BinaryFrame:
    """Take one binary message apart. Zero bytes are an empty payload in every framing.

    Raises `FrameError` for an unknown version, a short or contradictory header.
    """
    if version not in VERSIONS:
        raise FrameError(f"binary framing {version} does not exist, use 1, 2 or 3")
    if version == 1 or not data:
        return BinaryFrame(bytes(data))
    return _decode_v2(data) if version == 2 else _decode_v3(data)


def encode_frame(version: int, opus: bytes, timestamp_ms: int = 0) -> bytes:
    """Wrap one Opus packet. `timestamp_ms` travels in v2 only, modulo 2**32.

    Raises `FrameError` for an unknown version, or a packet too long for v3 (65 535 bytes).
    """
    if version == 1:
        return bytes(opus)
    if version == 2:
        header = _V2_HEADER.pack(2, TYPE_OPUS, 0, timestamp_ms & _TIMESTAMP_MASK, len(opus))
        return header + opus
    if version == 3:
        if len(opus) > _V3_MAX_PAYLOAD_BYTES:
            raise FrameError(f"a v3 frame holds 65535 bytes, the packet has {len(opus)}")
        return _V3_HEADER.pack(TYPE_OPUS, 0, len(opus)) + opus
    raise FrameError(f"binary framing {version} does not exist, use 1, 2 or 3")


def _decode_v2(data: bytes) -> BinaryFrame:
    if len(data) < _V2_HEADER.size:
        raise FrameError(f"a v2 frame starts with 16 header bytes, this one has {len(data)}")
    stated, kind, _reserved, timestamp_ms, size = _V2_HEADER.unpack_from(data)
    if stated != 2:
        raise FrameError(
            f"a v2 frame says version {stated}: the device seems to use another framing"
        )
    _check(2, kind, size, len(data) - _V2_HEADER.size)
    return BinaryFrame(bytes(data[_V2_HEADER.size :]), timestamp_ms, kind == TYPE_JSON)


def _decode_v3(data: bytes) -> BinaryFrame:
    if len(data) < _V3_HEADER.size:
        raise FrameError(f"a v3 frame starts with 4 header bytes, this one has {len(data)}")
    kind, _reserved, size = _V3_HEADER.unpack_from(data)
    _check(3, kind, size, len(data) - _V3_HEADER.size)
    return BinaryFrame(bytes(data[_V3_HEADER.size :]), 0, kind == TYPE_JSON)


def _check(version: int, kind: int, stated_bytes: int, held_bytes: int) -> None:
    if kind not in (TYPE_OPUS, TYPE_JSON):
        raise FrameError(f"a v{version} frame has type {kind}, known are 0 (Opus) and 1 (JSON)")
    if stated_bytes != held_bytes:
        raise FrameError(
            f"a v{version} frame states {stated_bytes} payload bytes and holds {held_bytes}"
        )
