"""What a session's pure logic asks to be done; the engine thread does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from actors.messages import Address, TurnRecord


@dataclass(frozen=True, slots=True)
class SendText:
    """One text message to the device."""

    text: str


@dataclass(frozen=True, slots=True)
class SendFrame:
    """One Opus packet to the device; `timestamp_ms` counts from the answer's start."""

    opus: bytes
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class ToRouter:
    message: Any


@dataclass(frozen=True, slots=True)
class ToAnswers:
    """To the answer cache, if there is one at the moment."""

    message: Any


@dataclass(frozen=True, slots=True)
class ToSounds:
    """To the sound cache, if there is one at the moment."""

    message: Any


@dataclass(frozen=True, slots=True)
class ToWorker:
    address: Address
    message: Any


@dataclass(frozen=True, slots=True)
class TurnEnded:
    record: TurnRecord


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """WebSocket close code and reason; nothing else happens afterwards."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log."""

    level: str
    event: str
    members: dict[str, Any] = field(default_factory=dict)


Effect = (
    SendText
    | SendFrame
    | ToRouter
    | ToAnswers
    | ToSounds
    | ToWorker
    | TurnEnded
    | CloseConnection
    | Note
)
