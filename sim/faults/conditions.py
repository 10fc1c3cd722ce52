"""What a connection can suffer, as a scenario says it.

Pure; `sim.faults.proxy` makes it so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any


class ConditionsError(ValueError):
    """Settings that a proxy cannot have. The text says which, why, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What one direction suffers. 0 and False: nothing.

    `latency_ms` ± `jitter_ms` (uniform) for each piece read; `bandwidth_bytes_per_s`;
    `segment_bytes` each packet at most, `segment_gap_ms` apart; `window_bytes` of the
    receiving socket's buffer.
    """

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    bandwidth_bytes_per_s: float = 0.0
    segment_bytes: int = 0
    segment_gap_ms: float = 0.0
    window_bytes: int = 0
    stall: bool = False
    drop: bool = False

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in ("stall", "drop"):
                if not isinstance(value, bool):
                    raise ConditionsError(f"{each.name} is {value!r}; write true or false")
            elif not _is_number(value):
                raise ConditionsError(f"{each.name} is {value!r}; give a number of 0 or more")


@dataclass(frozen=True, slots=True)
class Weather:
    """Both directions, and whether new connections are turned away."""

    up: Conditions = field(default_factory=Conditions)
    down: Conditions = field(default_factory=Conditions)
    refuse: bool = False


def parse(settings: Mapping[str, Any], before: Weather | None = None) -> Weather:
    """A scenario's settings: `up`, `down`, `both` (objects of `Conditions`), `refuse`.

    What they do not name stays as it was `before`. Raises `ConditionsError`. (`reset`
    and `cut` are deeds, no conditions: `FaultProxy.apply` does them.)
    """
    weather = before or Weather()
    up, down, refuse = weather.up, weather.down, weather.refuse
    for name, value in settings.items():
        if name in ("refuse", "reset", "cut"):
            if not isinstance(value, bool):
                raise ConditionsError(f"{name} is {value!r}; write true or false")
            refuse = value if name == "refuse" else refuse
        elif name in ("up", "down", "both"):
            if name != "down":
                up = _changed(name, up, value)
            if name != "up":
                down = _changed(name, down, value)
        else:
            raise ConditionsError(
                f"{name} is unknown; known are up, down, both, refuse, reset and cut"
            )
    return Weather(up, down, refuse)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9


def _changed(where: str, before: Conditions, members: Any) -> Conditions:
    known = [each.name for each in fields(Conditions)]
    if not isinstance(members, Mapping):
        raise ConditionsError(f"{where} is no object; known members are {', '.join(known)}")
    for name in members:
        if name not in known:
            raise ConditionsError(f"{where}.{name} is unknown; known are {', '.join(known)}")
    try:
        return replace(before, **members)
    except ConditionsError as error:
        raise ConditionsError(f"{where}.{error}") from None
