"""The device's WebSocket as its session holds it: whole frames in, exact bytes out.

The handshake was done by the acceptor. The protocol is websockets' sans-IO core;
this class adds what a takeover needs:

- *In.* Bytes stay in the kernel until a whole frame is there (peek first), so that a
  session killed at any moment leaves the stream at a frame's boundary. While half a
  frame waits, `SO_RCVLOWAT` keeps the socket from being reported readable.
- *Out.* What is about to be written is noted in the checkpoint with its place in the
  stream; how much of it was really written the kernel knows (bytes acknowledged plus
  bytes queued), so a successor sends exactly the rest.

Compression is off: Opus does not compress, and a context per device costs 50 kB.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import socket
import struct
import termios
from dataclasses import dataclass

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from actors.session.checkpoint import MAX_UNSENT_BYTES, Checkpoint

_TCP_INFO_BYTES = 160
#: struct tcp_info of linux/tcp.h: 8 bytes, 24 u32, two u64 of pacing, then bytes acked.
_BYTES_ACKED = struct.Struct("=120xQ")

#: Of a device that is dropped so much is read and thrown away, so often at most.
_DISCARDED_BYTES = 65536
_DISCARDED_TIMES = 16

#: Frames taken at once; a device that sends faster must not keep the session from its clock.
MAX_FRAMES_AT_ONCE = 64

#: tcpi_state of linux/tcp_states.h: neither side has ended the stream.
_ESTABLISHED = 1

#: Unwritten output above this means that the device does not read: it is dropped.
MAX_OUTPUT_BYTES = min(48 * 1024, MAX_UNSENT_BYTES)


@dataclass(frozen=True, slots=True)
class TextMessage:
    text: bytes


@dataclass(frozen=True, slots=True)
class BinaryMessage:
    data: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over; nothing else will be read. `reason` is for the log."""

    reason: str


ConnectionEvent = TextMessage | BinaryMessage | Closed


def bytes_written(connection: socket.socket) -> int:
    """All bytes ever handed to this TCP socket, by whichever process (plus a constant)."""
    while True:
        before = _acknowledged(connection)
        queued = array.array("i", [0])
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, queued)
        if _acknowledged(connection) == before:
            return before + queued[0]


def _acknowledged(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    acknowledged: int = _BYTES_ACKED.unpack_from(info.ljust(_TCP_INFO_BYTES, b"\0"))[0]
    return acknowledged


def _frame_bytes(head: bytes) -> int | None:
    """Length of the WebSocket frame that starts with `head`; None: more is needed (RFC 6455 5.2)."""
    if len(head) < 2:
        return None
    masked, length = head[1] & 0x80, head[1] & 0x7F
    at = 2
    if length >= 126:
        wide = 2 if length == 126 else 8
        if len(head) < at + wide:
            return None
        length = int.from_bytes(head[at : at + wide], "big")
        at += wide
    return at + (4 if masked else 0) + length


class DeviceConnection:
    """One open WebSocket on a non-blocking socket that this object owns."""

    def __init__(
        self, connection: socket.socket, checkpoint: Checkpoint, max_message_bytes: int
    ) -> None:
        self._socket = connection
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._checkpoint = checkpoint
        self._max_message_bytes = max_message_bytes
        self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=max_message_bytes)
        self._fragments: list[bytes] = []
        self._fragments_are_text = False
        # A session that was waiting for the rest of a frame left its own mark here.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        self._low_water = 1
        self._written = bytes_written(connection)
        self._output = bytearray(self._unsent_rest())
        self.closed = False

    def _unsent_rest(self) -> bytes:
        offset, data = self._checkpoint.load_unsent()
        return data[max(0, self._written - offset) :]

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def in_fragment(self) -> bool:
        """Inside a fragmented message: its beginning is known to this process alone."""
        return bool(self._fragments)

    @property
    def unsent_bytes(self) -> int:
        return len(self._output)

    # --- in ---

    def receive(self) -> list[ConnectionEvent]:
        """Read what is there, without waiting; more may be there when it returns.

        After `Closed` only `drop` may be called.
        """
        events: list[ConnectionEvent] = []
        for _ in range(MAX_FRAMES_AT_ONCE):
            frame = self._next_frame()
            if frame is None:
                break
            if isinstance(frame, Closed):
                events.append(frame)
                break
            self._protocol.receive_data(frame)
            for received in self._protocol.events_received():
                if isinstance(received, Frame):
                    events += self._take(received)
            self.flush()
            failure = self._protocol.parser_exc
            if failure is not None or self._protocol.close_rcvd is not None:
                events.append(self._closed(str(failure) if failure else "closed by the device"))
                break
        return events

    def _next_frame(self) -> bytes | Closed | None:
        """Exactly one frame taken from the kernel; None when it is not whole yet."""
        try:
            head = self._socket.recv(14, socket.MSG_PEEK)
            if not head:
                return self._closed("dropped by the device")
            needed = _frame_bytes(head)
            if needed is not None and needed > self._max_message_bytes + 14:
                # The protocol refuses it by its header alone (close code 1009).
                return self._socket.recv(len(head))
            if needed is None:
                return self._wait(len(head) + 1)
            if len(self._socket.recv(needed, socket.MSG_PEEK)) < needed:
                return self._wait(needed)
            self._wait_for(1)
            return self._socket.recv(needed)
        except BlockingIOError:
            return None
        except OSError as error:
            return self._closed(f"connection lost: {errno.errorcode.get(error.errno or 0, error)}")

    def _wait(self, needed: int) -> Closed | None:
        """So many bytes are not here yet. If the stream has ended, they never will be.

        An end makes the socket readable whatever waits: without looking, we would spin.
        """
        self._wait_for(needed)
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        if info[0] != _ESTABLISHED and len(self._socket.recv(needed, socket.MSG_PEEK)) < needed:
            return self._closed("dropped by the device inside a frame")
        return None

    def _wait_for(self, low_water: int) -> None:
        if low_water != self._low_water:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low_water)
            self._low_water = low_water

    def _take(self, frame: Frame) -> list[ConnectionEvent]:
        opcode, data, fin = frame.opcode, bytes(frame.data), frame.fin
        if self._protocol.state is not State.OPEN:
            return []  # we have closed: what still comes is not answered
        if opcode in (Opcode.TEXT, Opcode.BINARY):
            self._fragments_are_text = opcode is Opcode.TEXT
        elif opcode is not Opcode.CONT:
            return []
        self._fragments.append(data)
        if not fin:
            return []
        whole = b"".join(self._fragments)
        self._fragments.clear()
        return [TextMessage(whole) if self._fragments_are_text else BinaryMessage(whole)]

    def _closed(self, reason: str) -> Closed:
        self.closed = True
        return Closed(reason)

    # --- out ---

    def send_text(self, text: str) -> None:
        self._protocol.send_text(text.encode())
        self.flush()

    def send_binary(self, data: bytes) -> None:
        self._protocol.send_binary(data)
        self.flush()

    def send_close(self, code: int, reason: str) -> None:
        """Send a Close frame. Firmware answers with nothing: `drop` soon after."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self.flush()

    @property
    def wants_write(self) -> bool:
        """Output waits for the socket to become writable; then call `flush`."""
        return bool(self._output) and not self.closed

    @property
    def overflowing(self) -> bool:
        """The device has not read for so long that it must be dropped."""
        return len(self._output) > MAX_OUTPUT_BYTES

    def flush(self) -> None:
        """Write what can be written now."""
        for piece in self._protocol.data_to_send():
            self._output += piece
        if not self._output or self.closed:
            return
        self._checkpoint.save_unsent(self._written, bytes(self._output[:MAX_UNSENT_BYTES]))
        try:
            count = self._socket.send(self._output[:MAX_UNSENT_BYTES])
        except BlockingIOError:
            return
        except OSError:
            # Reading reports the end; what was queued has nobody to go to.
            self._output.clear()
            return
        self._written += count
        del self._output[:count]

    def drop(self) -> None:
        """End the connection for every process that holds a duplicate of it."""
        self.closed = True
        with contextlib.suppress(OSError):
            # Unread bytes would make the kernel reset the connection, and the device
            # might never read why it was closed.
            for _ in range(_DISCARDED_TIMES):
                if not self._socket.recv(_DISCARDED_BYTES):
                    break
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.EBADF):
                raise
        self._socket.close()
