"""Text messages from a device, parsed into facts.

Promises: `parse_text` takes any text or bytes and returns an `Inbound` or raises
`MessageError`, nothing else. It is tolerant where clients in the field differ:
`session_id` is not looked at (missing, empty or foreign is all the same on one
socket), unknown members are ignored, unknown types come back as `Unknown`, and
two strings that firmware forgets to escape (wake word, MCP error) are recovered.
All strings that come out can be encoded as UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from actors.wire.frames import VERSIONS

Mode: TypeAlias = Literal["auto", "manual", "realtime"]

#: The firmware's own values, taken where a hello leaves them out or garbles them.
DEFAULT_SAMPLE_RATE_HZ = 16000
DEFAULT_FRAME_MS = 60

_OPUS_RATES_HZ = (8000, 12000, 16000, 24000, 48000)
_MAX_FRAME_MS = 120
_MAX_DEPTH = 32
_SHOWN_CHARS = 64

# A surrogate pair, a lone surrogate, or any other escape: taken whole, so that the
# backslash of an escaped backslash never starts a new escape.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# The bounded gaps keep a hostile frame from costing more than its length.
_RAW_DETECT = re.compile(
    r'\A\s*\{.{0,400}?"type"\s*:\s*"listen"\s*,\s*"state"\s*:\s*"detect"\s*,'
    r'\s*"text"\s*:\s*"(?P<text>.*)"\s*\}\s*\Z',
    re.DOTALL,
)
_RAW_MCP_ERROR = re.compile(
    r'\A\s*\{.{0,400}?"type"\s*:\s*"mcp".{0,100}?"id"\s*:\s*(?P<id>-?\d{1,10})\s*,'
    r'\s*"error"\s*:\s*\{\s*"message"\s*:\s*"(?P<message>.*)"\s*\}\s*\}\s*\}\s*\Z',
    re.DOTALL,
)


class MessageError(ValueError):
    """A text message cannot be used. The session goes on; the text may be sent back."""

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field} {problem}: {fix}.")
        self.field = field
        self.problem = problem
        self.fix = fix


@dataclass(frozen=True, slots=True)
class ClientHello:
    """A device introduces itself; answer `server_hello` at once (it waits 10 s).

    `version` is None when absent or none of 1, 2, 3: then the header's counts.
    The audio values describe the uplink.
    """

    version: int | None
    transport: str
    mcp: bool
    aec: bool
    glyph_push: bool
    sample_rate_hz: int
    channels: int
    frame_ms: int


@dataclass(frozen=True, slots=True)
class ListenStarted:
    mode: Mode


@dataclass(frozen=True, slots=True)
class ListenStopped:
    """Push-to-talk was released; a few late audio frames may follow."""


@dataclass(frozen=True, slots=True)
class Detected:
    """A wake word was heard, or a client sends typed text; the session tells them apart."""

    text: str


@dataclass(frozen=True, slots=True)
class Abort:
    """Stop speaking. Answer `tts_stop` even if nothing plays; `reason` may be empty."""

    reason: str


@dataclass(frozen=True, slots=True)
class McpMessage:
    """A JSON-RPC object from the device's MCP server, at most 32 levels deep."""

    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IotReport:
    """Firmware up to 1.7 reports its things; `kind` is descriptors, states or other."""

    kind: str


@dataclass(frozen=True, slots=True)
class Ping:
    """A client asks for `pong`."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a type that means nothing here; log it and go on."""

    type: str


Inbound: TypeAlias = (
    ClientHello
    | ListenStarted
    | ListenStopped
    | Detected
    | Abort
    | McpMessage
    | IotReport
    | Ping
    | Unknown
)


def parse_text(text: str | bytes) -> Inbound:
    """Parse one text message. Raises `MessageError` for what cannot be used."""
    if isinstance(text, (bytes, bytearray, memoryview)):
        text = bytes(text).decode("utf-8", "replace")
    text = _without_lone_surrogates(text)
    try:
        message = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        recovered = _recover(text)
        if recovered is None:
            raise _not_json(error) from None
        return recovered
    if not isinstance(message, dict):
        raise MessageError("message", "is not a JSON object", 'send {"type": ...}')
    kind = message.get("type")
    if not isinstance(kind, str) or not kind:
        raise MessageError("type", "is missing or not a string", "name the message's type")
    parse = _PARSERS.get(kind)
    return parse(message) if parse else Unknown(kind[:_SHOWN_CHARS])


def _not_json(error: Exception) -> MessageError:
    if isinstance(error, json.JSONDecodeError):
        problem = f"is not JSON ({error.msg} at character {error.pos})"
    elif isinstance(error, RecursionError):
        problem = "is nested too deeply"
    else:
        problem = "holds a number that is too long"
    return MessageError("message", problem, "send one JSON object in each text frame")


def _without_lone_surrogates(text: str) -> str:
    text = text.encode("utf-8", "replace").decode("utf-8")
    if "\\u" not in text:
        return text
    return _ESCAPE.sub(lambda found: "\\ufffd" if found["lone"] else found[0], text)


def _recover(text: str) -> Inbound | None:
    """Read the two messages that firmware concatenates without escaping their text."""
    if found := _RAW_DETECT.match(text):
        return Detected(found["text"].strip())
    if found := _RAW_MCP_ERROR.match(text):
        error = {"message": found["message"]}
        return McpMessage({"jsonrpc": "2.0", "id": int(found["id"]), "error": error})
    return None


def _hello(message: dict[str, Any]) -> Inbound:
    features = message.get("features")
    features = features if isinstance(features, dict) else {}
    audio = message.get("audio_params")
    audio = audio if isinstance(audio, dict) else {}
    codec = audio.get("format", "opus")
    if isinstance(codec, str) and codec.lower() != "opus":
        raise MessageError("audio_params.format", f"is {_shown(codec)}", "send Opus packets")
    version = _whole(message.get("version"))
    transport = message.get("transport")
    rate_hz = _whole(audio.get("sample_rate"))
    channels = _whole(audio.get("channels"))
    frame_ms = _whole(audio.get("frame_duration"))
    return ClientHello(
        version=version if version in VERSIONS else None,
        transport=transport[:_SHOWN_CHARS] if isinstance(transport, str) else "",
        mcp=bool(features.get("mcp")),
        aec=bool(features.get("aec")),
        glyph_push=bool(features.get("glyph_push")),
        sample_rate_hz=rate_hz if rate_hz in _OPUS_RATES_HZ else DEFAULT_SAMPLE_RATE_HZ,
        channels=channels if channels in (1, 2) else 1,
        frame_ms=frame_ms if frame_ms and 0 < frame_ms <= _MAX_FRAME_MS else DEFAULT_FRAME_MS,
    )


def _listen(message: dict[str, Any]) -> Inbound:
    state = message.get("state")
    if state == "start":
        return ListenStarted(_mode(message.get("mode")))
    if state == "stop":
        return ListenStopped()
    if state == "detect":
        text = message.get("text", "")
        if not isinstance(text, str):
            raise MessageError("text", f"is {_shown(text)}", "send the wake word as a string")
        return Detected(text.strip())
    raise MessageError("state", f"is {_shown(state)}", "send start, stop or detect")


def _mode(value: object) -> Mode:
    # Early firmware names no mode; it ends its speech by silence, which is what auto means.
    if value is None or value == "" or value == "auto":
        return "auto"
    if value == "manual":
        return "manual"
    if value == "realtime":
        return "realtime"
    raise MessageError("mode", f"is {_shown(value)}", "send auto, manual or realtime")


def _abort(message: dict[str, Any]) -> Inbound:
    reason = message.get("reason")
    return Abort(reason[:_SHOWN_CHARS] if isinstance(reason, str) else "")


def _mcp(message: dict[str, Any]) -> Inbound:
    payload = message.get("payload")
    if not isinstance(payload, dict):
        raise MessageError("payload", f"is {_shown(payload)}", "send a JSON-RPC object")
    if _depth_exceeds(payload, _MAX_DEPTH):
        raise MessageError("payload", "is nested too deeply", f"use at most {_MAX_DEPTH} levels")
    return McpMessage(payload)


def _iot(message: dict[str, Any]) -> Inbound:
    for kind in ("descriptors", "states"):
        if kind in message:
            return IotReport(kind)
    return IotReport("other")


_PARSERS: dict[str, Callable[[dict[str, Any]], Inbound]] = {
    "hello": _hello,
    "listen": _listen,
    "abort": _abort,
    "mcp": _mcp,
    "iot": _iot,
    "ping": lambda _message: Ping(),
}


def _whole(value: object) -> int | None:
    """A whole number, also as digits in a string; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    return None


def _shown(value: object) -> str:
    """A value for an error text: short, and missing rather than None."""
    if value is None:
        return "missing"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    shown = repr(value) if not isinstance(value, int) else str(value)[:_SHOWN_CHARS]
    return shown if len(shown) <= _SHOWN_CHARS else shown[:_SHOWN_CHARS] + "…"


def _depth_exceeds(value: object, limit: int) -> bool:
    pending: list[tuple[object, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if not isinstance(item, (dict, list)):
            continue
        if depth > limit:
            return True
        inner = item.values() if isinstance(item, dict) else item
        pending.extend((each, depth + 1) for each in inner)
    return False
