"""Binary frames: round trips, the exact bytes of each framing, and hostile input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.wire.frames import VERSIONS, BinaryFrame, FrameError, decode_frame, encode_frame

versions = st.sampled_from(VERSIONS)


@given(version=versions, opus=st.binary(max_size=1500), timestamp_ms=st.integers(0, 2**33))
def test_a_packet_survives_both_ways(version: int, opus: bytes, timestamp_ms: int) -> None:
    frame = decode_frame(version, encode_frame(version, opus, timestamp_ms))
    kept_ms = timestamp_ms % 2**32 if version == 2 else 0
    assert frame == BinaryFrame(opus, kept_ms, is_json=False)


@given(version=st.integers(-1, 5), data=st.binary(max_size=64))
def test_any_bytes_give_a_frame_or_a_frame_error(version: int, data: bytes) -> None:
    try:
        frame = decode_frame(version, data)
    except FrameError:
        return
    assert data.endswith(frame.payload)


@given(version=st.sampled_from((2, 3)), opus=st.binary(min_size=1, max_size=99), data=st.data())
def test_a_cut_frame_is_refused(version: int, opus: bytes, data: st.DataObject) -> None:
    whole = encode_frame(version, opus)
    kept = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(FrameError):
        decode_frame(version, whole[:kept])


def test_the_bytes_on_the_wire() -> None:
    assert encode_frame(1, b"\xf8\xff\xfe") == b"\xf8\xff\xfe"
    assert encode_frame(2, b"\xf8\xff\xfe", 0x01020304) == bytes.fromhex(
        "0002 0000 00000000 01020304 00000003 f8fffe"
    )
    assert encode_frame(3, b"\xf8\xff\xfe", 0x01020304) == bytes.fromhex("00 00 0003 f8fffe")


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_an_empty_payload(version: int) -> None:
    assert decode_frame(version, b"") == BinaryFrame(b"")
    assert decode_frame(version, encode_frame(version, b"")) == BinaryFrame(b"")


def test_json_in_a_binary_frame_is_marked() -> None:
    v2 = bytes.fromhex("0002 0001 00000000 00000000 00000002") + b"{}"
    assert decode_frame(2, v2) == BinaryFrame(b"{}", 0, is_json=True)
    assert decode_frame(3, b"\x01\x00\x00\x02{}") == BinaryFrame(b"{}", 0, is_json=True)


@pytest.mark.parametrize(
    ("version", "data", "says"),
    [
        (4, b"x", "framing 4 does not exist"),
        (2, b"\x00\x02", "16 header bytes, this one has 2"),
        (2, bytes(16), "says version 0"),
        (2, bytes.fromhex("0002 0007 00000000 00000000 00000000"), "type 7"),
        (2, bytes.fromhex("0002 0000 00000000 00000000 ffffffff 00"), "states 4294967295"),
        (3, b"\x00\x00\x00", "4 header bytes, this one has 3"),
        (3, b"\x09\x00\x00\x00", "type 9"),
        (3, b"\x00\x00\x00\x01ab", "states 1 payload bytes and holds 2"),
    ],
)
def test_the_error_says_what_is_wrong(version: int, data: bytes, says: str) -> None:
    with pytest.raises(FrameError, match=says):
        decode_frame(version, data)


def test_what_cannot_be_framed_is_refused() -> None:
    assert len(encode_frame(3, bytes(65535))) == 65539
    with pytest.raises(FrameError, match="65536"):
        encode_frame(3, bytes(65536))
    with pytest.raises(FrameError, match="framing 0"):
        encode_frame(0, b"x")
