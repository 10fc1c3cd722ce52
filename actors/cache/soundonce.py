"""Who speaks and who waits: a sound that several want at once is made once.

Pure; every method takes the time as `now` in seconds. Whoever asks first for what nobody
has shall speak it, and says how that ended (`spoken`). The others wait for that, at most
`patience_s` from when it began. All of it is bounded: one more speaks for himself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from actors.messages import Address, TurnId

#: Keys of sounds, any of which will do.
Wanted = tuple[str, ...]

#: Sounds under way that are remembered, and askers that wait, at most: all of them may
#: be answered in one step, and Thespian takes only some hundred messages at once.
MAX_MAKING: Final = 1000
MAX_WAITING: Final = 300


@dataclass(frozen=True, slots=True)
class Asker:
    """One request of one session."""

    address: Address
    turn: TurnId
    request: int


@dataclass(slots=True)
class _Making:
    speaker: Asker
    until: float
    waiting: list[Asker] = field(default_factory=list)


class SpokenOnce:
    """See the module."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._making: dict[Wanted, _Making] = {}
        self._waiting = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._waiting

    def ask(self, wanted: Wanted, asker: Asker, now: float, *, will_speak: bool = True) -> bool:
        """Nobody has it: True when this asker shall have it spoken, False when he waits.

        Call `late` before, so that nothing that is over is joined. `will_speak` False: he
        takes his time about it, so nobody shall wait for him.
        """
        making = self._making.get(wanted)
        if making is not None and self._waiting < MAX_WAITING:
            making.waiting.append(asker)
            self._waiting += 1
            return False
        if making is None and will_speak and self._patience_s and len(self._making) < MAX_MAKING:
            self._making[wanted] = _Making(asker, now + self._patience_s)
        return True

    def spoken(self, turn: TurnId, request: int, key: str) -> tuple[list[Asker], list[Asker]]:
        """A sound was made, or, with key '', this request's was not.

        Returns (those who wanted this sound, those who must now speak for themselves).
        """
        glad: list[Asker] = []
        sorry: list[Asker] = []
        for wanted, making in list(self._making.items()):
            if key and key in wanted:
                glad += self._end(wanted)
            elif (making.speaker.turn, making.speaker.request) == (turn, request):
                sorry += self._end(wanted)
        return glad, sorry

    def late(self, now: float) -> list[Asker]:
        """Those who have waited long enough for sounds that did not come."""
        over = [wanted for wanted, making in self._making.items() if making.until <= now]
        return [asker for wanted in over for asker in self._end(wanted)]

    def deadline(self) -> float | None:
        """When somebody will have waited long enough; None when nobody waits."""
        return min(self._awaited(), default=None)

    def _awaited(self) -> Iterator[float]:
        return (making.until for making in self._making.values() if making.waiting)

    def _end(self, wanted: Wanted) -> list[Asker]:
        waiting = self._making.pop(wanted).waiting
        self._waiting -= len(waiting)
        return waiting
