"""Ready speech: what is one sound, how it is packed, and what memory holds of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.cache import plausible
from actors.cache.sounds import MAX_ENTRY_BYTES, MemoryTier, Sound, pack, renew_due, unpack
from actors.cache.voices import label, speakers, voice_of
from cfg.model import EdgeTts, EspeakTts, OpenAiTts, Settings

HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> MemoryTier:
    return MemoryTier(1000, 4 * HOUR, clock)


def key(text: str, voice: str = "espeak/cmn") -> str:
    return Sound(text, voice, 24000, 60, 24000).key()


# --- keys ---


def test_marks_and_width_at_the_end_do_not_make_another_sound() -> None:
    assert key("你好。") == key("你好") == key(" 你好！") == key("你好，") == key("“你好”"[1:3])
    assert key("ＡＢＣ，１２") == key("ABC,12")


def test_what_sounds_different_has_another_key() -> None:
    keys = {
        key("你好"),
        key("你好？"),
        key("你好吗"),
        key("IT"),
        key("it"),
        key("x²"),
        key("x2"),
        key("你好", "edge/xiaoxiao"),
        Sound("你好", "espeak/cmn", 16000, 60, 24000).key(),
        Sound("你好", "espeak/cmn", 24000, 20, 24000).key(),
        Sound("你好", "espeak/cmn", 24000, 60, 16000).key(),
    }
    assert len(keys) == 11


# --- packing ---


@given(st.lists(st.binary(max_size=300), max_size=40))
def test_what_is_packed_comes_back(packets: list[bytes]) -> None:
    assert unpack(pack(packets)) == tuple(packets)


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5), st.data())
def test_damage_is_seen(packets: list[bytes], data: st.DataObject) -> None:
    value = bytearray(pack(packets))
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= data.draw(st.integers(1, 255))
    assert unpack(bytes(value)) is None
    assert unpack(bytes(value[:at])) is None


@given(st.binary(max_size=200))
def test_any_bytes_can_be_looked_at(value: bytes) -> None:
    found = unpack(value)
    assert found is None or pack(found) == value


# --- memory ---


def test_a_kept_sound_is_found_until_it_is_too_old(memory: MemoryTier, clock: Clock) -> None:
    memory.keep("a", b"abc")
    held = memory.find("a")
    assert held is not None
    assert held.value == b"abc"
    clock.now += 4 * HOUR
    assert "a" not in memory
    assert memory.find("a") is None
    assert memory.bytes == 0


def test_what_is_asked_for_lives_on(memory: MemoryTier, clock: Clock) -> None:
    memory.keep("a", b"abc")
    assert memory.renew("a") is None  # it is new
    for _ in range(5):
        clock.now += 3.5 * HOUR
        assert memory.find("a") is not None
        assert memory.renew("a") == b"abc"


def test_what_comes_from_elsewhere_keeps_its_age(memory: MemoryTier, clock: Clock) -> None:
    memory.keep("a", b"abc", clock.now + HOUR)
    assert memory.renew("a") == b"abc"
    assert renew_due(clock.now + HOUR, 4 * HOUR, clock.now)
    assert not renew_due(clock.now + 3.5 * HOUR, 4 * HOUR, clock.now)


def test_memory_is_bounded_and_the_least_used_goes(memory: MemoryTier) -> None:
    for number in range(12):
        memory.keep(str(number), bytes(100))
        assert memory.find("0") is not None
    assert memory.bytes <= 1000
    assert len(memory) == 10
    assert memory.find("1") is None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 700)), max_size=30))
def test_memory_counts_what_it_holds(kept: list[tuple[str, int]]) -> None:
    memory = MemoryTier(1000, HOUR, lambda: 0.0)
    for name, size in kept:
        memory.keep(name, bytes(size))
        held = [memory.find(each) for each in "abcdef"]
        assert memory.bytes == sum(len(each.value) for each in held if each) <= 1000
    memory.clear()
    assert (len(memory), memory.bytes) == (0, 0)


# --- voices ---


SETTINGS = Settings.model_validate(
    {
        "tts": [
            {"kind": "espeak", "weight": 0},
            {"kind": "edge", "weight": 10, "name": "woman"},
            {"kind": "openai", "weight": 90, "base_url": "http://one/v1"},
        ]
    }
)


def test_the_largest_share_speaks_first_and_a_fallback_only_when_named() -> None:
    assert speakers(SETTINGS) == ("openai", "woman")
    assert speakers(SETTINGS, ("espeak", "nobody", "woman")) == ("espeak", "woman")
    assert speakers(Settings(tts=(EspeakTts(weight=0),))) == ("espeak",)


def test_everything_that_is_heard_makes_the_voice() -> None:
    engines = [
        EspeakTts(),
        EspeakTts(voice="cmn+f2"),
        EspeakTts(words_per_minute=120),
        EspeakTts(pitch=60),
        EdgeTts(kind="edge"),
        EdgeTts(kind="edge", rate="+10%"),
        EdgeTts(kind="edge", service_url="ws://x?"),
        OpenAiTts(kind="openai", base_url="http://one/v1"),
        OpenAiTts(kind="openai", base_url="http://two/v1"),
        OpenAiTts(kind="openai", base_url="http://one/v1", model="other"),
        OpenAiTts(kind="openai", base_url="http://one/v1", pcm_rate_hz=16000),
    ]
    voices = {voice_of(Settings(tts=(engine,)), label(engine)) for engine in engines}
    assert len(voices) == len(engines)


def test_nothing_else_makes_another_voice_and_no_secret_is_in_it() -> None:
    engine = OpenAiTts(kind="openai", base_url="http://one/v1")
    other = OpenAiTts.model_validate(
        engine.model_dump()
        | {"name": "x", "weight": 3, "workers": 2, "slots": 9, "api_key": "hush"}
    )
    voice = voice_of(Settings(tts=(other,)), "x")
    assert voice == voice_of(Settings(tts=(engine,)), "openai")
    assert "hush" not in voice
    assert voice_of(Settings(), "nobody") == ""


# --- what may be kept ---


@pytest.mark.parametrize(
    ("text", "count", "size", "complaint"),
    [
        ("你好。", 10, 100, ""),
        ("你好。", 0, 100, "not finished"),
        ("你好。", 1, 100, "too short"),
        ("你好。", 200, 100, "too long"),
        ("今天天气很好，我们出去玩吧。", 3, 100, "too short"),
        ("What a wonderful day it is.", 30, 100, ""),
        ("，。", 10, 100, "no words"),
        ("你好。", 10, 0, "a frame is empty"),
        ("你好。", 10, 5000, "longer than 4000"),
        ("好" * 100, 1000, 300, f"longer than {MAX_ENTRY_BYTES}"),
    ],
)
def test_only_what_can_be_speech_of_the_text_is_kept(
    text: str, count: int, size: int, complaint: str
) -> None:
    problem = plausible.problem(text, [bytes(size)] * count, 60)
    assert (complaint in problem) if complaint else problem == ""
