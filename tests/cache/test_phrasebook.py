"""The phrasebook: what is spoken ahead, once, gently, and told to whom; on a clock of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from actors.cache import phrasebook
from actors.cache.ahead import Ahead, Item
from actors.cache.bank import bank_of
from actors.cache.phrasebook import Phrasebook, choices, held
from actors.messages import (
    Busy,
    Cancel,
    Directory,
    FramesReady,
    KeepSound,
    Lease,
    Leased,
    Phrases,
    RecallSound,
    Release,
    SoundAwaited,
    SoundKnown,
    SoundUnknown,
    Start,
    Synthesise,
    Tick,
    WorkFailed,
)
from cfg.model import Dialogue, EspeakTts, Settings

BANK = """
[default.zh.thanks]
ask = ["谢谢"]
say = ["不客气。", "别客气，有事叫我。"]
[default.en.thanks]
ask = ["thanks"]
say = ["You are welcome."]
"""
OWN = 5  # phrases of the settings
CLAUSES = ("不客气。", "别客气，", "有事叫我。")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Surroundings(Phrasebook):
    """The phrasebook with a router, a voice and a sound cache that answer at once."""

    def __init__(self, clock: Clock, chosen: Settings) -> None:
        super().__init__()
        self.clock = clock
        self.started_at = clock.now
        self.chosen = chosen
        self.timers: list[float] = []
        self.sent: list[Any] = []
        #: Speech that the cache has, by (text, engine); `awaited`: it is told to wait first.
        self.cached: set[tuple[str, str]] = set()
        self.awaited: set[str] = set()
        #: When each text was spoken, by which engine.
        self.spoken: list[tuple[float, str, str]] = []
        self.told: list[Phrases] = []
        self.room = True
        self.mute: set[str] = set()
        self.leased_engine = self.leased = ""
        self.held = 0
        self._inbox: list[tuple[Any, Any]] = []

    @property
    def myAddress(self) -> str:
        return "phrasebook"

    def after(self, seconds: float, purpose: str) -> None:
        self.timers.append(self.clock.now + seconds)

    def send(self, target: Any, message: Any) -> None:
        self.sent.append(message)
        answers = {
            RecallSound: self._recalled,
            KeepSound: self._kept,
            Lease: self._lease,
            Release: self._released,
            Synthesise: self._synthesise,
        }
        if isinstance(message, Phrases):
            self.told.append(message)
        elif type(message) in answers:
            self._inbox += [(answer, target) for answer in answers[type(message)](message)]

    def _recalled(self, message: RecallSound) -> Iterable[Any]:
        engines = message.engines or tuple(e.name or e.kind for e in self.chosen.tts)
        if message.text in self.awaited:
            yield SoundAwaited(message.turn, message.request)
        for engine in engines:
            if (message.text, engine) in self.cached:
                yield SoundKnown(message.turn, message.request, engine, (b"cached",))
                return
        yield SoundUnknown(message.turn, message.request)

    def _kept(self, message: KeepSound) -> Iterable[Any]:
        assert message.frames == (b"one", b"two")
        self.cached.add((message.text, message.engine))
        return ()

    def _lease(self, message: Lease) -> Iterable[Any]:
        if not self.room:
            yield Busy("tts", message.request, message.turn, "full")
            return
        self.held += 1
        assert self.held == 1, "one at a time"
        engine = self.leased = self.leased_engine or message.prefer or "espeak"
        yield Leased("tts", message.request, message.turn, f"tts/{engine}-0", engine, engine)

    def _released(self, message: Release) -> Iterable[Any]:
        self.held = 0
        return ()

    def _synthesise(self, message: Synthesise) -> Iterable[Any]:
        engine = self.leased
        if engine in self.mute:
            yield WorkFailed(message.turn, message.job, "no network")
            return
        self.spoken.append((self.clock.now, message.text, engine))
        # out of order, as Thespian may deliver them
        yield FramesReady(message.turn, message.job, 1, 0, (b"two",), True)
        yield FramesReady(message.turn, message.job, 0, 0, (b"one",), False)

    # --- the test's side ---

    def begin(self, *, cache: bool = True) -> Surroundings:
        self.receiveMessage(Start("phrasebook", self.chosen), "root")
        self.meet(cache=cache)
        return self

    def meet(self, *, cache: Any = True) -> None:
        sounds = cache if isinstance(cache, str) else "sounds" if cache else None
        members = Directory(router="router", acceptor="acceptor", sounds=sounds)
        self.receiveMessage(members, "root")
        self.run(0.0)

    def run(self, seconds: float) -> None:
        """Let so much time pass, and everything that happens in it happen."""
        ends = self.clock.now + seconds
        for _ in range(100_000):
            while self._inbox:
                message, sender = self._inbox.pop(0)
                self.receiveMessage(message, sender)
            due = min((timer for timer in self.timers if timer <= ends), default=None)
            if due is None:
                self.clock.now = ends
                return
            self.timers.remove(due)
            self.clock.now = max(self.clock.now, due)
            self.receiveMessage(Tick("step"), "phrasebook")
        raise AssertionError("it does not come to rest")

    def texts(self) -> list[str]:
        return [text for _, text, _ in self.spoken]

    @property
    def detail(self) -> dict[str, Any]:
        return self.report()[0].detail


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(phrasebook, "time", made)
    monkeypatch.setattr(phrasebook.os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    return made


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    path = tmp_path / "phrases.toml"
    path.write_text(BANK, encoding="utf-8")
    return Settings.model_validate({"storage": {"phrases": str(path)}})


def with_voices(chosen: Settings, *tts: Any) -> Settings:
    return Settings.model_validate(
        chosen.model_dump() | {"tts": [engine.model_dump() for engine in tts]}
    )


def test_everything_is_spoken_once_and_kept(clock: Clock, chosen: Settings) -> None:
    book = Surroundings(clock, chosen).begin()
    book.run(60)
    assert Counter(book.texts()) == Counter([*book.frames, *CLAUSES])
    assert len(book.frames) == OWN
    assert {(text, "espeak") for text in CLAUSES} <= book.cached
    assert book.detail["bank_ready"] == book.detail["bank"] == len(CLAUSES)
    book.run(600)
    assert len(book.spoken) == OWN + len(CLAUSES)


def test_sessions_hold_only_the_settings_phrases(clock: Clock, chosen: Settings) -> None:
    book = Surroundings(clock, chosen).begin()
    book.run(60)
    (told,) = book.told
    assert told.frames == dict.fromkeys(book.frames, (b"one", b"two"))
    assert chosen.dialogue.apology in told.frames
    assert not set(CLAUSES) & set(told.frames)


def test_sessions_are_told_what_else_may_be_said(
    clock: Clock, chosen: Settings, tmp_path: Path
) -> None:
    """Unless the operator chose words of his own; all of it is kept as audio."""
    file = tmp_path / "wake.toml"
    replies = """
[default.zh.wake_replies]
say = ["我在。", "在呢。", "请说。"]
[default.zh.fillers]
say = ["嗯，让我想想。"]
"""
    file.write_text(BANK + replies, encoding="utf-8")
    storage = chosen.storage.model_copy(update={"phrases": str(file)})
    banked = chosen.model_copy(update={"storage": storage})
    book = Surroundings(clock, banked).begin()
    book.run(60)
    told = book.told[-1]
    assert told.choices["wake_greeting"] == ("我在。", "在呢。", "请说。")
    assert told.choices["filler"] == ("嗯，让我想想。",)
    assert told.choices["busy"] == (chosen.dialogue.busy,)
    assert {text for several in told.choices.values() for text in several} <= set(told.frames)
    dialogue = chosen.dialogue.model_copy(update={"wake_greeting": "到！"})
    own = Surroundings(clock, banked.model_copy(update={"dialogue": dialogue})).begin()
    own.run(60)
    assert own.told[-1].choices["wake_greeting"] == ("到！",)


def test_the_shipped_bank_replaces_the_chinese_phrases_for_an_english_speaker() -> None:
    bank, problem = bank_of(Settings(), questions=False)
    assert not problem
    found = choices(bank, Dialogue(language="en"))
    texts = [text for several in found.values() for text in several]
    assert all(several for several in found.values())
    assert all(text.isascii() for text in texts)
    mine = choices(bank, Dialogue(language="en", busy="Wait."))
    assert mine["busy"] == ("Wait.",)


def test_what_excuses_a_failure_is_made_first() -> None:
    bank, _ = bank_of(Settings(), questions=False)
    dialogue = Dialogue()
    first = held(choices(bank, dialogue), dialogue)[:3]
    assert first == (dialogue.apology, dialogue.busy, dialogue.not_understood)


def test_what_the_cache_has_is_not_spoken_again(clock: Clock, chosen: Settings) -> None:
    first = Surroundings(clock, chosen).begin()
    first.run(60)
    second = Surroundings(clock, chosen)
    second.cached = first.cached
    second.begin()
    second.run(10)
    assert second.spoken == []
    assert second.told[0].frames == dict.fromkeys(first.frames, (b"cached",))
    assert second.detail["bank_ready"] == len(CLAUSES)


def test_a_cache_that_is_awaited_speaks_for_it(clock: Clock, chosen: Settings) -> None:
    book = Surroundings(clock, chosen)
    book.awaited = {"不客气。"}
    book.cached = {("不客气。", "espeak")}
    book.begin()
    book.run(60)
    assert "不客气。" not in book.texts()


def test_the_bank_is_spoken_with_pauses(clock: Clock, chosen: Settings) -> None:
    book = Surroundings(clock, chosen).begin()
    book.run(60)
    times = [at for at, text, _ in book.spoken if text in CLAUSES]
    pauses = [later - at for at, later in pairwise(times)]
    assert min(pauses) == pytest.approx(phrasebook.PAUSE_S)


def test_on_a_busy_host_with_longer_ones(
    clock: Clock, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phrasebook.os, "getloadavg", lambda: (99.0, 0.0, 0.0))
    book = Surroundings(clock, chosen).begin()
    book.run(60)
    times = [at for at, text, _ in book.spoken if text in CLAUSES]
    assert times[-1] - times[0] >= 2 * phrasebook.BUSY_PAUSE_S


def test_the_bank_takes_no_slot_that_sessions_may_need(clock: Clock, chosen: Settings) -> None:
    book = Surroundings(clock, chosen).begin()
    book.run(60)
    leases = [message for message in book.sent if isinstance(message, Lease)]
    assert [lease.ahead for lease in leases] == [False] * OWN + [True] * len(CLAUSES)


def test_while_the_voices_are_busy_it_waits_and_then_goes_on(
    clock: Clock, chosen: Settings
) -> None:
    book = Surroundings(clock, chosen)
    book.room = False
    book.begin()
    book.run(60)
    assert book.spoken == []
    book.room = True
    book.run(600)
    assert Counter(book.texts()) == Counter([*book.frames, *CLAUSES])


def test_every_voice_that_has_a_share_speaks_the_bank(clock: Clock, chosen: Settings) -> None:
    voices = (
        EspeakTts(name="a", weight=10),
        EspeakTts(name="b", weight=50, pitch=60),
        EspeakTts(name="c", weight=0, pitch=70),
    )
    book = Surroundings(clock, with_voices(chosen, *voices)).begin()
    book.run(60)
    bank = [(text, engine) for _, text, engine in book.spoken if text in CLAUSES]
    assert bank == [(text, engine) for engine in ("b", "a") for text in CLAUSES]


def test_an_engine_that_is_down_is_tried_later_and_nobody_speaks_for_it(
    clock: Clock, chosen: Settings
) -> None:
    voices = (EspeakTts(name="a", weight=10), EspeakTts(name="b", weight=50, pitch=60))
    book = Surroundings(clock, with_voices(chosen, *voices))
    book.leased_engine = "a"  # the router has nobody else
    book.begin()
    book.run(3600)
    bank = [(text, engine) for _, text, engine in book.spoken if text in CLAUSES]
    assert bank == [(text, "a") for text in CLAUSES]
    assert book.held == 0
    book.leased_engine = ""
    book.run(3600)
    assert {(text, "b") for text in CLAUSES} <= book.cached


def test_a_voice_that_fails_is_left_alone_longer_and_longer(clock: Clock, chosen: Settings) -> None:
    book = Surroundings(clock, chosen)
    book.mute = {"espeak"}
    book.begin()
    book.run(60)
    assert book.detail["failed"] > 0
    assert book.frames == {}
    book.mute = set()
    book.run(3700)
    assert len(book.frames) == OWN
    assert book.detail["bank_ready"] == len(CLAUSES)


def test_without_a_cache_only_the_sessions_phrases_are_spoken(
    clock: Clock, chosen: Settings
) -> None:
    book = Surroundings(clock, chosen).begin(cache=False)
    book.run(phrasebook.CACHE_START_S / 2)
    assert book.spoken == []  # it may come
    book.run(60)
    assert len(book.spoken) == len(book.frames) == OWN


def test_a_cache_that_says_nothing_holds_nothing_up(clock: Clock, chosen: Settings) -> None:
    book = Surroundings(clock, chosen)
    book._recalled = lambda message: ()  # type: ignore[method-assign]
    book.begin()
    book.run(60)
    assert len(book.frames) == OWN


def test_a_new_cache_is_filled_again(clock: Clock, chosen: Settings) -> None:
    book = Surroundings(clock, chosen).begin()
    book.run(60)
    book.cached.clear()
    book.meet(cache=False)
    book.meet(cache="another")
    book.run(60)
    assert {(text, "espeak") for text in CLAUSES} == book.cached


def test_nothing_of_the_bank_is_forgotten(clock: Clock, chosen: Settings) -> None:
    book = Surroundings(clock, chosen).begin()
    book.run(60)
    asked = sum(isinstance(message, RecallSound) for message in book.sent)
    book.run(chosen.sound_cache.ttl_s / 3)
    again = sum(isinstance(message, RecallSound) for message in book.sent)
    assert again == asked + len(CLAUSES)


def test_switched_off_the_bank_is_not_spoken(clock: Clock, chosen: Settings) -> None:
    off = Settings.model_validate(chosen.model_dump() | {"sound_cache": {"enabled": False}})
    book = Surroundings(clock, off).begin()
    book.run(60)
    assert len(book.spoken) == OWN


def test_a_wrong_bank_is_said_in_the_report(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "phrases.toml"
    path.write_text("[default", encoding="utf-8")
    wrong = Settings.model_validate({"storage": {"phrases": str(path)}})
    book = Surroundings(clock, wrong).begin()
    assert str(path) in book.detail["problem"]
    assert book.detail["bank"] > 100  # the one that comes along


def test_a_lease_of_another_voice_is_given_back(clock: Clock, chosen: Settings) -> None:
    voices = (EspeakTts(name="a", weight=10), EspeakTts(name="b", weight=50, pitch=60))
    book = Surroundings(clock, with_voices(chosen, *voices))
    book.leased_engine = "a"
    book.begin()
    book.run(3)
    cancelled = [m for m in book.sent if isinstance(m, Release) and m.outcome == "cancelled"]
    assert cancelled
    assert not any(isinstance(m, Cancel) and m.job == 0 for m in book.sent)


# --- the order ---


def test_what_fails_comes_last_and_only_so_often() -> None:
    ahead = Ahead(("sorry",), ("a", "b"), ("v",))
    ahead.begin_round()
    first = ahead.next()
    assert first == Item("sorry")
    assert first.urgent
    ahead.put_off(first, failed=True)
    assert ahead.next() == first
    ahead.done(first, warm=False)
    tried = []
    while (item := ahead.next()) is not None:
        tried.append(item.text)
        ahead.put_off(item, failed=True)
    assert tried == ["a", "b"] * 3
    ahead.begin_round()
    assert ahead.left == 2
    ahead.end_round()
    assert ahead.next() is None
