"""The text frames of a device, seen from its side: what it says and how it reads answers.

Pure. Members and their order follow the firmware (protocol sections 1.2, 1.5, 2.1,
11); the wake word is escaped here, which firmware forgets. Reading is as strict as
the firmware is, so that a server which would break a device breaks here too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Mode = Literal["auto", "manual", "realtime"]
MODES: tuple[Mode, ...] = get_args(Mode)

UPLINK_RATE_HZ = 16000
#: Uplink frame durations in the field (sections 3 and 4b).
UPLINK_FRAME_MS = (20, 40, 60)

#: What a device assumes when the server's hello leaves it out (section 1.3).
DEFAULT_DOWNLINK_RATE_HZ = 24000
DEFAULT_DOWNLINK_FRAME_MS = 60
LEGAL_FRAME_MS = (5, 10, 20, 40, 60, 80, 100, 120)
LEGAL_RATES_HZ = (8000, 12000, 16000, 24000, 48000)


class HelloError(ValueError):
    """A server hello that a real device cannot use; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class ServerHello:
    session_id: str
    rate_hz: int
    frame_ms: int


@dataclass(frozen=True, slots=True)
class ServerText:
    """One text frame of the server. `type` is empty for what a device drops as unusable."""

    type: str
    state: str = ""
    text: str = ""
    emotion: str = ""
    session_id: str | None = None
    body: dict[str, Any] = field(default_factory=dict)


def client_hello(version: int, frame_ms: int, *, mcp: bool, aec: bool, glyphs: bool) -> str:
    """The first text frame. Without any feature the member is left out, as v1.6 does."""
    features: dict[str, bool] = {}
    if mcp:
        features["mcp"] = True
    if aec:
        features["aec"] = True
    if glyphs:
        features["glyph_push"] = False
    hello: dict[str, Any] = {"type": "hello", "version": version}
    if features:
        hello["features"] = features
    hello["transport"] = "websocket"
    hello["audio_params"] = {
        "format": "opus",
        "sample_rate": UPLINK_RATE_HZ,
        "channels": 1,
        "frame_duration": frame_ms,
    }
    return _json(hello)


def listen_start(session_id: str, mode: Mode) -> str:
    return _json({"session_id": session_id, "type": "listen", "state": "start", "mode": mode})


def listen_stop(session_id: str) -> str:
    return _json({"session_id": session_id, "type": "listen", "state": "stop"})


def detect(session_id: str, text: str) -> str:
    """A wake word; clients without a microphone send typed text this way."""
    return _json({"session_id": session_id, "type": "listen", "state": "detect", "text": text})


def abort(session_id: str, reason: str = "") -> str:
    message = {"session_id": session_id, "type": "abort"}
    return _json({**message, "reason": reason} if reason else message)


def mcp(session_id: str, payload: dict[str, Any]) -> str:
    return _json({"session_id": session_id, "type": "mcp", "payload": payload})


def iot_descriptor(session_id: str) -> str:
    """What firmware 1.6 tells about its loudspeaker right after the hello (section 11)."""
    speaker = {
        "name": "Speaker",
        "description": "扬声器",
        "properties": {"volume": {"description": "当前音量值", "type": "number"}},
        "methods": {},
    }
    message = {"session_id": session_id, "type": "iot", "update": True, "descriptors": [speaker]}
    return _json(message)


def read(text: str | bytes) -> ServerText:
    """Read any text frame; never raises. What is no object with a type has type ''."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return ServerText("")
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        return ServerText("")
    session_id = body.get("session_id")
    return ServerText(
        type=body["type"],
        state=_string(body.get("state")),
        text=_string(body.get("text")),
        emotion=_string(body.get("emotion")),
        session_id=session_id if isinstance(session_id, str) else None,
        body=body,
    )


def read_hello(message: ServerText) -> ServerHello:
    """What a device takes from a server hello (section 1.3). Raises `HelloError`."""
    transport = message.body.get("transport")
    if transport != "websocket":
        raise HelloError(
            f'the server hello says transport {transport!r}; firmware needs "websocket"'
            " (it crashes when the member is missing and ignores any other value)"
        )
    audio = message.body.get("audio_params")
    audio = audio if isinstance(audio, dict) else {}
    rate_hz = _number(audio.get("sample_rate"), DEFAULT_DOWNLINK_RATE_HZ)
    frame_ms = _number(audio.get("frame_duration"), DEFAULT_DOWNLINK_FRAME_MS)
    if rate_hz not in LEGAL_RATES_HZ:
        raise HelloError(f"the server hello says sample_rate {rate_hz}; Opus has {LEGAL_RATES_HZ}")
    if frame_ms not in LEGAL_FRAME_MS:
        raise HelloError(
            f"the server hello says frame_duration {frame_ms}; devices know {LEGAL_FRAME_MS}"
        )
    return ServerHello(message.session_id or "", rate_hz, frame_ms)


def _json(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object, default: int) -> int:
    """cJSON's valueint: numbers are cut to whole ones, anything else keeps the default."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return int(value)
