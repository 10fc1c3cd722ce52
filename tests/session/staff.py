"""The router and the workers of a test: they do what the script says, on the world's clock."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from actors.messages import (
    AnswerKnown,
    AnswerUnknown,
    AskAnswer,
    Busy,
    Cancel,
    ClauseReady,
    FramesReady,
    Generate,
    Generated,
    KeepSound,
    LearnAnswer,
    Lease,
    Leased,
    LeaseLost,
    Partial,
    RecallSound,
    Recognise,
    Recognised,
    Release,
    SoundKnown,
    SoundUnknown,
    SpeechChunk,
    SpeechEnded,
    Synthesise,
    WorkFailed,
)
from tests.session.scripted import Job, Plan, Script, packet


class Staff:
    """Leases are counted: none may be asked for twice at once, or released twice."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.leases: dict[tuple[Any, str, int], str] = {}
        self.jobs: dict[tuple[Any, int], Job] = {}
        self.all_jobs: list[Job] = []
        self.generates: list[Generate] = []
        self.synthesised: list[Synthesise] = []
        self.questions: list[AskAnswer] = []
        self.looked_up: list[AskAnswer] = []
        self.said: list[AskAnswer] = []
        self.learned: list[LearnAnswer] = []
        self.recalled: list[RecallSound] = []
        self.kept: list[KeepSound] = []
        self._lease_count = itertools.count()

    def at(self, delay_s: float, act: Callable[[], None]) -> None:
        """Have this happen so much later."""
        raise NotImplementedError

    def deliver(self, message: Any) -> None:
        """A message arrives at the session."""
        raise NotImplementedError

    # --- the router ---

    def ask_router(self, message: Lease | Release) -> None:
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

    # --- the caches ---

    def ask_answers(self, message: AskAnswer | LearnAnswer) -> None:
        if isinstance(message, LearnAnswer):
            self.learned.append(message)
            return
        if message.purpose == "said":
            self.said.append(message)
            return
        ahead = message.purpose == "ahead"
        (self.looked_up if ahead else self.questions).append(message)
        if self.script.answers is None:
            return
        turn, request = message.turn, message.request
        clauses = self.script.answers.get(message.question)
        reply: Any = AnswerUnknown(turn, request, "unknown", learnable=not ahead)
        if clauses is not None:
            reply = AnswerKnown(turn, request, clauses, "happy", "exact")
        self.at(0.001, lambda: self.deliver(reply))

    def ask_sounds(self, message: RecallSound | KeepSound) -> None:
        if isinstance(message, KeepSound):
            self.kept.append(message)
            return
        self.recalled.append(message)
        if self.script.sounds is None:
            return
        frames = self.script.sounds.get(message.text)
        reply: Any = SoundUnknown(message.turn, message.request)
        if frames is not None:
            reply = SoundKnown(message.turn, message.request, "tts0", frames)
        self.at(0.001, lambda: self.deliver(reply))

    # --- the workers ---

    def ask_worker(self, message: Any) -> None:
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
            text = self.script.text if self.script.final is None else self.script.final
            self._result(job, self.script.asr_s, Recognised(message.turn, message.job, text))
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
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            ready = FramesReady(message.turn, message.job, number, message.clause, piece, last)
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
