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
import functools
import heapq
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actors.audio.opus import Encoder
from actors.messages import (
    Busy,
    Cancel,
    ClauseReady,
    FramesReady,
    Generate,
    Generated,
    Lease,
    Leased,
    LeaseLost,
    Partial,
    Recognise,
    Recognised,
    Release,
    SpeechChunk,
    SpeechEnded,
    Synthesise,
    TurnRecord,
    WorkFailed,
)
from actors.session.checkpoint import SessionState
from actors.session.conversation import Conversation
from actors.session.effects import (
    CloseConnection,
    Note,
    SendFrame,
    SendText,
    ToRouter,
    ToWorker,
    TurnEnded,
)
from actors.wire.frames import encode_frame
from cfg.model import Settings

FRAME_S = 0.06

#: A first byte that says: one Opus frame of 60 ms.
OPUS_60_MS = bytes([11 << 3])

#: So often may `time` be called at one instant: more is a busy loop.
MAX_WAKES_AT_ONCE = 30


@functools.cache
def packets(loud: bool) -> tuple[bytes, ...]:
    """Some seconds of microphone: noise that the test model takes for speech, or a quiet room."""
    encoder = Encoder(16000, 60)
    random = np.random.default_rng(7)
    level = 5000 if loud else 8
    return tuple(
        encoder.encode((random.standard_normal(960) * level).clip(-30000, 30000).astype(np.int16))
        for _ in range(50)
    )


def packet(text: str) -> bytes:
    """Audio that can be told apart: what it belongs to is written in it."""
    return OPUS_60_MS + text.encode()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker does with its lease.

    ok; silent, fails, refuses (not retryable), dies: after so many results;
    busy: the router has no slot; mute: the router does not answer.
    """

    name: str = "ok"
    after: int = 0


OK, BUSY, MUTE = Plan(), Plan("busy"), Plan("mute")


@dataclass(slots=True)
class Script:
    """What the workers say, and how they behave: one plan a lease, then `otherwise`."""

    text: str = "现在几点"
    clauses: tuple[str, ...] = ("现在是三点，", "下午好。")
    frames: int = 8
    asr: list[Plan] = field(default_factory=list)
    llm: list[Plan] = field(default_factory=list)
    tts: list[Plan] = field(default_factory=list)
    otherwise: dict[str, Plan] = field(default_factory=dict)
    asr_s: float = 0.02
    llm_s: float = 0.03
    tts_s: float = 0.02
    engines: int = 2

    def plan(self, kind: str) -> Plan:
        plans: list[Plan] = getattr(self, kind)
        return plans.pop(0) if plans else self.otherwise.get(kind, OK)


@dataclass(slots=True)
class Job:
    """One lease at its worker."""

    lease: Lease
    plan: Plan
    engine: str
    pcm: bytearray = field(default_factory=bytearray)
    sequences: list[int] = field(default_factory=list)
    ended: bool = False
    stopped: bool = False
    results: int = 0


class Wire:
    """What reached the device, and the rules that hold on every wire."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, str, Any]] = []
        self.speaking = False
        self.starts = self.stops = 0
        self.closed: CloseConnection | None = None
        #: The session before this one may have said so already.
        self.was_speaking = False

    def text(self, now: float, text: str) -> None:
        assert self.closed is None, f"sent after the close: {text}"
        message = json.loads(text)
        kind = message["type"]
        if kind == "tts":
            kind = f"tts {message['state']}"
        if kind == "tts start":
            assert not self.speaking or self.was_speaking, "a second tts start"
            self.speaking, self.was_speaking = True, False
            self.starts += 1
        elif kind == "tts stop":
            self.speaking = self.was_speaking = False
            self.stops += 1
        elif kind in ("tts sentence_start", "llm"):
            assert self.speaking, f"{kind} outside of speaking"
        self.sent.append((now, kind, message))

    def frame(self, now: float, frame: SendFrame) -> None:
        assert self.closed is None, "a frame after the close"
        assert self.speaking, "a frame outside of speaking"
        self.sent.append((now, "frame", frame))


class World:
    """See the module."""

    def __init__(
        self,
        settings: Settings | None = None,
        script: Script | None = None,
        state: SessionState | None = None,
        phrases: Mapping[str, tuple[bytes, ...]] | None = None,
        now: float = 1000.0,
        wall_s: float = 0.0,
    ) -> None:
        self.now = now
        self.settings = settings or Settings()
        self.script = script or Script()
        self.state = state or SessionState(device_id="02:00:00:00:00:01", session_id="s1")
        self.conversation = Conversation(
            self.settings, self.state, phrases or {}, now, wall_s=wall_s
        )
        self.wire = Wire()
        self.records: list[TurnRecord] = []
        self.notes: list[Note] = []
        self.leases: dict[tuple[Any, str, int], str] = {}
        self.jobs: dict[tuple[Any, int], Job] = {}
        self.all_jobs: list[Job] = []
        self.delivered: list[Any] = []
        self.generates: list[Generate] = []
        self.synthesised: list[Synthesise] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._lease_count = itertools.count()
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
            self.conversation.phrases,
            self.now,
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
            self._router(effect.message)
        elif isinstance(effect, ToWorker):
            self._worker(effect.message)
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

    # --- the router ---

    def _router(self, message: Lease | Release) -> None:
        key = (message.turn, message.kind, message.request)
        if isinstance(message, Release):
            assert self.leases[key] in ("asked", "held"), f"{key} was {self.leases[key]} already"
            self.leases[key] = "released"
            return
        assert key not in self.leases, "a request number was used twice"
        running = [k for k, status in self.leases.items() if status in ("asked", "held")]
        assert (message.turn, message.kind) not in [(k[0], k[1]) for k in running], "two leases"
        self.leases[key] = "asked"
        plan = self.script.plan(message.kind)
        if plan.name == "busy":
            self.at(0.001, lambda: self._busy(key, message))
        elif plan.name != "mute":
            self.at(0.001, lambda: self._leased(key, message, plan))

    def _busy(self, key: tuple[Any, str, int], lease: Lease) -> None:
        if self.leases[key] == "asked":
            self.leases[key] = "busy"
        self.deliver(Busy(lease.kind, lease.request, lease.turn, "full"))

    def _leased(self, key: tuple[Any, str, int], lease: Lease, plan: Plan) -> None:
        if self.leases[key] == "asked":
            self.leases[key] = "held"
        engines = [f"{lease.kind}{n}" for n in range(self.script.engines)]
        wished = [engine for engine in engines if engine not in lease.avoid] or engines
        engine = lease.prefer if lease.prefer in wished else wished[0]
        job = Job(lease, plan, engine)
        self.jobs[lease.turn, lease.request] = job
        self.all_jobs.append(job)
        name = f"worker-{next(self._lease_count)}"
        self.deliver(Leased(lease.kind, lease.request, lease.turn, name, engine, lease.request))

    def lose(self, job: Job) -> None:
        """The worker of this job dies: the router tells, and frees the lease."""
        lease = job.lease
        key = (lease.turn, lease.kind, lease.request)
        job.stopped = True
        if self.leases[key] == "held":
            self.leases[key] = "lost"
            self.deliver(LeaseLost(lease.kind, lease.request, lease.turn, "worker", "killed"))

    # --- the workers ---

    def _worker(self, message: Any) -> None:
        job = self.jobs[message.turn, message.job]
        key = (job.lease.turn, job.lease.kind, job.lease.request)
        if isinstance(message, Cancel):
            job.stopped = True
            return
        assert self.leases[key] in ("held", "lost"), "work without a lease"
        if isinstance(message, SpeechChunk):
            assert not job.ended
            job.sequences.append(message.sequence)
            assert job.sequences == list(range(len(job.sequences)))
            job.pcm += message.pcm
            self._result(job, 0.001, Partial(message.turn, message.job, self.script.text))
        elif isinstance(message, SpeechEnded):
            job.ended = True
            self._result(
                job, self.script.asr_s, Recognised(message.turn, message.job, self.script.text)
            )
        elif isinstance(message, Generate):
            self.generates.append(message)
            self._generate(job, message)
        elif isinstance(message, Synthesise):
            self.synthesised.append(message)
            self._synthesise(job, message)
        else:
            assert isinstance(message, Recognise)
            self._trouble(job, 0.001)

    def _generate(self, job: Job, message: Generate) -> None:
        clauses = self.script.clauses[len(message.spoken) :]
        delay_s = self.script.llm_s
        for index, clause in enumerate(clauses):
            ready = ClauseReady(message.turn, message.job, index, clause, "happy")
            self._result(job, delay_s, ready)
            delay_s += self.script.llm_s
        self._result(job, delay_s, Generated(message.turn, message.job, len(clauses), 1.0))

    def _synthesise(self, job: Job, message: Synthesise) -> None:
        frames = [packet(f"{message.text}|{n}") for n in range(self.script.frames)]
        pieces = [tuple(frames[at : at + 3]) for at in range(0, len(frames), 3)] or [()]
        delay_s = self.script.tts_s
        for number, piece in enumerate(pieces, 1):
            last = number == len(pieces)
            ready = FramesReady(message.turn, message.job, message.clause, piece, last)
            self._result(job, delay_s, ready)
            delay_s += self.script.tts_s

    def _result(self, job: Job, delay_s: float, message: Any) -> None:
        def give() -> None:
            if job.stopped:
                return
            if job.plan.name != "ok" and job.results >= job.plan.after:
                self._trouble(job, 0.0)
                return
            job.results += 1
            self.deliver(message)

        self.at(delay_s, give)

    def _trouble(self, job: Job, delay_s: float) -> None:
        """The worker does what its plan says when it is time for that."""
        if job.plan.name in ("ok", "silent") or job.results < job.plan.after:
            return

        def act() -> None:
            if job.stopped:
                return
            job.stopped = True
            lease = job.lease
            if job.plan.name == "dies":
                job.stopped = False
                self.lose(job)
            else:
                retryable = job.plan.name == "fails"
                self.deliver(WorkFailed(lease.turn, lease.request, "scripted", retryable))

        self.at(delay_s, act)

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
