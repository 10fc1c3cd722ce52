"""The door: the listening socket and the handshakes that are under way.

Nothing here waits; whoever owns the door lends it `watch` and `unwatch`, and is
called with each device that came in. Limits: pending handshakes in all and per
address, the time each may take, and whatever `full` says.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from functools import partial

from actors import log
from actors.wire.ota import is_trusted
from cfg.model import Server
from supervisor.handshake import Accepted, Handshake, Refused


class Door:
    """See the module. `clock` gives monotonic seconds."""

    def __init__(
        self,
        listener: socket.socket,
        server: Server,
        clock: Callable[[], float],
        watch: Callable[[int, Callable[[], None]], None],
        unwatch: Callable[[int], None],
        full: Callable[[], str],
        came_in: Callable[[socket.socket, Accepted], None],
    ) -> None:
        """`full()`: '' or why no device can be taken. `came_in` owns the socket it gets."""
        self._listener = listener
        self._listener.setblocking(False)
        self._server = server
        self._clock = clock
        self._watch = watch
        self._unwatch = unwatch
        self._full = full
        self._came_in = came_in
        self._tokens = tuple(token.get_secret_value() for token in server.tokens)
        self._pending: dict[int, Handshake] = {}
        self._pending_from: Counter[str] = Counter()
        self._paused = False

    def open(self) -> None:
        self._watch(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """Let nobody in any more; handshakes under way are refused by `full`."""
        self._paused = False
        self._unwatch(self._listener.fileno())
        self._listener.close()

    def __len__(self) -> int:
        """Handshakes under way."""
        return len(self._pending)

    def expire(self) -> None:
        """Refuse those that take too long; call it about twice a second."""
        now = self._clock()
        if self._paused:
            self._paused = False
            self.open()
        for handshake in [h for h in self._pending.values() if h.deadline <= now]:
            self._forget(handshake)
            self._refused(handshake, handshake.refuse(408, "handshake took too long"))

    def _accept(self) -> None:
        """Take every connection that waits; more than one per wake saves most of the cost."""
        while True:
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of descriptors, most likely: it would be readable again at once.
                log.get().error("cannot accept for a while", reason=str(error))
                self._unwatch(self._listener.fileno())
                self._paused = True
                return
            connection.setblocking(False)
            self._begin(connection, str(address[0]))

    def _begin(self, connection: socket.socket, remote: str) -> None:
        server = self._server
        deadline = self._clock() + server.handshake_timeout_s
        handshake = Handshake(connection, remote, deadline, self._tokens, server.trusted_proxies)
        proxy = is_trusted(remote, server.trusted_proxies)
        if len(self._pending) >= server.max_pending_handshakes:
            self._refused(handshake, handshake.refuse(503, "too many pending handshakes"))
        elif not proxy and self._pending_from[remote] >= server.max_pending_per_address:
            reason = "too many pending handshakes from this address"
            self._refused(handshake, handshake.refuse(503, reason))
        else:
            self._pending[connection.fileno()] = handshake
            self._pending_from[remote] += 1
            self._watch(connection.fileno(), partial(self._proceed, handshake))
            self._proceed(handshake)

    def _proceed(self, handshake: Handshake) -> None:
        verdict = handshake.proceed(self._full)
        if verdict is None:
            return
        self._forget(handshake)
        if isinstance(verdict, Refused):
            self._refused(handshake, verdict)
        else:
            self._came_in(handshake.connection, verdict)

    def _forget(self, handshake: Handshake) -> None:
        fileno = handshake.connection.fileno()
        self._unwatch(fileno)
        self._pending.pop(fileno, None)
        self._pending_from[handshake.remote] -= 1
        if not self._pending_from[handshake.remote]:
            del self._pending_from[handshake.remote]

    def _refused(self, handshake: Handshake, refusal: Refused) -> None:
        handshake.close()
        if refusal.status:
            log.get().warning(
                "device refused",
                remote=handshake.remote,
                status=refusal.status,
                reason=refusal.reason,
            )
