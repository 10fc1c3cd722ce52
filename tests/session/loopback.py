"""A device's end of a real TCP connection, and the process's end that outlives its owner."""

from __future__ import annotations

import array
import fcntl
import os
import select
import socket
import termios
import time
from collections.abc import Callable

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from actors.session.checkpoint import Checkpoint, SessionState, create
from actors.session.connection import DeviceConnection

DEADLINE_S = 5.0


def eventually(condition: Callable[[], bool]) -> None:
    """The kernel needs a moment, never seconds."""
    until = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.0005)


class Killed(Exception):
    """The session's process is gone: what it had in memory is too."""


class Line:
    """Both ends of one connection. `device` is raw; `adopt` makes a session's connection."""

    def __init__(self, send_buffer: int = 0, receive_buffer: int = 0) -> None:
        with socket.socket() as listener:
            if send_buffer:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            self.device = socket.socket()
            if receive_buffer:
                self.device.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.device.connect(listener.getsockname())
            #: What the launcher's store keeps: it outlives every session.
            self.kept, _ = listener.accept()
        self.device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.device.setblocking(False)
        self.checkpoint_fileno = create(SessionState(session_id="s"))
        self.client = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
        self.received: list[bytes | str] = []
        self.control: list[Frame] = []
        self._owned: list[tuple[DeviceConnection, Checkpoint]] = []

    def adopt(self, max_message_bytes: int = 65536) -> DeviceConnection:
        """What a session does with the connection, the first as well as its successors."""
        checkpoint = Checkpoint(self.checkpoint_fileno)
        connection = DeviceConnection(self.kept.dup(), checkpoint, max_message_bytes)
        self._owned.append((connection, checkpoint))
        return connection

    def checkpoint_of(self, connection: DeviceConnection) -> Checkpoint:
        return next(c for owned, c in self._owned if owned is connection)

    def close(self) -> None:
        self.device.close()
        self.kept.close()
        for connection, checkpoint in self._owned:
            connection._socket.close()
            checkpoint.close()
        os.close(self.checkpoint_fileno)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the device's side ---

    def raw(self, data: bytes) -> None:
        """Send these bytes and wait until the kernel has them on the other side."""
        before = self.waiting()
        self.device.setblocking(True)
        self.device.sendall(data)
        self.device.setblocking(False)
        eventually(lambda: self.waiting() >= before + len(data))

    def waiting(self) -> int:
        """Bytes that the session has not taken from the kernel."""
        queued = array.array("i", [0])
        fcntl.ioctl(self.kept.fileno(), termios.FIONREAD, queued)
        return queued[0]

    def frames(self, *frames: Frame) -> bytes:
        """These frames as a client sends them, masked."""
        for frame in frames:
            self.client.send_frame(frame)
        return b"".join(self.client.data_to_send())

    def read(self) -> None:
        """Take what is there and parse it as a client does."""
        while self.device.fileno() >= 0:
            try:
                data = self.device.recv(65536)
            except BlockingIOError:
                return
            if not data:
                self.client.receive_eof()
                return
            self.client.receive_data(data)
            assert self.client.parser_exc is None, self.client.parser_exc
            for frame in self.client.events_received():
                assert isinstance(frame, Frame)
                if frame.opcode is Opcode.TEXT:
                    self.received.append(bytes(frame.data).decode())
                elif frame.opcode is Opcode.BINARY:
                    self.received.append(bytes(frame.data))
                else:
                    self.control.append(frame)

    def read_until(
        self, condition: Callable[[], bool], sender: DeviceConnection | None = None
    ) -> None:
        """Read on until `condition` holds, while `sender` writes what it can."""

        def done() -> bool:
            if sender is not None:
                sender.flush()
            self.read()
            return condition()

        eventually(done)

    # --- what an event loop would be told ---

    def readable(self) -> bool:
        return bool(select.select([self.kept], [], [], 0)[0])


def text(content: str, fin: bool = True) -> Frame:
    return Frame(Opcode.TEXT, content.encode(), fin)


def binary(content: bytes, fin: bool = True) -> Frame:
    return Frame(Opcode.BINARY, content, fin)


def rest(content: bytes, fin: bool = True) -> Frame:
    return Frame(Opcode.CONT, content, fin)
