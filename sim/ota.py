"""What a device does at boot: ask the OTA address where to connect.

Promises: the reply is judged as the firmware would take it (protocol section 6), so
a server that would send a device elsewhere, or make it reboot, is reported in words.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import aiohttp

OTA_TIMEOUT_S = 10.0
#: A name in the device's non-volatile storage is at most this long; beyond it reboots.
_MAX_KEY_CHARS = 15


class OtaError(Exception):
    """The OTA address did not give what a device needs; the text says what and why."""


@dataclass(frozen=True, slots=True)
class OtaReply:
    """Where and how to connect. `version` is None when the reply leaves it open (then 1)."""

    url: str
    token: str
    version: int | None


async def ask_ota(
    url: str,
    device_id: str,
    client_id: str,
    firmware: str = "2.4.2",
    timeout_s: float = OTA_TIMEOUT_S,
) -> OtaReply:
    """POST a device's description to `url` and judge the reply. Raises `OtaError`."""
    headers = {
        "Activation-Version": "1",
        "Device-Id": device_id,
        "Client-Id": client_id,
        "User-Agent": f"simulated/{firmware}",
        "Accept-Language": "zh-CN",
    }
    body = _description(device_id, client_id, firmware)
    limit = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.post(url, json=body, headers=headers, allow_redirects=False) as response,
        ):
            status, text = response.status, await response.text(errors="replace")
    except TimeoutError:
        raise OtaError(f"{url}: no answer within {timeout_s:g} s") from None
    except aiohttp.InvalidURL:
        raise OtaError(f"{url}: is no http address") from None
    except aiohttp.ClientError as error:
        raise OtaError(f"{url}: {error}; is the server running?") from None
    if status != 200:
        raise OtaError(f"{url}: answered {status}; a device needs 200 and retries with back-off")
    return judge_reply(text)


def judge_reply(text: str) -> OtaReply:
    """Read an OTA reply as the firmware does. Raises `OtaError`."""
    try:
        reply = json.loads(text)
    except ValueError:
        raise OtaError("the OTA reply is not JSON") from None
    if not isinstance(reply, dict):
        raise OtaError("the OTA reply is not a JSON object")
    if isinstance(reply.get("mqtt"), dict):
        raise OtaError("the OTA reply holds mqtt, so a device would use MQTT, not WebSocket")
    websocket = reply.get("websocket")
    if not isinstance(websocket, dict) or not isinstance(websocket.get("url"), str):
        raise OtaError("the OTA reply holds no websocket.url, so a device has nowhere to connect")
    long = [key for key in websocket if len(key) > _MAX_KEY_CHARS]
    if long:
        raise OtaError(f"websocket.{long[0]} is longer than 15 characters: devices would reboot")
    _check_firmware(reply.get("firmware"))
    token, version = websocket.get("token"), websocket.get("version")
    return OtaReply(
        url=check_url(websocket["url"]),
        token=token if isinstance(token, str) else "",
        version=version if isinstance(version, int) and not isinstance(version, bool) else None,
    )


def check_url(url: str) -> str:
    """`url` itself if the firmware's simple parser reads it rightly (section 5), else `OtaError`."""
    found = re.match(r"(wss?)://([^/]*)(.*)$", url)
    if not found or not found[2]:
        raise OtaError(f"{url!r} is no WebSocket address; it must look like ws://host:8000/path")
    host, rest = found[2], found[3]
    if "@" in host or "[" in host:
        raise OtaError(f"{url}: firmware reads neither user names nor IPv6 literals")
    if ":" not in host and ":" in rest:
        raise OtaError(f"{url}: give the port; firmware takes the colon after it for one")
    return url


def _check_firmware(firmware: object) -> None:
    version = firmware.get("version") if isinstance(firmware, dict) else None
    if not isinstance(version, str) or not version:
        return
    if not all(segment[:1].isdigit() for segment in version.split(".")):
        raise OtaError(f"firmware.version {version!r} makes devices reboot; each part is a number")


def _description(device_id: str, client_id: str, firmware: str) -> dict[str, Any]:
    return {
        "version": 2,
        "language": "zh-CN",
        "flash_size": 16777216,
        "minimum_free_heap_size": "8318916",  # a string in the firmware
        "mac_address": device_id,
        "uuid": client_id,
        "chip_model_name": "esp32s3",
        "application": {"name": "xiaozhi", "version": firmware},
        "board": {"type": "simulated", "name": "simulated", "mac": device_id},
    }
