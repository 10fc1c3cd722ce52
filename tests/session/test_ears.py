"""What reaches the uplink of what a device sends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actors.session.ears import FRESH_S, Ears
from cfg.model import Listening
from sim.encoded import quiet, spoken

FRAME_S = 0.06


def test_speech_that_was_cut_off_does_not_ring_on_in_the_next_utterance() -> None:
    """The first quiet packet after it would be decoded as the rest of its last vowel."""
    ears = Ears(Listening())
    heard: list[NDArray[np.int16]] = []
    ears._uplink.keep = heard.append  # type: ignore[method-assign]
    speech = spoken("三加五等于几").packets[:12]
    for number, packet in enumerate(speech):
        assert ears.take(packet, number * FRAME_S, listening=False) == ""
    assert np.abs(heard[-1]).max() > 1000
    opened = len(speech) * FRAME_S + FRESH_S
    for number, packet in enumerate(quiet()[:5]):
        ears.take(packet, opened + number * FRAME_S, listening=False)
    assert max(np.abs(pcm).max() for pcm in heard[len(speech) :]) < 50


def test_a_stream_without_a_pause_is_decoded_in_one() -> None:
    """A packet is decoded by those before it: no click at a mere Wi-Fi stall."""
    packets = spoken("三加五等于几").packets
    heard: dict[float, list[NDArray[np.int16]]] = {}
    for stall_s in (0.0, FRESH_S - 2 * FRAME_S):
        ears = Ears(Listening())
        heard[stall_s] = []
        ears._uplink.keep = heard[stall_s].append  # type: ignore[method-assign]
        for number, packet in enumerate(packets):
            now = number * FRAME_S + (stall_s if number > 10 else 0.0)
            ears.take(packet, now, listening=False)
    for smooth, stalled in zip(*heard.values(), strict=True):
        assert np.array_equal(smooth, stalled)
