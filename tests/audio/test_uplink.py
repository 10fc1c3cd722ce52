"""Speech in, utterances out: real speech through the codec, and the rules by a model that obeys."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.audio.opus import Decoder, is_dtx
from actors.audio.uplink import (
    WINDOW_MS,
    Silence,
    SpeechContinued,
    SpeechResumed,
    SpeechStarted,
    Uplink,
    UplinkEvent,
)
from cfg.model import Listening
from tests.audio.conftest import (
    Pcm,
    hum,
    level,
    mix,
    packets,
    pink_noise,
    say,
    silence,
    white_noise,
)

END_MS = 512
NOISES = {"white": white_noise, "pink": pink_noise, "hum": hum}


class Heard:
    """A device's stream through decoder and uplink; an utterance ends after `END_MS`."""

    def __init__(self, pcm: Pcm, frame_ms: int = 60, dtx: bool = True) -> None:
        self.uplink = Uplink(Listening())
        self.started_ms: list[int] = []
        self.ended_ms: list[int] = []
        self.utterances: list[Pcm] = []
        decoder, now_ms = Decoder(), 0
        for packet in packets(pcm, frame_ms, dtx):
            now_ms += frame_ms
            for event in self.uplink.feed(decoder.decode(packet), is_dtx(packet)):
                if self._ends(event, now_ms):
                    break

    def _ends(self, event: UplinkEvent, now_ms: int) -> bool:
        if isinstance(event, SpeechStarted):
            self.started_ms.append(now_ms)
            self.utterances.append(event.pcm)
        elif isinstance(event, SpeechContinued):
            self.utterances[-1] = np.concatenate((self.utterances[-1], event.pcm))
        elif isinstance(event, Silence) and event.silence_ms >= END_MS:
            self.ended_ms.append(now_ms)
            self.uplink.end()
            return True
        return False


def spoken(text: str, voice: str = "cmn", rms_db: float = -26, before_ms: int = 3000) -> Pcm:
    return np.concatenate((silence(before_ms), level(say(text, voice), rms_db), silence(1500)))


# --- real speech -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "voice"),
    [
        ("打开客厅的灯", "cmn"),
        ("明天早上八点叫我起床", "cmn+f2"),
        ("停", "cmn"),
        ("what time is it", "en-us"),
    ],
)
@pytest.mark.parametrize("frame_ms", [20, 40, 60])
def test_speech_becomes_one_utterance(text: str, voice: str, frame_ms: int) -> None:
    heard = Heard(spoken(text, voice), frame_ms)
    speech_ms = len(say(text, voice)) // 16
    assert len(heard.started_ms) == len(heard.ended_ms) == 1
    assert 3000 < heard.started_ms[0] <= 3000 + 250
    assert abs(heard.ended_ms[0] - (3000 + speech_ms + END_MS)) <= 150


def test_the_pre_roll_holds_the_whole_beginning() -> None:
    pcm = spoken("四是四十是十")
    heard = Heard(pcm, dtx=False)
    first_sound = int(np.flatnonzero(np.abs(heard.utterances[0].astype(np.int32)) > 300)[0])
    assert first_sound >= 16 * 200, "the utterance begins in silence, not in mid-syllable"


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("snr_db", [20, 10, 5])
def test_speech_is_found_in_noise(noise: str, snr_db: int) -> None:
    clean = spoken("打开客厅的灯")
    noisy = mix(clean, NOISES[noise](len(clean) // 16 + 1, -26.0 - snr_db))
    heard = Heard(noisy)
    assert len(heard.started_ms) == len(heard.ended_ms) == 1
    assert 3000 < heard.started_ms[0] <= 3000 + 250
    assert abs(heard.ended_ms[0] - (3000 + len(clean) // 16 - 4500 + END_MS)) <= 200


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("rms_db", [-50.0, -30.0, -12.0])
def test_noise_alone_opens_nothing_and_lets_the_model_sleep(noise: str, rms_db: float) -> None:
    heard = Heard(NOISES[noise](15000, rms_db))
    assert heard.started_ms == []
    # At most the two seconds in which the room is unknown, and half as much again.
    assert heard.uplink.statistics.model_windows * WINDOW_MS <= 3000 + 4000 * (noise == "hum")


def test_a_noise_that_begins_is_learnt() -> None:
    heard = Heard(np.concatenate((silence(5000), white_noise(10000, -20.0))))
    assert heard.started_ms == []
    assert heard.uplink.statistics.model_windows * WINDOW_MS <= 3000
    assert heard.uplink.noise_db > -35


def test_silence_never_wakes_the_model() -> None:
    heard = Heard(silence(5000))
    assert heard.uplink.statistics.model_windows == 0
    assert heard.uplink.statistics.gate_windows == 5040 // WINDOW_MS
    assert heard.uplink.statistics.feeds == 84


def test_soft_speech_after_loud_speech_is_heard() -> None:
    text = "今天天气怎么样"
    heard = Heard(np.concatenate((spoken(text, rms_db=-12), spoken(text, rms_db=-40, before_ms=0))))
    assert len(heard.started_ms) == 2


def test_a_wake_word_without_silence_before_it_is_heard() -> None:
    heard = Heard(level(say("你好小智"), -26))
    assert heard.started_ms
    assert heard.started_ms[0] <= 240


# --- the rules, by a model that says what the samples say ----------------------------


class Obedient:
    """Samples of 1000 are speech, 500 undecided, others none."""

    def __init__(self) -> None:
        self.resets = 0

    def probability(self, window: Pcm) -> float:
        peak = int(np.abs(window).max())
        return 0.9 if peak >= 1000 else 0.4 if peak >= 500 else 0.1

    def reset(self) -> None:
        self.resets += 1


def windows(count: int, amplitude: int) -> Pcm:
    sign = np.tile(np.repeat([1, -1], 4), 64 * count)
    return (sign * amplitude).astype(np.int16)


QUIET, VAGUE, VOICE = 0, 500, 1000


def fed(uplink: Uplink, *runs: tuple[int, int]) -> list[UplinkEvent]:
    events: list[UplinkEvent] = []
    for count, amplitude in runs:
        events += uplink.feed(windows(count, amplitude))
    return events


def kinds(events: Iterable[UplinkEvent]) -> list[str]:
    return [type(event).__name__ for event in events if not isinstance(event, SpeechContinued)]


def heard_pcm(events: Iterable[UplinkEvent]) -> Pcm:
    parts = [event.pcm for event in events if isinstance(event, (SpeechStarted, SpeechContinued))]
    return np.concatenate(parts)


def uplink(**listening: float) -> Uplink:
    return Uplink(Listening.model_validate(listening), Obedient())


def test_a_sound_shorter_than_min_speech_is_no_utterance() -> None:
    assert fed(uplink(min_speech_ms=90), (20, QUIET), (2, VOICE), (20, QUIET)) == []
    assert kinds(fed(uplink(min_speech_ms=90), (20, QUIET), (3, VOICE))) == ["SpeechStarted"]


def test_an_undecided_window_neither_starts_nor_ends_speech() -> None:
    assert fed(uplink(), (20, QUIET), (20, VAGUE)) == []
    assert kinds(fed(uplink(), (20, QUIET), (1, VOICE), (2, VAGUE))) == ["SpeechStarted"]
    assert kinds(fed(uplink(), (20, QUIET), (5, VOICE), (20, VAGUE))) == ["SpeechStarted"]


@pytest.mark.parametrize("preroll_ms", [300, 360, 1000])
def test_the_pre_roll_is_at_least_as_long_as_set(preroll_ms: int) -> None:
    events = fed(uplink(preroll_ms=preroll_ms), (60, QUIET), (3, VOICE))
    assert isinstance(events[0], SpeechStarted)
    before = int(np.flatnonzero(events[0].pcm)[0])
    assert preroll_ms * 16 <= before < (preroll_ms + WINDOW_MS) * 16


def test_silence_counts_up_and_resumes() -> None:
    events = fed(uplink(), (20, QUIET), (5, VOICE), (4, QUIET), (2, VOICE), (1, QUIET))
    silences = [event.silence_ms for event in events if isinstance(event, Silence)]
    # The first window back is not trusted yet: it may be a click.
    assert silences == [32, 64, 96, 128, 160, 32]
    assert [event for event in events if isinstance(event, SpeechResumed)] == [SpeechResumed(128)]


def test_a_click_does_not_end_a_pause() -> None:
    events = fed(uplink(), (20, QUIET), (5, VOICE), (4, QUIET), (1, VOICE), (4, QUIET))
    assert "SpeechResumed" not in kinds(events)
    assert events[-1] == Silence(9 * WINDOW_MS)


def test_a_gap_is_silence_of_the_open_utterance_only() -> None:
    ears = uplink()
    assert ears.gap(200) == []
    fed(ears, (20, QUIET), (5, VOICE))
    assert ears.gap(200) == [Silence(200)]
    assert ears.gap(60) == [Silence(260)]
    assert kinds(fed(ears, (2, VOICE))) == ["Silence", "SpeechResumed"]


def test_what_was_said_is_not_in_the_next_pre_roll() -> None:
    ears = uplink()
    fed(ears, (20, QUIET), (5, VOICE), (4, QUIET))
    ears.end()
    assert not ears.open
    events = fed(ears, (1, QUIET), (3, VOICE))
    assert isinstance(events[0], SpeechStarted)
    assert len(events[0].pcm) == (4 + 1 + 3) * 512


def test_reset_keeps_the_pre_roll_unless_told_not_to() -> None:
    for keep, expected in ((True, 12 + 3), (False, 3)):
        ears = uplink()
        fed(ears, (20, QUIET), (5, VOICE))
        ears.reset(keep_preroll=keep)
        assert not ears.open
        events = fed(ears, (3, VOICE))
        assert isinstance(events[0], SpeechStarted)
        assert len(events[0].pcm) == expected * 512


def test_finish_delivers_the_last_samples_and_closes() -> None:
    ears = uplink()
    fed(ears, (20, QUIET), (5, VOICE))
    ears.feed(windows(1, VOICE)[:100])
    events = ears.finish()
    assert len(events) == 1
    assert isinstance(events[0], SpeechContinued)
    assert len(events[0].pcm) == 100
    assert not ears.open
    assert ears.finish() == []


def test_the_model_wakes_knowing_what_came_before_and_sleeps_again() -> None:
    model = Obedient()
    ears = Uplink(Listening(), model)
    fed(ears, (50, QUIET), (1, VOICE), (50, QUIET))
    assert model.resets == 1
    assert ears.statistics.model_windows == 3 + 1 + 10
    fed(ears, (1, VOICE))
    assert model.resets == 2


def test_made_up_silence_does_not_lower_the_floor() -> None:
    """Hum with DTX: real only every 420 ms, and no louder then than the room is."""
    room, made_up = windows(2, 300), windows(11, 10)
    asleep, awake = uplink(), uplink()
    for _ in range(40):
        for ears, dtx in ((asleep, True), (awake, False)):
            ears.feed(room)
            ears.feed(made_up, dtx=dtx)
    assert asleep.statistics.model_windows * 3 < awake.statistics.model_windows


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from([QUIET, VAGUE, VOICE])), max_size=12),
    st.lists(st.integers(0, 1920), min_size=1, max_size=20),
)
def test_packet_sizes_change_nothing_and_no_sample_is_lost(
    runs: list[tuple[int, int]], sizes: list[int]
) -> None:
    stream = np.concatenate([windows(0, 0)] + [windows(count, a) for count, a in runs])
    stream = stream + np.arange(len(stream), dtype=np.int16) % 7  # so that windows differ
    whole, cut = uplink(), uplink()
    expected = whole.feed(stream)
    events: list[UplinkEvent] = []
    at = turn = 0
    while at < len(stream):
        size = sizes[turn % len(sizes)] or 1
        events += cut.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    events += cut.finish()
    expected += whole.finish()
    assert kinds(events) == kinds(expected)
    if any(isinstance(event, SpeechStarted) for event in events):
        heard = heard_pcm(events)
        np.testing.assert_array_equal(heard, stream[len(stream) - len(heard) :])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from([QUIET, VOICE])), max_size=15))
def test_events_come_in_order(runs: list[tuple[int, int]]) -> None:
    opened = False
    silent_ms = 0
    for event in fed(uplink(), *runs):
        if isinstance(event, SpeechStarted):
            assert not opened
            opened = True
        else:
            assert opened
        if isinstance(event, Silence):
            # The first may reach back over windows that were no louder than the room.
            assert 0 < event.silence_ms - silent_ms <= (WINDOW_MS if silent_ms else 5 * WINDOW_MS)
            silent_ms = event.silence_ms
        elif isinstance(event, SpeechResumed):
            assert 0 < event.pause_ms <= silent_ms
            silent_ms = 0
