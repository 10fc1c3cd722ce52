"""The sound cache: speech that was made once is not made again.

What is in memory is known at once. Everything else is looked for on disk and in Redis,
on the engine thread, and answered in order of arrival. A sound that nobody has is spoken
by whoever asked first; others who want it meanwhile are told to wait, and get it from
there. Nothing is ever waited for longer than the settings say, and nothing depends on
this actor: a session that hears nothing has its words spoken.

State: what is in memory; who speaks and who waits for which sound.

Receives: Start, RecallSound, KeepSound (sessions, phrasebook).
Sends: SoundKnown, SoundUnknown, SoundAwaited.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from actors import log
from actors.base import BaseActor, handles
from actors.cache import plausible
from actors.cache.ahead import PHRASEBOOK
from actors.cache.soundonce import Asker, SpokenOnce
from actors.cache.sounds import MemoryTier, Packets, Sound, pack, unpack
from actors.cache.soundtiers import Found, SoundTiers
from actors.cache.voices import label, speakers, voice_of
from actors.messages import (
    ActorReport,
    Address,
    KeepSound,
    RecallSound,
    SoundAwaited,
    SoundKnown,
    SoundUnknown,
    Start,
    Tick,
)

#: Lookups under way; one more is answered as unknown. The engine's outbox holds twice that.
MAX_LOOKUPS: Final = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A RecallSound on its way through the tiers: (key, engine) of each voice that will do."""

    asker: Asker
    wanted: tuple[tuple[str, str], ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for key, _ in self.wanted)

    def engine(self, key: str) -> str:
        return next(engine for own, engine in self.wanted if own == key)


@dataclass(frozen=True, slots=True)
class Looked:
    """From the engine thread to the actor: what the tiers below memory have."""

    asked: Asked
    found: Found | None


@dataclass(frozen=True, slots=True)
class TiersOpened:
    """From the engine thread to the actor."""


@dataclass(slots=True)
class Counts:
    """For the report. `spoken_once`: got from another session that was having it spoken."""

    asked: int = 0
    memory_hits: int = 0
    disk_hits: int = 0
    redis_hits: int = 0
    spoken_once: int = 0
    misses: int = 0
    ahead_hits: int = 0
    kept: int = 0
    refused: int = 0
    unfinished: int = 0
    saved_calls: int = 0
    saved_audio_ms: int = 0


class SpeechCache(BaseActor):
    KIND = "sound cache"

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counts()
        self.tiers: SoundTiers | None = None
        self.memory: MemoryTier
        self.once: SpokenOnce
        self._looking = 0
        self._tick_at = 0.0
        self._voices: dict[str, str] = {}

    def started(self, message: Start) -> None:
        section = self.settings.sound_cache
        self.memory = MemoryTier(section.memory_mb * 1_000_000, section.ttl_s, time.time)
        self.once = SpokenOnce(section.together_ms / 1000)
        names = [label(engine) for engine in self.settings.tts]
        self._voices = {name: voice_of(self.settings, name) for name in names}
        if not section.enabled:
            self.ready()
            return
        thread = self.start_engine()
        self.tiers = SoundTiers(
            self.settings, lambda asked, found: thread.emit(None, Looked(asked, found))
        )
        thread.start(self._open(self.tiers))

    async def _open(self, tiers: SoundTiers) -> None:
        assert self.engine is not None
        await tiers.open()
        self.engine.emit(None, TiersOpened())

    @handles(TiersOpened)
    def on_opened(self, message: TiersOpened, sender: Address) -> None:
        self.ready()

    # --- asking ---

    @handles(RecallSound)
    def on_recall(self, message: RecallSound, sender: Address) -> None:
        asker = Asker(sender, message.turn, message.request)
        if self.tiers is None:
            self._unknown(asker)
            return
        self.counts.asked += 1
        self._late()
        engines = speakers(self.settings, message.engines)
        asked = Asked(asker, tuple((self._key(message.text, name), name) for name in engines))
        if self._from_memory(asked):
            self.counts.memory_hits += 1
        elif not engines or self._looking >= MAX_LOOKUPS:
            self._miss(asked)
        else:
            self._looking += 1
            assert self.engine is not None
            self.engine.call(self.tiers.find, asked, asked.keys)

    @handles(Looked)
    def on_looked(self, message: Looked, sender: Address) -> None:
        self._looking -= 1
        self._late()
        found = message.found
        if found is not None and found.key not in self.memory:
            self.memory.keep(found.key, found.kept.value, found.kept.expires)
        if not self._from_memory(message.asked):
            self._miss(message.asked)
        elif found is None:  # it was made while it was looked for
            self.counts.memory_hits += 1
        elif found.tier == "disk":
            self.counts.disk_hits += 1
        else:
            self.counts.redis_hits += 1

    def _from_memory(self, asked: Asked) -> bool:
        """Answer from memory, if that is possible."""
        for key, engine in asked.wanted:
            held = self.memory.find(key)
            packets = unpack(held.value) if held is not None else None
            if packets is None:
                continue
            renewed = self.memory.renew(key)
            if renewed is not None:
                self._write(key, renewed)
            self._known(asked.asker, engine, packets)
            return True
        return False

    def _miss(self, asked: Asked) -> None:
        self.counts.misses += 1
        asker, now = asked.asker, time.monotonic()
        # The phrasebook speaks when there is time: nobody shall wait for it.
        ahead = asker.turn.session == PHRASEBOOK
        if self.once.ask(asked.keys, asker, now, will_speak=not ahead and bool(asked.wanted)):
            self._unknown(asker)
            return
        self.send(asker.address, SoundAwaited(asker.turn, asker.request))
        self._watch_clock(now)

    # --- keeping ---

    @handles(KeepSound)
    def on_keep(self, message: KeepSound, sender: Address) -> None:
        if self.tiers is None:
            return
        key, packets = "", message.frames
        frame_ms = self.settings.downlink.frame_ms
        problem = plausible.problem(message.text, packets, frame_ms)
        if not packets:
            self.counts.unfinished += 1
        elif problem or not self._voices.get(message.engine):
            self.counts.refused += 1
            reason = problem or f"no tts engine is called {message.engine!r}"
            log.get().info("speech not kept", turn=str(message.turn), reason=reason)
        else:
            key = self._key(message.text, message.engine)
            if key not in self.memory:
                self.counts.kept += 1
                value = pack(packets)
                self.memory.keep(key, value)
                self._write(key, value)
        self._late()
        glad, sorry = self.once.spoken(message.turn, message.request, key)
        for asker in glad:
            self.counts.spoken_once += 1
            self._known(asker, message.engine, packets)
        for asker in sorry:
            self._unknown(asker)

    def _write(self, key: str, value: bytes) -> None:
        assert self.engine is not None
        assert self.tiers is not None
        self.engine.call(self.tiers.keep, key, value)

    def _key(self, text: str, engine: str) -> str:
        downlink = self.settings.downlink
        codec = (downlink.sample_rate_hz, downlink.frame_ms, downlink.opus_bitrate)
        return Sound(text, self._voices[engine], *codec).key()

    # --- answering ---

    def _known(self, asker: Asker, engine: str, packets: Packets) -> None:
        if asker.turn.session == PHRASEBOOK:  # nothing is saved by looking
            self.counts.ahead_hits += 1
        else:
            self.counts.saved_calls += 1
            self.counts.saved_audio_ms += len(packets) * self.settings.downlink.frame_ms
        self.send(asker.address, SoundKnown(asker.turn, asker.request, engine, packets))

    def _unknown(self, asker: Asker) -> None:
        self.send(asker.address, SoundUnknown(asker.turn, asker.request))

    # --- time ---

    def _late(self) -> None:
        """Those who have waited long enough have it spoken themselves."""
        for asker in self.once.late(time.monotonic()):
            self._unknown(asker)

    def _watch_clock(self, now: float) -> None:
        due = self.once.deadline()
        if due is not None and not now < self._tick_at <= due:
            self._tick_at = due
            self.after(max(0.001, due - now), "late")

    @handles(Tick)
    def on_tick(self, message: Tick, sender: Address) -> None:
        self._late()
        self._tick_at = 0.0
        self._watch_clock(time.monotonic())

    def report(self) -> tuple[ActorReport, ...]:
        detail: dict[str, Any] = {"enabled": self.tiers is not None}
        if self.tiers is not None:
            detail |= asdict(self.counts) | {"waiting": len(self.once)}
            detail |= {"memory_entries": len(self.memory), "memory_bytes": self.memory.bytes}
            detail |= self.tiers.report()
        looking = self._looking
        return (
            ActorReport(
                self.name, self.KIND, os.getpid(), self.state, in_flight=looking, detail=detail
            ),
        )
