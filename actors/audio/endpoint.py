"""When has the user finished? Short silence after a whole sentence, long after half of one.

Pure: silence and text come in, a verdict goes out. How complete a text looks is
judged by `actors.audio.completeness`.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from actors.audio.completeness import Completeness, completeness
from cfg.model import Listening

__all__ = ["Completeness", "EndReason", "Endpointer", "completeness"]

#: Shorter gaps are consonants and breath, not pauses to learn from.
_SHORTEST_PAUSE_MS = 120
#: A user's average pause, times this, is waited for before the utterance is ended.
_PAUSE_FACTOR = 1.3
_MEMORY = 0.9


class EndReason(Enum):
    """Why an utterance was ended."""

    COMPLETE = "complete"
    UNSURE = "unsure"
    INCOMPLETE = "incomplete"
    TOO_LONG = "too_long"


_REASONS = {
    Completeness.COMPLETE: EndReason.COMPLETE,
    Completeness.UNSURE: EndReason.UNSURE,
    Completeness.INCOMPLETE: EndReason.INCOMPLETE,
}


class Endpointer:
    """One session's end of speech. What it learnt of the user outlives the utterance.

    Pauses are learnt apart for each look of the text: who thinks for a second after
    "然后" need not wait a second after a whole sentence. A pause that ended the
    utterance teaches nothing, for nobody knows how long it would have been.
    """

    def __init__(self, listening: Listening, language: Literal["zh", "en"] = "zh") -> None:
        self._language = language
        self._adaptive = listening.adaptive
        self._max_ms = listening.max_utterance_s * 1000
        complete = listening.endpoint_complete_ms
        unsure = max(complete, listening.endpoint_unsure_ms)
        # Settings out of order are put in order: a whole sentence never waits longest.
        self._base_ms = {
            Completeness.COMPLETE: complete,
            Completeness.UNSURE: unsure,
            Completeness.INCOMPLETE: max(unsure, listening.endpoint_incomplete_ms),
        }
        self._pause_ms: dict[Completeness, float] = {}
        self.begin()

    def begin(self) -> None:
        """An utterance opens, with no text yet."""
        self._speech_ms = 0
        # Not every recogniser gives partials: without any the text may well be whole.
        self._look = Completeness.UNSURE

    @property
    def look(self) -> Completeness:
        """How complete the text looks at the moment."""
        return self._look

    def speech(self, ms: int) -> EndReason | None:
        """`ms` more of the utterance were heard; `TOO_LONG` when that is enough."""
        self._speech_ms += ms
        return EndReason.TOO_LONG if self._speech_ms >= self._max_ms else None

    def partial(self, text: str) -> None:
        """The text as it is understood now."""
        self._look = completeness(text, self._language)

    def silence(self, ms: int) -> EndReason | None:
        """The user has been silent for `ms` in a row by now: is that the end, and why?"""
        if self._speech_ms >= self._max_ms:
            return EndReason.TOO_LONG
        return _REASONS[self._look] if ms >= self.wait_ms() else None

    def resumed(self, pause_ms: int) -> None:
        """The user went on after `pause_ms`: so long a pause is not the end with this one."""
        if not self._adaptive or pause_ms < _SHORTEST_PAUSE_MS:
            return
        average = self._pause_ms.get(self._look)
        self._pause_ms[self._look] = (
            pause_ms if average is None else _MEMORY * average + (1 - _MEMORY) * pause_ms
        )

    def wait_ms(self) -> int:
        """The silence that ends the utterance, as its text looks now.

        Never below the setting for this look, never above `endpoint_incomplete_ms`, and
        never longer for a text that looks more complete.
        """
        longest = self._base_ms[Completeness.INCOMPLETE]
        wait = 0
        for look in (Completeness.COMPLETE, Completeness.UNSURE, Completeness.INCOMPLETE):
            learnt = int(_PAUSE_FACTOR * self._pause_ms.get(look, 0.0))
            wait = max(wait, self._base_ms[look], min(learnt, longest))
            if look is self._look:
                break
        return wait
