"""The descriptor store: the launcher's half of `actors.descriptors`.

One non-blocking loop's worth of state, no threads. It never waits for a client: a
client whose buffer is full is dropped. `get` of a key that has not arrived yet is
parked, because the acceptor's `put` travels on another connection.

The launcher must not die of what a client sends: whoever sends something that is no
request is dropped, and the descriptors that came with it are closed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import socket
import stat
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

from actors import log
from actors.descriptors import MAX_REQUEST_BYTES

#: A connection taken over so often within the window is closed: its input is poison.
MAX_TAKEOVERS = 3
TAKEOVER_WINDOW_S = 30.0

#: A `get` waits so long for its `put`.
PARK_S = 1.0

#: Keys in one `keys` answer; they are short, so this stays below a datagram.
KEYS_PER_ANSWER = 100
MAX_KEY_CHARS = 64

_PEER_CREDENTIALS = struct.Struct("3i")


class BadRequest(ValueError):
    """A client sent what is no request; the text says what is wrong with it."""


class Entry:
    """One kept connection and when it was taken over."""

    def __init__(self, connection: int, checkpoint: int) -> None:
        self.connection = connection
        self.checkpoint = checkpoint
        self.taken: deque[float] = deque()
        self.excused = False
        self.takeovers = -1  # the first session's fetch is no takeover

    def close(self, *, end_connection: bool = False) -> None:
        if end_connection:
            # Another process may hold a duplicate: only shutdown ends the connection.
            with contextlib.suppress(OSError), socket.socket(fileno=self.connection) as held:
                held.shutdown(socket.SHUT_RDWR)
        else:
            os.close(self.connection)
        os.close(self.checkpoint)


class Store:
    """Serves processes of the same user; see the module."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        listeners: dict[str, socket.socket],
        note: Callable[[str, dict[str, Any], int], None],
        clock: Callable[[], float],
    ) -> None:
        """`note(op, members, pid)` is called for what clients say to the launcher."""
        self._selector = selector
        self._listeners = listeners
        self._note = note
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self._parked: list[tuple[float, socket.socket, str]] = []
        self._clients: dict[socket.socket, int] = {}
        self.address = f"xiaozhi-{os.getpid()}-{secrets.token_hex(8)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        self._socket.bind("\0" + self.address)
        self._socket.listen(256)
        self._socket.setblocking(False)
        selector.register(self._socket, selectors.EVENT_READ, self._accept)

    def __len__(self) -> int:
        return len(self._entries)

    def tell(self, pid: int, message: dict[str, Any]) -> bool:
        """Send `message` to the client with this pid; False when it has no connection."""
        for client, owner in list(self._clients.items()):
            if owner == pid and self._reply(client, message):
                return True
        return False

    def expire_parked(self) -> float | None:
        """Refuse what waited too long; return seconds until the next one does."""
        now = self._clock()
        waiting = []
        for deadline, client, key in self._parked:
            if deadline <= now:
                self._reply(client, {"error": "nothing is kept under this key", "key": key})
            elif client in self._clients:
                waiting.append((deadline, client, key))
        self._parked = waiting
        return max(0.0, waiting[0][0] - now) if waiting else None

    def close_all(self) -> None:
        """End every connection; the product stops."""
        for entry in self._entries.values():
            entry.close(end_connection=True)
        self._entries.clear()

    # --- clients ---

    def _accept(self, _: socket.socket) -> None:
        try:
            client, _address = self._socket.accept()
        except OSError as error:  # it is gone already, or no descriptor is left for it
            log.get().warning("descriptor store accepted nobody", reason=str(error))
            return
        client.setblocking(False)
        raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
        pid, uid, _gid = _PEER_CREDENTIALS.unpack(raw)
        if uid != os.getuid():
            log.get().warning("descriptor store refused another user", pid=pid, uid=uid)
            client.close()
            return
        self._clients[client] = pid
        self._selector.register(client, selectors.EVENT_READ, self._serve)

    def _forget(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        pid = self._clients.pop(client)
        client.close()
        self._note("left", {}, pid)

    def _reply(
        self, client: socket.socket, message: dict[str, Any], filenos: list[int] | None = None
    ) -> bool:
        if client not in self._clients:
            return False
        try:
            data = json.dumps(message, separators=(",", ":")).encode()
            socket.send_fds(client, [data], filenos or [])
        except OSError:
            self._forget(client)
            return False
        return True

    def _serve(self, client: socket.socket) -> None:
        if client not in self._clients:
            return  # dropped in this very round, while it was readable as well
        try:
            data, filenos, _, _ = socket.recv_fds(client, MAX_REQUEST_BYTES, 4)
        except BlockingIOError:
            return
        except OSError:
            data, filenos = b"", []
        if not data:
            self._forget(client)
            return
        try:
            self._do(client, parsed(data), filenos)
        except BadRequest as problem:
            log.get().warning(
                "descriptor store dropped a client", pid=self._clients[client], reason=str(problem)
            )
            self._forget(client)
        finally:
            for fileno in filenos:
                os.close(fileno)

    def _do(self, client: socket.socket, request: dict[str, Any], filenos: list[int]) -> None:
        """Carry a request out; what it keeps of `filenos` it takes out of the list."""
        operation = request.pop("op")
        if operation == "put":
            self._put(key_of(request), filenos)
        elif operation == "get":
            self._get(client, key_of(request))
        elif operation == "keys":
            self._keys(client, request.get("from"))
        elif operation == "look":
            self._look(client, key_of(request))
        elif operation == "drop":
            entry = self._entries.pop(key_of(request), None)
            if entry is not None:
                entry.close()
        elif operation == "listener":
            listener = self._listeners.get(str(request.get("which")))
            if listener is None:
                raise BadRequest(f"'which' must be one of {', '.join(self._listeners)}")
            if request.get("which") == "device":
                self._excuse()
            self._reply(client, {}, [listener.fileno()])
        else:
            self._note(operation, request, self._clients[client])

    def _put(self, key: str, filenos: list[int]) -> None:
        if len(filenos) != 2 or not stat.S_ISSOCK(os.fstat(filenos[0]).st_mode):
            raise BadRequest("'put' must bring a socket and a checkpoint")
        previous = self._entries.pop(key, None)
        if previous is not None:
            previous.close()
        self._entries[key] = Entry(filenos[0], filenos[1])
        filenos.clear()
        ready = [client for _, client, wanted in self._parked if wanted == key]
        self._parked = [parked for parked in self._parked if parked[2] != key]
        for client in ready:
            self._get(client, key)

    def _get(self, client: socket.socket, key: str) -> None:
        entry = self._entries.get(key)
        now = self._clock()
        if entry is None:
            if any(waiter is client for _, waiter, _ in self._parked):
                raise BadRequest("it asked again before it was answered")
            self._parked.append((now + PARK_S, client, key))
            return
        while entry.taken and entry.taken[0] <= now - TAKEOVER_WINDOW_S:
            entry.taken.popleft()
        if len(entry.taken) >= MAX_TAKEOVERS:
            log.get().error("connection closed: it was taken over too often", key=key)
            self._entries.pop(key).close(end_connection=True)
            self._reply(client, {"error": "poisoned", "key": key})
            return
        entry.takeovers += 1
        if entry.takeovers and not entry.excused:
            entry.taken.append(now)
        entry.excused = False
        self._reply(client, {"takeovers": entry.takeovers}, [entry.connection, entry.checkpoint])

    def _look(self, client: socket.socket, key: str) -> None:
        """A checkpoint to be read: whoever looks takes nothing over."""
        entry = self._entries.get(key)
        if entry is None:
            self._reply(client, {"error": "nothing is kept under this key", "key": key})
        else:
            self._reply(client, {}, [entry.checkpoint])

    def _excuse(self) -> None:
        """An acceptor begins anew: all sessions died with the one before, through no
        fault of their connections."""
        for entry in self._entries.values():
            entry.excused = True

    def _keys(self, client: socket.socket, first: object) -> None:
        if not isinstance(first, int) or first < 0:
            raise BadRequest("'from' must be a number from 0")
        keys = list(self._entries)[first : first + KEYS_PER_ANSWER]
        more = first + len(keys) < len(self._entries)
        self._reply(client, {"keys": keys, "more": more})


def parsed(data: bytes) -> dict[str, Any]:
    """The request in a datagram; raises `BadRequest`."""
    try:
        request = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"not JSON: {error}") from error
    if not isinstance(request, dict) or not isinstance(request.get("op"), str):
        raise BadRequest("no object with a text 'op'")
    return request


def key_of(request: dict[str, Any]) -> str:
    """The request's key; raises `BadRequest`."""
    key = request.get("key")
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_CHARS:
        raise BadRequest(f"'key' must be text of 1 to {MAX_KEY_CHARS} characters")
    return key
