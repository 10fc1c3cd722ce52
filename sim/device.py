"""A simulated xiaozhi device: real sockets, real Opus, the firmware's rules.

    device = SimulatedDevice(profile)
    await device.connect()
    result = await device.turn(spoken("你好"))
    await device.close()

It talks at the pace of real time, hears only what a real one would hear (the audio
model is `actors.wire.playback.DevicePlayback`), and records every event with the
instant of the loop's monotonic clock. Many can share one process: a device is two
tasks and two timers, and the speech it sends was encoded once for all.

One coroutine drives a device. `abort`, and `speak` in realtime mode, may be called
from another one during a turn (interruption, barge-in).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sim import dialect
from sim.encoded import EncodedSpeech
from sim.link import DeviceError, Link, NoHello, Stuck
from sim.profile import DeviceProfile
from sim.reflexes import Reflexes
from sim.result import TurnResult, finished
from sim.timeline import Event
from sim.tools import DeviceTools

#: Encoded microphone frames that still leave after the talk key was released (section 2.3).
LATE_PACKETS = 1
#: No turn is waited for longer than this, however lively the server is.
LONGEST_TURN_S = 300.0
#: The device's own reactions (opening its microphone) come within this.
_OWN_TIMEOUT_S = 5.0


class SimulatedDevice:
    """One device. `on_event` is called with each event as it happens.

    Fails with `DeviceError`; from `connect` it is `Unreachable`, `Refused` or `NoHello`,
    from a turn it may be `Stuck`.
    """

    def __init__(
        self,
        profile: DeviceProfile,
        on_event: Callable[[Event], None] | None = None,
        tools: DeviceTools | None = None,
    ) -> None:
        self.profile = profile
        self.tools = tools or DeviceTools()
        self._body = Reflexes(profile, self.tools, on_event)
        self._loop = asyncio.get_running_loop()

    # --- what can be seen from outside ---------------------------------------

    @property
    def state(self) -> str:
        """The firmware's state: idle, connecting, listening or speaking."""
        return self._body.state

    @property
    def hello(self) -> dialect.ServerHello:
        return self._body.hello

    @property
    def connected(self) -> bool:
        return self._body.link is not None

    @property
    def microphone_open(self) -> bool:
        return self._body.microphone.is_open

    @property
    def worst_lag_s(self) -> float:
        """The longest that a packet was sent after its time: the simulator's own error."""
        return self._body.microphone.worst_lag_s

    @property
    def events(self) -> Sequence[Event]:
        """Events since the last turn began."""
        return self._body.recording.events

    # --- whole turns ---------------------------------------------------------

    async def connect(self) -> dialect.ServerHello:
        """Open the channel: handshake, hello, server hello. Raises `DeviceError`.

        The device then waits in *connecting* for `listen`, `wake` or a turn.
        """
        body, profile = self._body, self.profile
        if self.connected:
            raise DeviceError("this device is connected already; close it first")
        body.connecting()
        try:
            body.link = await Link.open(
                profile.address(), profile.headers(), body, body.note, profile.roughness
            )
            hello = dialect.client_hello(
                profile.version,
                profile.frame_ms,
                mcp=profile.has_mcp,
                aec=profile.server_aec,
                glyphs=profile.has_glyphs,
            )
            body.say(hello)
            await asyncio.wait_for(body.hello_came, profile.hello_timeout_s)
        except TimeoutError:
            await self.close()
            raise NoHello(
                f"no server hello within {profile.hello_timeout_s:g} s; a device gives up then"
            ) from None
        except (DeviceError, asyncio.CancelledError):
            await self.close()
            raise
        if not profile.has_mcp:
            body.say(dialect.iot_descriptor(body.hello.session_id))
        return body.hello

    async def turn(
        self,
        speech: EncodedSpeech,
        *,
        timeout_s: float = 15.0,
        abort_after_ms: float | None = None,
        expected: str = "",
        linger_ms: float = 0.0,
    ) -> TurnResult:
        """Speak, hear the answer to its end, and judge the turn.

        `timeout_s` bounds every silence of the server. `abort_after_ms` interrupts by
        button so long after tts start. `linger_ms` waits on after the end for what should
        not come any more. Raises `DeviceError` when the device cannot listen at all.
        """
        self._body.new_recording()
        await self._ready(timeout_s)
        complete = await self.speak(speech)
        if complete and self.profile.mode == "manual":
            self.stop_listening()
        return await self.finish_turn(
            speech.text,
            timeout_s=timeout_s,
            abort_after_ms=abort_after_ms,
            expected=expected,
            linger_ms=linger_ms,
        )

    async def typed_turn(
        self,
        text: str,
        *,
        timeout_s: float = 15.0,
        abort_after_ms: float | None = None,
        expected: str = "",
        linger_ms: float = 0.0,
    ) -> TurnResult:
        """As `turn`, with typed text (listen/detect, as SDKs and browsers send it)."""
        self._body.new_recording()
        if not self.connected:
            raise DeviceError("the device is not connected")
        self.type_text(text)
        return await self.finish_turn(
            text,
            timeout_s=timeout_s,
            abort_after_ms=abort_after_ms,
            expected=expected,
            linger_ms=linger_ms,
        )

    async def wake(
        self,
        word: str,
        burst: EncodedSpeech | None = None,
        *,
        greeting_within_s: float = 1.5,
        timeout_s: float = 15.0,
    ) -> TurnResult | None:
        """Wake word: its audio in a burst, detect, listen start; then the greeting, if any.

        Connects first when needed. None when no greeting began in time.
        """
        body = self._body
        if not self.connected:
            await self.connect()
        body.new_recording()
        if burst is not None and body.link is not None:
            body.link.send_burst([body.framed(packet) for packet in burst.packets])
        body.say(dialect.detect(self.hello.session_id, word), "detect")
        body.to_listening()
        if not await body.until(self._answering, greeting_within_s):
            return None
        return await self.finish_turn(word, timeout_s=timeout_s)

    async def close(self) -> None:
        """Drop the connection as firmware does, without a Close frame. Safe to repeat."""
        link, self._body.link = self._body.link, None
        if link is not None:
            await link.close()
        self._body.to_idle()
        self._body.rest()

    # --- single actions ------------------------------------------------------

    async def listen(self) -> None:
        """Press the button or talk key: to *listening*, listen start, microphone on."""
        if not self.microphone_open:
            self._body.to_listening()
        if not await self._body.until(lambda: self.microphone_open, _OWN_TIMEOUT_S):
            raise DeviceError(f"the device does not get to listen; it is {self.state}")

    async def speak(self, speech: EncodedSpeech) -> bool:
        """Speak into the open microphone; False when it was closed before the end."""
        return await self._body.microphone.speak(speech)

    def stop_listening(self) -> None:
        """Release the talk key (manual mode): listen stop, a last late packet, *idle*."""
        self._body.say(dialect.listen_stop(self.hello.session_id), "listen_stop")
        for packet in self._body.microphone.late_packets(LATE_PACKETS):
            self._body.send_audio(packet)
        self._body.talk_key_released()

    def type_text(self, text: str) -> None:
        """Send text instead of speech."""
        if self.state == "connecting":  # clients that type have no such state
            self._body.to_idle()
        self._body.say(dialect.detect(self.hello.session_id, text), "typed")

    def abort(self, *, by_wake_word: bool = False) -> None:
        """Interrupt (protocol section 2.5): by button the device stays in *speaking* until
        tts stop comes; by wake word it goes to *listening* at once."""
        reason = "wake_word_detected" if by_wake_word else ""
        self._body.say(dialect.abort(self.hello.session_id, reason), "abort")
        if by_wake_word:
            self._body.to_listening()

    async def finish_turn(
        self,
        said: str,
        *,
        timeout_s: float = 15.0,
        abort_after_ms: float | None = None,
        expected: str = "",
        linger_ms: float = 0.0,
    ) -> TurnResult:
        """Wait until the running turn is over or the server silent; judge it."""
        body, began = self._body, self._loop.time()
        body.last_sign_at = max(body.last_sign_at, began)
        interruption = None
        if abort_after_ms is not None and await body.until(self._answering, timeout_s):
            delay_s = abort_after_ms / 1000
            interruption = self._loop.call_later(delay_s, self._abort_if_speaking)
        over = False
        while not over and (left_s := self._patience_s(began, timeout_s)) > 0:
            over = await body.until(self._turn_over, left_s)
        if interruption is not None:
            interruption.cancel()
        if over and linger_ms:
            await asyncio.sleep(linger_ms / 1000)
        trace = body.recording.trace(self.hello.frame_ms)
        return finished(said, trace, self.hello.rate_hz, timed_out=not over, expected=expected)

    # --- the end of a turn ---------------------------------------------------

    async def _ready(self, timeout_s: float) -> None:
        """Get the microphone open; audio of the answer before may still have to play."""
        if not self.connected:
            raise DeviceError("the device is not connected")
        if self.state == "speaking":
            await self._silent(timeout_s)
        if self.state == "listening":
            await self._body.until(
                lambda: self.microphone_open or self.state != "listening", timeout_s
            )
        if not self.connected:
            raise DeviceError("the connection was closed while the device waited to speak")
        await self.listen()

    async def _silent(self, timeout_s: float) -> None:
        """What is being said belongs to an earlier turn, and so does the record of its end."""
        body, began = self._body, self._loop.time()
        body.last_sign_at = max(body.last_sign_at, began)
        while self.state == "speaking" and (left_s := self._patience_s(began, timeout_s)) > 0:
            await body.until(lambda: self.state != "speaking", left_s)
        if self.state == "speaking":
            raise Stuck("the device is stuck in speaking: the server owes it a tts stop")
        body.new_recording(began)

    def _answering(self) -> bool:
        return self._body.recording.has("tts_start") or not self.connected

    def _patience_s(self, began: float, timeout_s: float) -> float:
        until = min(self._body.last_sign_at + timeout_s, began + LONGEST_TURN_S)
        return until - self._loop.time()

    def _turn_over(self) -> bool:
        body = self._body
        if not self.connected:
            return True
        recording = body.recording
        if not recording.stopped or self.state == "speaking":
            return False
        if body.silent_at > self._loop.time():
            body.wake_waiters_at(body.silent_at)
            return False
        if not recording.has("heard") and recording.frames:
            body.note("heard", body.silent_at)
        return True

    def _abort_if_speaking(self) -> None:
        if self.connected and self.state == "speaking":
            self.abort()
