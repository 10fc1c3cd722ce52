"""How a device reacts by itself: the firmware's rules between socket, sound and microphone.

`Reflexes` joins the link, the playback model and the microphone, and records what
happens. What a *user* does with the device is `sim.device`. All of it runs in
callbacks of the event loop; nothing here waits, except `until`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from actors.wire.frames import FrameError, decode_frame, encode_frame
from actors.wire.playback import DevicePlayback, ListenDue, Lost, Played, StateChanged
from sim import dialect
from sim.link import Link, NoHello
from sim.microphone import Microphone
from sim.profile import DeviceProfile
from sim.recording import ArrivedFrame, Pending, Recording
from sim.timeline import Event, EventKind
from sim.tools import DeviceTools

#: Timestamps of played frames kept for echoing (protocol section 3, server AEC).
_ECHOED_TIMESTAMPS = 3
_SHOWN_CHARS = 200


class Reflexes:
    """One device without its user. Implements `sim.link.Receiver`."""

    def __init__(
        self,
        profile: DeviceProfile,
        tools: DeviceTools,
        on_event: Callable[[Event], None] | None,
    ) -> None:
        self.profile = profile
        self.tools = tools
        self.hello = dialect.ServerHello("", 0, 0)
        self.link: Link | None = None
        self.recording = Recording(on_event)
        #: When the server last sent something that belongs to a turn; loop time.
        self.last_sign_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._on_event = on_event
        self.hello_came: asyncio.Future[dialect.ServerHello] = self._loop.create_future()
        self._playback = DevicePlayback(profile.firmware, main_task_ms=profile.main_task_ms)
        self.microphone = Microphone(
            profile.frame_ms, profile.ambient_dbfs, self.send_audio, self.note
        )
        self._pending = Pending()
        self._echo: deque[int] = deque(maxlen=_ECHOED_TIMESTAMPS)
        self._timer: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()

    @property
    def state(self) -> str:
        return self._playback.state

    @property
    def silent_at(self) -> float:
        """Loop time at which all audio that came so far has been heard."""
        return self._playback.silent_at_ms / 1000

    async def until(self, holds: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for a condition that changes with state or messages; False on time-out."""
        try:
            async with asyncio.timeout(timeout_s):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return holds()
        return True

    def wake_waiters_at(self, at: float) -> None:
        self._loop.call_at(at, self._changed.set)

    def new_recording(self, at: float | None = None) -> None:
        """What happens from now on belongs to another turn, which the user began at `at`."""
        self.recording = Recording(self._on_event)
        self.note("turn", self._loop.time() if at is None else at)

    def note(self, kind: EventKind, at: float, text: str = "") -> None:
        self.recording.note(kind, at, text)

    # --- what the user causes ------------------------------------------------

    def connecting(self) -> None:
        self.hello_came = self._loop.create_future()
        self._playback.connect(self._now_ms())

    def to_listening(self) -> None:
        """Wake word, button or talk key: leads to listen start, at once or after playback."""
        self._playback.listen(self.profile.mode, self._now_ms())
        self._run()

    def talk_key_released(self) -> None:
        self.microphone.close()
        self._playback.release(self._now_ms())
        self._run()

    def to_idle(self) -> None:
        """Everything stops; audio already queued plays out."""
        self.microphone.close()
        self._playback.close(self._now_ms())
        self._run()
        self._changed.set()

    def rest(self) -> None:
        """Stop the timer: the device is put away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- what is sent --------------------------------------------------------

    def say(self, text: str, mark: EventKind | None = None) -> None:
        if self.link is not None:
            self.link.send_text(text, mark)

    def send_audio(self, packet: bytes, mark: EventKind | None = None) -> None:
        if self.link is not None:
            self.link.send_audio(self.framed(packet), mark)

    def framed(self, packet: bytes) -> bytes:
        timestamp_ms = self._echo.popleft() if self._echo else 0
        return encode_frame(self.profile.version, packet, timestamp_ms)

    # --- what arrives --------------------------------------------------------

    def text_came(self, text: str, at: float) -> None:
        message = dialect.read(text)
        if message.type == "hello":
            self._hello(message)
            return
        if message.session_id not in (None, "", self.hello.session_id):
            self.note("foreign", at, text[:_SHOWN_CHARS])
        if message.type == "mcp":
            self._mcp(message, at)
            return
        self.last_sign_at = at
        if message.type == "tts":
            self._tts(message, at)
        elif message.type == "stt":
            self.note("stt", at, message.text)
        elif message.type == "llm":
            self.note("emotion", at, message.emotion)
        else:
            self.note("other", at, text[:_SHOWN_CHARS])
        self._changed.set()

    def audio_came(self, data: bytes, at: float) -> None:
        self.last_sign_at = at
        try:
            content = decode_frame(self.profile.version, data)
        except FrameError as error:
            self.note("other", at, f"unreadable binary frame: {error}")
            return
        if not content.payload:
            return
        frame = ArrivedFrame(at, content.payload, content.timestamp_ms)
        self._run(at)  # what happened before this packet concerns older ones
        self.recording.arrived(frame)
        self._pending.add(frame)
        self._playback.audio(content.payload, at * 1000)
        self._run(at)

    def link_ended(self, reason: str, at: float) -> None:
        self.link = None
        self.note("closed", at, reason)
        if not self.hello_came.done():
            self.hello_came.set_exception(NoHello(f"no server hello: {reason}"))
        self.to_idle()

    def _hello(self, message: dialect.ServerText) -> None:
        try:
            self.hello = dialect.read_hello(message)
        except dialect.HelloError as error:
            if not self.hello_came.done():
                self.hello_came.set_exception(NoHello(str(error)))
            return
        self._playback.frame_ms = self.hello.frame_ms
        if not self.hello_came.done():
            self.hello_came.set_result(self.hello)

    def _tts(self, message: dialect.ServerText, at: float) -> None:
        if message.state == "start":
            self.note("tts_start", at)
            self._playback.tts_start(at * 1000)
        elif message.state == "stop":
            # Firmware ignores it unless it speaks (protocol 2.1); a session that took the
            # device over sends one to be sure, and that belongs to no answer.
            recording = self.recording
            if (
                self._playback.state == "speaking"
                or recording.has("tts_start")
                or recording.has("abort")
            ):
                self.note("tts_stop", at)
            self._playback.tts_stop(at * 1000)
        elif message.state == "sentence_start":
            self.note("sentence", at, message.text)
            return
        self._run(at)

    def _mcp(self, message: dialect.ServerText, at: float) -> None:
        payload = message.body.get("payload")
        method = payload.get("method") if isinstance(payload, dict) else None
        self.note("mcp", at, str(method or "reply"))
        answer = self.tools.answer(payload) if self.profile.has_mcp else None
        if answer is not None:
            self.say(dialect.mcp(self.hello.session_id, answer))

    # --- the playback model --------------------------------------------------

    def _run(self, at: float | None = None) -> None:
        """Let the model come up to now, obey it, and wake when it next has something."""
        for fact in self._playback.advance(self._now_ms() if at is None else at * 1000):
            if isinstance(fact, Played | Lost):
                frame = self._pending.settle(fact)
                if isinstance(fact, Played) and frame is not None and self.profile.server_aec:
                    self._echo.append(frame.timestamp_ms)
            elif isinstance(fact, StateChanged):
                self._state_changed(fact)
            elif isinstance(fact, ListenDue):
                self._listen_due()
        self.rest()
        due_ms = self._playback.next_event_ms()
        if due_ms is not None:
            self._timer = self._loop.call_at(due_ms / 1000, self._due, due_ms)

    def _due(self, due_ms: float) -> None:
        self._timer = None
        self._run(max(due_ms / 1000, self._loop.time()))

    def _state_changed(self, fact: StateChanged) -> None:
        # In realtime mode the microphone stays open while the device speaks.
        if fact.state == "idle" or (fact.state == "speaking" and self.profile.mode != "realtime"):
            self.microphone.close()
        self._changed.set()

    def _listen_due(self) -> None:
        if self.link is not None:
            text = dialect.listen_start(self.hello.session_id, self.profile.mode)
            self.say(text, "listen_start")
            self.microphone.open()
        self._changed.set()

    def _now_ms(self) -> float:
        return self._loop.time() * 1000
