"""When the session listens, and what it makes of what it hears."""

from __future__ import annotations

from actors.session.attention import (
    DEAF_LIMIT_S,
    STALLED_FACTOR,
    Attention,
    BargedIn,
    Began,
    Ended,
    Fact,
    Grew,
)
from cfg.model import Listening
from tests.session.harness import FRAME_S
from tests.session.scripted import packets


class Room:
    """An attention, and a microphone in front of it."""

    def __init__(self, **listening: object) -> None:
        self.attention = Attention(Listening.model_validate(listening), "zh")
        self.now = 100.0
        self.facts: list[Fact] = []
        self._count = 0

    def hears(self, loud: bool, seconds: float, *, overhear: bool = False) -> list[Fact]:
        """So much of the microphone at its own pace; the facts that it led to."""
        before = len(self.facts)
        for _ in range(round(seconds / FRAME_S)):
            self.now += FRAME_S
            self._count += 1
            packet = packets(loud)[self._count % 50]
            assert self.attention.packet(packet, self.now, overhear=overhear) == ""
            self.take()
        return self.facts[before:]

    def take(self) -> None:
        while (fact := self.attention.next_fact(self.now)) is not None:
            self.facts.append(fact)

    def passes(self, seconds: float) -> list[Fact]:
        """Nothing comes for so long; it is woken when it wants to be."""
        before, end = len(self.facts), self.now + seconds
        while (due := self.attention.deadline()) is not None and due <= end:
            assert due > self.now or not self.facts[before:], "a busy loop"
            self.now = max(self.now, due)
            self.attention.time(self.now)
            self.take()
        self.now = end
        return self.facts[before:]

    def seconds(self) -> float:
        """Of all utterances together."""
        return sum(len(fact.pcm) for fact in self.facts) / 32000


def test_an_utterance_begins_grows_and_ends() -> None:
    room = Room()
    room.attention.arm(room.now)
    facts = room.hears(True, 1) + room.hears(False, 2)
    assert [type(f) for f in facts[:1] + facts[-1:]] == [Began, Ended]
    assert {type(f) for f in facts[1:-1]} == {Grew}
    ended = facts[-1]
    assert isinstance(ended, Ended)
    assert ended.silence_s >= 0.5
    assert not room.attention.armed
    assert room.attention.deadline() is None


def test_not_armed_hears_nothing() -> None:
    room = Room()
    assert room.hears(True, 2) == []
    assert room.attention.deadline() is None


def test_a_pause_in_the_connection_is_silence() -> None:
    room = Room()
    room.attention.arm(room.now)
    room.hears(True, 1)
    (ended,) = room.passes(10)
    assert isinstance(ended, Ended)
    assert ended.reason in ("unsure", "incomplete")


def test_garbage_does_not_hide_a_pause() -> None:
    room = Room()
    room.attention.arm(room.now)
    room.hears(True, 1)
    facts: list[Fact] = []
    for _ in range(60):
        assert room.attention.packet(b"\xff" * 30, room.now, overhear=False) != ""
        facts += room.passes(FRAME_S)
    assert [type(fact) for fact in facts] == [Ended]


def test_in_manual_mode_only_listen_stop_ends() -> None:
    room = Room(max_utterance_s=30)
    room.attention.manual = True
    room.attention.arm(room.now)
    room.hears(True, 1)
    assert not any(isinstance(fact, Ended) for fact in room.hears(False, 5))
    room.attention.stop(room.now)
    room.take()
    assert isinstance(room.facts[-1], Ended)


def test_a_manual_utterance_without_audio_ends_some_day() -> None:
    room = Room(max_utterance_s=10)
    room.attention.manual = True
    room.attention.arm(room.now)
    room.hears(True, 1)
    assert room.passes(10 * STALLED_FACTOR - 2) == []
    (ended,) = room.passes(5)
    assert isinstance(ended, Ended)
    assert ended.reason == "stalled"


def test_listen_stop_without_a_word_ends_after_the_late_frames() -> None:
    room = Room(late_frames_ms=200)
    room.attention.manual = True
    room.attention.arm(room.now)
    room.hears(False, 1)
    room.attention.stop(room.now)
    assert room.passes(0.19) == []
    (ended,) = room.passes(0.02)
    assert isinstance(ended, Ended)
    assert ended.pcm == b""


def test_listen_stop_that_was_not_expected_is_nothing() -> None:
    room = Room()
    room.attention.stop(room.now)
    assert room.attention.deadline() is None
    room.attention.arm(room.now)
    room.attention.stop(room.now)
    room.attention.disarm()
    assert room.passes(5) == []


def test_speech_barges_in_from_its_beginning_and_is_armed() -> None:
    room = Room(barge_in_ms=240)
    room.hears(False, 1, overhear=True)
    facts = room.hears(True, 1, overhear=True)
    assert isinstance(facts[0], BargedIn)
    assert all(isinstance(fact, Grew) for fact in facts[1:])
    assert room.attention.armed
    # Pre-roll and all of the second: nothing missing, nothing double.
    assert 1.3 <= room.seconds() <= 1.45
    assert isinstance(room.hears(False, 2)[-1], Ended)


def test_speech_that_is_being_overheard_is_pre_roll_when_listening_begins() -> None:
    room = Room()
    room.hears(True, 0.24, overhear=True)
    room.attention.arm(room.now)
    facts = room.hears(True, 1)
    assert isinstance(facts[0], Began)
    assert room.seconds() > 1.15


def test_short_noises_do_not_add_up() -> None:
    room = Room(barge_in_ms=480)
    for _ in range(5):
        assert room.hears(True, 0.3, overhear=True) == []
        assert room.hears(False, 1, overhear=True) == []


def test_what_is_continued_counts_for_the_longest_utterance() -> None:
    room = Room(max_utterance_s=5)
    room.hears(True, 1, overhear=True)
    room.attention.continues(bytes(32000 * 4))
    facts = room.hears(True, 1)
    assert isinstance(facts[-1], Ended)
    assert facts[-1].reason == "too_long"


def test_stale_audio_is_no_pre_roll() -> None:
    lengths = []
    for pause_s in (0.1, 5.0):
        room = Room()
        room.hears(True, 1)
        room.passes(pause_s)
        room.attention.arm(room.now)
        room.hears(True, 1)
        lengths.append(room.seconds())
    assert lengths[0] - lengths[1] > 0.3


def test_forgotten_audio_is_no_pre_roll() -> None:
    room = Room()
    room.hears(True, 1)
    room.attention.forget()
    room.attention.arm(room.now)
    room.hears(True, 1)
    assert room.seconds() < 1.1


def test_a_stream_of_audio_that_nobody_hears_is_noticed() -> None:
    room = Room()
    room.hears(False, DEAF_LIMIT_S - 0.2)
    assert not room.attention.is_deaf
    room.hears(False, 0.4)
    assert room.attention.is_deaf
    room.attention.arm(room.now)
    assert not room.attention.is_deaf


def test_audio_now_and_then_is_no_stream() -> None:
    room = Room()
    for _ in range(5):
        room.hears(False, 1)
        room.passes(5)
    assert not room.attention.is_deaf


def test_a_clock_that_stood_still_is_no_trouble() -> None:
    room = Room()
    room.attention.arm(room.now)
    room.hears(True, 1)
    room.now += 1000
    room.attention.time(room.now)
    room.take()
    assert isinstance(room.facts[-1], Ended)
