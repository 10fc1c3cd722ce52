"""What faults cost: by actor and signal, how soon noticed, how soon over, who lost what.

Pure. A turn is *touched* by a fault while whose victim was away it ran; a session's death
touches its own device alone. A turn that was lost is booked on one fault: the first that
it overlapped, else the last before it; one that was answered but damaged (cut, misheard,
another's) only on one that it overlapped. What no fault explains is told as such
(`Toll.signal` "").
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sim.faults.plan import WORKER_KINDS
from sim.faults.targets import family
from sim.swarm.records import FaultRecord, Run, TurnRecord
from sim.swarm.statistics import percentile

#: A fault just before a turn's first word concerns it: the microphone was open already.
BEFORE_S = 0.3
#: A victim of whose return nothing was seen counts as away for so long.
AWAY_S = 1.0
#: A turn that ran into trouble longer than this after a fault did not do so by it.
REACH_S = 30.0

#: What may be wrong with a turn that was answered all the same.
_DAMAGE = frozenset(
    {
        *("cross-talk", "foreign session", "stuck", "wrong length", "no audio", "silence"),
        *("frames lost", "misheard", "wrong answer"),
    }
)


@dataclass(frozen=True, slots=True)
class LostTurn:
    """A turn that a fault cost, or damaged. `stage`: where it stood when that happened."""

    device: int
    turn: int
    fault_s: float | None
    victim: str
    stage: str
    outcome: str
    faults: tuple[str, ...]
    problem: str

    @property
    def reason(self) -> str:
        """In a few words, the same for what happened in the same way."""
        wrong = [each for each in self.faults if each in _DAMAGE]
        return ", ".join([f"{self.outcome} ({self.stage})", *wrong])


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and most, in seconds, of `count` values."""

    count: int
    p50: float
    most: float


@dataclass(frozen=True, slots=True)
class Toll:
    """One actor family and signal. `made` of the `wanted` faults could be done.

    `noticed` and `back` are exact where the server's log was there, else as seen from
    outside; `devices`: the last device that had lost its session had another.
    """

    actor: str
    signal: str
    wanted: int = 0
    made: int = 0
    recovered: int = 0
    noticed: Spread | None = None
    back: Spread | None = None
    devices: Spread | None = None
    touched: int = 0
    lost: tuple[LostTurn, ...] = ()
    disconnects: int = 0
    cross_talk: int = 0
    stuck: int = 0

    @property
    def lost_count(self) -> int:
        return sum(map(is_lost, self.lost))

    @property
    def reasons(self) -> str:
        """Why turns were lost or damaged, the most frequent first."""
        counts = Counter(each.reason for each in self.lost)
        return "; ".join(f"{count} {reason}" for reason, count in counts.most_common())


@dataclass(slots=True)
class _Book:
    faults: list[FaultRecord] = field(default_factory=list)
    touched: int = 0
    lost: list[LostTurn] = field(default_factory=list)
    disconnects: int = 0


def tolls(runs: Iterable[Run]) -> tuple[Toll, ...]:
    """The tolls of one or more runs together, in order of actor and signal."""
    books: dict[tuple[str, str], _Book] = defaultdict(_Book)
    for run in runs:
        _enter(books, run)
    order = sorted(books, key=lambda key: (key[1] == "", key))
    return tuple(_toll(actor, signal, books[actor, signal]) for actor, signal in order)


def missed(toll: Toll) -> tuple[str, ...]:
    """Which promises (requirements: figures) this row breaks; empty: none."""
    found = []
    limits_s = {"kill": (0.05, 0.5), "stop": (1.5, 2.0)}.get(toll.signal)
    if limits_s is not None:
        for what, spread, limit_s in zip(
            ("noticed", "back"), (toll.noticed, toll.back), limits_s, strict=True
        ):
            if spread is not None and spread.most > limit_s:
                found.append(f"{what} after {spread.most:.2f} s (limit {limit_s:g} s)")
    if toll.recovered < toll.made:
        found.append(f"{toll.made - toll.recovered} did not come back")
    if toll.actor in WORKER_KINDS and toll.lost_count:
        found.append(f"{toll.lost_count} turns lost by a worker's end (limit 0)")
    for what, count in (
        ("disconnects", toll.disconnects),
        ("cross-talk", toll.cross_talk),
        ("stuck devices", toll.stuck),
    ):
        if count:
            found.append(f"{count} {what} (limit 0)")
    return tuple(found)


def stage_of(turn: TurnRecord, at_s: float) -> str:
    """Where the turn stood at `at_s` of the run, as well as its record tells."""
    if turn.started_s is None or at_s < turn.started_s:
        return "before its first word"
    spoken_s = turn.started_s + turn.speech_ms / 1000
    if at_s < spoken_s:
        return "hearing"
    if turn.first_word_ms is None or at_s < spoken_s + turn.first_word_ms / 1000:
        return "thinking"
    return "speaking" if turn.ended_s is None or at_s <= turn.ended_s else "over"


# --- booking --------------------------------------------------------------------


def _enter(books: dict[tuple[str, str], _Book], run: Run) -> None:
    devices = {each.device_id: each.index for each in run.devices}
    faults = sorted(
        (each for each in run.faults if each.recovery is not None), key=lambda each: each.at_s
    )
    for fault in run.faults:
        if fault.recovery is not None or not fault.ok:
            books[_key(fault)].faults.append(fault)
    counted = {phase.name for phase in run.phases if phase.counted}
    turns = [turn for turn in run.turns if turn.phase in counted]
    for fault in faults:
        books[_key(fault)].touched += sum(_touches(fault, turn, devices) for turn in turns)
    for turn in turns:
        if is_lost(turn) or not _DAMAGE.isdisjoint(turn.faults):
            culprit = _culprit(turn, faults, devices)
            books[_key(culprit)].lost.append(_lost(turn, culprit))
    for event in run.connections:
        if event.kind == "dropped":
            before = [each for each in faults if each.at_s <= event.at_s]
            books[_key(before[-1] if before else None)].disconnects += 1


def _key(fault: FaultRecord | None) -> tuple[str, str]:
    if fault is None:
        return "(no fault)", ""
    if fault.recovery is None:
        name = fault.target.rpartition(":")[2]
        return "session" if name == "serving" else name, fault.kind
    return family(fault.recovery.name), fault.kind


def is_lost(turn: TurnRecord | LostTurn) -> bool:
    return turn.outcome not in ("answered", "interrupted")


def _span(turn: TurnRecord) -> tuple[float, float]:
    began_s = turn.intended_s if turn.started_s is None else turn.started_s
    return began_s - BEFORE_S, began_s if turn.ended_s is None else max(began_s, turn.ended_s)


def _away_s(fault: FaultRecord) -> float:
    back = fault.recovery
    assert back is not None
    ends = (back.served_s or back.ready_s, back.adopted_s, back.noticed_s or back.gone_s)
    return max((end for end in ends if end is not None), default=AWAY_S)


def _concerns(fault: FaultRecord, turn: TurnRecord, devices: dict[str, int]) -> bool:
    back = fault.recovery
    if back is None or back.actor_kind != "session":
        return True
    return devices.get(back.device) == turn.device


def _touches(fault: FaultRecord, turn: TurnRecord, devices: dict[str, int]) -> bool:
    low, high = _span(turn)
    overlaps = low <= fault.at_s + _away_s(fault) and fault.at_s <= high
    return fault.ok and overlaps and _concerns(fault, turn, devices)


def _culprit(
    turn: TurnRecord, faults: Sequence[FaultRecord], devices: dict[str, int]
) -> FaultRecord | None:
    low, high = _span(turn)
    possible = [each for each in faults if each.ok and _concerns(each, turn, devices)]
    during = [each for each in possible if low <= each.at_s + _away_s(each) and each.at_s <= high]
    if during or not is_lost(turn):
        return during[0] if during else None
    before = [each for each in possible if low - REACH_S <= each.at_s < low]
    return before[-1] if before else None


def _lost(turn: TurnRecord, culprit: FaultRecord | None) -> LostTurn:
    back = culprit.recovery if culprit is not None else None
    return LostTurn(
        device=turn.device,
        turn=turn.turn,
        fault_s=culprit.at_s if culprit is not None else None,
        victim=back.name if back is not None else "",
        stage=stage_of(turn, culprit.at_s) if culprit is not None else "no fault",
        outcome=turn.outcome,
        faults=turn.faults,
        problem="; ".join(turn.problems),
    )


# --- summing up -------------------------------------------------------------------


def _toll(actor: str, signal: str, book: _Book) -> Toll:
    made = [each for each in book.faults if each.ok]
    backs = [each.recovery for each in made if each.recovery is not None]
    wrong = Counter(fault for turn in book.lost for fault in turn.faults)
    return Toll(
        actor=actor,
        signal=signal,
        wanted=len(book.faults),
        made=len(made),
        recovered=sum(each.recovered for each in backs),
        noticed=_spread(
            each.gone_s if each.noticed_s is None else each.noticed_s for each in backs
        ),
        back=_spread(each.ready_s if each.served_s is None else each.served_s for each in backs),
        devices=_spread(each.adopted_s for each in backs),
        touched=book.touched,
        lost=tuple(book.lost),
        disconnects=book.disconnects,
        cross_talk=wrong["cross-talk"] + wrong["foreign session"],
        stuck=wrong["stuck"],
    )


def _spread(values: Iterable[float | None]) -> Spread | None:
    ordered = sorted(each for each in values if each is not None)
    return Spread(len(ordered), percentile(ordered, 0.5), ordered[-1]) if ordered else None
