"""Louder than the room, or not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from actors.audio.gate import EnergyGate
from tests.audio.conftest import Pcm, hum, level, mix, pink_noise, say, silence, white_noise


def passed(gate: EnergyGate, pcm: Pcm) -> list[bool]:
    return [gate.feed(pcm[at : at + 512]) for at in range(0, len(pcm) - 511, 512)]


@pytest.mark.parametrize("noise", [white_noise, pink_noise, hum])
@pytest.mark.parametrize("rms_db", [-55.0, -30.0, -6.0])
def test_a_steady_noise_passes_for_two_seconds_at_most(
    noise: Callable[[int, float], Pcm], rms_db: float
) -> None:
    gate = EnergyGate(6.0)
    passes = passed(gate, noise(12000, rms_db))
    assert sum(passes[2300 // 32 :]) <= 2


def test_silence_never_passes() -> None:
    gate = EnergyGate(6.0)
    assert not any(passed(gate, silence(3000)))
    assert gate.noise_db == -62.0


def test_the_first_quiet_window_brings_the_floor_down() -> None:
    gate = EnergyGate(6.0)
    passed(gate, white_noise(5000, -20))
    assert gate.noise_db > -30
    gate.feed(silence(32))
    assert gate.noise_db == -62.0
    assert passed(gate, white_noise(320, -50)) == [True] * 10


def test_speech_does_not_lift_its_own_floor() -> None:
    gate = EnergyGate(6.0)
    speech = level(say("今天晚上我们一起去公园散步，然后回家看电视，好不好"), -24)
    passed(gate, mix(speech, white_noise(len(speech) // 16 + 1, -55)))
    assert gate.noise_db < -50


def test_soft_speech_passes_over_a_loud_hum() -> None:
    gate = EnergyGate(6.0)
    speech = level(say("打开客厅的灯"), -36)
    stream = mix(np.concatenate((silence(4000), speech)), hum(9000, -26))
    passes = passed(gate, stream)
    assert sum(passes[4000 // 32 :]) * 32 > len(speech) / 16 / 3


def test_skipped_windows_leave_the_floor_alone() -> None:
    gate = EnergyGate(6.0)
    noise = white_noise(8000, -30)
    passed(gate, noise)
    floor = gate.noise_db
    for _ in range(200):
        gate.skip()
    assert gate.noise_db == floor


def test_a_higher_setting_passes_less() -> None:
    speech = level(say("打开客厅的灯"), -26)
    stream = mix(np.concatenate((silence(3000), speech)), white_noise(5000, -36))
    counts = [sum(passed(EnergyGate(gate_db), stream)) for gate_db in (3.0, 6.0, 12.0)]
    assert counts[0] > counts[1] > counts[2]
