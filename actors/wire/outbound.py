"""Text messages from the server to a device, as compact JSON.

Promises: every message carries `session_id`, is valid UTF-8, and keeps to what
all firmware generations read. Order within a turn (stt, tts start, llm,
sentence_start, audio, …, tts stop) is the session's business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from actors.wire.text import cap_text, clean_text

#: The firmware's emotion names, with the emoji that other clients show from `llm.text`.
EMOJI: Mapping[str, str] = MappingProxyType(
    {
        "neutral": "😶",
        "happy": "🙂",
        "laughing": "😆",
        "funny": "😂",
        "sad": "😔",
        "angry": "😠",
        "crying": "😭",
        "loving": "😍",
        "embarrassed": "😳",
        "surprised": "😯",
        "shocked": "😱",
        "thinking": "🤔",
        "winking": "😉",
        "cool": "😎",
        "relaxed": "😌",
        "delicious": "🤤",
        "kissy": "😘",
        "confident": "😏",
        "sleepy": "😴",
        "silly": "😜",
        "confused": "🙄",
    }
)

EMOTIONS: frozenset[str] = frozenset(EMOJI)

_NOTE_MAX_CHARS = 200


def server_hello(session_id: str, version: int, sample_rate_hz: int, frame_ms: int) -> str:
    """Answer a client hello. The audio values tell the device how to decode what we send.

    `transport` is mandatory: firmware crashes without it, and ignores any other value.
    """
    return _message(
        session_id,
        "hello",
        version=version,
        transport="websocket",
        audio_params={
            "format": "opus",
            "sample_rate": sample_rate_hz,
            "channels": 1,
            "frame_duration": frame_ms,
        },
    )


def stt(session_id: str, text: str, max_chars: int) -> str:
    """What the user said, for the screen; at most `max_chars` code points."""
    return _message(session_id, "stt", text=cap_text(clean_text(text), max_chars))


def tts_start(session_id: str) -> str:
    """The device goes to *speaking* and empties its audio queue."""
    return _message(session_id, "tts", state="start")


def sentence_start(session_id: str, text: str, max_chars: int) -> str:
    """What is said next, for the screen; at most `max_chars` code points."""
    return _message(
        session_id, "tts", state="sentence_start", text=cap_text(clean_text(text), max_chars)
    )


def tts_stop(session_id: str) -> str:
    """The device leaves *speaking*. Must follow every `tts_start`, whatever happened."""
    return _message(session_id, "tts", state="stop")


def llm_emotion(session_id: str, emotion: str) -> str:
    """Set the face. A name that no firmware knows is sent as neutral."""
    known = emotion if emotion in EMOTIONS else "neutral"
    return _message(session_id, "llm", emotion=known, text=EMOJI[known])


def pong(session_id: str, timestamp_ms: int) -> str:
    """Answer a text ping of browser clients and SDKs; epoch milliseconds."""
    return _message(session_id, "pong", timestamp=timestamp_ms)


def mcp(session_id: str, payload: Mapping[str, Any]) -> str:
    """Wrap one JSON-RPC object. Must not precede the server hello (xinnan-tech #3347)."""
    return _message(session_id, "mcp", payload=dict(payload))


def error_note(session_id: str, field: str, problem: str, fix: str) -> str:
    """Tell a client's developer what was wrong. Firmware logs the unknown type and goes on."""
    return _message(
        session_id,
        "error",
        field=cap_text(clean_text(field), _NOTE_MAX_CHARS),
        problem=cap_text(clean_text(problem), _NOTE_MAX_CHARS),
        fix=cap_text(clean_text(fix), _NOTE_MAX_CHARS),
    )


def _message(session_id: str, kind: str, **members: object) -> str:
    body = {"type": kind, "session_id": session_id, **members}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate inside an MCP payload would make the frame impossible to encode.
    return text.encode("utf-8", "replace").decode("utf-8")
