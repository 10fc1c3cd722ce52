"""The sound cache as an actor: who is answered what, in which order, and who speaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.cache import speech
from actors.messages import SoundAwaited, SoundKnown, SoundUnknown
from cfg.model import EspeakTts
from tests.cache.soundcache import TWO_VOICES, Recorded, frames, settings, turn

Make = Callable[..., Recorded]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Start sound caches on one folder; the arguments are those of `settings`."""
    made: list[Recorded] = []

    def start(*tts: Any, **sound_cache: Any) -> Recorded:
        chosen = (
            settings(tmp_path, tts, **sound_cache) if tts else settings(tmp_path, **sound_cache)
        )
        made.append(Recorded(chosen).start())
        return made[-1]

    yield start
    for each in made:
        each.close()


def known(text: str, engine: str = "espeak", request: int = 1, number: int = 1) -> SoundKnown:
    return SoundKnown(turn(number), request, engine, frames(text))


# --- what was kept is known ---


def test_what_nobody_has_is_to_be_spoken_and_then_known(make: Make) -> None:
    sounds = make()
    assert sounds.answer("你好呀。", request=7) == SoundUnknown(turn(), 7)
    sounds.keep("你好呀。", request=7)
    assert sounds.answer("你好呀！", request=8) == known("你好呀。", request=8)
    assert sounds.counts.memory_hits == 1


def test_memory_answers_at_once(make: Make) -> None:
    sounds = make()
    sounds.keep("你好呀。")
    sounds.sent.clear()
    sounds.recall("你好呀。")
    assert sounds.sent == [("session", known("你好呀。"))]


def test_the_disk_knows_after_a_restart(make: Make) -> None:
    first = make()
    first.keep("你好呀。")
    first.written()
    second = make()
    assert second.answer("你好呀。") == known("你好呀。")
    assert second.counts.disk_hits == 1
    assert second.answer("你好呀。") == known("你好呀。")
    assert second.counts.memory_hits == 1


def test_without_a_disk_it_serves_from_memory(make: Make, tmp_path: Path) -> None:
    sounds = make(disk_mb=0)
    sounds.keep("你好呀。")
    assert sounds.answer("你好呀。") == known("你好呀。")
    assert list(tmp_path.iterdir()) == []


def test_switched_off_it_knows_nothing_and_keeps_nothing(make: Make, tmp_path: Path) -> None:
    sounds = make(enabled=False)
    sounds.keep("你好呀。")
    assert sounds.answer("你好呀。") == SoundUnknown(turn(), 1)
    assert sounds.detail == {"enabled": False}
    assert list(tmp_path.iterdir()) == []


# --- whose voice ---


def test_without_a_wish_the_voice_with_the_largest_share_is_first(make: Make) -> None:
    sounds = make(*TWO_VOICES)
    sounds.keep("你好呀。", frames("你好呀。", b"e"), engine="edge")
    assert sounds.answer("你好呀。") == SoundKnown(turn(), 1, "edge", frames("你好呀。", b"e"))
    sounds.keep("你好呀。", engine="espeak")
    assert sounds.answer("你好呀。") == known("你好呀。")


def test_with_a_wish_no_other_voice_will_do(make: Make) -> None:
    sounds = make(*TWO_VOICES)
    sounds.keep("你好呀。", engine="espeak")
    assert sounds.answer("你好呀。", engines=("edge",)) == SoundUnknown(turn(), 1)
    assert sounds.answer("你好呀。", engines=("edge", "espeak")) == known("你好呀。")
    assert sounds.answer("你好呀。", engines=("nobody",)) == SoundUnknown(turn(), 1)


def test_a_fallback_is_heard_only_where_it_is_named(make: Make) -> None:
    edge, espeak = TWO_VOICES
    sounds = make(edge, espeak.model_copy(update={"weight": 0}))
    sounds.keep("你好呀。", engine="espeak")
    assert sounds.answer("你好呀。") == SoundUnknown(turn(), 1)
    assert sounds.answer("你好呀。", engines=("espeak",)) == known("你好呀。")


def test_another_speed_is_another_voice(make: Make) -> None:
    first = make(EspeakTts())
    first.keep("你好呀。")
    first.written()
    assert make(EspeakTts(words_per_minute=120)).answer("你好呀。") == SoundUnknown(turn(), 1)


# --- said by several at once, spoken once ---


def test_who_asks_meanwhile_waits_and_gets_it(make: Make) -> None:
    sounds = make()
    assert sounds.answer("你好呀。", sender="a") == SoundUnknown(turn(session="a"), 1)
    for other in ("b", "c"):
        waits = SoundAwaited(turn(session=other), 4)
        assert sounds.answer("你好呀。", request=4, sender=other) == waits
    sounds.sent.clear()
    sounds.keep("你好呀。", session="a")
    assert sounds.sent == [
        (other, SoundKnown(turn(session=other), 4, "espeak", frames("你好呀。")))
        for other in ("b", "c")
    ]
    assert sounds.counts.spoken_once == 2


@pytest.mark.parametrize("what", ["unfinished", "implausible", "another engine's"])
def test_who_waits_in_vain_is_told(make: Make, what: str) -> None:
    sounds = make(*TWO_VOICES)
    wish = ("edge",)
    sounds.answer("你好呀。", sender="a", engines=wish)
    sounds.answer("你好呀。", sender="b", engines=wish)
    sounds.sent.clear()
    if what == "unfinished":
        sounds.keep("你好呀。", (), session="a")
    elif what == "implausible":
        sounds.keep("你好呀。", frames("你好呀。") * 100, session="a")
    else:
        sounds.keep("你好呀。", engine="espeak", session="a")
    assert sounds.sent == [("b", SoundUnknown(turn(session="b"), 1))]
    # and the next who asks may speak
    assert sounds.answer("你好呀。", sender="c", engines=wish) == SoundUnknown(turn(session="c"), 1)


def test_nobody_waits_longer_than_the_settings_say(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = make(together_ms=1500)
    sounds.answer("你好呀。", sender="a")
    sounds.answer("你好呀。", sender="b")
    ((wait_s, purpose),) = sounds.timers
    assert 1.0 < wait_s <= 1.5
    assert purpose == "late"
    sounds.sent.clear()
    later = time.monotonic() + wait_s
    monkeypatch.setattr(speech.time, "monotonic", lambda: later)
    sounds.tick()
    assert sounds.sent == [("b", SoundUnknown(turn(session="b"), 1))]
    # what comes late all the same is kept
    sounds.keep("你好呀。", session="a")
    monkeypatch.undo()
    assert isinstance(sounds.answer("你好呀。", sender="c"), SoundKnown)


def test_with_no_patience_everybody_speaks(make: Make) -> None:
    sounds = make(together_ms=0)
    for sender in ("a", "b"):
        assert isinstance(sounds.answer("你好呀。", sender=sender), SoundUnknown)


def test_nobody_waits_for_the_phrasebook_but_it_waits_for_others(make: Make) -> None:
    sounds = make()
    ask = {"sender": "phrasebook"}
    assert isinstance(sounds.answer("你好呀。", **ask), SoundUnknown)
    assert isinstance(sounds.answer("你好呀。", sender="a"), SoundUnknown)
    assert isinstance(sounds.answer("你好呀。", **ask), SoundAwaited)
    sounds.keep("你好呀。", session="a")
    assert sounds.sent[-1][0] == "phrasebook"
    assert sounds.counts.saved_calls == 0
    assert sounds.counts.ahead_hits == 1


# --- order and bounds ---


def test_what_is_not_in_memory_is_answered_in_order_of_arrival(make: Make) -> None:
    texts = [f"第{number}句话。" for number in range(40)]
    first = make()
    for text in texts[::2]:
        first.keep(text)
    first.written()
    second = make()
    for number, text in enumerate(texts):
        second.recall(text, request=number)
    second.until(lambda: len(second.sent) == len(texts))
    assert [message.request for _, message in second.sent] == list(range(len(texts)))
    assert [isinstance(message, SoundKnown) for _, message in second.sent] == [True, False] * 20


def test_a_crowd_is_answered_without_looking_further(make: Make) -> None:
    sounds = make()
    assert sounds.engine is not None
    sounds.engine.call(time.sleep, 0.2)  # nothing is looked up meanwhile
    for number in range(speech.MAX_LOOKUPS + 3):
        sounds.recall(f"第{number}句话。", request=number)
    assert [message.request for _, message in sounds.sent] == [200, 201, 202]
    sounds.until(lambda: len(sounds.sent) == speech.MAX_LOOKUPS + 3)
    assert sounds.report()[0].in_flight == 0


def test_the_report_tells_what_was_saved(make: Make) -> None:
    sounds = make()
    sounds.answer("你好呀。")
    sounds.keep("你好呀。")
    sounds.answer("你好呀。")
    sounds.written()
    detail = sounds.detail
    expected = {
        "asked": 2,
        "misses": 1,
        "memory_hits": 1,
        "kept": 1,
        "saved_calls": 1,
        "saved_audio_ms": len(frames("你好呀。")) * 60,
        "memory_entries": 1,
        "disk": "serves",
        "damaged": 0,
    }
    assert {name: detail[name] for name in expected} == expected
