"""The model of a device's audio: its rules per generation, and properties over any schedule."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.wire.firmware import GENERATIONS, Firmware
from actors.wire.inbound import Mode
from actors.wire.packet import packet_ms
from actors.wire.playback import (
    DevicePlayback,
    ListenDue,
    Lost,
    PlaybackEvent,
    Played,
    StateChanged,
)

FRAME = b"\x18payload"  # SILK, one frame of 60 ms
NEWEST = GENERATIONS["2.4"]

generations = pytest.mark.parametrize("firmware", GENERATIONS.values(), ids=list(GENERATIONS))


def speaking(firmware: Firmware = NEWEST, mode: Mode = "auto") -> DevicePlayback:
    """A device that has been woken at 0 ms and is speaking at 100 ms; events taken."""
    device = DevicePlayback(firmware, main_task_ms=5)
    device.connect(0)
    device.listen(mode, 10)
    device.tts_start(90)
    device.advance(100)
    assert device.state == "speaking"
    return device


def played(events: list[PlaybackEvent]) -> list[float]:
    return [event.at_ms for event in events if isinstance(event, Played)]


def test_waking_opens_the_microphone() -> None:
    device = DevicePlayback()
    device.connect(0)
    device.listen("auto", 200)
    assert device.advance(200) == [
        StateChanged(0, "connecting"),
        StateChanged(200, "listening"),
        ListenDue(200, "auto"),
    ]
    assert device.next_event_ms() is None


def test_a_reply_paced_with_a_lead_is_played_without_a_gap() -> None:
    device = speaking()
    for number in range(10):
        device.audio(FRAME, 100 + max(0, number - 1) * 60)
    assert played(device.advance(2000)) == [100 + 60 * number for number in range(10)]
    assert (device.tally.played, device.tally.gaps, device.tally.lost) == (10, 0, {})


def test_a_late_frame_leaves_a_gap() -> None:
    device = speaking()
    device.audio(FRAME, 100)
    device.audio(FRAME, 190)
    assert [event.gap_ms for event in device.advance(500) if isinstance(event, Played)] == [0, 30]
    assert (device.tally.gaps, device.tally.gap_ms) == (1, 30)


@generations
def test_audio_outside_speaking(firmware: Firmware) -> None:
    device = DevicePlayback(firmware)
    device.connect(0)
    device.listen("auto", 10)
    device.audio(FRAME, 20)
    device.advance(500)
    heard = 1 if firmware.name == "1.6" else 0
    assert device.tally.played == heard
    assert device.tally.lost == ({} if heard else {"not speaking": 1})


@generations
def test_audio_that_overtakes_tts_start_is_lost(firmware: Firmware) -> None:
    device = DevicePlayback(firmware, main_task_ms=20)
    device.connect(0)
    device.listen("auto", 10)
    device.tts_start(100)
    for number in range(3):
        device.audio(FRAME, 101 + number)
    device.advance(1000)
    assert sum(device.tally.lost.values()) >= 2
    assert device.tally.played <= 1


@generations
def test_a_burst_overflows_the_queue_and_loses_the_newest(firmware: Firmware) -> None:
    device = speaking(firmware)
    packets = [FRAME + bytes([number]) for number in range(60)]
    for packet in packets:
        device.audio(packet, 100)
    events = device.advance(100)
    kept = 1 + firmware.queue_packets + firmware.pcm_packets
    assert [event.packet for event in events if isinstance(event, Lost)] == packets[kept:]
    assert device.tally.lost == {"queue full": 60 - kept}
    device.advance(10_000)
    assert device.tally.played == kept


@generations
def test_a_stop_in_auto_mode_with_audio_still_queued(firmware: Firmware) -> None:
    device = speaking(firmware)
    for _ in range(5):
        device.audio(FRAME, 100)
    device.tts_stop(115)
    events = device.advance(1000)
    (due,) = [event for event in events if isinstance(event, ListenDue)]
    if firmware.waits_until_played:
        assert (due.at_ms, device.tally.played) == (400, 5)
    else:
        assert due.at_ms == 120
        assert device.tally.played == (5 if firmware.name == "1.6" else 1)
    assert device.state == "listening"


@generations
def test_a_stop_after_the_audio_was_heard_cuts_nothing(firmware: Firmware) -> None:
    device = speaking(firmware)
    for number in range(5):
        device.audio(FRAME, 100 + 60 * number)
    device.tts_stop(100 + 5 * 60 + 120)
    device.advance(2000)
    assert device.tally.played == 5
    assert not device.tally.lost


def test_only_the_newest_obeys_while_it_plays_out() -> None:
    for name, state in (("2.2.6", "listening"), ("2.4", "speaking")):
        device = speaking(GENERATIONS[name])
        for _ in range(5):
            device.audio(FRAME, 100)
        device.tts_stop(110)
        device.tts_start(150)
        device.advance(200)
        assert device.state == state
        device.advance(1000)
        assert device.state == "speaking"


def test_a_manual_reply_ends_idle_and_plays_out() -> None:
    device = speaking(mode="manual")
    device.audio(FRAME, 100)
    device.audio(FRAME, 100)
    device.tts_stop(110)
    events = device.advance(1000)
    assert device.state == "idle"
    assert played(events) == [100, 160]
    assert not [event for event in events if isinstance(event, ListenDue)]


def test_a_realtime_reply_ends_listening_without_a_word() -> None:
    device = speaking(mode="realtime")
    device.audio(FRAME, 100)
    device.audio(FRAME, 100)
    device.tts_stop(110)
    events = device.advance(1000)
    assert events[-1] != ListenDue(115, "realtime")
    assert StateChanged(115, "listening") in events
    assert not [event for event in events if isinstance(event, ListenDue)]
    assert played(events) == [100, 160]


def test_push_to_talk() -> None:
    device = DevicePlayback()
    device.connect(0)
    device.listen("manual", 10)
    device.release(500)
    assert device.state == "idle"
    device.tts_start(600)
    device.audio(FRAME, 700)
    device.tts_stop(900)
    device.advance(1000)
    assert (device.state, device.tally.played) == ("idle", 1)


def test_waking_during_speech_listens_when_the_queue_is_heard() -> None:
    device = speaking()
    for _ in range(4):
        device.audio(FRAME, 100)
    device.listen("auto", 130)
    assert device.state == "listening"
    assert device.next_event_ms() == 160
    events = device.advance(1000)
    assert ListenDue(340, "auto") in events
    device.tts_stop(1000)
    assert device.advance(2000) == []


def test_waking_while_listening_drops_what_is_still_queued() -> None:
    device = speaking()
    for _ in range(4):
        device.audio(FRAME, 100)
    device.tts_stop(105)
    device.listen("auto", 120)
    assert ListenDue(160, "auto") in device.advance(1000)
    assert (device.tally.played, device.tally.lost) == (1, {"cleared": 3})


def test_the_main_task_takes_things_in_order() -> None:
    device = speaking()
    device.tts_stop(200)
    device.listen("manual", 202)
    assert device.advance(300) == [
        StateChanged(205, "listening"),
        ListenDue(205, "auto"),
        ListenDue(205, "manual"),
    ]


def test_tts_messages_that_come_while_connecting_act_afterwards() -> None:
    device = DevicePlayback(main_task_ms=5)
    device.connect(0)
    device.tts_start(10)
    device.audio(FRAME, 50)
    device.advance(90)
    assert device.state == "connecting"
    device.listen("auto", 100)
    device.advance(100)
    assert device.state == "speaking"
    assert device.tally.lost == {"not speaking": 1}


def test_stray_messages_change_nothing() -> None:
    device = DevicePlayback()
    device.tts_stop(0)
    device.release(10)
    device.audio(b"", 20)
    assert device.advance(100) == []
    device.connect(100)
    device.listen("auto", 110)
    device.tts_stop(120)
    device.connect(130)
    assert device.advance(200)[-1] == ListenDue(110, "auto")
    assert device.state == "listening"


def test_a_second_start_does_not_empty_the_queue() -> None:
    device = speaking()
    for _ in range(3):
        device.audio(FRAME, 100)
    device.tts_start(110)
    device.advance(1000)
    assert device.tally.played == 3


def test_a_lost_connection_plays_out_and_forgets() -> None:
    device = speaking()
    device.audio(FRAME, 100)
    device.audio(FRAME, 100)
    device.tts_stop(101)
    device.close(102)
    events = device.advance(1000)
    assert device.state == "idle"
    assert played(events) == [100, 160]
    assert not [event for event in events if isinstance(event, ListenDue)]


def test_a_packet_longer_than_announced_cannot_be_decoded() -> None:
    device = DevicePlayback(frame_ms=20)
    device.tts_start(0)
    device.audio(FRAME, 100)
    device.audio(b"\x08x", 100)  # SILK, one frame of 20 ms
    device.audio(b"\x03", 100)  # a count code without its count
    device.advance(500)
    assert (device.tally.played, device.tally.lost) == (1, {"undecodable": 2})


@pytest.mark.parametrize(
    ("packet", "duration_ms"),
    [
        (b"", 0),
        (b"\x00", 10),
        (b"\x08", 20),
        (b"\x10", 40),
        (b"\x18", 60),
        (b"\x19", 120),
        (b"\x1b\x03", 0),  # three of 60 ms exceed the longest packet
        (b"\x60", 10),
        (b"\x78", 20),
        (b"\x80", 2.5),
        (b"\xfb\x03", 60),
        (b"\xfb\x80", 0),
        (b"\xfb", 0),
    ],
)
def test_packet_durations(packet: bytes, duration_ms: float) -> None:
    assert packet_ms(packet) == duration_ms


# --- any schedule at all --------------------------------------------------------

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["audio"] * 6 + ["start", "start", "stop", "connect", "listen", "release", "close"]
        ),
        st.sampled_from([0, 1, 20, 60, 70, 500]),
        st.sampled_from(get_args(Mode)),
    ),
    max_size=80,
)


@given(steps=steps, firmware=st.sampled_from(list(GENERATIONS.values())))
def test_every_packet_has_one_fate_and_time_runs_forward(
    steps: list[tuple[str, int, Mode]], firmware: Firmware
) -> None:
    device = DevicePlayback(firmware)
    now_ms, sent = 0.0, 0
    events: list[PlaybackEvent] = []
    for name, pause_ms, mode in steps:
        now_ms += pause_ms
        if name == "audio":
            device.audio(FRAME + sent.to_bytes(2, "big"), now_ms)
            sent += 1
        elif name == "start":
            device.tts_start(now_ms)
        elif name == "stop":
            device.tts_stop(now_ms)
        elif name == "connect":
            device.connect(now_ms)
        elif name == "listen":
            device.listen(mode, now_ms)
        elif name == "release":
            device.release(now_ms)
        else:
            device.close(now_ms)
        assert device.waiting_packets <= firmware.queue_packets + firmware.pcm_packets
        events += device.advance(now_ms)
    events += device.advance(now_ms + 60_000)
    fates = [event.packet for event in events if isinstance(event, (Played, Lost))]
    assert len(fates) == len(set(fates)) == sent
    times = [event.at_ms for event in events]
    assert times == sorted(times)
    starts = played(events)
    assert all(later - earlier >= 60 for earlier, later in pairwise(starts))
    assert device.next_event_ms() is None or device.state == "connecting"
    assert device.tally.played + sum(device.tally.lost.values()) == sent


@given(
    firmware=st.sampled_from(list(GENERATIONS.values())),
    frames=st.integers(1, 120),
    lead=st.integers(1, 5),
    jitter_ms=st.lists(st.integers(0, 55), min_size=120, max_size=120),
)
def test_pacing_by_the_rules_loses_nothing_on_any_generation(
    firmware: Firmware, frames: int, lead: int, jitter_ms: list[int]
) -> None:
    """A lead of up to 5 frames on a 60 ms grid, then stop with a margin: the promise to keep."""
    device = speaking(firmware)
    arrival_ms = 100.0
    for number in range(frames):
        due_ms = 100.0 + max(0, number - lead + 1) * 60
        arrival_ms = max(arrival_ms, due_ms + (jitter_ms[number] if lead > 1 else 0))
        device.audio(FRAME, arrival_ms)
    device.tts_stop(max(device.silent_at_ms, arrival_ms) + 240)
    device.advance(device.silent_at_ms + 10_000)
    assert device.tally.lost == {}
    assert device.tally.played == frames
    assert device.state == "listening"
