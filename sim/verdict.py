"""Was a turn right? Judged from its trace alone.

Pure. A *problem* means that a user of a real device would notice something wrong: the
turn fails. A *remark* is worth reading but harms nobody on current firmware.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sim.timeline import Timeline, TurnTrace, timeline

Outcome = Literal["answered", "interrupted", "incomplete", "unanswered", "disconnected"]

#: tts stop this much before the end of playback cuts the tail on firmware 1.7 to 2.0.
EARLY_STOP_MS = 30.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`outcome` says how the turn ended; it was right when `problems` is empty."""

    outcome: Outcome
    problems: tuple[str, ...]
    remarks: tuple[str, ...]


def judge(trace: TurnTrace, timed_out: bool = False, expected: str = "") -> Verdict:
    """Judge one turn. `expected` must be part of the answer's text (case ignored)."""
    times = timeline(trace)
    outcome = _outcome(trace, times, timed_out)
    problems = [*_uplink_problems(trace), *_ending_problems(trace, times, outcome)]
    if outcome in ("answered", "interrupted"):
        problems += _order_problems(trace)
    if outcome != "interrupted":
        problems += _audio_problems(trace, times)
    problems += _text_problems(trace, expected)
    return Verdict(outcome, tuple(problems), tuple(_remarks(trace, times)))


def _outcome(trace: TurnTrace, times: Timeline, timed_out: bool) -> Outcome:
    if trace.count("abort") and trace.count("tts_stop"):
        return "interrupted"
    if trace.count("tts_start") and trace.count("tts_stop") and times.audio_ms:
        return "answered"
    if trace.count("closed"):
        return "disconnected"
    if timed_out and not trace.count("tts_start"):
        return "unanswered"
    return "incomplete"


def _uplink_problems(trace: TurnTrace) -> list[str]:
    if trace.count("speech_cut"):
        return ["the server began to answer before the speech was over"]
    return []


def _ending_problems(trace: TurnTrace, times: Timeline, outcome: Outcome) -> list[str]:
    starts, stops = trace.count("tts_start"), trace.count("tts_stop")
    problems = []
    if outcome == "disconnected":
        problems.append(f"the connection ended in mid-turn ({trace.texts('closed')[-1]})")
    if not starts and outcome != "interrupted":
        problems.append("no tts start: the server did not answer")
    if starts > 1:
        problems.append(f"{starts} tts start in one turn")
    if starts and not stops:
        problems.append("no tts stop: a real device would stay in speaking for ever")
    if stops > 1:
        problems.append(f"{stops} tts stop in one turn")
    if starts and outcome != "interrupted" and not times.audio_ms:
        problems.append("an answer without audio: nothing was heard")
    return problems


def _order_problems(trace: TurnTrace) -> list[str]:
    start, sentence = trace.first("tts_start"), trace.first("sentence")
    heard = trace.heard_frames
    problems = []
    if start and sentence and sentence.at < start.at:
        problems.append("sentence_start before tts start")
    if heard and (sentence is None or sentence.at > heard[0].at):
        problems.append("audio before the first sentence_start: the screen shows nothing")
    return problems


def _audio_problems(trace: TurnTrace, times: Timeline) -> list[str]:
    problems = []
    if times.ignored:
        problems.append(f"{times.ignored} frames came while the device was not speaking: lost")
    if times.overflow:
        problems.append(f"{times.overflow} frames overflowed the device's queue: lost")
    if times.cleared:
        problems.append(f"{times.cleared} frames were cut off: tts stop or start came too early")
    if times.undecodable:
        problems.append(f"{times.undecodable} frames are longer than the server hello announced")
    if times.audio_ms and trace.audible_at is None:
        problems.append("the audio is silence")
    return problems


def _text_problems(trace: TurnTrace, expected: str) -> list[str]:
    problems = []
    if foreign := trace.count("foreign"):
        problems.append(f"{foreign} messages carry another session's id")
    answer = "".join(trace.texts("sentence"))
    if expected and expected.casefold() not in answer.casefold():
        problems.append(f"the answer does not hold {expected!r}")
    return problems


def _remarks(trace: TurnTrace, times: Timeline) -> list[str]:
    remarks = []
    if trace.count("tts_start") and not trace.count("typed") and not trace.count("stt"):
        remarks.append("no stt: the user does not see what was understood")
    if times.overtook:
        remarks.append(f"{times.overtook} frames came right behind tts start: a device loses them")
    margin = times.stop_margin_ms
    if margin is not None and margin < -EARLY_STOP_MS and not trace.count("abort"):
        remarks.append(
            f"tts stop came {-margin:.0f} ms before playback ended; firmware 1.7 to 2.0 cuts there"
        )
    if times.underruns:
        remarks.append(f"{times.underruns} holes in the sound, {times.underrun_ms:.0f} ms in all")
    if times.pauses:
        remarks.append(f"{times.pauses} pauses between sentences, {times.pause_ms:.0f} ms in all")
    return remarks
