"""Phrases kept ready as audio, and which of several is said this time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cfg.model import Dialogue


@dataclass(frozen=True, slots=True)
class ReadyPhrases:
    """`frames`: text → Opus packets; `choices`: texts by what they are for, see `Phrases`."""

    frames: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def choose(self, what: str, dialogue: Dialogue, turn: int) -> str:
        """The phrase for this turn: in turn among those that can be heard without a voice.

        Without any, the settings' own words, which a voice may still say; '' for a filler,
        which nobody is kept waiting for.
        """
        ready = [text for text in self.choices.get(what, ()) if text in self.frames]
        if ready:
            return ready[turn % len(ready)]
        return "" if what == "filler" else str(getattr(dialogue, what))
