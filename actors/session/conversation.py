"""A device's conversation: its modes, its turns and when it ends. Pure.

What the device sends and what workers answer comes in with the time; effects go
out. One turn runs at a time; `turn id` decides what a late message belongs to.

Listening, by mode (protocol 2): *auto* hears from `listen start` to the end of the
utterance and waits for the next `listen start`; *realtime* hears all the time, also
while it speaks (barge-in), and re-arms itself; *manual* hears from `listen start`
to `listen stop`. Speech that goes on while the last one is still being recognised
belongs to it, in auto mode too: its microphone is open until `tts start`.
"""

from __future__ import annotations

from typing import Any

from actors.effects import CloseConnection, Effect, Note
from actors.session.attention import Attention, BargedIn, Began, Ended, Grew
from actors.session.channel import Channel, Wish
from actors.session.checkpoint import HEARD_BYTES, Sent, SessionState
from actors.session.ready import ReadyPhrases
from actors.session.ring import PacketRing
from actors.session.turn import Stage, Turn
from actors.session.turns import Turns
from actors.session.words import is_one_of
from actors.wire.inbound import Abort, Detected, ListenStarted, Mode
from cfg.model import Settings

#: Of what was heard before an utterance, so much is kept: more than any pre-roll.
KEPT_S = 1.5

#: Phases in which speech waits for its answer.
_UNANSWERED = ("hearing", "thinking")


class Conversation:
    """See the module. Call `settle` after each event, then take what is in `out`.

    `phrases` is speech kept ready; `turns.phrases` may be replaced.
    `wall_s` is the time of day at `now`, in seconds since 1970; clients are told it.
    """

    def __init__(
        self,
        settings: Settings,
        state: SessionState,
        phrases: ReadyPhrases,
        now: float,
        wall_s: float = 0.0,
        heard: PacketRing | None = None,
    ) -> None:
        self.settings = settings
        self.state = state
        self.out: list[Effect] = []
        self.turns = Turns(settings, state, phrases, self.out)
        self.attention = Attention(settings.listening, settings.dialogue.language)
        self.attention.manual = state.mode == "manual"
        self.closing = False
        self._channel = Channel(settings, state, self.out, now, wall_s)
        self._heard = heard or PacketRing(bytearray(HEARD_BYTES), 0, HEARD_BYTES)
        #: What was heard is needed no more, once the state that says so is saved.
        self._heard_done = False
        self._draining = False
        self._drain_by: float | None = None
        self._active_at = now

    @property
    def turn(self) -> Turn | None:
        """The turn that runs."""
        return self.turns.current

    # --- what the device sends ---

    def text(self, data: bytes | str, now: float) -> None:
        """One text message."""
        if not self.closing:
            self._wished(self._channel.text(data, now), now)

    def binary(self, data: bytes, now: float) -> None:
        """One binary message: audio, or text in the framings that allow it."""
        if self.closing:
            return
        content = self._channel.binary(data, now)
        if not isinstance(content, bytes):
            self._wished(content, now)
        elif content:
            self._audio(content, now)

    def _wished(self, wish: Wish | None, now: float) -> None:
        if isinstance(wish, ListenStarted):
            self._listen(wish.mode, now)
        elif isinstance(wish, Detected):
            self._detected(wish.text, now)
        elif isinstance(wish, Abort):
            self._abort(wish.reason, now)
        elif wish is not None:
            self.attention.stop(now)
            self._facts(now)

    def _listen(self, mode: Mode, now: float) -> None:
        self._active_at = now
        self.state.mode = mode
        self.attention.manual = mode == "manual"
        turn = self.turn
        answering = turn is not None and turn.stage is not Stage.HEARING
        if turn is not None and answering and mode != "manual" and not turn.close_after:
            return  # it follows a wake word; the answer goes on
        self.turns.drop(now, "listen start")
        self.attention.arm(now)

    def _detected(self, text: str, now: float) -> None:
        if not text.strip():
            return
        self._active_at = now
        dialogue = self.settings.dialogue
        armed = self.attention.armed
        wake_word = is_one_of(text, dialogue.wake_words)
        self.turns.drop(now, "wake word" if wake_word else "typed text")
        self.attention.forget()
        if not wake_word:
            self.turns.begin(now).text_ready(text.strip(), now)
        elif dialogue.wake_greeting:
            greeting = self.turns.phrases.choose("wake_greeting", dialogue, self.state.turn)
            self.turns.begin(now).say(greeting, now)
        elif armed:
            self.attention.arm(now)

    def _abort(self, reason: str, now: float) -> None:
        self._active_at = now
        turn, armed = self.turn, self.attention.armed
        speaking = turn is not None and turn.tts_started
        self.turns.drop(now, reason or "abort")
        if not speaking:
            # The device stays in *speaking* until it hears this (protocol 2.5).
            self._channel.tts_stop()
        self.attention.forget()
        # A device in auto mode that was listening may stay so without a word.
        unspoken = armed or (turn is not None and not speaking)
        if self.state.mode == "realtime" or (self.state.mode == "auto" and unspoken):
            self.attention.arm(now)

    # --- audio ---

    def _audio(self, packet: bytes, now: float) -> None:
        problem = self.attention.packet(packet, now, overhear=self._overhearing)
        if problem:
            self._note("warning", "packet dropped", problem=problem, bytes=len(packet))
        else:
            self.saved()  # several messages at once: what is heard now is of the next turn
            self._heard.append(now, packet)
        self._facts(now)
        if self.turn is None and self.state.mode != "manual" and self.attention.is_deaf:
            self._note("warning", "listens without being told: the device sends speech")
            self.attention.arm(now)

    @property
    def _overhearing(self) -> bool:
        turn = self.turn
        if turn is None or not self.settings.listening.barge_in or self.state.mode == "manual":
            return False
        if turn.stage is Stage.RECOGNISING:
            return turn.can_continue
        return self.state.mode == "realtime"

    def _facts(self, now: float) -> None:
        """React to what was heard, one fact at a time."""
        while (fact := self.attention.next_fact(now)) is not None:
            turn = self.turn
            if isinstance(fact, Began):
                self._begin_hearing(fact.pcm, now)
            elif isinstance(fact, Ended):
                self._utterance_ended(fact, now)
            elif isinstance(fact, BargedIn):
                self._barge_in(fact.pcm, now)
            elif isinstance(fact, Grew) and turn is not None and turn.stage is Stage.HEARING:
                turn.hear(fact.pcm, now)
        turn = self.turn
        if turn is not None and turn.stage is Stage.HEARING:
            if self.attention.pausing or self.attention.stopping:
                turn.hurry()
            self._foresee(turn)

    def _foresee(self, turn: Turn) -> None:
        if self.attention.may_be_over:
            turn.foresee()

    def _barge_in(self, pcm: bytes, now: float) -> None:
        """Speech over the answer: stop it, and hear the speech from its beginning.

        A turn of which nothing was heard yet ended too early: the user goes on, so
        what was said before belongs to the new turn.
        """
        words, speech = self.turn.unanswered() if self.turn is not None else ("", b"")
        self.turns.drop(now, "barge-in")
        self.attention.continues(speech)
        self._begin_hearing(speech + pcm, now, words)

    def _begin_hearing(self, pcm: bytes, now: float, carried: str = "") -> None:
        self.state.carried = carried
        self.turns.begin(now, carried).hear(pcm, now)

    def _utterance_ended(self, ended: Ended, now: float) -> None:
        self._note("debug", "utterance ended", reason=ended.reason)
        if self.turn is None and self.state.mode == "manual":
            self.turns.begin(now)
        turn = self.turn
        if turn is not None and turn.stage is Stage.HEARING:
            if ended.pcm:
                turn.hear(ended.pcm, now)
            turn.speech_ended(now, now - ended.silence_s)

    def _apologise(self, now: float) -> None:
        turn = self.turns.begin(now)
        apology = self.turns.phrases.choose("apology", self.settings.dialogue, turn.id.number)
        turn.say(apology, now, "failed", "session was replaced")

    # --- what workers answer ---

    def answer(self, message: Any, now: float) -> None:
        """A message of the router or a worker; it belongs to the turn whose id it has."""
        turn = self.turn
        if turn is None or getattr(message, "turn", None) != turn.id:
            return
        before = turn.partial
        turn.take(message, now)
        if turn.stage is Stage.HEARING and turn.partial != before:
            self.attention.partial(turn.partial)
            self._foresee(turn)

    # --- time ---

    def deadline(self) -> float:
        """When `time` wants to be called. Not asked for any more once `closing`."""
        turn_due = self.turn.deadline() if self.turn is not None else self._idle_at()
        times = [turn_due, self._channel.hello_by, self._drain_by, self.attention.deadline()]
        return min(time for time in times if time is not None)

    def _idle_at(self) -> float:
        return self._active_at + self.settings.dialogue.idle_close_s

    def time(self, now: float) -> None:
        """Whatever was to happen by now happens."""
        if self.closing:
            return
        hello_by = self._channel.hello_by
        if hello_by is not None and now >= hello_by:
            self._close(1002, f"no hello within {self.settings.server.hello_timeout_s:g} s", now)
            return
        if self._drain_by is not None and now >= self._drain_by:
            self._close(1001, "server stops", now)
            return
        self.attention.time(now)
        self._facts(now)
        if self.turn is not None:
            self.turn.time(now)
        elif now >= self._idle_at():
            self._goodbye(now)
        self.settle(now)

    def _goodbye(self, now: float) -> None:
        self.attention.disarm()
        turn = self.turns.begin(now)
        turn.close_after = True
        turn.say(self.settings.dialogue.goodbye, now, reason="idle")

    # --- life ---

    def recover(self, now: float) -> None:
        """Go on where a previous session ended: the device must leave *speaking*."""
        self._channel.resume()
        state = self.state
        if state.phase in _UNANSWERED:
            self._hear_again(now)
        elif state.phase == "speaking" and state.answer is not None:
            self.turns.begin(now).resume(state.answer, state.sent, now)
        elif state.phase == "speaking":
            self._apologise(now)
        else:
            self._channel.tts_stop()  # its last act may have been lost
            if state.phase == "listening":
                self._hear_again(now)
            elif state.phase == "spoken" and state.mode == "realtime":
                self.attention.arm(now)

    def _hear_again(self, now: float) -> None:
        """What the device said to the session before this one is heard from its beginning."""
        carried, over = self.state.carried, self.state.phase == "thinking"
        told = self.state.told
        packets = list(self._heard)
        self.attention.arm(now)
        # Where it paused was judged before, by more than its silence.
        self.attention.manual = True
        for at, packet in packets:
            self.attention.packet(packet, at, overhear=False)
            while (fact := self.attention.next_fact(now)) is not None:
                if isinstance(fact, Began):
                    self._begin_hearing(fact.pcm, now, carried)
                elif isinstance(fact, Grew) and self.turn is not None:
                    self.turn.hear(fact.pcm, now)
                elif isinstance(fact, Ended):  # too long
                    self._utterance_ended(fact, now)
        self.attention.manual = self.state.mode == "manual"
        self.attention.resume(now)
        self._note("info", "heard again", packets=len(packets), phase=self.state.phase)
        if told and self.turn is not None:
            self.turn.told(now)
        if over:
            self.attention.end("taken over")
        elif self.state.stopping:
            self.attention.stop(now)
        self._facts(now)
        if over and self.turn is None:
            self._apologise(now)

    def drain(self, now: float, deadline_s: float) -> None:
        """Finish the turn, then close; at the deadline close all the same."""
        self._draining = True
        self._drain_by = now + deadline_s
        self.settle(now)

    def end(self, now: float, reason: str) -> None:
        """Close now (another connection of the same device replaces this one)."""
        self._close(1000, reason, now)

    def gone(self, now: float) -> None:
        """The device is gone: work for it stops."""
        self.turns.drop(now, "connection lost")
        self.closing = True

    def settle(self, now: float) -> None:
        """Draw the consequences of a turn that ended; call it after every event."""
        ended, turn = self.turns.ended(), self.turn
        if ended is not None:
            self._ended(ended, now)
        elif turn is not None and turn.stage is not Stage.HEARING and self.attention.armed:
            self.attention.disarm()  # its recogniser was lost: what follows is not heard
        if self._draining and self.turn is None:
            self._close(1001, "server stops", now)
        self._describe(now)

    def _describe(self, now: float) -> None:
        """Keep the state such that a successor can go on from here."""
        state, turn, armed = self.state, self.turn, self.attention.armed
        before, phase = state.phase, self.turns.phase or ("listening" if armed else "idle")
        state.listening, state.phase = armed, phase
        state.stopping = self.attention.stopping
        state.told = turn is not None and turn.tts_started
        state.answer = turn.state if turn is not None else None
        state.sent = turn.sent if turn is not None else Sent()
        if before in _UNANSWERED and phase not in _UNANSWERED:
            self._heard_done = True  # it is answered, or was nothing
        elif phase not in _UNANSWERED:
            self._heard.trim(now - KEPT_S)

    def saved(self) -> None:
        """The state was saved: a successor would go on from it."""
        if self._heard_done:
            self._heard_done = False
            self._heard.clear()

    def _ended(self, turn: Turn, now: float) -> None:
        if turn.outcome != "void":
            self._active_at = now  # noise, however much of it, is nobody who speaks
        mode = self.state.mode
        if turn.close_after:
            self._close(1000, "goodbye", now)
        elif mode == "realtime" or (mode == "auto" and not turn.tts_started):
            # Firmware in realtime mode sends no new `listen start` (protocol 2.4);
            # in auto mode it has never stopped listening if it was not told to speak.
            self.attention.arm(now)

    def _close(self, code: int, reason: str, now: float) -> None:
        """End the turn on the wire, then the connection: nothing comes after it."""
        if self.closing:
            return
        self.turns.drop(now, reason)
        self.attention.disarm()
        self.closing = True
        self.out.append(CloseConnection(code, reason))

    def _note(self, level: str, event: str, **members: Any) -> None:
        self.out.append(Note(level, event, members))
