"""Who a simulated device is and which firmware it behaves like. Pure."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlencode

from actors.wire.firmware import GENERATIONS, Firmware
from actors.wire.frames import VERSIONS
from sim.dialect import MODES, UPLINK_FRAME_MS, Mode
from sim.rough import LINKS, Roughness

#: How long firmware waits for the server's hello (protocol section 1.1).
HELLO_TIMEOUT_S = 10.0
NEWEST_GENERATION = "2.4"


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """Everything that is fixed before a device connects.

    `generation` is a key of `actors.wire.firmware.GENERATIONS`. `identity` says where
    ids and token travel: firmware uses headers, browsers the query string.
    `ambient_dbfs` is the room noise at the microphone, None for digital silence.
    `main_task_ms` is how long after its arrival a tts message takes effect. `link` is a key
    of `sim.rough.LINKS`. Raises ValueError naming the field.
    """

    url: str
    device_id: str
    client_id: str
    token: str = field(default="", repr=False)
    version: int = 1
    mode: Mode = "auto"
    frame_ms: int = 60
    generation: str = NEWEST_GENERATION
    identity: Literal["headers", "query"] = "headers"
    server_aec: bool = False
    ambient_dbfs: float | None = None
    main_task_ms: float = 5.0
    hello_timeout_s: float = HELLO_TIMEOUT_S
    link: str = "plain"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("version", self.version, VERSIONS),
            ("mode", self.mode, MODES),
            ("frame_ms", self.frame_ms, UPLINK_FRAME_MS),
            ("generation", self.generation, tuple(GENERATIONS)),
            ("identity", self.identity, ("headers", "query")),
            ("link", self.link, tuple(LINKS)),
        ):
            if value not in allowed:
                raise ValueError(
                    f"{name} is {value!r}; possible are {', '.join(map(str, allowed))}"
                )

    @property
    def firmware(self) -> Firmware:
        return GENERATIONS[self.generation]

    @property
    def roughness(self) -> Roughness:
        return LINKS[self.link]

    @property
    def has_mcp(self) -> bool:
        """Firmware 1.6 has no features in its hello; MCP came with 1.7 (section 11)."""
        return self.generation != "1.6"

    @property
    def has_glyphs(self) -> bool:
        return self.generation == "2.4"

    @property
    def authorization(self) -> str:
        """A token without a space is sent as a bearer token, another one verbatim."""
        return self.token if " " in self.token else f"Bearer {self.token}"

    def headers(self) -> dict[str, str]:
        """The request headers of firmware (section 1.1); none when the query is used."""
        if self.identity == "query":
            return {}
        headers = {"Authorization": self.authorization} if self.token else {}
        return {
            **headers,
            "Protocol-Version": str(self.version),
            "Device-Id": self.device_id,
            "Client-Id": self.client_id,
        }

    def address(self) -> str:
        """The URL to open: with the identity in its query where that is asked for."""
        if self.identity == "headers":
            return self.url
        members = {"device-id": self.device_id, "client-id": self.client_id}
        if self.token:
            members["authorization"] = self.authorization
        if self.version != 1:
            members["protocol-version"] = str(self.version)
        joint = "&" if "?" in self.url else "?"
        return self.url + joint + urlencode(members, quote_via=quote)


def random_identity(source: random.Random) -> tuple[str, str]:
    """A locally administered MAC address and a UUID v4, as (device_id, client_id)."""
    octets = (0x02, *source.randbytes(5))
    client_id = uuid.UUID(bytes=source.randbytes(16), version=4)
    return ":".join(f"{octet:02x}" for octet in octets), str(client_id)
