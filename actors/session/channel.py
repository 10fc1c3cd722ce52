"""What is said on a device's channel beside the conversation. Pure.

Framing and parsing, the hello, the device's tools, pings, and what was wrong about a
message. What remains is what the device wants of the conversation, or its speech.
"""

from __future__ import annotations

from typing import Any

from actors.effects import Effect, Note, SendText
from actors.session.checkpoint import SessionState
from actors.wire import outbound
from actors.wire.frames import FrameError, decode_frame
from actors.wire.inbound import (
    Abort,
    ClientHello,
    Detected,
    Inbound,
    ListenStarted,
    ListenStopped,
    McpMessage,
    MessageError,
    Ping,
    parse_text,
)
from actors.wire.mcp import McpConversation
from cfg.model import Settings

Wish = ListenStarted | ListenStopped | Detected | Abort


class Channel:
    """See the module. `hello_by`: the channel is to be closed then; None once greeted.

    `wall_s` is the time of day at `now`, in seconds since 1970; clients are told it.
    """

    def __init__(
        self, settings: Settings, state: SessionState, out: list[Effect], now: float, wall_s: float
    ) -> None:
        self.mcp = McpConversation()
        self.hello_by: float | None = now + settings.server.hello_timeout_s
        self._downlink = settings.downlink
        self._state = state
        self._out = out
        self._wall_offset_s = wall_s - now

    def text(self, data: bytes | str, now: float) -> Wish | None:
        """One text message. A wrong one is answered with what is wrong about it."""
        try:
            message = parse_text(data)
        except MessageError as error:
            self._refuse(error.field, error.problem, error.fix)
            return None
        if isinstance(message, Wish):
            return message
        self._answer(message, now)
        return None

    def binary(self, data: bytes, now: float) -> Wish | bytes | None:
        """One binary message: an Opus packet, or text in the framings that allow it."""
        try:
            frame = decode_frame(self._state.protocol_version, data)
        except FrameError as error:
            self._refuse("binary frame", str(error), "send one Opus packet")
            return None
        return self.text(frame.payload, now) if frame.is_json else frame.payload

    def resume(self) -> None:
        """Go on where a previous session ended."""
        if not self._state.hello:
            # It was read and perhaps not answered; the device waits for nothing else.
            self._hello()
        self.hello_by = None
        if self._state.mcp:
            self._send(outbound.mcp(self._state.session_id, self.mcp.start()))

    def tts_stop(self) -> None:
        """Have the device leave *speaking*; in any other state it ignores this."""
        self._send(outbound.tts_stop(self._state.session_id))

    def _answer(self, message: Inbound, now: float) -> None:
        session = self._state.session_id
        if isinstance(message, ClientHello):
            if message.version is not None and self._state.protocol_version == 1:
                # Firmware states the framing twice; a browser can only say it here.
                self._state.protocol_version = message.version
            self._hello()
            if message.mcp and not self._state.mcp:
                self._state.mcp = True
                self._send(outbound.mcp(session, self.mcp.start()))
        elif isinstance(message, McpMessage):
            for payload in self.mcp.receive(message.payload):
                self._send(outbound.mcp(session, payload))
        elif isinstance(message, Ping):
            self._send(outbound.pong(session, int((now + self._wall_offset_s) * 1000)))
        else:
            self._note("debug", "message ignored", type=type(message).__name__)

    def _hello(self) -> None:
        self.hello_by = None
        self._state.hello = True
        version, downlink = self._state.protocol_version, self._downlink
        self._send(
            outbound.server_hello(
                self._state.session_id, version, downlink.sample_rate_hz, downlink.frame_ms
            )
        )

    def _refuse(self, field: str, problem: str, fix: str) -> None:
        self._note("warning", "message refused", field=field, problem=problem)
        self._send(outbound.error_note(self._state.session_id, field, problem, fix))

    def _send(self, text: str) -> None:
        self._out.append(SendText(text))

    def _note(self, level: str, event: str, **members: Any) -> None:
        self._out.append(Note(level, event, members))
