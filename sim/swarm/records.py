"""The record of a run: everything that was measured, frozen, and as JSON.

The one contract between the swarm, the fault time line and the report. `Run` is the
whole; `to_json` and `from_json` are exact inverses; `schema` is its JSON schema.

Times named `*_s` without another word are seconds since the run's start (0 is the
first phase's beginning; connecting happens before it, at negative times). Latencies
are milliseconds. A figure that does not exist is None, never 0.

Two latencies of the first word are kept apart:

* `first_word_ms`: last speech sample → first audio frame on the wire; what the server
  did once the user had spoken. `audible_ms` is the same to the first audible sample.
* `answer_ms`: the same, plus `waited_ms`: how long the user had to wait beyond the
  intended start because the device was not ready. It is what an open schedule owes to
  honesty; availability is counted from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

SCHEMA_VERSION = 1

#: How a turn ended. `answered` and `interrupted` (by the user) are kept turns, the rest is
#: lost: no answer, half of one, the connection gone in mid-turn, a device that could not
#: connect or listen, a turn whose time passed while the one before still ran, an apology.
TurnOutcome = Literal[
    "answered",
    "interrupted",
    "apology",
    "incomplete",
    "unanswered",
    "disconnected",
    "not connected",
    "missed",
]
TURN_OUTCOMES: tuple[TurnOutcome, ...] = get_args(TurnOutcome)

#: What was wrong with a turn, by kind; `TurnRecord.problems` says it in words.
Fault = Literal[
    "no answer",
    "no tts stop",
    "stop twice",
    "start twice",
    "early stop",
    "no audio",
    "silence",
    "frames lost",
    "wrong length",
    "order",
    "cut user",
    "misheard",
    "wrong answer",
    "cross-talk",
    "foreign session",
    "disconnected",
    "not connected",
    "underrun",
    "stuck",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)

ConnectionKind = Literal["connected", "failed", "dropped", "left"]
RunEnd = Literal["complete", "stopped", "unreachable", "server lost", "generator failed"]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the generator ran."""

    system: str
    python: str
    cpu_model: str
    cores: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What was run and how it ended. `started_at` is ISO 8601 in UTC.

    `scenario` is the scenario file's content after defaults; `target` the address
    driven; `versions` of this project, of libraries, and what the server tells of itself;
    `problem` says in words why the run ended before its time; `clock_base_s` is the run's
    start on the machine's monotonic clock, to set it beside what others noted there, and
    `base_at_s` in seconds since 1970 (0: a record from before it was kept).
    """

    name: str
    about: str
    seed: int
    command: str
    target: str
    started_at: str
    planned_s: float
    lasted_s: float
    generators: int
    machine: Machine
    versions: dict[str, str]
    scenario: dict[str, Any]
    ended: RunEnd = "complete"
    problem: str = ""
    clock_base_s: float = 0.0
    base_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A span of the run with one load; `counted` ones enter the aggregates and limits.

    `settings`: what the phase's server had over the run's own settings.
    """

    name: str
    start_s: float
    end_s: float
    talkers: int
    listeners: int = 0
    idlers: int = 0
    counted: bool = True
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """Who device `index` was. `role`: a talker, an open silent microphone, or idle."""

    index: int
    device_id: str
    role: Literal["talker", "listener", "idler"]
    mode: str
    version: int
    generation: str
    voice: str
    frame_ms: int
    noise_dbfs: float | None = None
    generator: int = 0
    link: str = "plain"


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One intended turn, whatever became of it. Every intended turn has one record.

    `intended_s` is when the user wanted to begin to speak, `started_s` when the first
    sample was spoken, `ended_s` when the turn was over. `hops` holds the members of
    `sim.timeline.HOPS` that happened, ms from the last speech sample. `expected` is the
    marker that the answer must carry. `lag_ms`: how late the generator itself was,
    at worst, in this turn. `heard`: what a recogniser understood of the answer's sound,
    for the turns that were listened to.
    """

    device: int
    turn: int
    phase: str
    intended_s: float
    outcome: TurnOutcome
    started_s: float | None = None
    ended_s: float | None = None
    waited_ms: float = 0.0
    kind: str = "sum"
    said: str = ""
    speech_ms: float = 0.0
    understood: str = ""
    answer: str = ""
    expected: str = ""
    hops: dict[str, float] = field(default_factory=dict)
    first_word_ms: float | None = None
    audible_ms: float | None = None
    answer_ms: float | None = None
    end_to_end_ms: float | None = None
    abort_to_stop_ms: float | None = None
    stop_margin_ms: float | None = None
    frames: int = 0
    audio_ms: float = 0.0
    lost_frames: int = 0
    late_frames: int = 0
    underruns: int = 0
    underrun_ms: float = 0.0
    pauses: int = 0
    pause_ms: float = 0.0
    longest_gap_ms: float = 0.0
    deepest_queue_ms: float = 0.0
    lag_ms: float = 0.0
    heard: str = ""
    faults: tuple[Fault, ...] = ()
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """A connection event of a device.

    `connected` took `took_ms`, hello included; `failed` could not; `dropped` ended by the
    server or the network (`cut`: without a normal Close frame); `left` by the device.
    """

    device: int
    at_s: float
    kind: ConnectionKind
    took_ms: float | None = None
    cut: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a process that was killed, stopped or ended came back.

    All times are seconds since the fault; None: it was not seen. `gone_s`: the process
    no longer runs (for a stopped one: that its hanging was noticed). `back_s`: another
    process has its name. `ready_s`: that it reports ready was *read* then; it became so
    after `not_ready_s`, the last reading that did not say so yet.

    From the server's own log, where the run has it, to a few milliseconds: `noticed_s`
    that its end or its hanging was noticed, `served_s` that its successor was ready,
    `adopted_s` that the last device that had lost its session had another. `device` is
    what a session served.
    """

    name: str
    actor_kind: str
    pid: int
    recovered: bool
    gone_s: float | None = None
    back_s: float | None = None
    new_pid: int | None = None
    not_ready_s: float | None = None
    ready_s: float | None = None
    device: str = ""
    noticed_s: float | None = None
    served_s: float | None = None
    adopted_s: float | None = None


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """A fault of the time line, as it was done. `until_s` for what was also taken back.

    `kind` and `target` as in the scenario (such as "kill", "asr"); `ok` False when it
    could not be done, `detail` says what was done or why not. `recovery` for faults of
    processes.
    """

    at_s: float
    kind: str
    target: str
    detail: str = ""
    until_s: float | None = None
    ok: bool = True
    recovery: Recovery | None = None


@dataclass(frozen=True, slots=True)
class CrowdSample:
    """How many devices did what at one moment."""

    at_s: float
    connected: int
    speaking: int
    waiting: int
    hearing: int
    generator: int = 0


@dataclass(frozen=True, slots=True)
class ActorSample:
    """What the processes of one actor name cost at one moment, or over the span before it.

    `cpu_percent` of one core since the sample before; memory in MiB (`pss` proportional,
    `own` private, `anon` proportional without what is a file's, which alone does not
    depend on other programs); None where it may not be read.
    """

    name: str
    processes: int
    cpu_percent: float
    pss_mib: float | None = None
    own_mib: float | None = None
    fds: float | None = None
    threads: float = 0.0
    anon_mib: float | None = None


@dataclass(frozen=True, slots=True)
class ResourceSample:
    """The server's whole process tree at one moment; `total` sums `actors`."""

    at_s: float
    total: ActorSample
    actors: tuple[ActorSample, ...] = ()


@dataclass(frozen=True, slots=True)
class HostSample:
    """The machine over the span before `at_s`; per cent of *all* its cores together.

    `foreign_percent` is what neither the generator nor the watched server used.
    None where the server's processes are not known.
    """

    at_s: float
    busy_percent: float
    generator_percent: float
    server_percent: float | None
    foreign_percent: float | None
    memory_used_percent: float = 0.0


#: Before the name of a stand-in among counts of calls.
STANDIN = "standin:"


@dataclass(frozen=True, slots=True)
class CallSample:
    """How much work was done by then, since whoever counts it started.

    `served`: the pieces that each engine of our own server has finished ("llm/openai",
    "tts/espeak": answers, clauses spoken), and the requests of each stand-in
    (`STANDIN` and its name). Taken at a phase's beginning and at its end.
    """

    at_s: float
    phase: str
    served: dict[str, int]


@dataclass(frozen=True, slots=True)
class LagSample:
    """One generator process over the span before `at_s`: how late its loop woke, its CPU.

    `cpu_percent` of one core.
    """

    at_s: float
    generator: int
    median_ms: float
    worst_ms: float
    cpu_percent: float
    devices: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """Percentiles of all values, nearest rank."""

    count: int
    mean: float
    least: float
    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    most: float


@dataclass(frozen=True, slots=True)
class ServerTurns:
    """The turns of one phase by the server's own clock, from its log; ms.

    `cached`: those whose answer was remembered, the others apart. `hops`: each hop from
    the hop before it, the first from the last sample of speech. `to_first_frame`: from
    the decision that speech was over to the first frame sent. `model` and `voice` count
    the turns for which the one was asked, and the other was at least made ready.
    """

    phase: str
    cached: bool
    turns: int
    model: int
    voice: int
    to_first_frame: Distribution | None = None
    hops: dict[str, Distribution] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slope:
    """A line fitted to a figure over time, per hour; `low`..`high` holds it with 95 %."""

    figure: str
    per_hour: float
    low: float
    high: float
    samples: int


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The figures of one scope: the whole run ("all") or one phase.

    Definitions are those of docs/measurements: `availability` the share of intended
    turns whose answer began within 2 s of the intended end of speech, `completeness`
    the share of turns (the user's own interruptions apart) played whole, `correctness`
    the share of held turns with the right transcript and answer; per cent. `by_fault`
    counts turns. `latencies` holds first_word_ms, audible_ms, answer_ms,
    end_to_end_ms, waited_ms, connect_ms, abort_to_stop_ms and each hop. `heard` answers
    were listened to; of `heard_right` the marker was understood.
    """

    scope: str
    seconds: float
    turns: int
    held: int
    answered: int
    interrupted: int
    lost: int
    availability: float | None
    completeness: float | None
    correctness: float | None
    misheard: int
    wrong_answers: int
    cross_talk: int
    underruns: int
    underrun_ms: float
    turns_with_underruns: int
    lost_frames: int
    late_frames: int
    stuck_devices: int
    disconnects: int
    failed_connects: int
    outcomes: dict[str, int] = field(default_factory=dict)
    by_fault: dict[str, int] = field(default_factory=dict)
    latencies: dict[str, Distribution] = field(default_factory=dict)
    slopes: tuple[Slope, ...] = ()
    cpu_percent: float | None = None
    pss_mib_max: float | None = None
    heard: int = 0
    heard_right: int = 0


@dataclass(frozen=True, slots=True)
class Knee:
    """Where a rising load broke a limit: the last level that held all, the first that did
    not (None: the highest level tried still held) and the limits that it missed."""

    held: int
    broke: int | None
    missed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LimitResult:
    """One stated limit against what was measured. `measured` None: no such figure."""

    scope: str
    figure: str
    limit: str
    measured: float | None
    held: bool


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """`passed` when every limit holds and the run counts; `void` says why it does not."""

    passed: bool
    summary: str
    void: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """Everything of one run."""

    info: RunInfo
    phases: tuple[Phase, ...] = ()
    devices: tuple[DeviceRecord, ...] = ()
    turns: tuple[TurnRecord, ...] = ()
    connections: tuple[ConnectionRecord, ...] = ()
    faults: tuple[FaultRecord, ...] = ()
    crowd: tuple[CrowdSample, ...] = ()
    resources: tuple[ResourceSample, ...] = ()
    hosts: tuple[HostSample, ...] = ()
    lags: tuple[LagSample, ...] = ()
    calls: tuple[CallSample, ...] = ()
    server_turns: tuple[ServerTurns, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    limits: tuple[LimitResult, ...] = ()
    knee: Knee | None = None
    verdict: RunVerdict = RunVerdict(False, "not judged")
    schema_version: int = SCHEMA_VERSION


class UnreadableRun(Exception):
    """A file that is no record of a run; the text says which member is wrong."""


_RUN = TypeAdapter(Run)


def to_json(run: Run) -> bytes:
    """The run as JSON; members at their default are left out, so that a soak stays small."""
    return _RUN.dump_json(run, exclude_defaults=True)


def from_json(text: bytes | str) -> Run:
    """Read what `to_json` wrote. Raises `UnreadableRun`."""
    try:
        return _RUN.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UnreadableRun(f"is no record of a run: {where}: {first['msg']}") from None


def read(path: Path) -> Run:
    """Read a run's file. Raises `UnreadableRun` with the path."""
    try:
        return from_json(path.read_bytes())
    except OSError as error:
        raise UnreadableRun(f"{path}: cannot be read ({error.strerror})") from None
    except UnreadableRun as error:
        raise UnreadableRun(f"{path}: {error}") from None


def schema() -> dict[str, Any]:
    """The JSON schema of a run's file."""
    return _RUN.json_schema()
