"""A turn's answer: recalled, or made by a model clause by clause, and spoken meanwhile.

Pure. Each clause is spoken while the next is generated. A model that fails is replaced
by another that goes on after the clauses there are. What the answer cache did not know
it is told, once the model has said all of it.
"""

from __future__ import annotations

from typing import Any

from actors.leased import LeasedJob
from actors.messages import AnswerKnown, ClauseReady, FramesReady, Generate, Generated
from actors.ordering import InOrder
from actors.session.checkpoint import AnswerState, Sent
from actors.session.ready import ReadyPhrases
from actors.session.recall import AnswerNews, AnswerRecall, Scope, SoundNews
from actors.session.speaking import Speaking
from actors.session.work import GaveUp, TurnWork
from actors.wire import outbound

#: (role, text) pairs, oldest first; the last is the question.
Messages = tuple[tuple[str, str], ...]


def _asked(messages: Messages) -> tuple[str, str]:
    """(question, the user's question before it or '')."""
    questions = [text for role, text in messages if role == "user"]
    return questions[-1], questions[-2] if len(questions) > 1 else ""


class Answer:
    """One answer. `gave_up`: nobody could do a part of it."""

    def __init__(
        self,
        work: TurnWork,
        phrases: ReadyPhrases,
        scope: Scope,
        gave_up: GaveUp,
    ) -> None:
        self._work = work
        self._scope = scope
        self._gave_up = gave_up
        self._phrases = phrases
        self._speaking = Speaking(work, phrases.frames, gave_up)
        self._recall = AnswerRecall(work, self._known, self._unknown)
        self._messages: Messages = ()
        self._llm: LeasedJob | None = None
        self._generated: InOrder[ClauseReady | Generated] = InOrder()
        self._emotion = self._first_emotion = ""
        #: When waiting for the first words is filled with a phrase.
        self._fill_at: float | None = None

    # --- what is to be said ---

    def ask(self, messages: Messages, now: float) -> None:
        """Have the last of these answered: by the cache, else by a model."""
        self._messages = messages
        self._speaking.begin(now)
        question, context = _asked(messages)
        self._recall.ask(question, self._scope, context, now)

    def foresee(self, messages: Messages) -> None:
        """The last of these may be what is asked: the cache is."""
        question, context = _asked(messages)
        self._recall.foresee(question, self._scope, context)

    def expect(self, messages: Messages, now: float) -> None:
        """The last of these is what will be asked in a moment, most likely.

        If its answer is known the device is told to speak, which takes it a moment
        (`speaking.START_GAP_S`); else a model is leased.
        """
        if self._recall.foreseen(*_asked(messages)) is not None:
            self._speaking.begin(now)
        else:
            self._lease_model(now, ahead=True)

    def told(self, now: float) -> None:
        """A session before this one has told the device to speak."""
        self._speaking.told(now)

    def say(self, phrase: str, now: float) -> None:
        """Say this and no more, behind what is being said already."""
        self._fill_at = None
        self._speaking.begin(now)
        self._recall.stop(now)
        if self._llm is not None:
            self._llm.cancel()
        self._speaking.finish_with(phrase)
        self._speaking.pump(now)

    def is_ready(self, phrase: str) -> bool:
        """Whether this phrase can be said without a voice."""
        return self._speaking.is_ready(phrase)

    def resume(self, state: AnswerState, sent: Sent, messages: Messages, now: float) -> None:
        """Go on where the session before this one ended."""
        self._messages, self._emotion = messages, state.emotion
        self._speaking.resume(state, sent, now)
        if not state.complete and not self._speaking.words:
            self.ask(messages, now)
        elif not state.complete:
            self._lease_model(now)
        self._speaking.pump(now)

    # --- from the cache ---

    def recalled(self, message: AnswerNews, now: float) -> None:
        foreseen = self._recall.take(message, now)
        if foreseen is not None and not self._speaking.clauses:
            self._speaking.foresee(foreseen.clauses[0], now)

    def _known(self, message: AnswerKnown, now: float) -> None:
        if self._llm is not None:
            self._llm.cancel()  # leased ahead, and not needed
        self._work.mark("first_clause", now)
        self._show_emotion(message.emotion or None)
        self._speaking.clauses += message.clauses
        self._speaking.complete = True
        self._speaking.pump(now)

    def _unknown(self, now: float) -> None:
        after_ms = self._work.settings.dialogue.filler_after_ms
        if after_ms and not self._speaking.clauses:
            self._fill_at = now + after_ms / 1000
        llm = self._llm
        if llm is None or llm.ended:
            self._lease_model(now)
        else:
            llm.ahead = False
            if llm.working:
                llm.give(self._generate(llm.number), now)
        self._speaking.lease_ahead(now)

    # --- from the model ---

    def _lease_model(self, now: float, *, ahead: bool = False) -> None:
        self._llm = self._work.job("llm", self._generate, self._modelless)
        self._llm.ahead = ahead
        self._llm.start(now)

    def _modelless(self, reason: str, busy: bool, now: float) -> None:
        if self._messages and not self._recall.asking:
            self._gave_up(reason, busy, now)
        else:
            self._llm = None  # nothing was asked yet: there will be another try

    def _generate(self, job: int) -> list[Any]:
        self._generated = InOrder()
        if not self._messages or self._recall.asking:
            return []
        spoken = self._speaking.words
        return [Generate(self._work.turn, job, self._messages, spoken)]

    def generation(self, message: ClauseReady | Generated, now: float) -> None:
        llm = self._llm
        if llm is None or not llm.is_mine(message.job):
            return
        place = message.index if isinstance(message, ClauseReady) else message.clauses
        for piece in self._generated.push(place, message):
            if llm.ended:
                return
            self._generation(llm, piece, now)

    def _generation(self, llm: LeasedJob, message: ClauseReady | Generated, now: float) -> None:
        if isinstance(message, ClauseReady):
            self._clause(llm, message, now)
        elif self._speaking.words:
            llm.done(now)
            self._speaking.complete = True
            self._recall.learn(self._speaking.words, self._first_emotion, now, finished=True)
        else:
            llm.refuse(f"{llm.engine} answered nothing", now)
            return
        self._speaking.pump(now)

    def _clause(self, llm: LeasedJob, message: ClauseReady, now: float) -> None:
        if len(self._speaking.clauses) >= self._work.settings.dialogue.max_clauses:
            llm.cancel()
            self._speaking.complete = True
            return
        llm.progress(now)
        self._fill_at = None
        self._work.mark("first_clause", now)
        self._speaking.clauses.append(message.text)
        self._show_emotion(message.emotion)

    def _show_emotion(self, emotion: str | None) -> None:
        """Once with the first clause, later only when it changes."""
        mood = emotion or ("" if self._emotion else "neutral")
        if mood and mood != self._emotion:
            self._emotion, self._first_emotion = mood, self._first_emotion or mood
            self._work.text(outbound.llm_emotion(self._work.turn.session, mood))

    # --- from the voice ---

    def synthesis(self, message: FramesReady, now: float) -> None:
        self._speaking.synthesis(message, now)

    def sound(self, message: SoundNews, now: float) -> None:
        self._speaking.sound(message, now)

    # --- time ---

    def deadline(self) -> float | None:
        """When `time` wants to be called, jobs apart."""
        times = (self._speaking.deadline(), self._recall.deadline(), self._fill_at)
        return min((time for time in times if time is not None), default=None)

    def time(self, now: float) -> bool:
        """Send what is due; returns whether a frame was."""
        self._recall.time(now)
        if self._fill_at is not None and now >= self._fill_at:
            self._fill(now)
        return self._speaking.time(now)

    def _fill(self, now: float) -> None:
        """The user has waited long: he is told that an answer is on its way."""
        self._fill_at = None
        turn = self._work.turn.number
        filler = self._phrases.choose("filler", self._work.settings.dialogue, turn)
        if filler:
            self._work.engines["filler"] = "ready"
            self._speaking.fill(filler, now)

    def heard_by(self, now: float) -> bool:
        """Whether all of it was heard, the margin for slow devices included."""
        return self._speaking.heard_by(now)

    def stop(self, now: float) -> None:
        """Nothing more is sent but, if the device was told to speak, the end of that."""
        self._fill_at = None
        self._work.cancel()
        self._recall.stop(now)
        self._speaking.stop(now)

    # --- what became of it ---

    @property
    def begun(self) -> bool:
        """Whether `tts start` was sent."""
        return self._speaking.begun

    @property
    def all_sent(self) -> bool:
        """Whether nothing of it is left to be sent."""
        return self._speaking.all_sent

    @property
    def sent(self) -> Sent:
        """How much the device has of it."""
        return self._speaking.sent

    def state(self, heard: str) -> AnswerState:
        """What a successor needs to go on with it."""
        speaking = self._speaking
        return AnswerState(
            heard,
            tuple(speaking.clauses),
            tuple(sorted(speaking.phrase_numbers)),
            speaking.complete,
            self._emotion,
            speaking.voice,
        )

    def said(self, *, phrases: bool = True) -> str:
        """What the user has heard, by whole clauses; `phrases`: ready-made ones too."""
        return self._speaking.said(phrases=phrases)
