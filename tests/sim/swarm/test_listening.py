"""The sound of answers is understood after a run, and garbage hurts nobody."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from actors.audio.opus import Encoder, FrameEncoder
from sim.speech import say
from sim.swarm.listening import listened
from sim.swarm.numerals import numbers_in
from sim.swarm.orders import AnswerSound, to_line
from sim.swarm.records import TurnRecord

pytestmark = pytest.mark.speech

RATE_HZ = 24000


def sound(device: int, text: str) -> AnswerSound:
    encoder = FrameEncoder(Encoder(RATE_HZ, 60))
    pcm = np.concatenate([say(text, rate_hz=RATE_HZ), np.zeros(RATE_HZ // 2, np.int16)])
    packets = [*encoder.push(pcm), *encoder.flush()]
    return AnswerSound(
        device, 0, RATE_HZ, tuple(base64.b64encode(packet).decode() for packet in packets)
    )


def turn(device: int) -> TurnRecord:
    return TurnRecord(device, 0, "all", 0.0, "answered")


def test_answers_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    broken = AnswerSound(2, 0, RATE_HZ, (base64.b64encode(b"\xff\xff\xff").decode(),))
    answers = [sound(0, "三十五加二十八等于六十三"), sound(1, "四十加二十七等于六十七"), broken]
    path.write_bytes(b"".join(map(to_line, answers)) + b"AnswerSound {")
    turns = listened([turn(device) for device in range(4)], path)
    assert [numbers_in(each.heard) for each in turns] == [(35, 28, 63), (40, 27, 67), (), ()]


def test_without_sound_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.touch()
    assert listened([turn(0)], path) == (turn(0),)
