"""Every message that travels between actors: the vocabulary of the system.

All are frozen and slotted: what travels is never changed by a receiver. Each
message of a turn carries its `turn`; a receiver drops what belongs to another
turn. Past tense states a fact, imperative asks for something.

Units are in the names (`_ms`, `_hz`); PCM is signed 16-bit little endian, mono.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

#: A Thespian ActorAddress; the library ships no types.
Address = Any

#: The three kinds of pooled worker.
Kind = Literal["asr", "llm", "tts"]

#: How a lease ended, as the session that held it saw it.
Outcome = Literal["ok", "failed", "cancelled"]


class TurnId(NamedTuple):
    """One turn of one session. `number` grows by one with each turn of the session."""

    session: str
    number: int

    def __str__(self) -> str:
        return f"{self.session}#{self.number}"


# --- life cycle -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Directory:
    """Who is who at the moment; sent again whenever one of them was replaced."""

    router: Address | None = None
    acceptor: Address | None = None
    console: Address | None = None
    root: Address | None = None
    #: The answer cache and the sound cache; a session goes on without them.
    answers: Address | None = None
    sounds: Address | None = None
    #: Asked for its part of the status only.
    phrasebook: Address | None = None
    #: Name of the launcher's descriptor store (see `actors.descriptors`).
    store: str = ""
    pools: tuple[tuple[str, Address], ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """First message to every actor: what it is called and what it needs.

    `detail` is what this kind of actor needs beyond that (an engine's settings,
    a pool's kind); its type is stated in the actor's docstring.
    """

    name: str
    settings: Any
    directory: Directory = field(default_factory=Directory)
    detail: Any = None
    #: Slot of its heartbeat on its supervisor's board; -1: nobody watches.
    slot: int = -1


@dataclass(frozen=True, slots=True)
class Ready:
    """An actor can serve. Sent once to its parent, after `Start`."""

    name: str
    pid: int
    detail: Any = None


@dataclass(frozen=True, slots=True)
class StartFailed:
    """An actor cannot serve; `reason` says why and what would mend it."""

    name: str
    pid: int
    reason: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Take no new work, finish what runs, then say `Drained`."""

    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Drained:
    name: str


@dataclass(frozen=True, slots=True)
class HandlerFailed:
    """A handler raised. The text replaces the exception, which may not unpickle."""

    actor: str
    message: str
    error: str
    turn: TurnId | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """An actor's own timer, named by its purpose."""

    purpose: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask any actor how it is; it answers `Report` at once, in mid-work too."""

    request: int


@dataclass(frozen=True, slots=True)
class ActorReport:
    """One actor in the status: who, pid, state, restarts, in flight."""

    name: str
    kind: str
    pid: int
    state: str
    restarts: int = 0
    in_flight: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """Answer to `Probe`: the actor itself first, then those it supervises."""

    request: int
    actors: tuple[ActorReport, ...]


# --- routing ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkerUp:
    kind: Kind
    name: str
    engine: str
    address: Address
    slots: int
    weight: int
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerDown:
    kind: Kind
    name: str
    address: Address
    reason: str


@dataclass(frozen=True, slots=True)
class PoolDown:
    """Root to router: a pool died, and with it every worker of its kind."""

    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class SessionsDown:
    """Root to router: the acceptor died, and with it every session."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Ask for a slot.

    `avoid` names engines that failed this work already, `prefer` the engine that
    did the turn's previous piece (an answer keeps one voice). Both are wishes:
    somebody rather than nobody. With `strict` an avoided engine is as good as nobody:
    what was too slow once must not get the same work again on top. An `ahead` lease is
    for work that is expected in a moment: it is granted while half of the slots are free.
    """

    kind: Kind
    request: int
    turn: TurnId
    avoid: tuple[str, ...] = ()
    prefer: str = ""
    strict: bool = False
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class Leased:
    kind: Kind
    request: int
    turn: TurnId
    worker: str
    engine: str
    address: Address


@dataclass(frozen=True, slots=True)
class Busy:
    """No slot: nobody serves this kind ('none'), every slot is taken ('full'), or only
    engines that a strict lease avoids are there ('avoided')."""

    kind: Kind
    request: int
    turn: TurnId
    reason: Literal["none", "full", "avoided"]


@dataclass(frozen=True, slots=True)
class Release:
    """A lease ended. `took_ms`: from the request to the worker's first result."""

    kind: Kind
    request: int
    turn: TurnId
    outcome: Outcome
    took_ms: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """Router to session: the worker that served this lease is gone."""

    kind: Kind
    request: int
    turn: TurnId
    worker: str
    reason: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """Acceptor to router: whatever this session had leased is free again."""

    session: Address


# --- work: `job` is the lease's request number, so a retry cannot be confused -


@dataclass(frozen=True, slots=True)
class Recognise:
    """Open a recognition. PCM follows in `SpeechChunk`s, 16 kHz."""

    turn: TurnId
    job: int


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    turn: TurnId
    job: int
    sequence: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """No more speech comes; answer `Recognised`. `sequence` follows the last chunk's."""

    turn: TurnId
    job: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Partial:
    turn: TurnId
    job: int
    text: str


@dataclass(frozen=True, slots=True)
class Recognised:
    turn: TurnId
    job: int
    text: str


@dataclass(frozen=True, slots=True)
class Generate:
    """Ask a language model. `messages` are (role, text) pairs, oldest first.

    `spoken` holds the clauses that the user has already heard of this answer:
    the worker goes on after them.
    """

    turn: TurnId
    job: int
    messages: tuple[tuple[str, str], ...]
    spoken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClauseReady:
    """`index` counts from 0 in this job; `emotion` is a firmware name or None."""

    turn: TurnId
    job: int
    index: int
    text: str
    emotion: str | None = None


@dataclass(frozen=True, slots=True)
class Generated:
    """The model finished; `clauses` were sent. `first_token_ms` from the job's start."""

    turn: TurnId
    job: int
    clauses: int
    first_token_ms: float


@dataclass(frozen=True, slots=True)
class Synthesise:
    turn: TurnId
    job: int
    clause: int
    text: str
    rate_hz: int
    frame_ms: int


@dataclass(frozen=True, slots=True)
class FramesReady:
    """Opus packets of exactly `frame_ms` each; `last` ends the clause.

    `sequence` counts this job's messages from 0.
    """

    turn: TurnId
    job: int
    sequence: int
    clause: int
    frames: tuple[bytes, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class WorkFailed:
    """A job failed. `retryable`: another engine or worker may succeed."""

    turn: TurnId
    job: int
    error: str
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop this job; nothing is answered."""

    turn: TurnId
    job: int


# --- caches: every question has a request number of its own; a late reply is dropped -


@dataclass(frozen=True, slots=True)
class AskAnswer:
    """Session to answer cache: has this been answered before?

    `scope` is (persona, language, tools, model generation): answers are shared inside one
    scope only. `context` is the user's question before this one, '' for none. The session
    waits `answer_cache.ask_ms` for a reply, then goes on without.

    `purpose`: "ahead" looks up what the user seems to be saying before it is sure; nothing
    counts as asked. "said" makes that count, as its answer is said now; no reply comes.
    """

    turn: TurnId
    request: int
    question: str
    scope: tuple[str, str, str, str]
    context: str = ""
    purpose: Literal["answer", "ahead", "said"] = "answer"


@dataclass(frozen=True, slots=True)
class AnswerKnown:
    """The clauses to say. `tier`: bank, exact, canonical or semantic."""

    turn: TurnId
    request: int
    clauses: tuple[str, ...]
    emotion: str
    tier: str


@dataclass(frozen=True, slots=True)
class AnswerUnknown:
    """A model must be asked. `learnable`: its whole answer is wanted as `LearnAnswer`."""

    turn: TurnId
    request: int
    reason: str
    learnable: bool


@dataclass(frozen=True, slots=True)
class AnswerAwaited:
    """A model is being asked the same by another session: `AnswerKnown` or `AnswerUnknown`
    follows within `answer_cache.together_ms`."""

    turn: TurnId
    request: int


@dataclass(frozen=True, slots=True)
class LearnAnswer:
    """Session to answer cache, how a learnable question ended; sent once for each.

    `finished`: the model said all of it, and nothing failed or was cut off. `took_ms`:
    from the question to the model's first clause, what a hit will save.
    """

    turn: TurnId
    request: int
    question: str
    scope: tuple[str, str, str, str]
    context: str
    clauses: tuple[str, ...]
    emotion: str
    finished: bool
    used_tools: bool
    took_ms: float


@dataclass(frozen=True, slots=True)
class RecallSound:
    """Session to sound cache: is there speech for this clause?

    `engines` names the TTS engines whose voice will do; empty: any that may speak. The
    session waits `sound_cache.ask_ms` for a reply, then has it spoken.
    """

    turn: TurnId
    request: int
    text: str
    engines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SoundKnown:
    """Opus packets of the downlink's rate and length, in the voice of `engine`."""

    turn: TurnId
    request: int
    engine: str
    frames: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SoundUnknown:
    """Nobody has spoken it yet: do, and give it back as `KeepSound` when it is whole."""

    turn: TurnId
    request: int


@dataclass(frozen=True, slots=True)
class SoundAwaited:
    """It is being spoken for another session: `SoundKnown` or `SoundUnknown` follows
    within `sound_cache.together_ms`."""

    turn: TurnId
    request: int


@dataclass(frozen=True, slots=True)
class KeepSound:
    """A whole clause as a voice spoke it; `frames` empty: it was not finished."""

    turn: TurnId
    request: int
    text: str
    engine: str
    frames: tuple[bytes, ...]


# --- sessions ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Adopt:
    """Serve the connection that the descriptor store keeps under `key`.

    First start and takeover are the same: the checkpoint beside the socket tells
    how far the previous session came.
    """

    key: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """Session to acceptor: it serves `key`, the connection of this device."""

    key: str
    device: str
    takeovers: int


@dataclass(frozen=True, slots=True)
class EndConnection:
    """Acceptor to session: close the connection; `reason` is told to the device."""

    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """Session to acceptor: the device is gone and the store holds nothing of it."""

    key: str
    reason: str


# --- what was done, for the log, the status and the measurements -------------


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One ended turn. `hops_ms`: milliseconds since the last sample of speech.

    Outcomes: answered, interrupted, refused, failed (with apology), void (there
    was nothing to answer).
    """

    turn: TurnId
    device: str
    outcome: str
    heard: str
    said: str
    engines: dict[str, str]
    hops_ms: dict[str, float]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Phrases:
    """Speech kept ready: text → Opus packets of the downlink's rate and length.

    `choices` are texts that are said in turn, by what the settings call them
    (`wake_greeting`, `apology`, `busy`, `not_understood`); `filler`: while an answer is
    waited for.
    """

    rate_hz: int
    frame_ms: int
    frames: dict[str, tuple[bytes, ...]]
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
