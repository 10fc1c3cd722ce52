"""One turn: from speech or typed text to an answer that was heard. A pure state machine.

Time comes in as `now`; what is to be done goes into `out`. A turn ends in exactly
one of: answered, interrupted, refused, failed (with an apology), void (nothing to
answer); and with `tts stop` on the wire on every path on which `tts start` was.

    hearing ──▶ recognising ──▶ answering ──▶ ended
       │             │              ▲
       └── void ◀────┘     typed text, greeting, apology

Whoever fails is retried elsewhere (`LeasedJob`); when nobody can, the turn says so
with a phrase; when nobody can even speak, from phrases kept ready as audio.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from actors.messages import (
    Busy,
    ClauseReady,
    FramesReady,
    Generate,
    Generated,
    Leased,
    LeaseLost,
    Partial,
    Recognise,
    Recognised,
    SpeechChunk,
    SpeechEnded,
    Synthesise,
    TurnId,
    TurnRecord,
    WorkFailed,
)
from actors.session.effects import Effect, Note, SendFrame, SendText, TurnEnded
from actors.session.leased import LeasedJob, Patience
from actors.session.playout import Frame, Playout
from actors.wire import outbound
from cfg.model import Settings

#: PCM is sent to the recogniser in pieces of at least two 60 ms frames (16 kHz, 16 bit).
SPEECH_CHUNK_BYTES = 2 * 1920

#: Speech is made at most so far ahead of what was sent: an interruption wastes the rest.
MAX_AUDIO_AHEAD_MS = 6000

#: `tts start` to first frame: entering *speaking* clears the device's queue (protocol 3).
START_GAP_S = 0.02


class Stage(Enum):
    HEARING = "hearing"
    RECOGNISING = "recognising"
    ANSWERING = "answering"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a turn is given by its session."""

    settings: Settings
    device: str
    manual: bool
    history: tuple[tuple[str, str], ...] = ()
    phrases: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    #: Words of an unanswered turn that this one continues.
    carried: str = ""


class Turn:
    """See the module."""

    def __init__(self, turn: TurnId, setting: Setting, out: list[Effect], now: float) -> None:
        self.id = turn
        self.stage = Stage.HEARING
        self.outcome = ""
        self.heard = ""
        self.partial = ""
        self.close_after = False
        self.tts_started = False
        self._setting = setting
        self._settings = setting.settings
        self._out = out
        self._numbers = itertools.count(1)
        downlink = self._settings.downlink
        self.playout = Playout(
            downlink.frame_ms, downlink.lead_frames, downlink.stop_margin_ms / 1000
        )
        self._until = now + self._settings.deadlines.turn_s
        # speech
        self._asr: LeasedJob | None = None
        self._speech: list[bytes] = []
        self._unsent = bytearray()
        self._speech_over = False
        # answer
        self._llm: LeasedJob | None = None
        self._tts: LeasedJob | None = None
        self._clauses: list[str] = []
        self._clauses_complete = False
        self._synthesised = 0
        self._skip_frames = 0
        self._voice = ""
        self._emotion = ""
        self._reason = ""
        self._verdict = "answered"
        # trace
        self._zero = now
        self._hops: dict[str, float] = {}
        self._engines: dict[str, str] = {}

    # --- speech comes in ---

    def hear(self, pcm: bytes, now: float) -> None:
        """The next samples of the utterance, 16 kHz s16le."""
        if self._asr is None:
            self._asr = self._job("asr", now, self._recognise)
            self._asr.start(now)
        self._unsent += pcm
        if len(self._unsent) >= SPEECH_CHUNK_BYTES:
            self._send_speech()

    def speech_ended(self, now: float, last_sample_at: float) -> None:
        """The end was decided; `last_sample_at` is when the last speech arrived."""
        self._zero = last_sample_at
        self._mark("end_decided", now)
        self.stage = Stage.RECOGNISING
        if self._asr is None:
            self.text_ready("", now)
            return
        self._send_speech()
        self._speech_over = True
        if self._asr.working:
            self._asr.send(SpeechEnded(self.id, self._asr.number))
            self._asr.expect(self._settings.deadlines.final_text_ms / 1000, now)

    def speech(self) -> bytes:
        """All speech of this turn so far, 16 kHz s16le."""
        return b"".join(self._speech) + bytes(self._unsent)

    def _send_speech(self) -> None:
        if not self._unsent:
            return
        chunk = bytes(self._unsent)
        self._unsent.clear()
        self._speech.append(chunk)
        if self._asr is not None and self._asr.working:
            sequence = len(self._speech) - 1
            self._asr.send(SpeechChunk(self.id, self._asr.number, sequence, chunk))

    def _recognise(self, job: int) -> list[Any]:
        """Everything heard so far: a second recogniser starts where the first did."""
        work: list[Any] = [Recognise(self.id, job)]
        work += [
            SpeechChunk(self.id, job, sequence, chunk)
            for sequence, chunk in enumerate(self._speech)
        ]
        if self._speech_over:
            work.append(SpeechEnded(self.id, job))
        return work

    # --- the answer ---

    def text_ready(self, text: str, now: float) -> None:
        """What the user said is known ('': nothing was understood)."""
        self.heard = text
        if not text and not self._setting.carried:
            if self._setting.manual:
                self.say(self._settings.dialogue.not_understood, now, "void")
            else:
                self._end("void", now)
            return
        self.heard = self._setting.carried + text
        self._mark("final_text", now)
        self._text(outbound.stt(self.id.session, self.heard, self._max_chars))
        if self._is_exit(self.heard):
            self.close_after = True
            self.say(self._settings.dialogue.goodbye, now)
            return
        self._start_speaking(now)
        self._llm = self._job("llm", now, self._generate)
        self._llm.start(now)

    def say(self, phrase: str, now: float, verdict: str = "answered", reason: str = "") -> None:
        """Answer with this phrase instead of a model's words."""
        self._verdict, self._reason = verdict, reason or self._reason
        self._start_speaking(now)
        if self._llm is not None:
            self._llm.cancel()
        kept = self._synthesised + (self._tts is not None)
        self._clauses = [*self._clauses[:kept], phrase]
        self._clauses_complete = True
        self._pump(now)

    def _generate(self, job: int) -> list[Any]:
        dialogue = self._settings.dialogue
        messages = (
            ("system", dialogue.system_prompt),
            *self._setting.history,
            ("user", self.heard),
        )
        return [Generate(self.id, job, messages, tuple(self._clauses))]

    def _start_speaking(self, now: float) -> None:
        self.stage = Stage.ANSWERING
        if not self.tts_started:
            self.tts_started = True
            self._text(outbound.tts_start(self.id.session))
            self.playout.open(now + START_GAP_S)

    def _pump(self, now: float) -> None:
        """Have the next clause spoken, if it is its time."""
        while (
            self._tts is None
            and self._synthesised < len(self._clauses)
            and self.playout.waiting_ms < MAX_AUDIO_AHEAD_MS
        ):
            clause = self._clauses[self._synthesised]
            self.playout.subtitle(self._synthesised, clause)
            ready = self._setting.phrases.get(clause)
            if ready is None:
                self._skip_frames = 0
                self._tts = self._job("tts", now, self._synthesise)
                self._tts.start(now)
                return
            self.playout.frames(self._synthesised, ready)
            self._mark("first_audio", now)
            self._synthesised += 1
        if self._clauses_complete and self._synthesised == len(self._clauses):
            self.playout.complete()

    def _synthesise(self, job: int) -> list[Any]:
        """Ask for the clause from its start; what was sent of it already is skipped."""
        clause = self._synthesised
        self._skip_frames = self.playout.withdraw(clause)
        downlink = self._settings.downlink
        text = self._clauses[clause]
        return [Synthesise(self.id, job, clause, text, downlink.sample_rate_hz, downlink.frame_ms)]

    # --- messages ---

    def take(self, message: Any, now: float) -> None:
        """A message that carries this turn's id."""
        if self.stage is Stage.ENDED:
            return
        if isinstance(message, Leased | Busy | LeaseLost):
            job = self._jobs().get(message.kind)
            if job is not None:
                self._lease_news(job, message, now)
        elif isinstance(message, Partial | Recognised):
            self._recognition(message, now)
        elif isinstance(message, ClauseReady | Generated):
            self._generation(message, now)
        elif isinstance(message, FramesReady):
            self._synthesis(message, now)
        elif isinstance(message, WorkFailed):
            for job in self._jobs().values():
                job.failed(message, now)

    def _lease_news(self, job: LeasedJob, message: Leased | Busy | LeaseLost, now: float) -> None:
        if isinstance(message, Leased):
            job.leased(message, now)
            self._engines[job.kind] = job.engine
            if job is self._asr and not self._speech_over:
                job.expect(self._settings.listening.max_utterance_s * 2, now)
        elif isinstance(message, Busy):
            job.busy(message, now)
        else:
            job.lost(message, now)

    def _recognition(self, message: Partial | Recognised, now: float) -> None:
        if self._asr is None or not self._asr.is_mine(message.job):
            return
        if isinstance(message, Partial):
            self.partial = message.text
        else:
            self._asr.done(now)
            self.text_ready(message.text, now)

    def _generation(self, message: ClauseReady | Generated, now: float) -> None:
        if self._llm is None or not self._llm.is_mine(message.job):
            return
        if isinstance(message, Generated):
            self._llm.done(now)
            self._clauses_complete = True
            if not self._clauses:
                self.fail("the model answered nothing", now)
                return
        else:
            self._llm.progress(now)
            self._mark("first_clause", now)
            self._clauses.append(message.text)
            self._show_emotion(message.emotion)
        self._pump(now)

    def _show_emotion(self, emotion: str | None) -> None:
        """Once with the first clause, later only when it changes."""
        mood = emotion or ("" if self._emotion else "neutral")
        if mood and mood != self._emotion:
            self._emotion = mood
            self._text(outbound.llm_emotion(self.id.session, mood))

    def _synthesis(self, message: FramesReady, now: float) -> None:
        if self._tts is None or not self._tts.is_mine(message.job):
            return
        self._tts.progress(now)
        frames = message.frames[self._skip_frames :]
        self._skip_frames = max(0, self._skip_frames - len(message.frames))
        self.playout.frames(message.clause, frames)
        if frames:
            self._mark("first_audio", now)
        if message.last:
            self._tts.done(now)
            self._voice, self._tts = self._tts.engine, None
            self._synthesised += 1
            self._pump(now)

    # --- time ---

    def deadline(self) -> float | None:
        """When `time` wants to be called; None once ended."""
        if self.stage is Stage.ENDED:
            return None
        times = [self._until, self.playout.next_due(), self.playout.finished_at()]
        times += [job.deadline() for job in self._jobs().values()]
        return min(time for time in times if time is not None)

    def time(self, now: float) -> None:
        """Send what is due, notice what is late, end what was heard."""
        if self.stage is Stage.ENDED:
            return
        for item in self.playout.poll(now):
            if isinstance(item, Frame):
                self._mark("first_frame", now)
                self._hops["last_frame"] = self._since(now)
                self._out.append(SendFrame(item.opus, item.timestamp_ms))
            else:
                text = outbound.sentence_start(self.id.session, item.text, self._max_chars)
                self._text(text)
        self._pump(now)
        for job in list(self._jobs().values()):
            job.time(now)
        finished = self.playout.finished_at()
        if self.stage is Stage.ANSWERING and finished is not None and now >= finished:
            if self.playout.frames_sent == 0 and self._verdict == "answered":
                self.fail("the voice gave no audio", now)
            else:
                self._end(self._verdict, now)
        elif now >= self._until:
            self._reason = "the turn lasted too long"
            self._end("failed", now)

    # --- ends ---

    def interrupt(self, now: float, reason: str) -> None:
        """The user, or the session's end, stops this turn: nothing more is sent."""
        if self.stage is not Stage.ENDED:
            self._reason = reason
            self._end("interrupted", now)

    def fail(self, reason: str, now: float, *, busy: bool = False) -> None:
        """Nobody could do a part of it: say so, if anybody can speak."""
        self._out.append(Note("error", "turn failed", {"reason": reason}))
        dialogue = self._settings.dialogue
        phrase = dialogue.busy if busy else dialogue.apology
        verdict = "refused" if busy else "failed"
        if self._verdict in ("failed", "refused") and phrase not in self._setting.phrases:
            self._reason = reason
            self._end(self._verdict, now)  # not even the apology can be spoken
            return
        self.say(phrase, now, verdict, reason)

    def said(self) -> str:
        """What the user has heard of the answer, by whole clauses."""
        begun = self.playout.begun_clauses()
        return "".join(clause for number, clause in enumerate(self._clauses) if number in begun)

    def _end(self, outcome: str, now: float) -> None:
        self.stage = Stage.ENDED
        self.outcome = outcome
        for job in self._jobs().values():
            job.cancel()
        self.playout.clear()
        if self.tts_started:
            self._mark("stop", now)
            self._text(outbound.tts_stop(self.id.session))
        self._out.append(
            TurnEnded(
                TurnRecord(
                    self.id,
                    self._setting.device,
                    outcome,
                    self.heard,
                    self.said(),
                    dict(self._engines),
                    dict(self._hops),
                    self._reason,
                )
            )
        )

    # --- inside ---

    @property
    def _max_chars(self) -> int:
        return self._settings.downlink.max_text_chars

    def _text(self, text: str) -> None:
        self._out.append(SendText(text))

    def _since(self, now: float) -> float:
        return round((now - self._zero) * 1000, 1)

    def _mark(self, hop: str, now: float) -> None:
        self._hops.setdefault(hop, self._since(now))

    def _is_exit(self, text: str) -> bool:
        bare = "".join(char for char in text.lower() if char.isalnum())
        phrases = self._settings.dialogue.exit_phrases
        return any(bare == "".join(c for c in phrase.lower() if c.isalnum()) for phrase in phrases)

    def _jobs(self) -> dict[str, LeasedJob]:
        jobs = {"asr": self._asr, "llm": self._llm, "tts": self._tts}
        return {kind: job for kind, job in jobs.items() if job is not None and not job.ended}

    def _job(self, kind: Any, now: float, work: Any) -> LeasedJob:
        limits = self._settings.deadlines
        first_ms, next_ms = {
            "asr": (limits.final_text_ms, limits.final_text_ms),
            "llm": (limits.first_clause_ms, limits.next_clause_ms),
            "tts": (limits.first_audio_ms, limits.next_audio_ms),
        }[kind]
        patience = Patience(limits.lease_ms / 1000, first_ms / 1000, next_ms / 1000)

        def gave_up(reason: str, busy: bool, when: float) -> None:
            if kind == "tts":
                self._drop_clause()
            if kind == "llm" and self._clauses:
                # Part of the answer is being heard: end it with the apology.
                self._clauses_complete = True
            self.fail(f"{kind}: {reason}", when, busy=busy)

        prefer = self._voice if kind == "tts" else ""
        return LeasedJob(kind, self.id, self._numbers, patience, work, gave_up, self._out, prefer)

    def _drop_clause(self) -> None:
        """Nobody can speak this clause, nor those after it."""
        self.playout.withdraw(self._synthesised)
        self._tts = None
        self._synthesised += 1
