"""The canonical form of a question: equal forms have the same answer.

Pure. Synonyms, the wording of known kinds of question and an order of words that
changes nothing are gone; every other word stays where it was. Talk about words
(怎么写, 翻译成英语) and titles keep every character.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from actors.cache.commands import command, plain_command
from actors.cache.frames import question
from actors.cache.mentions import about_words
from actors.cache.normalise import WAKE_WORDS, normalise
from actors.cache.phrases import Tokens, phrase
from actors.cache.spelling import is_mention
from actors.cache.wording import plain_question

#: Words as they were said, in no known frame.
PLAIN: Final = "plain"


@dataclass(frozen=True, slots=True)
class Canonical:
    """`text` is the normalised text, `frame` the kind of question, `parts` what it is about."""

    text: str
    frame: str
    parts: Tokens

    @property
    def key(self) -> str:
        return f"{self.frame}|{' '.join(self.parts)}"


@functools.lru_cache(maxsize=8192)
def canonical(text: str, wake_words: tuple[str, ...] = WAKE_WORDS) -> Canonical:
    """The canonical form of what was heard or typed."""
    said = normalise(text, wake_words)
    if not said:
        return Canonical("", PLAIN, ())
    if is_mention(said):
        frame, parts = _english_or_words(said)
        return Canonical(said, frame, parts)
    framed = command(said)
    if framed is None:
        asked = plain_question(plain_command(said))
        framed = question(asked) or (PLAIN, phrase(asked))
    return Canonical(said, *framed)


def _english_or_words(said: str) -> tuple[str, Tokens]:
    if said.isascii():
        return question(said) or ("words", (said,))
    return about_words(said)
