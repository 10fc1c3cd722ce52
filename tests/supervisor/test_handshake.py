"""The WebSocket handshake on real TCP connections over loopback."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator

import pytest
from websockets.utils import accept_key

from actors.wire.handshake import Identity
from supervisor.handshake import MAX_REQUEST_BYTES, Accepted, Handshake, Refused

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
DEVICE = "aa:bb:cc:dd:ee:ff"
CLIENT = "7b94d69a-9808-4c59-9c9b-704333b38aff"
PROXY = "10.0.0.1"
ARRIVES_S = 2.0


def request(
    target: str = "/xiaozhi/v1/", *, without: tuple[str, ...] = (), **headers: str
) -> bytes:
    """A firmware's request; `without` leaves headers out, others are added or replaced."""
    stated = {
        "Host": "server",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Device-Id": DEVICE,
        "Client-Id": CLIENT,
        "Protocol-Version": "1",
        "Authorization": "Bearer secret",
    }
    stated |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in stated.items() if name not in without]
    return "\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]).encode()


def not_full() -> str:
    return ""


class Pair:
    """A device's socket and the handshake at the server's end of it."""

    def __init__(
        self,
        tokens: tuple[str, ...] = (),
        trusted_proxies: tuple[str, ...] = (),
        remote: str = "192.0.2.7",
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.device = socket.create_connection(listener.getsockname())
            self.connection, _ = listener.accept()
        self.connection.setblocking(False)
        self.device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.device.settimeout(ARRIVES_S)
        self.handshake = Handshake(self.connection, remote, 1000.0, tokens, trusted_proxies)

    def close(self) -> None:
        self.device.close()
        self.connection.close()

    def readable(self, seconds: float = ARRIVES_S) -> bool:
        return bool(select.select([self.connection], [], [], seconds)[0])

    def send(self, data: bytes, full: str = "") -> Accepted | Refused | None:
        """Send, and go on as the acceptor would: when it is readable."""
        self.device.sendall(data)
        assert self.readable()
        return self.handshake.proceed(lambda: full)

    def answer(self) -> tuple[int, str]:
        """Status and the whole text of what the device got."""
        text = self.device.recv(65536).decode()
        assert text.startswith("HTTP/1.1 ")
        return int(text.split()[1]), text


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


@pytest.fixture
def guarded() -> Iterator[Pair]:
    made = Pair(tokens=("other", "secret"))
    yield made
    made.close()


def reset(connection: socket.socket) -> None:
    """Close so that the peer gets a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# --- accepted ---


def test_a_request_in_one_piece_opens_the_connection(pair: Pair) -> None:
    verdict = pair.send(request())
    assert verdict == Accepted(Identity(DEVICE, CLIENT, "secret", 1), "192.0.2.7")
    status, text = pair.answer()
    assert status == 101
    assert f"Sec-WebSocket-Accept: {accept_key(KEY)}" in text
    assert "Sec-WebSocket-Extensions" not in text, "devices cannot inflate"


def test_a_request_byte_by_byte_opens_the_connection(pair: Pair) -> None:
    data = request()
    for index in range(len(data) - 1):
        assert pair.send(data[index : index + 1]) is None
        assert not pair.readable(0), "half a request would keep the acceptor busy"
    assert isinstance(pair.send(data[-1:]), Accepted)
    assert pair.answer()[0] == 101


def test_nothing_yet_is_no_verdict(pair: Pair) -> None:
    assert pair.handshake.proceed(not_full) is None


def test_what_follows_the_request_stays_in_the_kernel(pair: Pair) -> None:
    frames = b"\x81\x85\x00\x00\x00\x00hello" * 3
    assert isinstance(pair.send(request() + frames), Accepted)
    assert pair.readable(0)
    assert pair.connection.recv(1000) == frames


def test_one_byte_wakes_the_session_after_a_request_in_pieces(pair: Pair) -> None:
    data = request()
    assert pair.send(data[:-1]) is None
    assert isinstance(pair.send(data[-1:]), Accepted)
    pair.device.sendall(b"\x81")
    assert pair.readable()


def test_a_browser_states_its_identity_in_the_query(guarded: Pair) -> None:
    target = "/xiaozhi/v1/?device-id=web_1&client-id=c1&authorization=secret&protocol-version=3"
    stated = ("Device-Id", "Client-Id", "Authorization", "Protocol-Version")
    verdict = guarded.send(request(target, without=stated))
    assert isinstance(verdict, Accepted)
    assert verdict.identity == Identity("web_1", "c1", "secret", 3)


def test_a_good_token_is_let_in(guarded: Pair) -> None:
    assert isinstance(guarded.send(request()), Accepted)


# --- refused ---


def test_a_missing_device_id_is_a_bad_request(pair: Pair) -> None:
    verdict = pair.send(request(without=("Device-Id",)))
    assert isinstance(verdict, Refused)
    assert verdict.status == 400
    status, text = pair.answer()
    assert status == 400
    assert "Device-Id is missing" in text


@pytest.mark.parametrize("without", [("Authorization",), ()])
def test_a_missing_or_wrong_token_is_unauthorised(guarded: Pair, without: tuple[str, ...]) -> None:
    verdict = guarded.send(request(without=without, Authorization="Bearer wrong"))
    assert isinstance(verdict, Refused)
    assert verdict.status == 401
    status, text = guarded.answer()
    assert status == 401
    assert "server.tokens" in text
    assert "wrong" not in verdict.reason
    assert "other" not in text, "an accepted token must not be shown"


def test_the_token_is_judged_before_whether_there_is_room(guarded: Pair) -> None:
    verdict = guarded.send(request(without=("Authorization",)), full="500 devices")
    assert isinstance(verdict, Refused)
    assert verdict.status == 401


def test_a_full_server_says_so(pair: Pair) -> None:
    verdict = pair.send(request(), full="500 devices are connected")
    assert verdict == Refused(503, "500 devices are connected")
    status, text = pair.answer()
    assert status == 503
    assert "500 devices are connected" in text


def test_a_plain_get_is_told_to_upgrade(pair: Pair) -> None:
    verdict = pair.send(b"GET / HTTP/1.1\r\nHost: server\r\n\r\n")
    assert isinstance(verdict, Refused)
    assert verdict.status == 426
    status, text = pair.answer()
    assert status == 426
    assert "Upgrade: websocket" in text


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # TLS
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"POST /xiaozhi/v1/ HTTP/1.1\r\nHost: server\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon here\r\n\r\n",
        b"GET / HTTP/1.1\r\nName: \x00\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_no_request_of_ours_is_answered_and_refused(pair: Pair, data: bytes) -> None:
    verdict = pair.send(data)
    assert isinstance(verdict, Refused)
    assert verdict.status in (400, 405, 426, 505)
    assert pair.answer()[0] == verdict.status


@pytest.mark.parametrize(
    "data",
    [
        request(Sec_WebSocket_Version="8"),
        request(Sec_WebSocket_Key="short"),
        request(without=("Sec-WebSocket-Key",)),
        request(Upgrade="h2c"),
        request(Connection="close"),
    ],
)
def test_a_request_that_is_no_websocket_is_refused(pair: Pair, data: bytes) -> None:
    verdict = pair.send(data)
    assert isinstance(verdict, Refused)
    assert verdict.status in (400, 426)
    assert verdict.reason
    assert pair.answer()[0] == verdict.status


def test_headers_without_end_are_refused_at_the_limit(pair: Pair) -> None:
    line = b"X-Filler: " + b"x" * 90 + b"\r\n"
    flood = b"GET / HTTP/1.1\r\n" + line * (MAX_REQUEST_BYTES // len(line) + 1)
    verdict = pair.send(flood[: MAX_REQUEST_BYTES // 2])
    assert verdict is None
    pair.device.sendall(flood[MAX_REQUEST_BYTES // 2 :])
    while verdict is None and pair.readable():
        verdict = pair.handshake.proceed(not_full)
    assert verdict == Refused(400, f"request headers exceed {MAX_REQUEST_BYTES} bytes")
    assert pair.answer()[0] == 400


def test_the_acceptor_may_refuse_before_the_request_is_whole(pair: Pair) -> None:
    assert pair.send(b"GET / HT") is None
    assert pair.handshake.refuse(408, "handshake took too long").status == 408
    status, text = pair.answer()
    assert status == 408
    assert text.endswith("handshake took too long\n")


def test_what_a_refused_client_sent_does_not_cost_it_the_answer(pair: Pair) -> None:
    """Unread bytes at the close would make the kernel reset the connection."""
    pair.device.sendall(b"GET / HTTP/1.1\r\n" + b"x" * 20000)
    assert pair.readable()
    assert pair.handshake.refuse(503, "too many pending handshakes").status == 503
    pair.handshake.close()
    status, _ = pair.answer()
    assert status == 503
    assert pair.device.recv(1) == b"", "a proper end, no reset"


# --- connections that end ---


def test_a_connection_that_ends_at_once_is_dropped(pair: Pair) -> None:
    pair.device.close()
    assert pair.readable()
    verdict = pair.handshake.proceed(not_full)
    assert verdict == Refused(0, "dropped before its request was whole")


def test_a_connection_that_closes_its_side_in_mid_request_is_dropped(pair: Pair) -> None:
    """It would stay readable until its deadline: the acceptor would do nothing else."""
    assert pair.send(request()[:100]) is None
    pair.device.shutdown(socket.SHUT_WR)
    assert pair.readable()
    assert pair.handshake.proceed(not_full) == Refused(0, "dropped before its request was whole")


def test_half_a_request_and_the_end_may_come_together(pair: Pair) -> None:
    pair.device.sendall(request()[:100])
    pair.device.shutdown(socket.SHUT_WR)
    verdict = None
    while verdict is None and pair.readable():
        verdict = pair.handshake.proceed(not_full)
    assert verdict == Refused(0, "dropped before its request was whole")


def test_a_whole_request_is_answered_though_nothing_more_can_come(pair: Pair) -> None:
    pair.device.sendall(request())
    pair.device.shutdown(socket.SHUT_WR)
    assert pair.readable()
    assert isinstance(pair.handshake.proceed(not_full), Accepted)
    assert pair.answer()[0] == 101


def test_a_reset_is_a_lost_connection(pair: Pair) -> None:
    assert pair.send(b"GET") is None
    reset(pair.device)
    assert pair.readable()
    verdict = pair.handshake.proceed(not_full)
    assert isinstance(verdict, Refused)
    assert verdict.status == 0


def test_a_reset_while_the_answer_is_made_is_a_lost_connection(pair: Pair) -> None:
    def reset_now() -> str:
        reset(pair.device)
        pair.readable()
        return ""

    pair.device.sendall(request())
    assert pair.readable()
    verdict = pair.handshake.proceed(reset_now)
    assert isinstance(verdict, Refused)
    assert verdict.status == 0


def test_an_early_refusal_may_meet_a_reset(pair: Pair) -> None:
    reset(pair.device)
    assert pair.readable()
    assert pair.handshake.refuse(503, "full").status == 0


# --- whose address it is ---


@pytest.mark.parametrize(
    ("remote", "said", "expected"),
    [
        (PROXY, "203.0.113.9", "203.0.113.9"),
        (PROXY, "2001:db8::1", "2001:db8::1"),
        (PROXY, "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the proxy's own word is the last
        (PROXY, "unknown", PROXY),
        (PROXY, "", PROXY),
        ("192.0.2.7", "203.0.113.9", "192.0.2.7"),  # whoever is not trusted may say anything
    ],
)
def test_the_clients_address_is_taken_from_trusted_proxies_only(
    remote: str, said: str, expected: str
) -> None:
    pair = Pair(trusted_proxies=(PROXY,), remote=remote)
    verdict = pair.send(request(X_Forwarded_For=said))
    assert isinstance(verdict, Accepted)
    assert verdict.remote == expected
    pair.close()


def test_without_the_proxys_word_the_peer_is_the_client() -> None:
    pair = Pair(trusted_proxies=(PROXY,), remote=PROXY)
    verdict = pair.send(request())
    assert isinstance(verdict, Accepted)
    assert verdict.remote == PROXY
    pair.close()
