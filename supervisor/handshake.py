"""The WebSocket handshake, without waiting: from a new TCP connection to an open one.

The request is left in the kernel until it is whole; exactly its bytes are taken, so
that what the device sends behind it belongs to its session. Answers: 101, or 400
(what is wrong with the request), 401 (token), 426 (not a WebSocket), 503 (full).
"""

from __future__ import annotations

import contextlib
import ipaddress
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from actors.wire.handshake import HandshakeError, Identity, authorised, identify
from actors.wire.ota import is_trusted

#: A request with all its headers; firmware sends some 400 bytes.
MAX_REQUEST_BYTES = 8192

#: A refused client may have sent so many times more than that.
MAX_UNREAD_REQUESTS = 16

_END_OF_HEADERS = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The connection is an open WebSocket of this device. `remote` is the client's address."""

    identity: Identity
    remote: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The connection was answered and must be closed. `status` 0: it just ended."""

    status: int
    reason: str


class Handshake:
    """One pending connection; call `proceed` whenever it is readable."""

    def __init__(
        self,
        connection: socket.socket,
        remote: str,
        deadline: float,
        tokens: tuple[str, ...],
        trusted_proxies: tuple[str, ...],
    ) -> None:
        self.connection = connection
        self.remote = remote
        self.deadline = deadline
        self._tokens = tokens
        self._trusted_proxies = trusted_proxies

    def proceed(self, full: Callable[[], str]) -> Accepted | Refused | None:
        """Go on with what has arrived; None: more must come.

        `full()` is asked last: '' or the reason why no device can be taken.
        """
        try:
            seen = self.connection.recv(MAX_REQUEST_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError as error:
            return Refused(0, f"connection lost: {error}")
        if not seen:
            return Refused(0, "dropped before its request was whole")
        end = seen.find(_END_OF_HEADERS)
        if end < 0:
            if len(seen) >= MAX_REQUEST_BYTES:
                return self._refuse_plainly(
                    400, f"request headers exceed {MAX_REQUEST_BYTES} bytes"
                )
            if _no_more_comes(self.connection):
                return Refused(0, "dropped before its request was whole")
            # Half a request must not be reported readable again and again.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(seen) + 1)
            return None
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        try:
            return self._answer(self.connection.recv(end + len(_END_OF_HEADERS)), full)
        except OSError as error:
            return Refused(0, f"connection lost: {error}")

    def refuse(self, status: int, reason: str) -> Refused:
        """Answer with an error before the request is whole."""
        return self._refuse_plainly(status, reason)

    def close(self) -> None:
        """End a refused connection so that its client can read the answer.

        The kernel resets a connection that is closed with something unread in it.
        """
        with contextlib.suppress(OSError), self.connection:
            for _ in range(MAX_UNREAD_REQUESTS):
                if not self.connection.recv(MAX_REQUEST_BYTES):
                    break

    def _answer(self, request_bytes: bytes, full: Callable[[], str]) -> Accepted | Refused:
        protocol = ServerProtocol(max_size=None)
        protocol.receive_data(request_bytes)
        request = next(
            (event for event in protocol.events_received() if isinstance(event, Request)), None
        )
        if request is None:
            return self._refuse_plainly(400, f"not an HTTP request: {protocol.handshake_exc}")
        response = protocol.accept(request)
        verdict: Accepted | Refused
        if response.status_code != 101:
            detail = (response.body or b"").decode(errors="replace").strip()
            verdict = Refused(response.status_code, detail or "not a WebSocket request")
        else:
            verdict = self._judge(request, full)
            if isinstance(verdict, Refused):
                response = protocol.reject(verdict.status, verdict.reason + "\n")
        self._send(protocol, response)
        return verdict

    def _judge(self, request: Request, full: Callable[[], str]) -> Accepted | Refused:
        try:
            identity = identify(request.path, request.headers.raw_items())
        except HandshakeError as error:
            return Refused(error.status, str(error))
        if not authorised(identity, self._tokens):
            return Refused(
                401,
                "Authorization: the token is missing or not accepted; "
                "set one of server.tokens on the device (its OTA address hands it out)",
            )
        reason = full()
        if reason:
            return Refused(503, reason)
        return Accepted(identity, self._client_address(request.headers))

    def _client_address(self, headers: Headers) -> str:
        """The peer, or what a trusted proxy says of its client (its last hop)."""
        forwarded = headers.get_all("X-Forwarded-For")
        if not forwarded or not is_trusted(self.remote, self._trusted_proxies):
            return self.remote
        said = forwarded[-1].split(",")[-1].strip()
        try:
            return str(ipaddress.ip_address(said))
        except ValueError:
            return self.remote

    def _send(self, protocol: ServerProtocol, response: Response) -> None:
        protocol.send_response(response)
        data = b"".join(protocol.data_to_send())
        # A fresh socket's buffer takes a whole answer; one that does not is gone.
        self.connection.send(data)

    def _refuse_plainly(self, status: int, reason: str) -> Refused:
        body = (reason + "\n").encode()
        phrase = {400: "Bad Request", 408: "Request Timeout", 503: "Service Unavailable"}[status]
        head = (
            f"HTTP/1.1 {status} {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            self.connection.send(head.encode() + body)
        except OSError as error:
            return Refused(0, f"connection lost: {error}")
        return Refused(status, reason)


def _no_more_comes(connection: socket.socket) -> bool:
    """The peer has closed its side. It then stays readable, whatever SO_RCVLOWAT says."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))
