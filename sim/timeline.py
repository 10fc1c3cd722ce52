"""What happened in one turn, as times; and the sums that are made of them.

Pure: all instants are seconds of one monotonic clock, passed in. `TurnTrace` is the
record a device keeps; `timeline` turns it into milliseconds of every hop, counted
from the last speech sample (for typed text: from the message), and into figures on
the audio as a listener hears it.

*Late* frame: it came when the loudspeaker had already run dry. Whether that is an
*underrun* (inside a sentence, so a listener hears a hole) or a *pause* (a
`sentence_start` came since the frame before it) decides who is to blame: transport
and pacing, or the speed of generation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

EventKind = Literal[
    "turn",  # the turn began (intended start)
    "speech_started",  # first audible sample at the microphone
    "speech_ended",  # last audible sample at the microphone
    "speech_sent",  # the packet holding it was written
    "speech_cut",  # the microphone was closed before the speech was over
    "typed",
    "detect",
    "listen_start",
    "listen_stop",
    "abort",
    "stt",
    "emotion",
    "tts_start",
    "sentence",
    "tts_stop",
    "first_frame",
    "heard",  # playback ended
    "mcp",
    "foreign",  # a message that carries another session's id
    "other",
    "closed",
]

#: What the device did with a packet: took it, or why it was never heard.
Fate = Literal["accepted", "not speaking", "queue full", "cleared", "undecodable"]

#: A dry loudspeaker shorter than this is bridged by the DMA buffers behind it.
UNDERRUN_MS = 20.0
#: Audio this close behind tts start may overtake it inside the device (protocol section 3).
OVERTAKING_S = 0.05


@dataclass(frozen=True, slots=True)
class Event:
    """Something other than audio; `text` is what it carries."""

    at: float
    kind: EventKind
    text: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One downlink packet: when it came, what the device did with it, when it plays.

    `plays_at` is when the loudspeaker begins it, None if it never does.
    """

    at: float
    opus: bytes
    fate: Fate
    plays_at: float | None


@dataclass(frozen=True, slots=True)
class TurnTrace:
    """The record of one turn. `audible_at`: first audible sample at the loudspeaker."""

    events: tuple[Event, ...]
    frames: tuple[Frame, ...]
    frame_ms: int
    audible_at: float | None = None

    def first(self, *kinds: EventKind) -> Event | None:
        return next((event for event in self.events if event.kind in kinds), None)

    def last(self, *kinds: EventKind) -> Event | None:
        return next((event for event in reversed(self.events) if event.kind in kinds), None)

    def count(self, kind: EventKind) -> int:
        return sum(event.kind == kind for event in self.events)

    def texts(self, kind: EventKind) -> tuple[str, ...]:
        return tuple(event.text for event in self.events if event.kind == kind)

    @property
    def heard_frames(self) -> tuple[Frame, ...]:
        """The frames that reach the loudspeaker."""
        return tuple(frame for frame in self.frames if frame.plays_at is not None)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Milliseconds from the turn's origin; None for what did not happen.

    The origin is the last speech sample, the typed message, the wake word, or where
    speech was cut. Lost frames by reason: `overtook` came right behind tts start,
    `ignored` while the device was not speaking at all; `overflow`, `cleared` and
    `undecodable` as `Fate`. `stop_margin_ms`: from the end of playback to tts stop.
    """

    speech_sent_ms: float | None = None
    stt_ms: float | None = None
    tts_start_ms: float | None = None
    emotion_ms: float | None = None
    sentence_ms: float | None = None
    first_frame_ms: float | None = None
    audible_ms: float | None = None
    last_frame_ms: float | None = None
    tts_stop_ms: float | None = None
    heard_ms: float | None = None
    frames: int = 0
    audio_ms: float = 0.0
    ignored: int = 0
    overtook: int = 0
    overflow: int = 0
    cleared: int = 0
    undecodable: int = 0
    late: int = 0
    underruns: int = 0
    underrun_ms: float = 0.0
    pauses: int = 0
    pause_ms: float = 0.0
    longest_gap_ms: float = 0.0
    deepest_queue_ms: float = 0.0
    abort_to_stop_ms: float | None = None
    stop_margin_ms: float | None = None


#: The hops in the order in which they happen: member of `Timeline` and its name.
HOPS: tuple[tuple[str, str], ...] = (
    ("speech_sent_ms", "last speech packet sent"),
    ("stt_ms", "transcript (stt)"),
    ("tts_start_ms", "tts start"),
    ("emotion_ms", "emotion (llm)"),
    ("sentence_ms", "first sentence_start"),
    ("first_frame_ms", "first audio frame on the wire"),
    ("audible_ms", "first audible sample"),
    ("last_frame_ms", "last audio frame"),
    ("heard_ms", "playback ended"),
    ("tts_stop_ms", "tts stop"),
)


def origin(events: Iterable[Event]) -> float | None:
    """The instant that latencies count from, or None when nothing was said at all."""
    words: float | None = None
    for event in events:
        if event.kind == "speech_ended":
            return event.at
        if words is None and event.kind in ("speech_cut", "typed", "detect"):
            words = event.at
    return words


def timeline(trace: TurnTrace) -> Timeline:
    """The figures of one turn. Without an origin all hops are None."""
    heard, frames = trace.heard_frames, trace.frames
    frame_s = trace.frame_ms / 1000
    holes = _holes(trace, heard, frame_s)
    fates = Counter(frame.fate for frame in frames)
    ignored = [frame.at for frame in frames if frame.fate == "not speaking"]
    overtook = sum(_just_after_start(trace, at) for at in ignored)
    return replace(
        _hops(trace),
        frames=len(frames),
        audio_ms=float(len(heard) * trace.frame_ms),
        ignored=len(ignored) - overtook,
        overtook=overtook,
        overflow=fates["queue full"],
        cleared=fates["cleared"],
        undecodable=fates["undecodable"],
        late=holes.late,
        underruns=len(holes.underruns_ms),
        underrun_ms=sum(holes.underruns_ms),
        pauses=len(holes.pauses_ms),
        pause_ms=sum(holes.pauses_ms),
        longest_gap_ms=_longest_gap_ms(frames),
        deepest_queue_ms=_deepest_queue_ms(heard, frame_s),
    )


def _hops(trace: TurnTrace) -> Timeline:
    """When things happened; nothing yet on the sound."""
    start = origin(trace.events)
    begins = _answer_begins(trace, start)

    def since(at: float | None) -> float | None:
        return None if at is None or at < begins or start is None else (at - start) * 1000

    def event(kind: EventKind) -> float | None:
        return since(next((e.at for e in trace.events if e.kind == kind and e.at >= begins), None))

    heard, stop = trace.heard_frames, _stop_of_last(trace)
    frames = [frame for frame in trace.frames if frame.at >= begins]
    ends_at = _plays_at(heard[-1]) + trace.frame_ms / 1000 if heard else None
    return Timeline(
        speech_sent_ms=event("speech_sent"),
        stt_ms=event("stt"),
        tts_start_ms=event("tts_start"),
        emotion_ms=event("emotion"),
        sentence_ms=event("sentence"),
        first_frame_ms=since(frames[0].at) if frames else None,
        audible_ms=since(trace.audible_at),
        last_frame_ms=since(frames[-1].at) if frames else None,
        tts_stop_ms=since(stop),
        heard_ms=since(ends_at),
        abort_to_stop_ms=_abort_to_stop_ms(trace),
        stop_margin_ms=None if stop is None or ends_at is None else (stop - ends_at) * 1000,
    )


def _answer_begins(trace: TurnTrace, said: float | None) -> float:
    """Before this, all belongs to an answer that had ended while the user still spoke."""
    stops = (e.at for e in trace.events if e.kind == "tts_stop")
    return max((at for at in stops if said is not None and at < said), default=-math.inf)


def _stop_of_last(trace: TurnTrace) -> float | None:
    """The tts stop of the answer that began last; None while it is owed."""
    start = trace.last("tts_start")
    stops = [e.at for e in trace.events if e.kind == "tts_stop"]
    return next((at for at in stops if start is None or at >= start.at), None)


def _just_after_start(trace: TurnTrace, at: float) -> bool:
    starts = (event.at for event in trace.events if event.kind == "tts_start")
    return any(0 <= at - start <= OVERTAKING_S for start in starts)


class _Holes(NamedTuple):
    late: int
    underruns_ms: list[float]
    pauses_ms: list[float]


def _holes(trace: TurnTrace, heard: tuple[Frame, ...], frame_s: float) -> _Holes:
    """Silences between frames that a listener hears, by who caused them."""
    sentences = [event.at for event in trace.events if event.kind == "sentence"]
    holes = _Holes(0, [], [])
    for before, after in pairwise(heard):
        silence_ms = (_plays_at(after) - _plays_at(before) - frame_s) * 1000
        if silence_ms < 1:  # rounding of the clock
            continue
        holes = holes._replace(late=holes.late + 1)
        if silence_ms >= UNDERRUN_MS:
            new_sentence = any(before.at < at <= after.at for at in sentences)
            (holes.pauses_ms if new_sentence else holes.underruns_ms).append(silence_ms)
    return holes


def _abort_to_stop_ms(trace: TurnTrace) -> float | None:
    abort = trace.first("abort")
    if abort is None:
        return None
    stops = [e.at for e in trace.events if e.kind == "tts_stop" and e.at >= abort.at]
    return (stops[0] - abort.at) * 1000 if stops else None


def _plays_at(frame: Frame) -> float:
    return frame.at if frame.plays_at is None else frame.plays_at


def _longest_gap_ms(frames: tuple[Frame, ...]) -> float:
    """The longest time without a frame between the first and the last."""
    gaps = (after.at - before.at for before, after in pairwise(frames))
    return max(gaps, default=0.0) * 1000


def _deepest_queue_ms(heard: tuple[Frame, ...], frame_s: float) -> float:
    """The most audio that waited to be played just after a frame came, that frame included."""
    waiting = (_plays_at(frame) + frame_s - frame.at for frame in heard)
    return max(waiting, default=0.0) * 1000
