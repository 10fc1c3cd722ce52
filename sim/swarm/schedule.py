"""When each simulated user wants to speak: an open schedule, fixed before the run.

Pure and repeatable from a seed. A user's wish does not depend on how fast the server
is: a turn that cannot start because the one before still runs is counted from its
intended start, so that a slow server cannot hide its slowness by being asked less.
All instants are seconds since the run's start.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal

#: *Talking*, as the figures are counted: one turn per 12 s and device, 3 s of speech.
PERIOD_S = 12.0
SPEECH_S = 3.0
#: A user who could not speak for this many periods gives the turn up: it is missed.
GIVE_UP_PERIODS = 1.0


@dataclass(frozen=True, slots=True)
class Talking:
    """How a talking device talks.

    `start` "random": each device at its own phase of the period; "together": all at the
    same moment. `jitter` moves each turn by up to half this share of the period.
    """

    period_s: float = PERIOD_S
    speech_s: float = SPEECH_S
    start: Literal["random", "together"] = "random"
    jitter: float = 0.0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("period_s", self.period_s, 1.0, 86400.0),
            ("speech_s", self.speech_s, 0.5, 30.0),
            ("jitter", self.jitter, 0.0, 1.0),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} is {value:g}; it must be {low:g} to {high:g}")

    @property
    def give_up_s(self) -> float:
        """A turn that could not begin so long after its intended start is missed."""
        return self.period_s * GIVE_UP_PERIODS


@dataclass(frozen=True, slots=True)
class IntendedTurn:
    """`turn` counts the periods since the run's start, so it is unique per device."""

    device: int
    turn: int
    at_s: float


def intended_turns(
    seed: int, device: int, talking: Talking, start_s: float, end_s: float
) -> tuple[IntendedTurn, ...]:
    """The turns of one device whose intended start lies in [start_s, end_s).

    Two adjoining spans give the same turns as the whole: phases join without a seam.
    """
    offset_s = _phase_s(seed, device, talking)
    half_s = talking.jitter * talking.period_s / 2
    first = math.floor((start_s - half_s - offset_s) / talking.period_s)
    last = math.ceil((end_s + half_s - offset_s) / talking.period_s)
    turns = (
        IntendedTurn(
            device, turn, offset_s + turn * talking.period_s + _moved_s(seed, device, turn, half_s)
        )
        for turn in range(max(0, first), last + 1)
    )
    return tuple(turn for turn in turns if start_s <= turn.at_s < end_s)


def waited_ms(intended_s: float, started_s: float, grid_ms: float) -> float:
    """How long a user had to wait for the device, beyond the microphone's own grid.

    `grid_ms` is what passes between the wish and the first sample on an idle device: the
    simulator begins an utterance with the next frame, and an utterance with its breath.
    """
    return max(0.0, (started_s - intended_s) * 1000 - grid_ms)


def _phase_s(seed: int, device: int, talking: Talking) -> float:
    if talking.start == "together":
        return talking.period_s / 2
    return random.Random(f"{seed}/phase/{device}").random() * talking.period_s


def _moved_s(seed: int, device: int, turn: int, half_s: float) -> float:
    if not half_s:
        return 0.0
    return random.Random(f"{seed}/jitter/{device}/{turn}").uniform(-half_s, half_s)
