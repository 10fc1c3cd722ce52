"""A whole world around one conversation, on a virtual clock that jumps: no thread, no sleep.

`World` plays the router, the workers of each kind, the engine thread that carries out
effects, and keeps the device's side of the wire. It checks all the time what must hold
whatever happens (`Wire`, `Router`), so that every test checks it too.

    world = World()
    world.hello()
    world.listen("auto")
    world.speak(1.0)              # a second of speech, then silence until told otherwise
    world.run(10)
    assert world.texts("stt") == ["现在几点"]
"""

from __future__ import annotations

import copy
import heapq
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

from actors.effects import (
    CloseConnection,
    Note,
    SendFrame,
    SendText,
    ToAnswers,
    ToRouter,
    ToSounds,
    ToWorker,
    TurnEnded,
)
from actors.messages import (
    TurnRecord,
)
from actors.session.checkpoint import HEARD_BYTES, SessionState
from actors.session.conversation import Conversation
from actors.session.ready import ReadyPhrases
from actors.session.ring import PacketRing
from actors.wire.frames import encode_frame
from cfg.model import Dialogue, Settings
from tests.session.scripted import Script, Wire, packets
from tests.session.staff import Staff

FRAME_S = 0.06

MODES = ["auto", "manual", "realtime"]

#: Where a turn can stand when something happens.
STAGES = ["idle", "listening", "hearing", "recognising", "waiting for the model", "speaking"]

#: So often may `time` be called at one instant: more is a busy loop.
MAX_WAKES_AT_ONCE = 30


class World(Staff):
    """See the module."""

    def __init__(
        self,
        settings: Settings | None = None,
        script: Script | None = None,
        state: SessionState | None = None,
        phrases: Mapping[str, tuple[bytes, ...]] | None = None,
        choices: Mapping[str, tuple[str, ...]] | None = None,
        now: float = 1000.0,
        wall_s: float = 0.0,
        memory: bytearray | None = None,
    ) -> None:
        super().__init__(script or Script())
        self.now = now
        self.settings = settings or Settings()
        self.state = state or SessionState(device_id="02:00:00:00:00:01", session_id="s1")
        self.memory = memory or bytearray(HEARD_BYTES)
        ring = PacketRing(self.memory, 0, HEARD_BYTES)
        ready = ReadyPhrases(phrases or {}, choices or {})
        self.conversation = Conversation(
            self.settings, self.state, ready, now, wall_s=wall_s, heard=ring
        )
        self.wire = Wire()
        self.records: list[TurnRecord] = []
        self.notes: list[Note] = []
        self.delivered: list[Any] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._first_turn = 1
        self._mic: str | None = None
        self._mic_then: str | None = None
        self._mic_until = 0.0
        self._mic_packets = itertools.count()
        self._mic_running = False

    # --- time ---

    def at(self, delay_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._later, (self.now + delay_s, next(self._order), act))

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        self.run_until(lambda: False, seconds)

    def run_until(self, condition: Callable[[], bool], most_s: float = 60.0) -> bool:
        """Let time pass until `condition` holds, at most so long; whether it does."""
        end, wakes, woken_at = self.now + most_s, 0, -1.0
        while not condition():
            due = float("inf")
            if not self.closed:
                due = self.conversation.deadline()
                assert due == due, "deadline is not a number"
                assert due < float("inf"), "nothing would ever wake it"
            event_at = self._later[0][0] if self._later else float("inf")
            then = min(due, event_at)
            if then > end:
                self.now = max(self.now, end)
                return condition()
            self.now = max(self.now, then)
            if event_at <= due:
                heapq.heappop(self._later)[2]()
                continue
            wakes = wakes + 1 if self.now == woken_at else 0
            woken_at = self.now
            assert wakes < MAX_WAKES_AT_ONCE, "busy loop"
            self.conversation.time(self.now)
            self.step()
        return True

    def jump(self, seconds: float) -> None:
        """The process was stopped so long: nothing happened meanwhile, then everything."""
        self.now += seconds
        if not self.closed:
            self.conversation.time(self.now)
        self.step()

    def successor(self) -> World:
        """The session is killed; the next one takes the device over, with what was saved."""
        new = World(
            self.settings,
            self.script,
            copy.deepcopy(self.state),
            self.conversation.turns.phrases.frames,
            self.conversation.turns.phrases.choices,
            self.now,
            memory=bytearray(self.memory),
        )
        new.wire.speaking = new.wire.was_speaking = self.wire.speaking
        new._first_turn = self.state.turn + 1
        new.conversation.recover(new.now)
        new.step()
        return new

    @property
    def closed(self) -> bool:
        return self.conversation.closing

    def step(self) -> None:
        """What the engine thread does after every event."""
        self.conversation.settle(self.now)
        self.conversation.saved()
        while self.conversation.out:
            effects, self.conversation.out[:] = list(self.conversation.out), []
            for effect in effects:
                self._do(effect)

    def _do(self, effect: Any) -> None:
        if isinstance(effect, SendText):
            self.wire.text(self.now, effect.text)
        elif isinstance(effect, SendFrame):
            self.wire.frame(self.now, effect)
        elif isinstance(effect, ToRouter):
            self.ask_router(effect.message)
        elif isinstance(effect, ToAnswers):
            self.ask_answers(effect.message)
        elif isinstance(effect, ToSounds):
            self.ask_sounds(effect.message)
        elif isinstance(effect, ToWorker):
            self.ask_worker(effect.message)
        elif isinstance(effect, TurnEnded):
            numbers = [record.turn.number for record in self.records]
            assert effect.record.turn.number not in numbers, "a turn ended twice"
            self.records.append(effect.record)
        elif isinstance(effect, CloseConnection):
            assert self.wire.closed is None, "closed twice"
            self.wire.closed = effect
        else:
            assert isinstance(effect, Note)
            self.notes.append(effect)

    def check_over(self) -> None:
        """What must hold when no turn runs any more."""
        assert self.conversation.turn is None
        assert not self.wire.speaking, "the device was left speaking"
        assert self.wire.stops >= self.wire.starts
        ended = sorted(record.turn.number for record in self.records)
        assert ended == list(range(self._first_turn, self.state.turn + 1))
        held = [key for key, status in self.leases.items() if status in ("asked", "held")]
        assert not held, f"leases never released: {held}"

    def deliver(self, message: Any) -> None:
        """A message of the router or a worker arrives."""
        self.delivered.append(message)
        self.conversation.answer(message, self.now)
        self.step()

    # --- the device ---

    def send(self, **message: Any) -> None:
        """One text message from the device."""
        self.conversation.text(json.dumps(message), self.now)
        self.step()

    def hello(self, **members: Any) -> None:
        self.send(type="hello", version=1, transport="websocket", **members)

    def listen(self, mode: str) -> None:
        self.send(type="listen", state="start", mode=mode)

    def stop_listening(self) -> None:
        self.send(type="listen", state="stop")

    def detect(self, text: str) -> None:
        self.send(type="listen", state="detect", text=text)

    def abort(self, **members: Any) -> None:
        self.send(type="abort", **members)

    def audio(self, opus: bytes) -> None:
        """One Opus packet from the device, framed as it was agreed."""
        self.binary(encode_frame(self.state.protocol_version, opus))

    def binary(self, data: bytes) -> None:
        self.conversation.binary(data, self.now)
        self.step()

    def speak(self, seconds: float, then: str | None = "quiet") -> None:
        """Speech from the microphone for so long, then a quiet room (None: it is closed)."""
        self._mic, self._mic_until, self._mic_then = "loud", self.now + seconds, then
        self._start_mic()

    def quiet(self) -> None:
        """The microphone is open in a quiet room."""
        self._mic, self._mic_until, self._mic_then = "quiet", float("inf"), None
        self._start_mic()

    def mute(self) -> None:
        """The microphone is closed: no packets come."""
        self._mic = None

    def _start_mic(self) -> None:
        if not self._mic_running:
            self._mic_running = True
            self.at(FRAME_S, self._mic_packet)

    def _mic_packet(self) -> None:
        if self.now >= self._mic_until - 1e-9 and self._mic == "loud":
            self._mic = self._mic_then
        if self._mic is None:
            self._mic_running = False
            return
        sound = packets(self._mic == "loud")
        self.audio(sound[next(self._mic_packets) % len(sound)])
        self.at(FRAME_S, self._mic_packet)

    def burst(self, seconds: float) -> None:
        """So much speech at once (a wake word's audio)."""
        for number in range(round(seconds / FRAME_S)):
            self.audio(packets(True)[number % 50])

    # --- looking ---

    def kinds(self) -> list[str]:
        """Kinds of what was sent, repeated frames once."""
        return [kind for kind, _ in itertools.groupby(kind for _, kind, _ in self.wire.sent)]

    def texts(self, kind: str) -> list[str]:
        return [m["text"] for _, k, m in self.wire.sent if k == kind]

    def heard_frames(self) -> list[str]:
        """What is written in the frames that were sent."""
        return [m.opus[1:].decode() for _, k, m in self.wire.sent if k == "frame"]

    def times(self, kind: str) -> list[float]:
        return [at for at, k, _ in self.wire.sent if k == kind]

    @property
    def outcomes(self) -> list[str]:
        return [record.outcome for record in self.records]

    @property
    def turn_stage(self) -> str:
        turn = self.conversation.turn
        return turn.stage.value if turn is not None else ""

    def until_stage(self, stage: str) -> None:
        assert self.run_until(lambda: self.turn_stage == stage, 20), f"never came to {stage}"

    def until_over(self, most_s: float = 60.0) -> None:
        """Until the turn that runs, or the next, has ended and no other runs."""
        before = len(self.records)

        def over() -> bool:
            return len(self.records) > before and self.conversation.turn is None

        assert self.run_until(over, most_s), "it never ended"


def talking(mode: str = "auto", speech_s: float = 1.0, **world: Any) -> World:
    """A device that has said hello and speaks."""
    made = World(**world)
    made.hello()
    made.listen(mode)
    made.speak(speech_s)
    return made


def with_dialogue(**members: object) -> Settings:
    return Settings(dialogue=Dialogue.model_validate(members))


def at_stage(stage: str, mode: str = "auto") -> World:
    """A world whose turn stands at `stage`."""
    script = Script()
    if stage == "recognising":
        script.asr_s = 2.0
    elif stage == "waiting for the model":
        script.llm_s = 3.0
    world = World(script=script)
    world.hello()
    if stage == "idle":
        return world
    world.listen(mode)
    if stage == "listening":
        world.quiet()
        world.run(0.5)
        return world
    world.speak(1)
    world.until_stage("hearing")
    if stage == "hearing":
        return world
    if mode == "manual":
        world.run(1.2)
        world.stop_listening()
    world.until_stage("recognising" if stage == "recognising" else "answering")
    world.mute()
    if stage == "speaking":
        assert world.run_until(lambda: bool(world.heard_frames()))
    return world
