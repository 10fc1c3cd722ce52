"""A turn's answer on its way out: clauses from a model, speech for each, frames in time.

Pure. Each clause is spoken while the next is generated. Whoever fails is replaced
behind what was done already: a second model goes on after the clauses there are, a
second voice after the frames that were sent. Phrases kept ready as audio need no voice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.effects import SendFrame
from actors.leased import LeasedJob
from actors.messages import ClauseReady, FramesReady, Generate, Generated, Synthesise
from actors.ordering import InOrder
from actors.session.playout import Frame, Playout
from actors.session.words import joined
from actors.session.work import GaveUp, TurnWork
from actors.wire import outbound

#: Speech is made at most so far ahead of what was sent: an interruption wastes the rest.
MAX_AUDIO_AHEAD_MS = 6000

#: A voice that gives more for one clause has lost its way.
MAX_CLAUSE_AUDIO_MS = 120_000

#: `tts start` to first frame: entering *speaking* clears the device's queue (protocol 3).
START_GAP_S = 0.02


class Answer:
    """One answer; `begun` once `tts start` was sent. `gave_up`: nobody could do a part."""

    def __init__(
        self, work: TurnWork, phrases: Mapping[str, tuple[bytes, ...]], gave_up: GaveUp
    ) -> None:
        self.begun = False
        self._work = work
        self._phrases = phrases
        self._gave_up = gave_up
        downlink = work.settings.downlink
        self._playout = Playout(
            downlink.frame_ms, downlink.lead_frames, downlink.stop_margin_ms / 1000
        )
        self._messages: tuple[tuple[str, str], ...] = ()
        self._llm: LeasedJob | None = None
        self._generated: InOrder[ClauseReady | Generated] = InOrder()
        self._clauses: list[str] = []
        self._phrase_numbers: set[int] = set()
        self._clauses_complete = False
        self._emotion = ""
        self._tts: LeasedJob | None = None
        #: A clause is with the voice; without one the voice was leased ahead.
        self._speaking = False
        #: Clauses of which all frames are there: the number of the next one to be made.
        self._made = 0
        self._frames_of_clause = 0
        self._spoken: InOrder[FramesReady] = InOrder()
        self._skip_frames = 0
        self._voice = ""

    # --- what is to be said ---

    def begin(self, now: float) -> None:
        """The device is told to speak; the first time counts."""
        if not self.begun:
            self.begun = True
            self._work.text(outbound.tts_start(self._work.turn.session))
            self._playout.open(now + START_GAP_S)

    def ask(self, messages: tuple[tuple[str, str], ...], now: float) -> None:
        """Have a model answer the last of these (role, text) messages."""
        self._messages = messages
        self.begin(now)
        llm = self._llm
        if llm is None or llm.ended:
            self._lease_model(now)
        else:
            llm.ahead = False
            if llm.working:
                llm.give(self._generate(llm.number), now)
        self._tts = self._work.job("tts", self._synthesise, self._voiceless)
        self._tts.ahead = True
        self._tts.start(now)

    def prepare(self, now: float) -> None:
        """Lease a model ahead; what it shall answer may follow by `ask`."""
        self._lease_model(now, ahead=True)

    def _lease_model(self, now: float, *, ahead: bool = False) -> None:
        self._llm = self._work.job("llm", self._generate, self._modelless)
        self._llm.ahead = ahead
        self._llm.start(now)

    def _modelless(self, reason: str, busy: bool, now: float) -> None:
        if self._messages:
            self._gave_up(reason, busy, now)
        else:
            self._llm = None  # nothing was asked yet: there will be another try

    def say(self, phrase: str, now: float) -> None:
        """Say this and no more, behind what is being said already."""
        self.begin(now)
        if self._llm is not None:
            self._llm.cancel()
        del self._clauses[self._made + self._speaking :]
        self._phrase_numbers.add(len(self._clauses))
        self._clauses.append(phrase)
        self._clauses_complete = True
        self._playout.reopen()
        self._pump(now)

    def is_ready(self, phrase: str) -> bool:
        """Whether this phrase can be said without a voice."""
        return phrase in self._phrases

    def _generate(self, job: int) -> list[Any]:
        self._generated = InOrder()
        if not self._messages:
            return []
        return [Generate(self._work.turn, job, self._messages, tuple(self._clauses))]

    # --- from the model ---

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
        elif self._clauses:
            llm.done(now)
            self._clauses_complete = True
        else:
            llm.refuse(f"{llm.engine} answered nothing", now)
            return
        self._pump(now)

    def _clause(self, llm: LeasedJob, message: ClauseReady, now: float) -> None:
        if len(self._clauses) >= self._work.settings.dialogue.max_clauses:
            llm.cancel()
            self._clauses_complete = True
            return
        llm.progress(now)
        self._work.mark("first_clause", now)
        self._clauses.append(message.text)
        self._show_emotion(message.emotion)

    def _show_emotion(self, emotion: str | None) -> None:
        """Once with the first clause, later only when it changes."""
        mood = emotion or ("" if self._emotion else "neutral")
        if mood and mood != self._emotion:
            self._emotion = mood
            self._work.text(outbound.llm_emotion(self._work.turn.session, mood))

    # --- from the voice ---

    def synthesis(self, message: FramesReady, now: float) -> None:
        tts = self._tts
        if tts is None or not tts.is_mine(message.job):
            return
        for piece in self._spoken.push(message.sequence, message):
            if tts.ended:
                return
            self._synthesis(tts, piece, now)

    def _synthesis(self, tts: LeasedJob, message: FramesReady, now: float) -> None:
        self._frames_of_clause += len(message.frames)
        if self._frames_of_clause * self._work.settings.downlink.frame_ms > MAX_CLAUSE_AUDIO_MS:
            tts.refuse(f"{tts.engine} does not come to an end", now)
            return
        tts.progress(now)
        frames = message.frames[self._skip_frames :]
        self._skip_frames = max(0, self._skip_frames - len(message.frames))
        self._playout.frames(self._made, frames)
        if frames:
            self._work.mark("first_audio", now)
        if message.last:
            tts.done(now)
            self._voice, self._tts = tts.engine, None
            self._speaking = False
            self._made += 1
            self._pump(now)

    def _pump(self, now: float) -> None:
        """Have the next clause spoken, if it is its time."""
        while (
            not self._speaking
            and self._made < len(self._clauses)
            and self._playout.waiting_ms < MAX_AUDIO_AHEAD_MS
        ):
            clause = self._clauses[self._made]
            self._playout.subtitle(self._made, clause)
            ready = self._phrases.get(clause)
            if ready is None:
                self._speak(now)
                return
            self._playout.frames(self._made, ready)
            self._work.mark("first_audio", now)
            self._made += 1
        if self._clauses_complete and self._made == len(self._clauses):
            self._playout.complete()
            if self._tts is not None:
                self._tts.cancel()  # leased ahead, and not needed
                self._tts = None

    def _speak(self, now: float) -> None:
        """Have the next clause spoken: by the voice leased ahead, if there is one."""
        self._speaking = True
        if self._tts is None or self._tts.ended:
            self._tts = self._work.job("tts", self._synthesise, self._voiceless, self._voice)
            self._tts.start(now)
        elif self._tts.working:
            self._tts.give(self._synthesise(self._tts.number), now)
        self._tts.ahead = False

    def _synthesise(self, job: int) -> list[Any]:
        """Ask for the clause from its start; what was sent of it already is skipped."""
        if not self._speaking:
            return []
        self._skip_frames = self._playout.withdraw(self._made)
        self._frames_of_clause = 0
        self._spoken = InOrder()
        downlink = self._work.settings.downlink
        text = self._clauses[self._made]
        rate_hz, frame_ms = downlink.sample_rate_hz, downlink.frame_ms
        return [Synthesise(self._work.turn, job, self._made, text, rate_hz, frame_ms)]

    def _voiceless(self, reason: str, busy: bool, now: float) -> None:
        """Nobody can speak this clause, nor those after it."""
        if not self._speaking:
            self._tts = None  # it was only leased ahead
            return
        self._speaking = False
        self._playout.drop(self._made)
        self._tts = None
        self._made += 1
        self._gave_up(reason, busy, now)

    # --- time ---

    def deadline(self) -> float | None:
        """When `time` wants to be called, jobs apart."""
        times = (self._playout.next_due(), self._playout.finished_at())
        return min((time for time in times if time is not None), default=None)

    def time(self, now: float) -> bool:
        """Send what is due; returns whether a frame was."""
        sent = self._playout.frames_sent
        for item in self._playout.poll(now):
            if isinstance(item, Frame):
                self._work.mark("first_frame", now)
                self._work.hops_ms["last_frame"] = self._work.since_ms(now)
                self._work.out.append(SendFrame(item.opus, item.timestamp_ms))
            else:
                most = self._work.settings.downlink.max_text_chars
                session = self._work.turn.session
                self._work.text(outbound.sentence_start(session, item.text, most))
        self._pump(now)
        return self._playout.frames_sent > sent

    def heard_by(self, now: float) -> bool:
        """Whether all of it was heard, the margin for slow devices included."""
        finished = self._playout.finished_at()
        return finished is not None and now >= finished

    @property
    def all_sent(self) -> bool:
        """Whether nothing of it is left to be sent."""
        return self.frames_sent > 0 and self._playout.finished_at() is not None

    def stop(self, now: float) -> None:
        """Nothing more is sent but, if the device was told to speak, the end of that."""
        self._work.cancel()
        self._playout.clear()
        if self.begun:
            self._work.mark("stop", now)
            self._work.text(outbound.tts_stop(self._work.turn.session))

    # --- what became of it ---

    @property
    def frames_sent(self) -> int:
        return self._playout.frames_sent

    def said(self, *, phrases: bool = True) -> str:
        """What the user has heard, by whole clauses; `phrases`: ready-made ones too."""
        begun = self._playout.begun_clauses()
        return joined(
            clause
            for number, clause in enumerate(self._clauses)
            if number in begun and (phrases or number not in self._phrase_numbers)
        )
