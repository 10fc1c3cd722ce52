"""The device's WebSocket over real loopback sockets: frames in pieces, takeovers, ends."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from actors.session.connection import (
    MAX_FRAMES_AT_ONCE,
    MAX_OUTPUT_BYTES,
    BinaryMessage,
    Closed,
    DeviceConnection,
    TextMessage,
    bytes_written,
)
from tests.session.loopback import Killed, Line, binary, eventually, rest, text


@pytest.fixture
def line() -> Iterator[Line]:
    with Line() as made:
        yield made


# --- in ---


def test_messages_come_whole_and_in_order(line: Line) -> None:
    connection = line.adopt()
    line.raw(line.frames(text("一"), binary(b"\x00\x01"), text(""), binary(b"")))
    assert connection.receive() == [
        TextMessage("一".encode()),
        BinaryMessage(b"\x00\x01"),
        TextMessage(b""),
        BinaryMessage(b""),
    ]
    assert connection.receive() == []


def test_a_message_in_fragments_is_one_message(line: Line) -> None:
    connection = line.adopt()
    line.raw(line.frames(text("a", fin=False), rest(b"b", fin=False)))
    assert connection.receive() == []
    assert connection.in_fragment
    line.raw(line.frames(Frame(Opcode.PING, b"?"), rest(b"c"), binary(b"d", fin=False), rest(b"")))
    assert connection.receive() == [TextMessage(b"abc"), BinaryMessage(b"d")]
    assert not connection.in_fragment


@pytest.mark.parametrize("size", [0, 1, 125, 126, 200])
def test_a_frame_byte_by_byte_never_wakes_the_session_in_vain(line: Line, size: int) -> None:
    connection = line.adopt()
    data = line.frames(binary(bytes(size)), text("next"))
    whole = len(data) - len(line.frames(text("next")))
    events: list[object] = []
    for at in range(len(data)):
        line.raw(data[at : at + 1])
        if line.readable():
            events += connection.receive()
            assert not line.readable(), "an event loop would spin"
        assert len(events) == (at + 1 >= whole) + (at + 1 == len(data))
    assert events == [BinaryMessage(bytes(size)), TextMessage(b"next")]


@pytest.mark.parametrize("size", [65535, 65536])
def test_the_largest_frame_comes_in_segments(line: Line, size: int) -> None:
    connection = line.adopt(65536)
    data = line.frames(binary(bytes(size)))
    for at in range(0, len(data), 1400):
        assert connection.receive() == []
        line.raw(data[at : at + 1400])
    assert connection.receive() == [BinaryMessage(bytes(size))]


def test_the_largest_message_of_the_settings_fits_into_the_kernel(line: Line) -> None:
    """A frame is taken whole, so the receive buffer has to grow to it."""
    size = 1 << 20
    connection = line.adopt(size)
    data, at = line.frames(binary(bytes(size))), 0
    events: list[object] = []

    def pass_on() -> bool:
        nonlocal at
        with contextlib.suppress(BlockingIOError):
            at += line.device.send(data[at : at + 30000]) if at < len(data) else 0
        if line.readable():
            events.extend(connection.receive())
        return bool(events)

    eventually(pass_on)
    assert events == [BinaryMessage(bytes(size))]


def test_a_flood_is_taken_in_portions(line: Line) -> None:
    connection = line.adopt()
    line.raw(line.frames(*[binary(b"x")] * (MAX_FRAMES_AT_ONCE + 5)))
    assert len(connection.receive()) == MAX_FRAMES_AT_ONCE
    assert line.readable()
    assert len(connection.receive()) == 5


def test_a_ping_is_answered(line: Line) -> None:
    connection = line.adopt()
    line.raw(line.frames(Frame(Opcode.PING, b"are you there")))
    assert connection.receive() == []
    line.read_until(lambda: bool(line.control))
    assert line.control == [Frame(Opcode.PONG, b"are you there")]


# --- bad input ---


@pytest.mark.parametrize("size", [5000, 70000, 1 << 20])
def test_an_oversized_frame_is_refused_with_1009(line: Line, size: int) -> None:
    connection = line.adopt(4096)
    line.raw(line.frames(text("before")))
    line.raw(line.frames(binary(bytes(size)))[:5000])
    events = connection.receive()
    assert events[0] == TextMessage(b"before")
    assert isinstance(events[-1], Closed)
    connection.drop()
    line.read_until(lambda: bool(line.control))
    assert int.from_bytes(line.control[0].data[:2], "big") == 1009


def test_an_oversized_message_in_small_fragments_is_refused_with_1009(line: Line) -> None:
    connection = line.adopt(4096)
    line.raw(line.frames(text("x" * 3000, fin=False), rest(b"x" * 3000)))
    assert isinstance(connection.receive()[-1], Closed)
    line.read_until(lambda: bool(line.control))
    assert int.from_bytes(line.control[0].data[:2], "big") == 1009


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x01x",  # not masked
        b"\x83\x80....",  # an opcode that does not exist
        b"\x80\x80....",  # a continuation of nothing
        b"\xf1\x80....",  # reserved bits
        b"\x89\xfe\x00\x80" + bytes(132),  # a ping of 128 bytes
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff",  # a length beyond every memory
        b"GET / HTTP/1.1\r\n\r\n" * 10,
    ],
)
def test_what_is_no_websocket_is_closed(line: Line, data: bytes) -> None:
    connection = line.adopt()
    line.raw(data)
    (event,) = connection.receive()
    assert isinstance(event, Closed)
    connection.drop()
    line.read_until(lambda: bool(line.control))
    code = int.from_bytes(line.control[0].data[:2], "big")
    assert code in (1002, 1009)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_are_survived(data: bytes) -> None:
    with Line() as line:
        connection = line.adopt(4096)
        line.raw(data)
        events = connection.receive()
        if not (events and isinstance(events[-1], Closed)):
            assert not line.readable()
            line.device.shutdown(socket.SHUT_WR)
            eventually(line.readable)
            assert isinstance(connection.receive()[-1], Closed)


# --- ends ---


def test_a_device_that_closes_is_answered_and_gone(line: Line) -> None:
    connection = line.adopt()
    line.raw(line.frames(text("bye")))
    line.client.send_close(1000, "done")
    line.raw(b"".join(line.client.data_to_send()))
    assert connection.receive() == [TextMessage(b"bye"), Closed("closed by the device")]
    line.read_until(lambda: bool(line.control))
    assert line.control[0].opcode is Opcode.CLOSE


def test_a_device_that_drops_is_gone(line: Line) -> None:
    connection = line.adopt()
    line.raw(line.frames(text("last")))
    line.device.close()
    eventually(lambda: line.readable() and isinstance(connection.receive()[-1], Closed))


def test_an_end_inside_a_frame_is_an_end(line: Line) -> None:
    """Half a frame waits in the kernel and its rest never comes: nothing may spin on it."""
    connection = line.adopt()
    line.raw(line.frames(binary(bytes(500)))[:100])
    assert connection.receive() == []
    line.device.shutdown(socket.SHUT_WR)
    eventually(line.readable)
    assert connection.receive() == [Closed("dropped by the device inside a frame")]


def test_an_end_behind_a_whole_frame_loses_nothing(line: Line) -> None:
    connection = line.adopt()
    data = line.frames(binary(bytes(500)))
    line.raw(data[:100])
    assert connection.receive() == []
    line.raw(data[100:])
    line.device.shutdown(socket.SHUT_WR)
    events: list[object] = []

    def taken() -> bool:
        events.extend(connection.receive())
        return len(events) == 2

    eventually(taken)
    assert events == [BinaryMessage(bytes(500)), Closed("dropped by the device")]


def test_a_reset_is_an_end(line: Line) -> None:
    connection = line.adopt()
    line.device.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.device.close()
    eventually(line.readable)
    (event,) = connection.receive()
    assert event == Closed("connection lost: ECONNRESET")
    connection.drop()


def test_writing_to_a_device_that_is_gone_is_no_error(line: Line) -> None:
    connection = line.adopt()
    line.device.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.device.close()
    eventually(line.readable)
    connection.send_text("too late")
    connection.send_binary(b"too late")
    assert not connection.wants_write
    connection.drop()
    connection.drop()


def test_after_our_close_the_device_is_read_but_not_heard(line: Line) -> None:
    """Firmware that streams does not answer a Close; a reset would cost it what is on its way."""
    connection = line.adopt()
    connection.send_close(1000, "goodbye")
    connection.send_close(1001, "again")
    line.raw(line.frames(binary(b"audio"), text("still here")))
    assert connection.receive() == []
    assert not connection.closed
    line.read_until(lambda: bool(line.control))
    assert bytes(line.control[0].data[2:]) == b"goodbye"
    assert len(line.control) == 1
    line.raw(b"".join(line.client.data_to_send()))
    assert connection.receive() == [Closed("closed by the device")]


def test_drop_ends_it_for_every_holder(line: Line) -> None:
    line.adopt().drop()
    line.read_until(lambda: line.client.reader.eof)


def test_dropping_with_unread_bytes_still_tells_the_reason(line: Line) -> None:
    connection = line.adopt()
    line.raw(line.frames(*[binary(bytes(1000))] * 100))
    connection.send_close(1001, "server stops")
    connection.drop()
    line.kept.close()
    line.read_until(lambda: line.client.reader.eof)
    assert bytes(line.control[0].data[2:]) == b"server stops"


# --- out ---


def test_what_is_sent_arrives(line: Line) -> None:
    connection = line.adopt()
    connection.send_text("你好")
    connection.send_binary(b"\x01\x02")
    line.read_until(lambda: len(line.received) == 2)
    assert line.received == ["你好", b"\x01\x02"]
    assert not connection.wants_write


def test_bytes_written_are_counted_across_processes(line: Line) -> None:
    connection = line.adopt()
    before = bytes_written(line.kept)
    connection.send_binary(bytes(998))
    connection.send_text("x" * 10)
    line.read_until(lambda: len(line.received) == 2)
    assert bytes_written(line.kept) - before == 1002 + 12


def test_a_device_that_does_not_read_overflows() -> None:
    with Line(send_buffer=4096, receive_buffer=2048) as line:
        connection = line.adopt()
        sent = 0
        while not connection.overflowing:
            connection.send_binary(bytes(1000))
            sent += 1
        assert connection.wants_write
        assert MAX_OUTPUT_BYTES < connection.unsent_bytes < MAX_OUTPUT_BYTES + 2000
        line.read_until(lambda: len(line.received) == sent, connection)
        assert not connection.wants_write


# --- takeover ---


def test_half_a_frame_waits_for_the_successor(line: Line) -> None:
    first = line.adopt()
    data = line.frames(binary(bytes(range(200))), text("behind"))
    line.raw(data[:150])
    assert first.receive() == []
    second = line.adopt()
    line.raw(data[150:])
    assert second.receive() == [BinaryMessage(bytes(range(200))), TextMessage(b"behind")]


def test_what_the_first_waited_for_does_not_deafen_the_second(line: Line) -> None:
    """The socket keeps the mark below which it is not readable; its owner is new."""
    first = line.adopt()
    data = line.frames(binary(bytes(5000)))
    line.raw(data[:100])
    assert first.receive() == []
    second = line.adopt()
    line.raw(data[100:])
    assert len(second.receive()) == 1
    line.raw(line.frames(text("small")))
    eventually(line.readable)
    assert second.receive() == [TextMessage(b"small")]


def test_a_message_begun_is_known_to_its_reader_alone(line: Line) -> None:
    line.raw(line.frames(text("a", fin=False)))
    first = line.adopt()
    assert first.receive() == []
    line.raw(line.frames(rest(b"b")))
    assert isinstance(line.adopt().receive()[-1], Closed)


def test_the_successor_sends_the_rest_first() -> None:
    with Line(send_buffer=4096, receive_buffer=2048) as line:
        first = line.adopt()
        sent: list[bytes] = []
        while not first.wants_write:
            sent.append(bytes([len(sent) % 256]) * 700)
            first.send_binary(sent[-1])
        second = line.adopt()
        assert second.unsent_bytes == first.unsent_bytes > 0
        second.send_text("I am new")
        line.read_until(lambda: len(line.received) > len(sent), second)
        assert line.received == [*sent, "I am new"]


class Mortal:
    """A socket whose owner is killed just before or just after one of its writes."""

    def __init__(self, real: socket.socket, dies_at: int, after: bool) -> None:
        self._real, self._left, self._after = real, dies_at, after

    def send(self, data: bytes) -> int:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Killed
        count = self._real.send(data)
        if self._left == 0:
            raise Killed
        return count

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def sends_until_killed(
    line: Line, connection: DeviceConnection, sizes: list[int], tag: int
) -> tuple[list[bytes], bytes | None]:
    """Messages that were handed over whole, and the one in which the sender died."""
    done: list[bytes] = []
    for number, size in enumerate(sizes):
        message = bytes([tag, number % 256]) + bytes(size)
        try:
            connection.send_binary(message)
        except Killed:
            return done, message
        done.append(message)
        if connection.overflowing:
            break
    return done, None


@settings(max_examples=80, deadline=None)
@given(
    lives=st.lists(
        st.tuples(
            st.lists(st.integers(0, 3000), min_size=1, max_size=12),
            st.integers(1, 14),
            st.sampled_from(["before the write", "after the write", "while saving"]),
            st.integers(0, 6000),
        ),
        min_size=1,
        max_size=4,
    ),
    reads=st.booleans(),
)
def test_killed_anywhere_the_stream_stays_whole(
    lives: list[tuple[list[int], int, str, int]], reads: bool
) -> None:
    """Each session dies at some write; what its device reads is whole messages, in order.

    A message in whose writing a session died may be there or not, all others are.
    """
    with Line(send_buffer=4096, receive_buffer=2048) as line:
        certain: list[list[bytes]] = []
        perhaps: list[bytes | None] = []
        for tag, (sizes, dies_at, how, torn_at) in enumerate(lives):
            connection = line.adopt()
            if how == "while saving":
                _tear(line, connection, dies_at, torn_at)
            else:
                mortal = Mortal(connection._socket, dies_at, how == "after the write")
                connection._socket = mortal  # type: ignore[assignment]
            done, last = sends_until_killed(line, connection, sizes, tag)
            certain.append(done)
            perhaps.append(last)
            if reads:
                line.read()
        final = line.adopt()
        final.send_text("end")
        line.read_until(lambda: line.received[-1:] == ["end"], final)
        left = list(line.received[:-1])
        for done, last in zip(certain, perhaps, strict=True):
            assert left[: len(done)] == done
            del left[: len(done)]
            if last is not None and left[:1] == [last]:
                del left[0]
        assert left == []


def _tear(line: Line, connection: DeviceConnection, dies_at: int, torn_at: int) -> None:
    """Have the process killed inside its `dies_at`-th save, after `torn_at` bytes of it."""
    checkpoint = line.checkpoint_of(connection)
    real, left = checkpoint.save_unsent, dies_at

    def save(offset: int, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left:
            real(offset, data)
            return
        memory = checkpoint._memory
        before = memory[:]
        real(offset, data)
        changed = [at for at, (a, b) in enumerate(zip(before, memory[:], strict=True)) if a != b]
        for at in changed[torn_at:]:
            memory[at : at + 1] = before[at : at + 1]
        raise Killed

    checkpoint.save_unsent = save  # type: ignore[method-assign]
