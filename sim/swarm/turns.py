"""From a turn as a device lived it to its record: figures, outcome, what was wrong.

Pure. What a turn of another device has to say about this one (cross-talk) is found
later, by `aggregate`, when all records are together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sim.result import TurnResult
from sim.swarm import schedule
from sim.swarm.questions import Question, answered_rightly, heard_rightly
from sim.swarm.records import Fault, TurnOutcome, TurnRecord
from sim.timeline import HOPS, TurnTrace
from sim.verdict import EARLY_STOP_MS

#: Spoken Chinese is about 0.2 s a character; outside of these an answer's audio is not
#: that of its text. Short answers are not judged.
SHORTEST_MS, LONGEST_MS, SLACK_MS = 90.0, 480.0, 1500.0
_JUDGED_CHARS = 4

_CHARACTER = re.compile(r"[\u3400-\u9fff]|[0-9]|[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """One turn before it happens. `at_s` since the run's start; `base` is that start on
    the loop's clock; `grid_ms` as in `schedule.waited_ms`."""

    device: int
    turn: int
    phase: str
    at_s: float
    base: float
    question: Question
    speech_ms: float
    typed: bool = False
    grid_ms: float = 0.0


def held(
    asked: Asked, result: TurnResult, *, stuck: bool, lag_ms: float, apologies: tuple[str, ...]
) -> TurnRecord:
    """The record of a turn that a device went through."""
    trace, times = result.trace, result.timeline
    answer = "".join(result.sentences)
    outcome = _outcome(result, answer, apologies)
    began = trace.first("speech_started") or trace.first("typed", "speech_cut", "turn")
    started_s = began.at - asked.base if began else None
    waited_ms = 0.0
    if started_s is not None:
        waited_ms = schedule.waited_ms(asked.at_s, started_s, asked.grid_ms)
    faults = _faults(asked, result, outcome, answer, stuck)
    first, whole = times.first_frame_ms, outcome == "answered"
    return TurnRecord(
        device=asked.device,
        turn=asked.turn,
        phase=asked.phase,
        intended_s=asked.at_s,
        outcome=outcome,
        started_s=started_s,
        ended_s=_ended_s(trace, asked.base),
        waited_ms=waited_ms,
        kind="typed" if asked.typed else asked.question.kind,
        said=asked.question.text,
        speech_ms=0.0 if asked.typed else asked.speech_ms,
        understood=result.understood,
        answer=answer,
        expected=asked.question.expected,
        hops={name: value for name, _label in HOPS if (value := getattr(times, name)) is not None},
        first_word_ms=first,
        audible_ms=times.audible_ms,
        answer_ms=None if first is None else first + waited_ms,
        end_to_end_ms=times.heard_ms if whole else None,
        abort_to_stop_ms=times.abort_to_stop_ms,
        stop_margin_ms=times.stop_margin_ms,
        frames=times.frames,
        audio_ms=times.audio_ms,
        lost_frames=times.ignored
        + times.overtook
        + times.overflow
        + times.cleared
        + times.undecodable,
        late_frames=times.late,
        underruns=times.underruns,
        underrun_ms=times.underrun_ms,
        pauses=times.pauses,
        pause_ms=times.pause_ms,
        longest_gap_ms=times.longest_gap_ms,
        deepest_queue_ms=times.deepest_queue_ms,
        lag_ms=lag_ms,
        faults=faults,
        problems=(*result.verdict.problems, *_words(asked, result, answer, faults)),
        remarks=result.verdict.remarks,
    )


def not_held(
    asked: Asked, outcome: TurnOutcome, fault: Fault, problem: str, now: float
) -> TurnRecord:
    """The record of a turn that could not be held at all."""
    now_s = now - asked.base
    return TurnRecord(
        device=asked.device,
        turn=asked.turn,
        phase=asked.phase,
        intended_s=asked.at_s,
        outcome=outcome,
        ended_s=now_s,
        waited_ms=max(0.0, (now_s - asked.at_s) * 1000),
        kind="typed" if asked.typed else asked.question.kind,
        said=asked.question.text,
        expected=asked.question.expected,
        faults=(fault,),
        problems=(problem,),
    )


def _outcome(result: TurnResult, answer: str, apologies: tuple[str, ...]) -> TurnOutcome:
    outcome = result.verdict.outcome
    if outcome == "answered" and any(apology in answer for apology in apologies):
        return "apology"
    return outcome


def _faults(
    asked: Asked, result: TurnResult, outcome: TurnOutcome, answer: str, stuck: bool
) -> tuple[Fault, ...]:
    trace, times = result.trace, result.timeline
    starts, stops = trace.count("tts_start"), trace.count("tts_stop")
    interrupted, kept = outcome == "interrupted", outcome in ("answered", "interrupted")
    spoken = bool(times.audio_ms)
    margin = times.stop_margin_ms
    found: tuple[tuple[Fault, bool], ...] = (
        ("no answer", not starts and not interrupted),
        ("start twice", starts > 1),
        ("no tts stop", bool(starts) and not stops),
        ("stop twice", stops > 1),
        (
            "early stop",
            # Who interrupts wants the rest unheard.
            not interrupted
            and (bool(times.cleared) or (margin is not None and margin < -EARLY_STOP_MS)),
        ),
        ("no audio", bool(starts) and not interrupted and not spoken),
        ("silence", spoken and trace.audible_at is None),
        ("frames lost", not interrupted and _lost(result) > 0),
        ("wrong length", outcome == "answered" and _length_is_wrong(answer, times.audio_ms)),
        ("order", kept and _order_is_wrong(trace)),
        ("cut user", trace.count("speech_cut") > 0),
        ("misheard", not asked.typed and _misheard(asked, result)),
        ("wrong answer", outcome == "answered" and not answered_rightly(asked.question, answer)),
        ("foreign session", trace.count("foreign") > 0),
        ("disconnected", outcome == "disconnected"),
        ("underrun", times.underruns > 0),
        ("stuck", stuck),
    )
    return tuple(fault for fault, is_there in found if is_there)


def _lost(result: TurnResult) -> int:
    """Lost frames that matter on every firmware; those right behind tts start are a remark."""
    times = result.timeline
    return times.ignored + times.overflow + times.cleared + times.undecodable


def _misheard(asked: Asked, result: TurnResult) -> bool:
    return bool(result.understood) and not heard_rightly(asked.question, result.understood)


def _order_is_wrong(trace: TurnTrace) -> bool:
    start, sentence, heard = trace.first("tts_start"), trace.first("sentence"), trace.heard_frames
    if start and sentence and sentence.at < start.at:
        return True
    return bool(heard) and (sentence is None or sentence.at > heard[0].at)


def _length_is_wrong(answer: str, audio_ms: float) -> bool:
    count = len(_CHARACTER.findall(answer))
    if count < _JUDGED_CHARS or not audio_ms:
        return False
    return not SHORTEST_MS * count <= audio_ms <= LONGEST_MS * count + SLACK_MS


def _words(asked: Asked, result: TurnResult, answer: str, faults: tuple[Fault, ...]) -> list[str]:
    """Sentences for the faults that the device's own verdict does not know."""
    said = asked.question.text
    sentences: dict[Fault, str] = {
        "misheard": f"{said!r} was understood as {result.understood!r}",
        "wrong answer": f"{answer!r} does not answer {said!r} (expected {asked.question.expected})",
        "wrong length": f"{result.timeline.audio_ms / 1000:.1f} s of audio for {answer!r}",
        "stuck": "the device stayed in speaking and had to be restarted",
    }
    return [sentences[fault] for fault in faults if fault in sentences]


def _ended_s(trace: TurnTrace, base: float) -> float | None:
    last = trace.last("heard", "tts_stop", "closed") or (trace.events[-1] if trace.events else None)
    return last.at - base if last else None
