"""The phrasebook: what is said often, and what must be said when nobody can, is spoken ahead.

First the phrases of the settings: sessions get them as Opus packets through the acceptor,
so that an apology needs no living voice and a greeting no time. Then the phrase bank, in
every voice, into the sound cache; again whenever the cache was replaced, and often enough
that nothing of it is forgotten. What the cache has already is not spoken again. The bank
is spoken gently: one phrase at a time, with pauses, only while the voices have plenty of
room, slower while the host is busy, and no session ever waits for it.

Receives: Start, Directory; Leased, Busy, LeaseLost (router); FramesReady, WorkFailed
(tts workers); SoundKnown, SoundUnknown, SoundAwaited (sound cache). Sends: Lease, Release
(router); Synthesise, Cancel (tts workers); RecallSound, KeepSound (sound
cache); Phrases (acceptor).
"""

from __future__ import annotations

import itertools
import os
import time
from typing import Any, Final

from actors import log
from actors.base import BaseActor, handles
from actors.cache.ahead import PHRASEBOOK, Ahead, Item
from actors.cache.bank import Bank, bank_of
from actors.cache.voices import speakers
from actors.cache.voicing import Voicing
from actors.effects import Effect, Note, ToRouter, ToWorker
from actors.messages import (
    ActorReport,
    Address,
    Busy,
    FramesReady,
    KeepSound,
    Leased,
    LeaseLost,
    Phrases,
    RecallSound,
    SoundAwaited,
    SoundKnown,
    SoundUnknown,
    Start,
    Tick,
    TurnId,
    WorkFailed,
)
from cfg.model import Dialogue

#: Nobody could speak: try again so much later, longer each time.
RETRY_S: Final = (5.0, 300.0)

#: How often deadlines are looked at while a phrase is being made.
STEP_S: Final = 0.2

#: Before the next of the bank: after one that was there, after one that was spoken, and
#: after one while more wants to run on this host than can.
GLANCE_S: Final = 0.1
PAUSE_S: Final = 0.3
BUSY_PAUSE_S: Final = 3.0

#: The cache's answer is waited for so long; at the start so long for the cache itself.
RECALL_S: Final = 1.0
CACHE_START_S: Final = 2.0

#: The bank is gone through anew after this share of a sound's life, at least that often.
ROUND_SHARE: Final = 0.3
ROUND_S: Final = 3600.0

#: What the settings call it, and the bank.
_IN_BANK: Final = {
    "wake_greeting": "wake_replies",
    "apology": "apologies",
    "busy": "busy",
    "not_understood": "not_understood",
}


class Phrasebook(BaseActor):
    KIND = "phrasebook"

    def __init__(self) -> None:
        super().__init__()
        self.turn = TurnId(PHRASEBOOK, 0)
        self.frames: dict[str, tuple[bytes, ...]] = {}
        self.ahead = Ahead((), (), ())
        self.problem = ""
        self.choices: dict[str, tuple[str, ...]] = {}
        #: What is being asked for or spoken, and the request that asks.
        self.item: Item | None = None
        self.request = 0
        self.voicing: Voicing
        self.out: list[Effect] = []
        self._numbers = itertools.count(1)
        self._asks_until = 0.0
        self._failures = 0
        self._next_at = 0.0
        self._round_at = 0.0
        self._tick_at = 0.0
        self._told: Address | None = None
        self._cache: Address | None = None

    def started(self, message: Start) -> None:
        dialogue = self.settings.dialogue
        bank = Bank()
        if self.settings.sound_cache.enabled:
            bank, self.problem = bank_of(self.settings, questions=False)
        if self.problem:
            log.get().error("phrase bank not used as it is", reason=self.problem)
        self.choices = choices(bank, dialogue)
        self.ahead = Ahead(
            held(self.choices, dialogue),
            bank.phrases(dialogue.language),
            speakers(self.settings),
        )
        self.voicing = Voicing(
            *(self.settings, self.turn, self._numbers, self.out, self._spoken, self._failed)
        )
        self.ready()
        self._step(time.monotonic())

    def directory_changed(self) -> None:
        now = time.monotonic()
        if self.directory.sounds != self._cache:
            self._cache = self.directory.sounds
            self._begin_round(now)
        self._tell()
        self._step(now)

    # --- one thing after the other ---

    def _begin_round(self, now: float) -> None:
        if self._cache is None:
            self.ahead.end_round()
            return
        self.ahead.begin_round()
        life_s = self.settings.sound_cache.ttl_s
        self._round_at = now + min(ROUND_S, ROUND_SHARE * life_s)

    def _step(self, now: float) -> None:
        """Go on with the next item, if it is its time."""
        if self._round_at and now >= self._round_at and not self.ahead.left:
            self._begin_round(now)
        if self.item is None and now >= self._next_at and self.directory.router is not None:
            item = self.ahead.next()
            if item is not None and not (item.urgent and self._cache_may_come(now)):
                self._begin(item, now)
        self._watch_clock(now)

    def _cache_may_come(self, now: float) -> bool:
        """At the start it is worth waiting for: it may have everything."""
        soon = now - self.started_at < CACHE_START_S
        return soon and self._cache is None and self.settings.sound_cache.enabled

    def _begin(self, item: Item, now: float) -> None:
        self.item = item
        self.request = next(self._numbers)
        if self._cache is None:
            self._speak(now)
            return
        wish = (item.engine,) if item.engine else ()
        self._asks_until = now + RECALL_S
        self.send(self._cache, RecallSound(self.turn, self.request, item.text, wish))

    def _done(self, frames: tuple[bytes, ...], now: float, *, warm: bool) -> None:
        """The item is there: told to the sessions, or in the cache."""
        item = self.item
        assert item is not None
        if item.urgent and frames:
            self.frames[item.text] = frames
        self.ahead.done(item, warm=warm)
        self._failures = 0
        pause_s = 0.0 if item.urgent else GLANCE_S if warm else _pause_s()
        self._rest(pause_s, now)
        if item.urgent and not self.ahead.urgent_left:
            log.get().info("phrases ready", count=len(self.frames))
            self._told = None
            self._tell()
        if not self.ahead.left and self.ahead.total:
            log.get().info("phrase bank ready", **self._progress())

    def _rest(self, seconds: float, now: float) -> None:
        self.item, self._asks_until = None, 0.0
        self._next_at = now + seconds
        self._step(now)

    # --- what the cache says ---

    @handles(SoundKnown)
    def on_known(self, message: SoundKnown, sender: Address) -> None:
        if self._answers(message):
            self._done(message.frames, time.monotonic(), warm=True)

    @handles(SoundUnknown)
    def on_unknown(self, message: SoundUnknown, sender: Address) -> None:
        if self._answers(message):
            self._speak(time.monotonic())

    @handles(SoundAwaited)
    def on_awaited(self, message: SoundAwaited, sender: Address) -> None:
        if self._answers(message):
            wait_s = self.settings.sound_cache.together_ms / 1000
            self._asks_until = time.monotonic() + wait_s + RECALL_S

    def _answers(self, message: Any) -> bool:
        return bool(self._asks_until) and message.request == self.request

    # --- speaking ---

    def _speak(self, now: float) -> None:
        item = self.item
        assert item is not None
        self._asks_until = 0.0
        self.voicing.begin(item.text, item.engine, now, ahead=not item.urgent)
        self._carry_out()
        self._watch_clock(now)

    @handles(Leased, Busy, LeaseLost, WorkFailed, FramesReady)
    def on_voice(self, message: Any, sender: Address) -> None:
        self.voicing.take(message, time.monotonic())
        self._carry_out()

    def _spoken(self, engine: str, frames: tuple[bytes, ...], now: float) -> None:
        assert self.item is not None
        if self._cache is not None:
            keep = KeepSound(self.turn, self.request, self.item.text, engine, frames)
            self.send(self._cache, keep)
        self._done(frames, now, warm=False)

    def _failed(self, reason: str, busy: bool, now: float) -> None:
        item = self.item
        assert item is not None
        self.ahead.put_off(item, failed=not busy)
        if item.urgent or not busy:
            log.get().warning("phrase not spoken yet", phrase=item.text, reason=reason)
        first_s, longest_s = RETRY_S
        wait_s = min(longest_s, first_s * 2.0**self._failures)
        if not busy and not item.urgent:
            self._failures = min(self._failures + 1, 10)
        self._rest(wait_s, now)

    # --- time ---

    def _watch_clock(self, now: float) -> None:
        """Have `on_tick` called when something is due."""
        due = self._due(now)
        if due is not None and not now < self._tick_at <= due:
            self._tick_at = due
            self.after(max(0.005, due - now), "step")

    def _due(self, now: float) -> float | None:
        if self._asks_until:
            return self._asks_until
        if self.voicing.busy:
            return now + STEP_S
        if self.ahead.left and self.directory.router is not None:
            return max(self._next_at, now + STEP_S * self._cache_may_come(now))
        return self._round_at or None

    @handles(Tick)
    def on_tick(self, message: Tick, sender: Address) -> None:
        now = time.monotonic()
        self._tick_at = 0.0
        if self._asks_until and now >= self._asks_until:
            self._speak(now)  # it says nothing: go on without it
        else:
            self.voicing.time(now)
            self._carry_out()
        self._step(now)

    # --- telling ---

    def _tell(self) -> None:
        acceptor = self.directory.acceptor
        if acceptor is None or acceptor == self._told or not self.frames:
            return
        self._told = acceptor
        downlink = self.settings.downlink
        rate_hz, frame_ms = downlink.sample_rate_hz, downlink.frame_ms
        self.send(acceptor, Phrases(rate_hz, frame_ms, dict(self.frames), self.choices))

    def _carry_out(self) -> None:
        effects, self.out[:] = list(self.out), []
        for effect in effects:
            if isinstance(effect, ToRouter) and self.directory.router is not None:
                self.send(self.directory.router, effect.message)
            elif isinstance(effect, ToWorker):
                self.send(effect.address, effect.message)
            elif isinstance(effect, Note):
                log.get().info(effect.event, **effect.members)

    def _progress(self) -> dict[str, Any]:
        ahead = self.ahead
        return {
            "held_for_sessions": len(self.frames),
            "bank": ahead.total,
            "bank_ready": len(ahead.ready),
            "left": ahead.left,
            "found": ahead.warm,
            "spoken": ahead.spoken,
            "failed": ahead.failed,
        } | ({"problem": self.problem} if self.problem else {})

    def report(self) -> tuple[ActorReport, ...]:
        detail = self._progress()
        return (ActorReport(self.name, self.KIND, os.getpid(), self.state, detail=detail),)


def _pause_s() -> float:
    """How long to leave the voices alone, by how busy this host has been."""
    busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    return BUSY_PAUSE_S if busy else PAUSE_S


def choices(bank: Bank, dialogue: Dialogue) -> dict[str, tuple[str, ...]]:
    """What may be said in turn, see `messages.Phrases`; an operator's own words stand alone.

    The settings' words are Chinese as they come: in another language the bank's replace them.
    """
    found: dict[str, tuple[str, ...]] = {"filler": _texts(bank, "fillers", dialogue)}
    for name, in_bank in _IN_BANK.items():
        own, others = str(getattr(dialogue, name)), _texts(bank, in_bank, dialogue)
        if own != Dialogue.model_fields[name].default:
            others = ()
        foreign = bool(others) and dialogue.language != "zh"
        found[name] = others if foreign else tuple(dict.fromkeys((own, *others)))
    return found


def _texts(bank: Bank, name: str, dialogue: Dialogue) -> tuple[str, ...]:
    return tuple("".join(reply.clauses) for reply in bank.all_of(name, dialogue.language))


def held(choices: dict[str, tuple[str, ...]], dialogue: Dialogue) -> tuple[str, ...]:
    """Every phrase that sessions hold as audio, what excuses a failure first."""
    first = ("apology", "busy", "not_understood")
    texts = [text for name in first for text in choices[name][:1]]
    texts += [dialogue.goodbye, *choices["wake_greeting"]]
    texts += [text for several in choices.values() for text in several]
    return tuple(text for text in dict.fromkeys(texts) if text)
