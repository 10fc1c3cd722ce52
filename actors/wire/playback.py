"""What a device does with the audio it is sent: a model of the firmware, on a given clock.

Promises: the same state rules, queue lengths and losses as the firmware generations
in the field (main/application.cc, main/audio/audio_service.cc at their tags), as
facts in order of time. Simulated devices and tests of pacing are built on it. Times
are milliseconds of any clock that does not run backwards.

The caller reports what happens (`connect`, `listen`, `tts_start`, `audio`, …) and
calls `advance`, which returns every `PlaybackEvent` up to then; `next_event_ms` says
when the next one is due.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from actors.wire.firmware import GENERATIONS, Firmware
from actors.wire.inbound import Mode
from actors.wire.packet import packet_ms

__all__ = [
    "GENERATIONS",
    "DevicePlayback",
    "Firmware",
    "ListenDue",
    "Lost",
    "PlaybackEvent",
    "Played",
    "Reason",
    "State",
    "StateChanged",
    "Tally",
]

State: TypeAlias = Literal["idle", "connecting", "listening", "speaking"]

#: Why a packet was never heard.
Reason: TypeAlias = Literal["not speaking", "queue full", "cleared", "undecodable"]


@dataclass(frozen=True, slots=True)
class Played:
    """A packet began to sound at `at_ms`; `gap_ms` of unwanted silence came before it."""

    at_ms: float
    packet: bytes
    duration_ms: float
    gap_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Lost:
    at_ms: float
    packet: bytes
    reason: Reason


@dataclass(frozen=True, slots=True)
class StateChanged:
    at_ms: float
    state: State


@dataclass(frozen=True, slots=True)
class ListenDue:
    """The device sends listen start now; its microphone opens within about 120 ms."""

    at_ms: float
    mode: Mode


PlaybackEvent: TypeAlias = Played | Lost | StateChanged | ListenDue


@dataclass(slots=True)
class Tally:
    """What became of the audio so far."""

    played: int = 0
    gaps: int = 0
    gap_ms: float = 0.0
    lost: dict[Reason, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Command:
    """Something for the firmware's main task, which takes them in order."""

    due_ms: float
    name: Literal["tts start", "tts stop", "listen"]
    mode: Mode = "auto"


class DevicePlayback:
    """One device's audio output and the part of its state machine that governs it.

    `frame_ms` is what the server hello announced: a longer packet cannot be decoded.
    `main_task_ms` is how long after its arrival a tts message takes effect; audio that
    overtakes it meets the old state, as on a real device.
    """

    def __init__(
        self,
        firmware: Firmware = GENERATIONS["2.4"],
        *,
        frame_ms: int = 60,
        main_task_ms: float = 5.0,
    ) -> None:
        self.firmware = firmware
        self.frame_ms = frame_ms
        self.state: State = "idle"
        self.mode: Mode = "auto"
        self.tally = Tally()
        self._main_task_ms = main_task_ms
        self._now_ms = float("-inf")
        self._busy_until_ms = float("-inf")
        self._waiting: deque[tuple[float, bytes, float]] = deque()
        self._commands: deque[_Command] = deque()
        self._listen_pending = False
        self._microphone_open = False
        self._heard_since_start = False
        self._events: list[PlaybackEvent] = []

    @property
    def waiting_packets(self) -> int:
        """Packets accepted and not yet begun."""
        return len(self._waiting)

    @property
    def silent_at_ms(self) -> float:
        """When all that is queued now will have been heard; in the past if nothing plays."""
        end_ms = self._busy_until_ms
        for arrived_ms, _packet, duration_ms in self._waiting:
            end_ms = max(end_ms, arrived_ms) + duration_ms
        return end_ms

    # --- what happens to the device -----------------------------------------

    def connect(self, now_ms: float) -> None:
        """Wake word or button in *idle*: the device opens its socket."""
        self._run(now_ms)
        if self.state == "idle":
            self._enter("connecting")

    def listen(self, mode: Mode, now_ms: float) -> None:
        """The server's hello came, or the user wakes the device; from any state.

        While connecting the firmware's main task is blocked, so tts messages that
        came meanwhile act after this.
        """
        self._run(now_ms)
        command = _Command(self._now_ms, "listen", mode)
        if self.state == "connecting":
            self._obey(command)
        else:
            self._commands.append(self._after_last(command))
        self._run(now_ms)

    def release(self, now_ms: float) -> None:
        """Push-to-talk button up: the caller sends listen stop, the device goes to *idle*."""
        self._run(now_ms)
        if self.state == "listening":
            self._listen_pending = False
            self._enter("idle")

    def close(self, now_ms: float) -> None:
        """The socket is gone: *idle* at once; audio already queued plays out."""
        self._run(now_ms)
        self._commands.clear()
        self._listen_pending = False
        if self.state != "idle":
            self._enter("idle")

    # --- what the server sends ----------------------------------------------

    def tts_start(self, now_ms: float) -> None:
        self._run(now_ms)
        self._commands.append(
            self._after_last(_Command(self._now_ms + self._main_task_ms, "tts start"))
        )

    def tts_stop(self, now_ms: float) -> None:
        self._run(now_ms)
        self._commands.append(
            self._after_last(_Command(self._now_ms + self._main_task_ms, "tts stop"))
        )

    def audio(self, packet: bytes, now_ms: float) -> None:
        """One Opus packet came. Zero bytes are no audio."""
        self._run(now_ms)
        if not packet:
            return
        duration_ms = packet_ms(packet)
        capacity = self.firmware.queue_packets + self.firmware.pcm_packets
        if self.state != "speaking" and not self.firmware.queues_in_any_state:
            self._lose(packet, "not speaking")
        elif len(self._waiting) >= capacity:
            self._lose(packet, "queue full")
        elif not 0 < duration_ms <= self.frame_ms:
            self._lose(packet, "undecodable")
        else:
            self._waiting.append((self._now_ms, packet, duration_ms))
            self._run(now_ms)

    # --- time ---------------------------------------------------------------

    def advance(self, now_ms: float) -> list[PlaybackEvent]:
        """Let time pass; return what happened since the last call, oldest first."""
        self._run(now_ms)
        events, self._events = self._events, []
        return events

    def next_event_ms(self) -> float | None:
        """When something happens by itself next; None when only the caller can cause it."""
        due_ms = [due for due, _act in self._due()]
        return min(due_ms) if due_ms else None

    def _run(self, now_ms: float) -> None:
        limit_ms = max(now_ms, self._now_ms)
        while due := self._due():
            due_ms, act = min(due, key=lambda each: each[0])
            if due_ms > limit_ms:
                break
            self._now_ms = max(self._now_ms, due_ms)
            if act == "play":
                self._play()
            elif act == "drained":
                self._open_microphone()
            else:
                self._obey(self._commands.popleft())
        self._now_ms = limit_ms

    def _due(self) -> list[tuple[float, str]]:
        due: list[tuple[float, str]] = []
        if self._waiting:
            due.append((max(self._busy_until_ms, self._waiting[0][0]), "play"))
        elif self._listen_pending:
            due.append((max(self._busy_until_ms, self._now_ms), "drained"))
        blocked = self._listen_pending and self.firmware.blocks_while_waiting
        if self._commands and self.state != "connecting" and not blocked:
            due.append((max(self._commands[0].due_ms, self._now_ms), "command"))
        return due

    def _play(self) -> None:
        _arrived_ms, packet, duration_ms = self._waiting.popleft()
        gap_ms = 0.0
        if self.state == "speaking" and self._heard_since_start:
            gap_ms = max(0.0, self._now_ms - self._busy_until_ms)
        self._heard_since_start = True
        self._busy_until_ms = self._now_ms + duration_ms
        self.tally.played += 1
        if gap_ms > 0:
            self.tally.gaps += 1
            self.tally.gap_ms += gap_ms
        self._events.append(Played(self._now_ms, packet, duration_ms, gap_ms))

    # --- the main task ------------------------------------------------------

    def _after_last(self, command: _Command) -> _Command:
        if self._commands and self._commands[-1].due_ms > command.due_ms:
            return _Command(self._commands[-1].due_ms, command.name, command.mode)
        return command

    def _obey(self, command: _Command) -> None:
        if command.name == "listen":
            self._woken(command.mode)
        elif command.name == "tts start" and self.state != "speaking":
            self._listen_pending = False
            self._clear()
            self._heard_since_start = False
            self._enter("speaking")
        elif command.name == "tts stop" and self.state == "speaking":
            if self.mode == "manual":
                self._enter("idle")
                return
            self._enter("listening")
            # In realtime mode the microphone never closed, so nothing is announced.
            if not self._microphone_open:
                self._prepare_microphone()

    def _woken(self, mode: Mode) -> None:
        self.mode = mode
        if self.state == "listening":
            self._clear()
        else:
            self._enter("listening")
        if self._microphone_open:
            self._events.append(ListenDue(self._now_ms, mode))
        else:
            self._prepare_microphone()

    def _prepare_microphone(self) -> None:
        if self.firmware.waits_until_played and self.mode == "auto":
            self._listen_pending = True
        else:
            self._open_microphone()

    def _open_microphone(self) -> None:
        self._listen_pending = False
        self._microphone_open = True
        self._events.append(ListenDue(self._now_ms, self.mode))
        if self.firmware.microphone_clears:
            self._clear()

    def _enter(self, state: State) -> None:
        self.state = state
        if state == "idle" or (state == "speaking" and self.mode != "realtime"):
            self._microphone_open = False
        self._events.append(StateChanged(self._now_ms, state))

    def _clear(self) -> None:
        while self._waiting:
            self._lose(self._waiting.popleft()[1], "cleared")

    def _lose(self, packet: bytes, reason: Reason) -> None:
        self.tally.lost[reason] = self.tally.lost.get(reason, 0) + 1
        self._events.append(Lost(self._now_ms, packet, reason))
