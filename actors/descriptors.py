"""Client of the launcher's descriptor store: sockets that outlive their process.

The store keeps the listening sockets and, for each device, a duplicate of its
socket and of its checkpoint (a memory file). Whoever serves a device fetches both
here: the first session and the one after a crash take the same path.

The store listens on a Unix socket in the abstract namespace and serves only
processes of the same user. A request is one JSON datagram, descriptors travel
beside it. The launcher only keeps and hands out, so it answers in well under a
millisecond; still, every wait here has a deadline.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from dataclasses import dataclass
from typing import Any

#: Larger than any request: a key, a role, a device's identity.
MAX_REQUEST_BYTES = 16384

#: The launcher's loop does nothing that could take this long.
TIMEOUT_S = 2.0


class StoreError(Exception):
    """The store refused or did not answer; the text says which."""


class PoisonedConnection(StoreError):
    """This connection was taken over too often: its input kills sessions."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One connection: duplicates that the caller owns and must close."""

    key: str
    connection: socket.socket
    checkpoint_fileno: int
    takeovers: int


class DescriptorStore:
    """One connection to the store. Not for use by several threads."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        self._socket.settimeout(TIMEOUT_S)
        try:
            self._socket.connect("\0" + address)
        except OSError as error:
            self._socket.close()
            raise StoreError(f"descriptor store does not answer: {error}") from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def _send(self, request: dict[str, Any], filenos: list[int] | None = None) -> None:
        data = json.dumps(request, separators=(",", ":")).encode()
        try:
            socket.send_fds(self._socket, [data], filenos or [])
        except OSError as error:
            raise StoreError(f"descriptor store is gone: {error}") from error

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        self._send(request)
        return self.receive()

    def receive(self) -> tuple[dict[str, Any], list[int]]:
        """One datagram from the store; raises `StoreError` when it ended."""
        try:
            data, filenos, _, _ = socket.recv_fds(self._socket, MAX_REQUEST_BYTES, 4)
        except OSError as error:
            # A late answer would be taken for that of the next request.
            self._socket.close()
            raise StoreError(f"descriptor store did not answer: {error}") from error
        if not data:
            raise StoreError("descriptor store closed the connection")
        reply: dict[str, Any] = json.loads(data)
        if "error" in reply:
            for fileno in filenos:
                with contextlib.suppress(OSError):
                    os.close(fileno)
            if reply["error"] == "poisoned":
                raise PoisonedConnection(f"{request_key(reply)} was taken over too often")
            raise StoreError(f"{reply['error']} ({request_key(reply)})")
        return reply, filenos

    def listener(self, which: str) -> socket.socket:
        """A duplicate of the listening socket called `which` ('device' or 'http')."""
        _, filenos = self._ask({"op": "listener", "which": which})
        return socket.socket(fileno=filenos[0])

    def put(self, key: str, connection: socket.socket, checkpoint_fileno: int) -> None:
        """Keep duplicates under `key`. Not answered: a `get` waits until they are there."""
        self._send({"op": "put", "key": key}, [connection.fileno(), checkpoint_fileno])

    def get(self, key: str) -> Kept:
        """Duplicates of what is kept; counts as one takeover of the connection.

        The first `get` of a connection is no takeover. Raises `PoisonedConnection` at
        the fourth takeover within 30 s (the store has closed it then), `StoreError`
        when nothing is kept under `key`.
        """
        reply, filenos = self._ask({"op": "get", "key": key})
        return Kept(key, socket.socket(fileno=filenos[0]), filenos[1], int(reply["takeovers"]))

    def keys(self) -> list[str]:
        """Every connection that is kept, oldest first."""
        found: list[str] = []
        while True:
            reply, _ = self._ask({"op": "keys", "from": len(found)})
            found += reply["keys"]
            if not reply["more"]:
                return found

    def checkpoint(self, key: str) -> int:
        """A duplicate of a connection's checkpoint, to be read; the caller must close it.

        That is no takeover. Raises `StoreError` when nothing is kept under `key`.
        """
        _, filenos = self._ask({"op": "look", "key": key})
        return filenos[0]

    def drop(self, key: str) -> None:
        """Forget a connection that has ended. Not answered; unknown keys are fine."""
        self._send({"op": "drop", "key": key})

    def say(self, op: str, **members: Any) -> None:
        """A note to the launcher that needs no answer ('ready', 'drained', …)."""
        self._send({"op": op, **members})


def request_key(reply: dict[str, Any]) -> str:
    return str(reply.get("key", "no key"))
