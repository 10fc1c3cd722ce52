"""Who connects: the identity in a WebSocket request, and whether its token is accepted.

Promises: firmware states itself in headers, browsers (which cannot set any) in the
query string; both are read, headers first. Whatever is wrong comes as a
`HandshakeError` whose status belongs in the HTTP answer: firmware shows "cannot
connect" for any status but 101.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from actors.wire.frames import VERSIONS

_MAX_QUERY_MEMBERS = 32
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z:._@+-]{0,127}")
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")


class HandshakeError(ValueError):
    """The connection is refused with HTTP `status`; the text names the field and the fix."""

    def __init__(self, status: int, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field} {problem}: {fix}.")
        self.status = status
        self.field = field
        self.problem = problem
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Identity:
    """What a connection says of itself. A MAC address is in lower case.

    `client_id` and `token` may be empty; `protocol_version` (1, 2 or 3) is the framing
    of binary messages, 1 when not stated. The token is kept out of `repr`.
    """

    device_id: str
    client_id: str
    token: str = field(repr=False)
    protocol_version: int = 1


def identify(target: str, headers: Iterable[tuple[str, str]]) -> Identity:
    """Read the identity from the request target (path and query) and the headers.

    Raises `HandshakeError` 400 when the device id is missing or malformed, or a
    binary framing is asked for that does not exist.
    """
    stated = _stated(target, headers)
    device_id = stated.get("device-id", "")
    if not device_id:
        raise HandshakeError(
            400, "Device-Id", "is missing", "send it as a header or as ?device-id="
        )
    if not _ID.fullmatch(device_id):
        raise HandshakeError(
            400,
            "Device-Id",
            "holds other characters or is longer than 128",
            "send the MAC address, or letters, digits and : . _ @ + -",
        )
    client_id = stated.get("client-id", "")
    return Identity(
        device_id=device_id.lower() if _MAC.fullmatch(device_id) else device_id,
        # Only logs show it, so an odd one is no reason to turn a device away.
        client_id=client_id if _ID.fullmatch(client_id) else "",
        token=_bare(stated.get("authorization", "")),
        protocol_version=_version(stated.get("protocol-version", "")),
    )


def authorised(identity: Identity, accepted_tokens: Sequence[str]) -> bool:
    """Whether the token is one of those accepted; with none given, everybody is let in.

    Takes the same time wherever two tokens differ. An empty accepted token admits nobody.
    """
    if not accepted_tokens:
        return True
    offered = _comparable(identity.token)
    matches = [hmac.compare_digest(offered, _comparable(_bare(token))) for token in accepted_tokens]
    return bool(offered) and any(matches)


def _stated(target: str, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names in lower case; the first of two wins, headers before the query, blanks ignored."""
    stated: dict[str, str] = {}
    for name, value in headers:
        _remember(stated, name, value)
    query = target.partition("#")[0].partition("?")[2]
    try:
        members = parse_qsl(query, max_num_fields=_MAX_QUERY_MEMBERS)
    except ValueError:
        raise HandshakeError(
            400, "query", f"has more than {_MAX_QUERY_MEMBERS} members", "send only the four known"
        ) from None
    for name, value in members:
        _remember(stated, name, value)
    return stated


def _remember(stated: dict[str, str], name: str, value: str) -> None:
    value = value.strip()
    if value:
        stated.setdefault(name.strip().lower(), value)


def _bare(authorization: str) -> str:
    """The token without its scheme. Firmware sends a token with a space in it verbatim."""
    scheme, _space, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else authorization.strip()


def _version(value: str) -> int:
    if not value:
        return 1
    if value in {str(version) for version in VERSIONS}:
        return int(value)
    raise HandshakeError(
        400, "Protocol-Version", f"is {value[:16]!r}", "ask for binary framing 1, 2 or 3"
    )


def _comparable(token: str) -> bytes:
    return token.encode("utf-8", "backslashreplace")
