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

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, get_args

from actors.effects import Effect, TurnEnded
from actors.messages import (
    AnswerAwaited,
    AnswerKnown,
    AnswerUnknown,
    ClauseReady,
    FramesReady,
    Generated,
    Partial,
    Recognised,
    SoundAwaited,
    SoundKnown,
    SoundUnknown,
    TurnId,
    TurnRecord,
)
from actors.session.answer import Answer, Messages
from actors.session.checkpoint import AnswerState, Sent
from actors.session.ready import ReadyPhrases
from actors.session.recall import Scope
from actors.session.recognition import Recognition
from actors.session.words import is_one_of, joined
from actors.session.work import LeaseNews, TurnWork
from actors.wire import outbound
from cfg.model import Settings

_LEASE_NEWS = get_args(LeaseNews)

#: Of words that nobody has answered yet the next turn continues so many at most: a
#: television speaks for hours.
MAX_CARRIED_CHARS = 500


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
    phrases: ReadyPhrases = field(default_factory=ReadyPhrases)
    #: For whom cached answers must have been made.
    scope: Scope = ("", "", "", "")
    #: Words of an unanswered turn that this one continues.
    carried: str = ""


class Turn:
    """See the module."""

    def __init__(self, turn: TurnId, setting: Setting, out: list[Effect], now: float) -> None:
        self.id = turn
        self.stage = Stage.HEARING
        self.outcome = ""
        self.heard = ""
        self.close_after = False
        self._setting = setting
        self._dialogue = setting.settings.dialogue
        self._out = out
        self._work = TurnWork(turn, setting.settings, out, now)
        self._recognition = Recognition(self._work, self._gave_up)
        self._answer = Answer(self._work, setting.phrases, setting.scope, self._gave_up)
        self._patience_s = setting.settings.deadlines.turn_s
        self._until = now + self._patience_s
        self._reason = ""
        self._verdict = "answered"

    # --- speech comes in ---

    def hear(self, pcm: bytes, now: float) -> None:
        """The next samples of the utterance, 16 kHz s16le."""
        self._recognition.hear(pcm, now)

    def hurry(self) -> None:
        """The speech pauses: what it says so far decides whether it is over."""
        self._recognition.hurry()

    def foresee(self) -> None:
        """It may be over: the answer to what it says so far is looked up."""
        if self.partial:
            self._answer.foresee(self._messages(self._heard_with(self.partial)))

    def told(self, now: float) -> None:
        """The session before this one has told the device to speak."""
        self._answer.told(now)

    def speech_ended(self, now: float, last_sample_at: float) -> None:
        """The end was decided; `last_sample_at` is when the last speech arrived."""
        self._work.zero = last_sample_at
        self._work.mark("end_decided", now)
        self.stage = Stage.RECOGNISING
        if self._recognition.begun:
            self._recognition.end(now)
            if self.partial:  # the text is a moment away
                self._answer.expect(self._messages(self._heard_with(self.partial)), now)
        else:
            self.text_ready("", now)

    @property
    def partial(self) -> str:
        """The text as understood so far."""
        return self._recognition.partial

    def unanswered(self) -> tuple[str, bytes]:
        """(words, speech) of which no answer was heard yet: the next turn continues them."""
        if self.stage in (Stage.HEARING, Stage.RECOGNISING):
            return self._setting.carried, self._recognition.speech()
        return ("", b"") if self._answer.sent.frames else (self.heard[-MAX_CARRIED_CHARS:], b"")

    @property
    def can_continue(self) -> bool:
        """Whether speech that goes on may still become part of this one's."""
        return not self._recognition.full

    # --- the answer ---

    @property
    def tts_started(self) -> bool:
        return self._answer.begun

    @property
    def all_sent(self) -> bool:
        """Whether the device has the whole answer, though it may not have played it yet."""
        return self._answer.all_sent

    def text_ready(self, text: str, now: float) -> None:
        """What the user said is known ('': nothing was understood)."""
        self.heard = self._heard_with(text)
        if not self.heard:
            if self._setting.manual:
                self.say(self._phrase("not_understood"), now, "void")
            else:
                self._end("void", now)
            return
        self._work.mark("final_text", now)
        most = self._setting.settings.downlink.max_text_chars
        self._work.text(outbound.stt(self.id.session, self.heard, most))
        if is_one_of(self.heard, self._dialogue.exit_phrases):
            self.close_after = True
            self.say(self._dialogue.goodbye, now)
            return
        self.stage = Stage.ANSWERING
        self._answer.ask(self._messages(self.heard), now)

    def _heard_with(self, text: str) -> str:
        return joined((self._setting.carried, text))

    def _messages(self, heard: str) -> Messages:
        question = ("user", heard)
        system = ("system", self._dialogue.system_prompt)
        return (system, *self._setting.history, question)

    def say(self, phrase: str, now: float, verdict: str = "answered", reason: str = "") -> None:
        """Answer with this phrase instead of a model's words."""
        self._verdict, self._reason = verdict, reason or self._reason
        self.stage = Stage.ANSWERING
        self._recognition.stop()
        self._answer.say(phrase, now)

    def resume(self, state: AnswerState, sent: Sent, now: float) -> None:
        """Go on with an answer whose session died: nothing is said twice."""
        self.heard, self.close_after = state.heard, state.close_after
        self._verdict, self._reason = state.verdict, state.reason or "its session was replaced"
        self.stage = Stage.ANSWERING
        self._answer.resume(state, sent, self._messages(self.heard), now)

    @property
    def state(self) -> AnswerState | None:
        """What a successor needs to go on; None while nothing is answered."""
        if self.stage is not Stage.ANSWERING:
            return None
        return replace(
            self._answer.state(self.heard),
            verdict=self._verdict,
            reason=self._reason,
            close_after=self.close_after,
        )

    @property
    def sent(self) -> Sent:
        """How much of the answer the device has."""
        return self._answer.sent

    # --- messages ---

    def take(self, message: Any, now: float) -> None:
        """A message that carries this turn's id."""
        if self.stage is Stage.ENDED:
            return
        if isinstance(message, _LEASE_NEWS):
            self._work.take(message, now)
        elif isinstance(message, Partial | Recognised):
            text = self._recognition.take(message, now)
            if text is not None:
                self.text_ready(text, now)
        elif isinstance(message, ClauseReady | Generated):
            self._answer.generation(message, now)
        elif isinstance(message, FramesReady):
            self._answer.synthesis(message, now)
        elif isinstance(message, AnswerKnown | AnswerUnknown | AnswerAwaited):
            self._answer.recalled(message, now)
        elif isinstance(message, SoundKnown | SoundUnknown | SoundAwaited):
            self._answer.sound(message, now)

    # --- time ---

    def deadline(self) -> float | None:
        """When `time` wants to be called; None once ended."""
        if self.stage is Stage.ENDED:
            return None
        times = (self._until, self._answer.deadline(), self._work.deadline())
        return min(time for time in times if time is not None)

    def time(self, now: float) -> None:
        """Send what is due, notice what is late, end what was heard."""
        if self.stage is Stage.ENDED:
            return
        if self._answer.time(now):
            self._until = now + self._patience_s  # it is being heard
        self._work.time(now)
        if self._is(Stage.ANSWERING) and self._answer.heard_by(now):
            if self._answer.sent.frames == 0 and self._verdict == "answered":
                self.fail("the voice gave no audio", now)
            else:
                self._end(self._verdict, now)
        elif not self._is(Stage.ENDED) and now >= self._until:
            self._until = now + self._patience_s
            self.fail("nothing could be said for too long", now)

    # --- ends ---

    def interrupt(self, now: float, reason: str) -> None:
        """The user, or the session's end, stops this turn: nothing more is sent."""
        if self.stage is not Stage.ENDED:
            self._reason = reason
            self._end("interrupted", now)

    def _gave_up(self, reason: str, busy: bool, now: float) -> None:
        self.fail(reason, now, busy=busy)

    def fail(self, reason: str, now: float, *, busy: bool = False) -> None:
        """Nobody could do a part of it: say so, if anybody can speak."""
        self._work.note("error", "turn failed", reason=reason)
        phrase = self._phrase("busy" if busy else "apology")
        if self._verdict in ("failed", "refused") and not self._answer.is_ready(phrase):
            self._reason = reason
            self._end(self._verdict, now)  # not even the apology can be spoken
            return
        self.say(phrase, now, "refused" if busy else "failed", reason)

    def _phrase(self, what: str) -> str:
        return self._setting.phrases.choose(what, self._dialogue, self.id.number)

    def said(self, *, phrases: bool = True) -> str:
        """What the user has heard of the answer; `phrases`: ready-made ones too."""
        return self._answer.said(phrases=phrases)

    def _end(self, outcome: str, now: float) -> None:
        self.stage = Stage.ENDED
        self.outcome = outcome
        self._answer.stop(now)
        record = TurnRecord(
            self.id,
            self._setting.device,
            outcome,
            self.heard,
            self.said(),
            dict(self._work.engines),
            dict(self._work.hops_ms),
            self._reason,
        )
        self._out.append(TurnEnded(record))

    def _is(self, stage: Stage) -> bool:
        # A method, so that a type checker knows that the stage may have changed meanwhile.
        return self.stage is stage
