"""Who takes part in a run: a seeded mix of devices, modes, firmware and voices.

Pure. Each choice is dealt in blocks of ten, so that any first N devices hold about the
mix that was asked for: a level of 10 devices is a small copy of a level of 50.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar, get_args

from actors.wire.firmware import GENERATIONS
from actors.wire.frames import VERSIONS
from sim.dialect import MODES, UPLINK_FRAME_MS, Mode
from sim.profile import DeviceProfile, random_identity
from sim.rough import LINKS

Role = Literal["talker", "listener", "idler"]
ROLES: tuple[Role, ...] = get_args(Role)

#: eSpeak NG voices that the embedded recogniser was seen to understand.
VOICES = ("cmn", "cmn+f2", "cmn+f4", "cmn+m3")
_BLOCK = 10

Choice = TypeVar("Choice")


@dataclass(frozen=True, slots=True)
class Habits:
    """What a talking user does beside asking, as shares of the turns (0 to 1).

    `interrupting` by button in mid-answer; `leaving` between two turns, without a Close
    frame; `vanishing` in mid-answer; `typing` instead of speaking.
    """

    interrupting: float = 0.0
    leaving: float = 0.0
    vanishing: float = 0.0
    typing: float = 0.0

    def __post_init__(self) -> None:
        shares = (self.interrupting, self.leaving, self.vanishing, self.typing)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("each habit is a share of the turns, 0 to 1")


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of each choice; they need not sum to one.

    `noise_dbfs` holds levels of room noise, "none" for digital silence; `links` names of
    `sim.rough.LINKS`.
    """

    modes: Mapping[Mode, float] = field(
        default_factory=lambda: {"auto": 0.8, "realtime": 0.1, "manual": 0.1}
    )
    generations: Mapping[str, float] = field(
        default_factory=lambda: {"2.4": 0.4, "2.2.6": 0.3, "1.8": 0.1, "1.7": 0.1, "1.6": 0.1}
    )
    versions: Mapping[int, float] = field(default_factory=lambda: {1: 0.8, 2: 0.1, 3: 0.1})
    frames_ms: Mapping[int, float] = field(default_factory=lambda: {60: 1.0})
    voices: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(VOICES, 1.0))
    noise_dbfs: Mapping[str, float] = field(
        default_factory=lambda: {"none": 0.7, "-60": 0.2, "-50": 0.1}
    )
    links: Mapping[str, float] = field(default_factory=lambda: {"plain": 1.0})

    def __post_init__(self) -> None:
        _check("modes", self.modes, MODES)
        _check("generations", self.generations, tuple(GENERATIONS))
        _check("versions", self.versions, VERSIONS)
        _check("frames_ms", self.frames_ms, UPLINK_FRAME_MS)
        _check("voices", self.voices, None)
        _check("noise_dbfs", self.noise_dbfs, None)
        _check("links", self.links, tuple(LINKS))
        for level in self.noise_dbfs:
            _noise(level)


@dataclass(frozen=True, slots=True)
class Member:
    """One device of the swarm and the voice of its user."""

    index: int
    role: Role
    device_id: str
    client_id: str
    mode: Mode
    version: int
    generation: str
    frame_ms: int
    voice: str
    noise_dbfs: float | None
    link: str = "plain"

    def profile(self, url: str, token: str) -> DeviceProfile:
        return DeviceProfile(
            url=url,
            device_id=self.device_id,
            client_id=self.client_id,
            token=token,
            version=self.version,
            mode=self.mode,
            frame_ms=self.frame_ms,
            generation=self.generation,
            ambient_dbfs=self.noise_dbfs,
            link=self.link,
        )


def populate(
    seed: int, talkers: int, listeners: int = 0, idlers: int = 0, mix: Mix | None = None
) -> tuple[Member, ...]:
    """Talkers first, then open silent microphones, then idle devices.

    A listener is never in manual mode (nobody holds its key), an idler always: it is
    connected and neither listens nor speaks.
    """
    mix = mix or Mix()
    modes = _dealt(f"{seed}/modes", mix.modes)
    open_modes = _dealt(f"{seed}/open", _without_manual(mix.modes))
    generations = _dealt(f"{seed}/generations", mix.generations)
    versions = _dealt(f"{seed}/versions", mix.versions)
    frames_ms = _dealt(f"{seed}/frames", mix.frames_ms)
    voices = _dealt(f"{seed}/voices", mix.voices)
    noises = _dealt(f"{seed}/noises", mix.noise_dbfs)
    links = _dealt(f"{seed}/links", mix.links)
    counts: tuple[tuple[Role, int], ...] = (
        ("talker", talkers),
        ("listener", listeners),
        ("idler", idlers),
    )
    roles = [role for role, count in counts for _ in range(count)]
    members = []
    for index, role in enumerate(roles):
        device_id, client_id = random_identity(random.Random(f"{seed}/identity/{index}"))
        chosen: Mode = "manual"
        if role != "idler":
            chosen = next(modes if role == "talker" else open_modes)
        members.append(
            Member(
                index=index,
                role=role,
                device_id=device_id,
                client_id=client_id,
                mode=chosen,
                version=next(versions),
                generation=next(generations),
                frame_ms=next(frames_ms),
                voice=next(voices),
                noise_dbfs=_noise(next(noises)),
                link=next(links),
            )
        )
    return tuple(members)


def _without_manual(modes: Mapping[Mode, float]) -> dict[Mode, float]:
    left: dict[Mode, float] = {
        mode: weight for mode, weight in modes.items() if mode != "manual" and weight > 0
    }
    return left or {"auto": 1.0}


def _dealt(seed: str, weights: Mapping[Choice, float]) -> Iterator[Choice]:
    """Choices without end; every block of ten holds each as often as its weight says,
    what does not come out even being made up in later blocks."""
    source = random.Random(seed)
    total = sum(weights.values())
    given = dict.fromkeys(weights, 0)
    dealt = 0
    while True:
        block = []
        for _ in range(_BLOCK):
            dealt += 1
            owed = {each: weights[each] / total * dealt - given[each] for each in weights}
            most = max(owed.values())
            choice = source.choice([each for each, due in owed.items() if due > most - 1e-9])
            given[choice] += 1
            block.append(choice)
        source.shuffle(block)
        yield from block


def _check(name: str, weights: Mapping[Choice, float], allowed: tuple[object, ...] | None) -> None:
    if any(weight < 0 for weight in weights.values()) or sum(weights.values()) <= 0:
        raise ValueError(f"{name}: weights are numbers from 0, and one is above it")
    for choice in weights:
        if allowed is not None and choice not in allowed:
            possible = ", ".join(map(str, allowed))
            raise ValueError(f"{name}: {choice!r} is unknown; possible are {possible}")


def _noise(level: str) -> float | None:
    if level == "none":
        return None
    try:
        dbfs = float(level)
    except ValueError:
        dbfs = 1.0
    if not -96 <= dbfs <= -20:
        raise ValueError(f"noise_dbfs: {level!r} is neither none nor a level of -96 to -20")
    return dbfs
