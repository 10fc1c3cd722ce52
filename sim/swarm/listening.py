"""Listening to some of the answers after a run: is the sound what the text says?

The recogniser is the embedded one, which knows eSpeak NG's voices and household
sentences. What it makes of another voice proves nothing, and is not held against a
server: only a sound with another device's numbers is.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from actors.audio.opus import Decoder, OpusError
from sim.hearing import understand
from sim.speech import SpeechError
from sim.swarm.orders import AnswerSound, from_line
from sim.swarm.records import TurnRecord

#: Listening takes about 50 ms an answer; more than this say nothing new.
MOST_ANSWERS = 400


def listened(turns: Sequence[TurnRecord], sounds: Path) -> tuple[TurnRecord, ...]:
    """The turns, with `heard` where there is the sound of the answer in the file."""
    answers: list[AnswerSound] = []
    with sounds.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                answers.append(from_line(line))
    step = max(1, -(-len(answers) // MOST_ANSWERS))
    chosen = answers[::step]
    if not chosen:
        return tuple(turns)
    try:
        heard = {(chosen[0].device, chosen[0].turn): _understood(chosen[0])}
    except SpeechError:  # no recogniser: nobody listens
        return tuple(turns)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for answer, words in zip(chosen[1:], pool.map(_understood, chosen[1:]), strict=True):
            heard[answer.device, answer.turn] = words
    return tuple(
        replace(turn, heard=heard[key]) if (key := (turn.device, turn.turn)) in heard else turn
        for turn in turns
    )


def _understood(answer: AnswerSound) -> str:
    decoder = Decoder(answer.rate_hz)
    pieces = []
    for packet in answer.packets:
        try:
            pieces.append(decoder.decode(base64.b64decode(packet)))
        except OpusError:
            continue
    return understand(np.concatenate(pieces), answer.rate_hz) if pieces else ""
