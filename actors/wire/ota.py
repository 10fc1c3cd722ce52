"""The OTA answer: where a device connects, the time, and nothing that could break it.

Promises: any request body gets the same usable answer. The firmware (main/ota.cc)
stores every member of `websocket` and aborts at boot for a name it cannot store;
it prefers `mqtt` whenever such a member exists; it throws, and so restarts for ever,
when a version's segment does not begin with a number. So exactly `websocket`
{url, token, version}, `server_time` and a harmless `firmware` are sent.

The address is written for the firmware's naive URL parser (78/esp-ml307,
src/web_socket.cc): always with a port, never an IPv6 literal, never user info.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

PATH = "/xiaozhi/v1/"

_DEFAULT_PORTS = {"ws": 80, "wss": 443}
_HOST = re.compile(r"[0-9A-Za-z_](?:[0-9A-Za-z_.-]{0,251}[0-9A-Za-z_.])?")
_AUTHORITY = re.compile(r"(?P<host>[^:\[\]@/]+)(?::(?P<port>[0-9]{1,5}))?")
_URL = re.compile(r"(?P<scheme>wss?)://(?P<authority>[^/?#]*)(?P<path>[/?][!-~]*)?")

# std::stoi reads leading digits and throws for none, and for more than an int holds.
_SEGMENT = r"[0-9]{1,9}(?![0-9])[^.\x00-\x1f]*"
_SAFE_VERSION = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})*")
_MAX_VERSION_CHARS = 64
_LOOSE_VERSION = re.compile(r'"application"\s*:\s*\{[^{}]{0,2000}?"version"\s*:\s*"([^"]{0,64})"')
_USER_AGENT = re.compile(r"[^\s/]+/(\S+)")


class AddressError(ValueError):
    """No address can be told to devices; the text names the setting and the fix."""

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field} {problem}: {fix}.")
        self.field = field
        self.problem = problem
        self.fix = fix


def ota_reply(
    body: bytes,
    headers: Mapping[str, str],
    *,
    websocket_url: str,
    token: str,
    websocket_version: int,
    now_ms: int,
    timezone_offset_min: int,
) -> dict[str, Any]:
    """Build the answer to POST or GET. Never raises for what `body` or `headers` hold.

    `now_ms` is the epoch in milliseconds, UTC; the device's clock shows it plus the
    offset. `token` may be empty: then the device sends no Authorization.
    """
    reply: dict[str, Any] = {
        "websocket": {"url": websocket_url, "token": token, "version": websocket_version},
        "server_time": {"timestamp": now_ms, "timezone_offset": timezone_offset_min},
    }
    version = _device_version(body, headers)
    if len(version) <= _MAX_VERSION_CHARS and _SAFE_VERSION.fullmatch(version):
        reply["firmware"] = {"version": version, "url": ""}
    return reply


def websocket_url(
    headers: Mapping[str, str],
    peer_host: str,
    *,
    device_port: int,
    local_host: str,
    public_url: str = "",
    trusted_proxies: Sequence[str] = (),
) -> str:
    """The address that the device of this request shall connect to.

    In this order: `public_url`; what a trusted proxy says it was asked for
    (X-Forwarded-Host, -Proto, -Port; the WebSocket is taken to pass through it too);
    the request's Host with `device_port`; `local_host` (this server's own name or
    IPv4 address) where Host is missing or nothing that firmware can parse.

    Raises `AddressError` when `public_url` or, as the last resort, `local_host` is unusable.
    """
    if public_url:
        return checked_url(public_url)
    stated = {name.lower(): value.strip() for name, value in headers.items()}
    host, port = _authority(stated.get("host", ""))
    if is_trusted(peer_host, trusted_proxies):
        forwarded = _forwarded(stated, host, port)
        if forwarded:
            return forwarded
    host = host or _authority(local_host)[0]
    if not host:
        raise AddressError(
            "server.public_websocket_url",
            "is empty and the request names no host that firmware can parse",
            "set it to ws://HOST:PORT/xiaozhi/v1/",
        )
    return f"ws://{host}:{device_port}{PATH}"


def checked_url(url: str) -> str:
    """A configured address as devices can read it: with its port and a path.

    Raises `AddressError` for another scheme, an IPv6 literal, user info, or a bad port.
    """
    found = _URL.fullmatch(url.strip())
    host, port = _authority(found["authority"]) if found else ("", None)
    if not found or not host or port == 0:
        raise AddressError(
            "server.public_websocket_url",
            "is no address that firmware can parse",
            "write ws://HOST:PORT/xiaozhi/v1/ or wss://…, HOST being a name or an IPv4 address",
        )
    path = found["path"] or PATH
    path = path if path.startswith("/") else PATH + path
    return f"{found['scheme']}://{host}:{port or _DEFAULT_PORTS[found['scheme']]}{path}"


def is_trusted(peer_host: str, trusted_proxies: Sequence[str]) -> bool:
    """Whether the peer's address is, or lies in a network of, `trusted_proxies`."""
    try:
        peer = ip_address(peer_host.partition("%")[0])
    except ValueError:
        return peer_host in trusted_proxies
    mapped = getattr(peer, "ipv4_mapped", None)
    peer = mapped or peer
    for proxy in trusted_proxies:
        try:
            if peer in ip_network(proxy, strict=False):
                return True
        except ValueError:
            continue
    return False


def _forwarded(stated: Mapping[str, str], host: str, port: int | None) -> str | None:
    proto = _first(stated.get("x-forwarded-proto", "")).lower()
    named = _first(stated.get("x-forwarded-host", ""))
    if not named and not proto:
        return None
    if named:
        host, port = _authority(named)
    if not host:
        return None
    scheme = "wss" if proto in ("https", "wss") else "ws"
    stated_port = _port(_first(stated.get("x-forwarded-port", "")))
    return f"{scheme}://{host}:{port or stated_port or _DEFAULT_PORTS[scheme]}{PATH}"


def _first(value: str) -> str:
    """The first of a comma list: what the outermost proxy saw."""
    return value.partition(",")[0].strip()


def _authority(value: str) -> tuple[str, int | None]:
    """Host and port; ("", None) for an IPv6 literal and whatever else firmware cannot parse.

    A port that is stated and impossible comes back as 0.
    """
    found = _AUTHORITY.fullmatch(value.strip())
    if not found or not _HOST.fullmatch(found["host"]):
        return "", None
    if found["port"] is None:
        return found["host"], None
    return found["host"], _port(found["port"]) or 0


def _port(value: str) -> int | None:
    if not re.fullmatch(r"[0-9]{1,5}", value):
        return None
    port = int(value)
    return port if 1 <= port <= 65535 else None


def _device_version(body: bytes, headers: Mapping[str, str]) -> str:
    """The device's firmware version as it states it, "" when it does not.

    Boards without a display emit unbalanced JSON, so the version is also looked for
    in the text, and in the User-Agent ("board/version").
    """
    text = body.decode("utf-8", "replace")
    try:
        message = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        message = None
        if found := _LOOSE_VERSION.search(text):
            return found[1]
    if isinstance(message, dict):
        application = message.get("application")
        version = application.get("version") if isinstance(application, dict) else None
        if isinstance(version, str):
            return version
    for name, value in headers.items():
        if name.lower() == "user-agent" and (found := _USER_AGENT.fullmatch(value.strip())):
            return found[1]
    return ""
