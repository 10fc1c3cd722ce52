"""The OTA answer and the address in it, judged as the firmware reads them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.wire.ota import AddressError, checked_url, is_trusted, ota_reply, websocket_url

URL = "ws://192.168.1.20:8000/xiaozhi/v1/"
BODY = {
    "version": 2,
    "minimum_free_heap_size": "8318916",
    "application": {"name": "xiaozhi", "version": "2.4.2", "elf_sha256": "00"},
    "board": {"type": "bread-compact-wifi"},
}


def reply_to(body: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
    return ota_reply(
        body,
        headers or {},
        websocket_url=URL,
        token="t0ken",
        websocket_version=3,
        now_ms=1754000000000,
        timezone_offset_min=480,
    )


def firmware_parses(version: str) -> bool:
    """std::stoi on each part that std::getline gives: digits first, and within an int."""
    parts = version.split(".")
    numbers = [re.match(r"[ \t\n\v\f\r]*[+-]?([0-9]+)", part) for part in parts]
    return all(number and int(number[1]) < 2**31 for number in numbers)


def firmware_connects(url: str) -> tuple[str, int, str]:
    """Scheme, then the first colon is the port's, as the firmware's URL parser has it."""
    _scheme, _, rest = url.partition("://")
    host, colon, after = rest.partition(":")
    assert colon
    port, slash, path = after.partition("/")
    return host, int(port), slash + path


def test_the_whole_answer() -> None:
    assert reply_to(json.dumps(BODY).encode()) == {
        "websocket": {"url": URL, "token": "t0ken", "version": 3},
        "server_time": {"timestamp": 1754000000000, "timezone_offset": 480},
        "firmware": {"version": "2.4.2", "url": ""},
    }


@given(st.binary() | st.text().map(str.encode))
@example(b"")
@example(b"null")
@example(b"[" * 50000)
@example(b'{"application":7}')
@example(b'{"application":{"version":7}}')
@example(b"9" * 5000)
def test_any_body_gets_the_websocket_and_no_more(body: bytes) -> None:
    reply = reply_to(body)
    assert reply["websocket"] == {"url": URL, "token": "t0ken", "version": 3}
    assert set(reply) <= {"websocket", "server_time", "firmware"}


@given(st.from_regex(r"[0-9v]{0,11}(\.[0-9a-z_ -]{0,5}){0,3}", fullmatch=True) | st.text())
@example("99999999999.1")
@example("2.4.2\n")
def test_an_echoed_version_never_throws(version: str) -> None:
    body = json.dumps({"application": {"version": version}}).encode()
    firmware = reply_to(body).get("firmware")
    if firmware is not None:
        assert firmware == {"version": version, "url": ""}
        assert firmware_parses(version)


@pytest.mark.parametrize("version", ["2.4.2", "1.9.2_2", "1.2.3-beta", "2", "0.9"])
def test_a_harmless_version_is_echoed(version: str) -> None:
    body = json.dumps({"application": {"version": version}}).encode()
    assert reply_to(body)["firmware"] == {"version": version, "url": ""}


@pytest.mark.parametrize("version", ["", "v1.2", "1..2", "dev", "1.", ".1", "1.x", "1.2147483648"])
def test_a_version_that_would_throw_is_left_out(version: str) -> None:
    assert "firmware" not in reply_to(json.dumps({"application": {"version": version}}).encode())


def test_unbalanced_json_still_tells_its_version() -> None:
    body = json.dumps(BODY)[:-1].encode() + b',"display":{"monochrome":true'
    assert reply_to(body)["firmware"]["version"] == "2.4.2"


def test_the_user_agent_tells_the_version_of_a_get() -> None:
    assert reply_to(b"", {"User-Agent": "esp-box-3/1.8.5"})["firmware"]["version"] == "1.8.5"
    assert "firmware" not in reply_to(b"", {"User-Agent": "Mozilla/5.0 (X11) Firefox/140.0"})


# --- the address ---------------------------------------------------------------


def address(
    headers: dict[str, str],
    peer: str = "192.168.1.77",
    public_url: str = "",
    local: str = "10.0.0.5",
) -> str:
    return websocket_url(
        headers,
        peer,
        device_port=8000,
        local_host=local,
        public_url=public_url,
        trusted_proxies=("127.0.0.1", "::1", "10.1.0.0/16"),
    )


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"Host": "192.168.1.20"}, "ws://192.168.1.20:8000/xiaozhi/v1/"),
        ({"host": "voice.lan:8003"}, "ws://voice.lan:8000/xiaozhi/v1/"),
        ({"Host": "my_nas:8003"}, "ws://my_nas:8000/xiaozhi/v1/"),
        ({"Host": "[fe80::1]:8003"}, "ws://10.0.0.5:8000/xiaozhi/v1/"),
        ({"Host": "::1"}, "ws://10.0.0.5:8000/xiaozhi/v1/"),
        ({"Host": 'x"/evil'}, "ws://10.0.0.5:8000/xiaozhi/v1/"),
        ({}, "ws://10.0.0.5:8000/xiaozhi/v1/"),
    ],
)
def test_a_direct_request_gets_the_host_it_asked(headers: dict[str, str], url: str) -> None:
    assert address(headers) == url


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"X-Forwarded-Host": "v.example.org", "X-Forwarded-Proto": "https"}, "wss://v.example.org:443"),
        ({"X-Forwarded-Host": "v.example.org"}, "ws://v.example.org:80"),
        ({"X-Forwarded-Host": "v.example.org:8443", "X-Forwarded-Proto": "https"}, "wss://v.example.org:8443"),
        ({"X-Forwarded-Host": "a.org, b.org", "X-Forwarded-Proto": "https,http"}, "wss://a.org:443"),
        ({"X-Forwarded-Host": "a.org", "X-Forwarded-Port": "8080"}, "ws://a.org:8080"),
        ({"Host": "c.org", "X-Forwarded-Proto": "https"}, "wss://c.org:443"),
        ({"Host": "c.org:81", "X-Forwarded-Proto": "http"}, "ws://c.org:81"),
        ({"Host": "localhost:8003"}, "ws://localhost:8000"),
        ({"Host": "c.org", "X-Forwarded-Host": "[::1]:8003"}, "ws://c.org:8000"),
        ({"X-Forwarded-Host": "a.org:99999"}, "ws://a.org:80"),
    ],
)  # fmt: skip
def test_a_trusted_proxy_says_what_was_asked(headers: dict[str, str], url: str) -> None:
    for peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3"):
        assert address(headers, peer) == url + "/xiaozhi/v1/"


def test_a_stranger_is_not_believed() -> None:
    headers = {"Host": "192.168.1.20", "X-Forwarded-Host": "evil", "X-Forwarded-Proto": "https"}
    for peer in ("192.168.1.77", "10.2.0.1", "fe80::1%eth0", "", "unknown"):
        assert address(headers, peer) == "ws://192.168.1.20:8000/xiaozhi/v1/"


@pytest.mark.parametrize(
    ("public_url", "url"),
    [
        ("wss://v.example.org", "wss://v.example.org:443/xiaozhi/v1/"),
        ("ws://10.0.0.9/", "ws://10.0.0.9:80/"),
        ("ws://v.lan:9000/a/b?c=d:e", "ws://v.lan:9000/a/b?c=d:e"),
        ("wss://v.lan?c=d", "wss://v.lan:443/xiaozhi/v1/?c=d"),
    ],
)
def test_the_configured_address_wins(public_url: str, url: str) -> None:
    headers = {"Host": "other", "X-Forwarded-Host": "other"}
    assert address(headers, "127.0.0.1", public_url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://v.lan",
        "v.lan:8000",
        "ws://",
        "ws://[::1]:8000/",
        "ws://user:pw@v.lan/",
        "ws://v.lan:0/",
        "ws://v.lan:70000/",
        "ws://v.lan/a b",
    ],
)
def test_an_address_firmware_cannot_parse_is_refused(url: str) -> None:
    with pytest.raises(AddressError) as caught:
        checked_url(url)
    assert caught.value.field == "server.public_websocket_url"


def test_without_any_usable_host_the_setting_is_named() -> None:
    with pytest.raises(AddressError, match=r"server\.public_websocket_url"):
        address({}, local="fe80::1")


@given(
    headers=st.dictionaries(
        st.sampled_from(["Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port"]),
        st.text() | st.from_regex(r"[a-z:.0-9\[\]@]{1,12}", fullmatch=True),
    ),
    peer=st.sampled_from(["127.0.0.1", "192.168.1.77", "?"]),
)
def test_every_address_can_be_parsed_by_firmware(headers: dict[str, str], peer: str) -> None:
    url = address(headers, peer)
    assert url.isascii()
    host, port, path = firmware_connects(url)
    assert host
    assert 1 <= port <= 65535
    assert path == "/xiaozhi/v1/"


def test_trust() -> None:
    assert is_trusted("localproxy", ["localproxy"])
    assert not is_trusted("127.0.0.1", [])
    assert not is_trusted("127.0.0.1", ["nonsense", "10.0.0.0/8"])
    assert is_trusted("fe80::1%eth0", ["fe80::/10"])
