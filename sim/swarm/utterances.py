"""The speech of a swarm: made before the run, checked by ear, kept on disk.

Every utterance is decoded again and given to the embedded recogniser; what it does not
understand word for word is dropped, so that a wrong transcript in a run is the
server's doing. Making and checking takes about 50 ms each, reading it back 0.1 ms.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from actors.audio.opus import Decoder
from sim.encoded import EncodedSpeech, encode_speech
from sim.hearing import understand
from sim.sound import DEVICE_RATE_HZ, Pcm, audible_span
from sim.speech import SpeechError, say
from sim.swarm.numerals import plain
from sim.swarm.population import Member
from sim.swarm.questions import PATTERNS, Question, common, sums

#: Files of another make are made anew.
_FORMAT = 1
_TRIED_SPEED_WPM = 165
_CHARACTER_S = 0.23
_SLOWEST_WPM, _FASTEST_WPM = 140, 200
#: Candidates per wanted utterance: some are not understood.
_SPARE = 3

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One question as it is spoken by one device."""

    question: Question
    speech: EncodedSpeech
    speed_wpm: int


def prepare(
    members: Sequence[Member],
    folder: Path,
    seed: int,
    *,
    speech_s: float,
    per_device: int,
    common_share: float = 0.0,
    progress: Progress = lambda _done, _all: None,
) -> dict[int, tuple[Utterance, ...]]:
    """`per_device` utterances for each talker, by its index, of about `speech_s`.

    `common_share` of them are everyday questions, which are as long as they are. Raises
    `SpeechError` when a voice is unknown or nothing that it says is understood.
    """
    talkers = [member for member in members if member.role == "talker"]
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    made: dict[int, tuple[Utterance, ...]] = {}

    def one(member: Member) -> tuple[int, tuple[Utterance, ...]]:
        candidates = _candidates(member, len(talkers), seed, per_device, common_share)
        spoken = _understood(member, candidates, folder, speech_s, per_device)
        return member.index, spoken

    if talkers:  # both engines start once, before several threads use them
        understand(say("你好"), DEVICE_RATE_HZ)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for index, utterances in pool.map(one, talkers):
            made[index] = utterances
            progress(len(made), len(talkers))
    return made


def save(bank: dict[int, tuple[Utterance, ...]], path: Path) -> None:
    """Write a bank for the generator processes to read."""
    told = {str(index): [_told(each) for each in spoken] for index, spoken in bank.items()}
    path.write_text(json.dumps(told, ensure_ascii=False))


def load(path: Path, indices: Sequence[int]) -> dict[int, tuple[Utterance, ...]]:
    """Read back the utterances of these devices; equal packets are kept once."""
    told = json.loads(path.read_text())
    return {index: tuple(map(_read, told[str(index)])) for index in indices if str(index) in told}


def _candidates(
    member: Member, talkers: int, seed: int, count: int, common_share: float
) -> list[tuple[Question, ...]]:
    """For each wanted utterance its alternatives, all of the same answer or kind."""
    everyday = round(count * common_share)
    alternatives: list[tuple[Question, ...]] = [
        (question,) for question in common(seed, member.index, everyday)
    ]
    source = random.Random(f"{seed}/patterns/{member.index}")
    for question in sums(seed, member.index, talkers, (count - everyday) * _SPARE, "{a}加{b}"):
        patterns = source.sample(PATTERNS, len(PATTERNS))
        first, second = question.text.split("加")
        alternatives.append(
            tuple(replace(question, text=pattern.format(a=first, b=second)) for pattern in patterns)
        )
    source.shuffle(alternatives)
    return alternatives


def _understood(
    member: Member,
    candidates: Sequence[tuple[Question, ...]],
    folder: Path,
    speech_s: float,
    count: int,
) -> tuple[Utterance, ...]:
    spoken: list[Utterance] = []
    for alternatives in candidates:
        if len(spoken) == count:
            break
        if spoken and spoken[-1].question.answer == alternatives[0].answer:
            continue
        found = _cached(member, alternatives, folder, speech_s)
        if found is not None:
            spoken.append(found)
    if not spoken:
        raise SpeechError(
            f"nothing that voice {member.voice!r} says at noise {member.noise_dbfs} dBFS is"
            " understood by the embedded recogniser; choose another voice or less noise"
        )
    return tuple(spoken)


def _cached(
    member: Member, alternatives: tuple[Question, ...], folder: Path, speech_s: float
) -> Utterance | None:
    key = [
        _FORMAT,
        *(question.text for question in alternatives),
        member.voice,
        member.frame_ms,
        member.noise_dbfs,
        speech_s,
    ]
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    path = folder / f"{name}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(path.read_text())
        return None if told is None else _read(told)
    made = _made(member, alternatives, speech_s)
    with suppress(OSError):
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(made and _told(made), ensure_ascii=False))
        partial.replace(path)
    return made


def _made(member: Member, questions: Sequence[Question], speech_s: float) -> Utterance | None:
    """The first of the wordings, nearest in length first, that is understood."""
    tried = sorted(questions, key=lambda asked: abs(len(asked.text) * _CHARACTER_S - speech_s))
    for question in tried[:2]:
        natural_s = _spoken_s(question.text, member.voice)
        speed = round(_TRIED_SPEED_WPM * natural_s / speech_s)
        speed = min(_FASTEST_WPM, max(_SLOWEST_WPM, speed))
        pcm = say(question.text, member.voice, speed)
        speech = encode_speech(pcm, question.text, member.frame_ms, member.noise_dbfs)
        if plain(understand(_decoded(speech), DEVICE_RATE_HZ)) == plain(question.text):
            return Utterance(question, speech, speed)
    return None


def _spoken_s(text: str, voice: str) -> float:
    pcm = say(text, voice, _TRIED_SPEED_WPM)
    start, end = audible_span(pcm, DEVICE_RATE_HZ) or (0, len(pcm))
    return (end - start) / DEVICE_RATE_HZ


def _decoded(speech: EncodedSpeech) -> Pcm:
    decoder = Decoder(DEVICE_RATE_HZ)
    return np.concatenate([decoder.decode(packet) for packet in (*speech.packets, *speech.tail)])


def _told(utterance: Utterance) -> dict[str, Any]:
    speech = utterance.speech
    return {
        "question": asdict(utterance.question),
        "speed_wpm": utterance.speed_wpm,
        "frame_ms": speech.frame_ms,
        "first_audible_ms": speech.first_audible_ms,
        "last_audible_ms": speech.last_audible_ms,
        "packets": [base64.b64encode(packet).decode() for packet in speech.packets],
        "tail": [base64.b64encode(packet).decode() for packet in speech.tail],
    }


def _read(told: dict[str, Any]) -> Utterance:
    asked = told["question"]
    operands = asked["operands"]
    question = Question(
        asked["kind"],
        asked["text"],
        None if operands is None else (operands[0], operands[1]),
        asked["answer"],
    )
    speech = EncodedSpeech(
        text=question.text,
        frame_ms=told["frame_ms"],
        packets=tuple(_bytes(told["packets"])),
        tail=tuple(_bytes(told["tail"])),
        first_audible_ms=told["first_audible_ms"],
        last_audible_ms=told["last_audible_ms"],
    )
    return Utterance(question, speech, told["speed_wpm"])


def _bytes(texts: Sequence[str]) -> Iterator[bytes]:
    return (base64.b64decode(text) for text in texts)
