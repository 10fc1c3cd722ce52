"""A device's conversation: its modes, its turns and when it ends. Pure.

What the device sends and what workers answer comes in with the time; effects go
out. One turn runs at a time; `turn id` decides what a late message belongs to.

Listening, by mode (protocol 2): *auto* hears from `listen start` to the end of the
utterance and waits for the next `listen start`; *realtime* hears all the time, also
while it speaks (barge-in), and re-arms itself; *manual* hears from `listen start`
to `listen stop`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from actors.audio.endpoint import Endpointer
from actors.messages import TurnId
from actors.session.checkpoint import SessionState
from actors.session.ears import Ears, EarsEvent, Onset, Paused, Resumed, Speech
from actors.session.effects import CloseConnection, Effect, Note, SendText, TurnEnded
from actors.session.turn import Setting, Stage, Turn
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
    Mode,
    Ping,
    parse_text,
)
from actors.wire.mcp import McpConversation
from cfg.model import Settings

#: After `listen stop` the utterance ends when so much silence was heard, or when the
#: time for late frames is over.
LATE_SILENCE_MS = 90

#: 16 kHz, 16 bit, mono.
BYTES_PER_SECOND = 32000

MODES: tuple[Mode, ...] = get_args(Mode)


class Conversation:
    """See the module. After each call take what is in `out`."""

    def __init__(
        self,
        settings: Settings,
        state: SessionState,
        phrases: Mapping[str, tuple[bytes, ...]],
        now: float,
    ) -> None:
        self.settings = settings
        self.state = state
        self.out: list[Effect] = []
        self.turn: Turn | None = None
        self.ears = Ears(settings.listening)
        self.endpointer = Endpointer(settings.listening, settings.dialogue.language)
        self.mcp = McpConversation()
        self.phrases = phrases
        self._armed = False
        self._stop_by: float | None = None
        self._lost_speech = False
        self._carried = ""
        self._draining = False
        self._drain_by: float | None = None
        self._hello_by: float | None = now + settings.server.hello_timeout_s
        self._active_at = now
        self._closing = False
        self._speech_at = now

    # --- what the device sends ---

    def text(self, data: bytes | str, now: float) -> None:
        """One text message. A wrong one is answered with what is wrong about it."""
        try:
            message = parse_text(data)
        except MessageError as error:
            self._note("warning", "message refused", field=error.field, problem=error.problem)
            self._send(
                outbound.error_note(self.state.session_id, error.field, error.problem, error.fix)
            )
            return
        self._message(message, now)

    def binary(self, data: bytes, now: float) -> None:
        """One binary message: audio, or text in the framings that allow it."""
        try:
            frame = decode_frame(self.state.protocol_version, data)
        except FrameError as error:
            self._note("warning", "frame refused", problem=str(error))
            self._send(
                outbound.error_note(
                    self.state.session_id, "binary frame", str(error), "send one Opus packet"
                )
            )
            return
        if frame.is_json:
            self.text(frame.payload, now)
        elif frame.payload:
            self._audio(frame.payload, now)

    def _message(self, message: Inbound, now: float) -> None:
        if isinstance(message, ClientHello):
            self._hello(message)
        elif isinstance(message, ListenStarted):
            self._listen(message.mode, now)
        elif isinstance(message, ListenStopped):
            self._listen_stopped(now)
        elif isinstance(message, Detected):
            self._detected(message.text, now)
        elif isinstance(message, Abort):
            self._abort(message.reason, now)
        elif isinstance(message, McpMessage):
            for payload in self.mcp.receive(message.payload):
                self._send(outbound.mcp(self.state.session_id, payload))
        elif isinstance(message, Ping):
            self._send(outbound.pong(self.state.session_id, int(now * 1000)))
        else:
            self._note("debug", "message ignored", type=type(message).__name__)

    def _hello(self, hello: ClientHello) -> None:
        self._hello_by = None
        if hello.version in (1, 2, 3) and self.state.protocol_version == 1:
            # Firmware states the framing twice; a browser can only say it here.
            self.state.protocol_version = hello.version
        downlink = self.settings.downlink
        self._send(
            outbound.server_hello(
                self.state.session_id,
                self.state.protocol_version,
                downlink.sample_rate_hz,
                downlink.frame_ms,
            )
        )
        self.state.mcp = hello.mcp
        if hello.mcp and not self.state.hello:
            self._send(outbound.mcp(self.state.session_id, self.mcp.start()))
        self.state.hello = True

    def _listen(self, mode: Mode, now: float) -> None:
        self.state.mode = mode
        self._stop_by = None
        if self.turn is not None and self.turn.stage is not Stage.HEARING:
            if mode != "manual":
                return  # it follows a wake word; the answer goes on
            self.turn.interrupt(now, "listen start")
        self._drop_turn(now, "listen start")
        self._arm()

    def _listen_stopped(self, now: float) -> None:
        if not self._armed:
            return
        self._stop_by = now + self.settings.listening.late_frames_ms / 1000
        if self.ears.silence_ms >= LATE_SILENCE_MS or not self.ears.open:
            self._end_utterance(now)

    def _detected(self, text: str, now: float) -> None:
        self._active_at = now
        dialogue = self.settings.dialogue
        if _bare(text) in {_bare(word) for word in dialogue.wake_words}:
            self._disarm()
            self.ears.forget()
            if dialogue.wake_greeting:
                self._drop_turn(now, "wake word")
                self._new_turn(now).say(dialogue.wake_greeting, now)
        elif text.strip():
            self._drop_turn(now, "typed text")
            self._disarm()
            self._new_turn(now).text_ready(text.strip(), now)

    def _abort(self, reason: str, now: float) -> None:
        speaking = self.turn is not None and self.turn.tts_started
        self._drop_turn(now, reason or "abort")
        if not speaking:
            # The device stays in *speaking* until it hears this (protocol 2.5).
            self._send(outbound.tts_stop(self.state.session_id))
        self._disarm()
        if self.state.mode == "realtime":
            self._arm()

    # --- audio ---

    def _audio(self, packet: bytes, now: float) -> None:
        problem = self.ears.take(packet, now, listening=self._hearing)
        if problem:
            self._note("warning", "packet dropped", problem=problem, bytes=len(packet))
        self._heard(now)

    @property
    def _hearing(self) -> bool:
        speaking = self.turn is not None and self.turn.stage is not Stage.HEARING
        if not speaking:
            return self._armed
        return self.state.mode == "realtime" and self.settings.listening.barge_in

    def _heard(self, now: float) -> None:
        for event in self.ears.events():
            self._ears_event(event, now)
            if self.turn is not None and self.turn.stage is not Stage.HEARING and self._armed:
                self._disarm()
        if self._stop_by is not None and self._armed and self.ears.silence_ms >= LATE_SILENCE_MS:
            self._end_utterance(now)

    def _ears_event(self, event: EarsEvent, now: float) -> None:
        turn = self.turn
        if turn is not None and turn.stage is not Stage.HEARING:
            self._overheard(turn, event, now)
            return
        if isinstance(event, Onset):
            self._active_at = now
            self.endpointer.begin()
            self.endpointer.speech(len(event.pcm) * 1000 // BYTES_PER_SECOND)
            self._new_turn(now).hear(event.pcm, now)
        elif turn is None:
            return
        elif isinstance(event, Speech):
            turn.hear(event.pcm, now)
            self._end_if(self.endpointer.speech(event.ms), now)
        elif isinstance(event, Resumed):
            self.endpointer.resumed(event.pause_ms)
        elif isinstance(event, Paused):
            self._end_if(self.endpointer.silence(event.silence_ms), now)

    def _overheard(self, turn: Turn, event: EarsEvent, now: float) -> None:
        """Something was heard while an answer is made or spoken (realtime mode)."""
        listening = self.settings.listening
        if isinstance(event, Paused) and event.silence_ms >= listening.endpoint_unsure_ms:
            self.ears.end()  # a noise too short to interrupt
        elif self.ears.speech_ms >= listening.barge_in_ms:
            self._barge_in(turn, now)

    def _barge_in(self, turn: Turn, now: float) -> None:
        """Speech over the answer: stop it, and hear the speech from its beginning.

        A turn of which nothing was heard yet ended too early: the user goes on, so
        what was said before belongs to the new turn.
        """
        before = b""
        if turn.stage is Stage.RECOGNISING:
            before = turn.speech()
        elif not turn.playout.frames_sent:
            self._carried = turn.heard
        speech = before + self.ears.utterance()
        self._drop_turn(now, "barge-in")
        self._armed = True
        self.endpointer.begin()
        self._new_turn(now).hear(speech, now)

    def _end_if(self, reason: Any, now: float) -> None:
        if reason is not None and (self.state.mode != "manual" or reason.value == "too_long"):
            self._note(
                "debug", "utterance ended", reason=reason.value, wait_ms=self.endpointer.wait_ms()
            )
            self._end_utterance(now)

    def _end_utterance(self, now: float) -> None:
        silence_s = self.ears.silence_ms / 1000
        rest = self.ears.finish()
        self._disarm()
        self._stop_by = None
        self._active_at = now
        if self._lost_speech:
            self._lost_speech = False
            self._drop_turn(now, "its beginning is lost")
            self._apologise(now)
            return
        if self.turn is None and self.state.mode == "manual":
            self._new_turn(now)
        turn = self.turn
        if turn is not None and turn.stage is Stage.HEARING:
            if rest:
                turn.hear(rest, now)
            turn.speech_ended(now, now - silence_s)

    def _apologise(self, now: float) -> None:
        turn = self._new_turn(now)
        turn.say(self.settings.dialogue.apology, now, "failed", "session was replaced")

    def _arm(self) -> None:
        self._armed = True
        self.ears.listen()
        self.endpointer.begin()

    def _disarm(self) -> None:
        self._armed = False
        self.ears.end()

    # --- what workers answer ---

    def answer(self, message: Any, now: float) -> None:
        """A message of the router or a worker; it belongs to the turn whose id it has."""
        turn = self.turn
        if turn is None or getattr(message, "turn", None) != turn.id:
            return
        before = turn.partial
        turn.take(message, now)
        if turn.partial != before:
            self.endpointer.partial(turn.partial)

    # --- time ---

    def deadline(self) -> float:
        """When `time` wants to be called."""
        times = [
            self.turn.deadline() if self.turn is not None else self._idle_at(),
            self._hello_by,
            self._stop_by,
            self._drain_by,
            self.ears.gap_due() if self._armed else None,
        ]
        return min(time for time in times if time is not None)

    def _idle_at(self) -> float:
        return self._active_at + self.settings.dialogue.idle_close_s

    def time(self, now: float) -> None:
        """Whatever was to happen by now happens."""
        if self._closing:
            return
        if self._hello_by is not None and now >= self._hello_by:
            self._close(1002, f"no hello within {self.settings.server.hello_timeout_s:g} s")
            return
        if self._drain_by is not None and now >= self._drain_by:
            self._drop_turn(now, "server stops")
            self._close(1001, "server stops")
            return
        if self._stop_by is not None and now >= self._stop_by:
            self._end_utterance(now)
        if self._armed and self.ears.gap_due() is not None:
            self.ears.gap(now)
            self._heard(now)
        if self.turn is not None:
            self.turn.time(now)
        elif now >= self._idle_at():
            self._goodbye(now)
        self.settle(now)

    def _goodbye(self, now: float) -> None:
        self._disarm()
        turn = self._new_turn(now)
        turn.close_after = True
        turn.say(self.settings.dialogue.goodbye, now, reason="idle")

    # --- life ---

    def recover(self, now: float) -> None:
        """Go on where a previous session ended: the device must leave *speaking*."""
        self._hello_by = None if self.state.hello else self._hello_by
        if self.state.mcp:
            self._send(outbound.mcp(self.state.session_id, self.mcp.start()))
        phase = self.state.phase
        if phase == "hearing" and self.state.mode == "manual":
            self._lost_speech = True
            self._arm()
        elif phase in ("hearing", "thinking", "speaking"):
            self._apologise(now)
        elif phase == "listening":
            self._arm()

    def drain(self, now: float, deadline_s: float) -> None:
        """Finish the turn, then close; at the deadline close all the same."""
        self._draining = True
        self._drain_by = now + deadline_s
        self.settle(now)

    def end(self, now: float, reason: str) -> None:
        """Close now (another connection of the same device replaces this one)."""
        self._drop_turn(now, reason)
        self._close(1000, reason)

    def gone(self, now: float) -> None:
        """The device is gone: work for it stops."""
        self._drop_turn(now, "connection lost")
        self._closing = True

    def settle(self, now: float) -> None:
        """Draw the consequences of a turn that ended; call it after every event."""
        turn = self.turn
        if turn is not None and turn.stage is Stage.ENDED:
            self._ended(turn, now)
        elif turn is not None and turn.stage is not Stage.HEARING and self._armed:
            self._disarm()  # its recogniser was lost: what follows is not heard
        if self._draining and self.turn is None and not self._closing:
            self._close(1001, "server stops")
        self._note_phase()

    def _ended(self, turn: Turn, now: float) -> None:
        self.turn = None
        self._active_at = now
        self._remember(turn)
        if turn.close_after and turn.outcome != "interrupted":
            self._close(1000, "goodbye")
        elif not self._closing and (
            self.state.mode == "realtime" or (turn.outcome == "void" and self.state.mode == "auto")
        ):
            # Firmware in realtime mode sends no new `listen start` (protocol 2.4);
            # after a noise in auto mode the device has never stopped listening.
            self._arm()

    def _remember(self, turn: Turn) -> None:
        said = turn.said()
        if turn.heard and said and turn.outcome in ("answered", "interrupted"):
            self.state.dialogue += [["user", turn.heard], ["assistant", said]]
            most = 2 * self.settings.dialogue.history_turns
            self.state.dialogue = self.state.dialogue[-most:] if most else []

    def _new_turn(self, now: float) -> Turn:
        self.state.turn += 1
        carried, self._carried = self._carried, ""
        setting = Setting(
            self.settings,
            self.state.device_id,
            self.state.mode == "manual",
            tuple((role, text) for role, text in self.state.dialogue),
            self.phrases,
            carried,
        )
        self.turn = Turn(TurnId(self.state.session_id, self.state.turn), setting, self.out, now)
        return self.turn

    def _drop_turn(self, now: float, reason: str) -> None:
        if self.turn is not None:
            self.turn.interrupt(now, reason)
            self._remember(self.turn)
            self.turn = None

    def _note_phase(self) -> None:
        turn = self.turn
        if turn is None:
            phase = "listening" if self._armed else "idle"
        else:
            phase = {Stage.HEARING: "hearing", Stage.RECOGNISING: "thinking"}.get(
                turn.stage, "speaking"
            )
        self.state.phase = phase
        self.state.listening = self._armed

    def _close(self, code: int, reason: str) -> None:
        self._closing = True
        self.out.append(CloseConnection(code, reason))

    def _send(self, text: str) -> None:
        self.out.append(SendText(text))

    def _note(self, level: str, event: str, **members: Any) -> None:
        self.out.append(Note(level, event, members))


def _bare(text: str) -> str:
    """For comparing phrases: letters and digits only, lower case."""
    return "".join(char for char in text.lower() if char.isalnum())


__all__ = ["MODES", "Conversation", "TurnEnded"]
