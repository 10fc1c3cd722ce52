"""A turn's clauses on their way to the ear: speech for each, frames in time.

Pure. A clause is taken from phrases kept ready, from the sound cache, or spoken by a
voice, while the next one is still being generated. A voice that fails is replaced
behind the frames that were sent; an answer keeps the voice it began with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.effects import SendFrame
from actors.leased import LeasedJob
from actors.messages import FramesReady, Synthesise
from actors.ordering import InOrder
from actors.session.checkpoint import AnswerState, Sent
from actors.session.playout import Frame, Playout
from actors.session.recall import SoundNews, SoundRecall
from actors.session.words import joined
from actors.session.work import GaveUp, TurnWork
from actors.wire import outbound

#: Speech is made at most so far ahead of what was sent: an interruption wastes the rest.
MAX_AUDIO_AHEAD_MS = 6000

#: A voice that gives more for one clause has lost its way.
MAX_CLAUSE_AUDIO_MS = 120_000

#: `tts start` to first frame: entering *speaking* clears the device's queue (protocol 3).
START_GAP_S = 0.02


class Speaking:
    """`begun` once `tts start` was sent. `gave_up`: nobody could speak a clause."""

    def __init__(
        self, work: TurnWork, phrases: Mapping[str, tuple[bytes, ...]], gave_up: GaveUp
    ) -> None:
        self.begun = False
        self.clauses: list[str] = []
        #: No further clause comes.
        self.complete = False
        #: The engine that speaks this answer; '' until one does.
        self.voice = ""
        #: Which clauses are ready-made phrases, no words of an answer.
        self.phrase_numbers: set[int] = set()
        self._work = work
        self._phrases = phrases
        self._gave_up = gave_up
        downlink = work.settings.downlink
        self._playout = Playout(
            downlink.frame_ms, downlink.lead_frames, downlink.stop_margin_ms / 1000
        )
        self._sounds = SoundRecall(work)
        self._tts: LeasedJob | None = None
        #: A clause is with the voice; without one the voice was leased ahead.
        self._speaking = False
        #: Clauses of which all frames are there: the number of the next one to be made.
        self._made = 0
        self._frames_of_clause = 0
        self._spoken: InOrder[FramesReady] = InOrder()
        self._skip_frames = 0

    # --- what is to be said ---

    def begin(self, now: float) -> None:
        """The device is told to speak; the first time counts."""
        if not self.begun:
            self.begun = True
            self._work.text(outbound.tts_start(self._work.turn.session))
            self._playout.open(now + START_GAP_S)

    def foresee(self, clause: str, now: float) -> None:
        """This may be the first thing to say: its sound is looked up."""
        if clause not in self._phrases:
            self._sounds.want(0, clause, self.voice, now)

    def told(self, now: float) -> None:
        """A session before this one has told the device to speak."""
        self.begun = True
        self._playout.open(now)

    def lease_ahead(self, now: float) -> None:
        """There will be something to speak in a moment."""
        self._tts = self._work.job("tts", self._synthesise, self._voiceless)
        self._tts.ahead = True
        self._tts.start(now)

    def finish_with(self, phrase: str) -> None:
        """Say this and no more, behind what is being said already."""
        del self.clauses[self._made + self._speaking :]
        self.phrase_numbers.add(len(self.clauses))
        self.clauses.append(phrase)
        self.complete = True
        self._playout.reopen()

    def fill(self, phrase: str, now: float) -> None:
        """Say this while the first words are waited for; they follow it."""
        self.phrase_numbers.add(len(self.clauses))
        self.clauses.append(phrase)
        self.pump(now)

    @property
    def words(self) -> tuple[str, ...]:
        """The clauses that are words of the answer."""
        numbered = enumerate(self.clauses)
        return tuple(text for number, text in numbered if number not in self.phrase_numbers)

    def is_ready(self, phrase: str) -> bool:
        """Whether this phrase can be said without a voice."""
        return phrase in self._phrases

    def resume(self, state: AnswerState, sent: Sent, now: float) -> None:
        """Go on where the session before this one ended: the device is speaking already."""
        self.begun = True
        self.clauses, self.complete = list(state.clauses), state.complete
        self.phrase_numbers, self.voice = set(state.phrases), state.voice
        self._made = sent.clause
        self._playout.resume(sent)
        self._playout.open(now)

    # --- speech ---

    def pump(self, now: float) -> None:
        """Have the next clauses spoken, as far as it is their time."""
        while (
            not self._speaking
            and self._made < len(self.clauses)
            and self._playout.waiting_ms < MAX_AUDIO_AHEAD_MS
        ):
            number, clause = self._made, self.clauses[self._made]
            frames = self._phrases.get(clause)
            if frames is None:
                self._sounds.want(number, clause, self.voice, now)
                if self._sounds.asking(number):
                    break
                frames = self._recalled(number)
            if frames is None:
                self._playout.subtitle(number, clause)
                self._speak(now)
                break
            self._ready(number, clause, frames, now)
        self._look_ahead(now)
        if self.complete and self._made == len(self.clauses):
            self._playout.complete()
            if self._tts is not None:
                self._tts.cancel()  # leased ahead, and not needed
                self._tts = None

    def _look_ahead(self, now: float) -> None:
        """Have the next clause looked up while this one is made, once the voice is known."""
        number = self._made + 1
        if self.voice and number < len(self.clauses) and self.clauses[number] not in self._phrases:
            self._sounds.want(number, self.clauses[number], self.voice, now)

    def _recalled(self, number: int) -> tuple[bytes, ...] | None:
        found = self._sounds.found(number)
        if found is None:
            return None
        self.voice, frames = self.voice or found[0], found[1]
        self._work.engines.setdefault("sound", "cache")
        return frames

    def _ready(self, number: int, clause: str, frames: tuple[bytes, ...], now: float) -> None:
        """All of a clause's frames are there; some were sent by a session before this one."""
        sent = self._playout.withdraw(number)
        self._playout.subtitle(number, clause)
        self._playout.frames(number, frames[sent:])
        self._work.mark("first_audio", now)
        self._made += 1

    def sound(self, message: SoundNews, now: float) -> None:
        """News from the sound cache."""
        self._sounds.take(message, now)
        self.pump(now)

    def _speak(self, now: float) -> None:
        """Have the next clause spoken: by the voice leased ahead, if there is one."""
        self._speaking = True
        if self._tts is None or self._tts.ended:
            self._tts = self._work.job("tts", self._synthesise, self._voiceless, self.voice)
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
        self._sounds.begins(self._made)
        downlink = self._work.settings.downlink
        text = self.clauses[self._made]
        rate_hz, frame_ms = downlink.sample_rate_hz, downlink.frame_ms
        return [Synthesise(self._work.turn, job, self._made, text, rate_hz, frame_ms)]

    def synthesis(self, message: FramesReady, now: float) -> None:
        """Speech from a voice."""
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
        self._sounds.made(self._made, message.frames)
        frames = message.frames[self._skip_frames :]
        self._skip_frames = max(0, self._skip_frames - len(message.frames))
        self._playout.frames(self._made, frames)
        if frames:
            self._work.mark("first_audio", now)
        if message.last:
            tts.done(now)
            self._sounds.whole(self._made, tts.engine)
            self.voice, self._tts = tts.engine, None
            self._speaking = False
            self._made += 1
            self.pump(now)

    def _voiceless(self, reason: str, busy: bool, now: float) -> None:
        """Nobody can speak this clause, nor those after it."""
        self._tts = None
        if not self._speaking:
            return  # it was only leased ahead
        self._speaking = False
        self._playout.drop(self._made)
        self._made += 1
        self._gave_up(reason, busy, now)

    # --- time ---

    def deadline(self) -> float | None:
        """When `time` wants to be called, jobs apart."""
        times = (self._playout.next_due(), self._playout.finished_at(), self._sounds.deadline())
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
        self._sounds.time(now)
        self.pump(now)
        return self._playout.frames_sent > sent

    def heard_by(self, now: float) -> bool:
        """Whether all of it was heard, the margin for slow devices included."""
        finished = self._playout.finished_at()
        return finished is not None and now >= finished

    @property
    def all_sent(self) -> bool:
        """Whether nothing of it is left to be sent."""
        return self._playout.frames_sent > 0 and self._playout.finished_at() is not None

    def stop(self, now: float) -> None:
        """Nothing more is sent but, if the device was told to speak, the end of that."""
        self._sounds.stop()
        self._playout.clear()
        if self.begun:
            self._work.mark("stop", now)
            self._work.text(outbound.tts_stop(self._work.turn.session))

    # --- what became of it ---

    @property
    def sent(self) -> Sent:
        return self._playout.sent

    def said(self, *, phrases: bool = True) -> str:
        """What the user has heard, by whole clauses; `phrases`: ready-made ones too."""
        begun = self._playout.begun_clauses()
        return joined(
            clause
            for number, clause in enumerate(self.clauses)
            if number in begun and (phrases or number not in self.phrase_numbers)
        )
