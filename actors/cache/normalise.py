"""One written form for what is said in the same words.

`normalise` removes what carries no meaning (punctuation, fillers, polite
wrapping, the wake word in front) and writes numerals, scripts and contractions
in one way. Pure and idempotent. Two texts with the same form ask the same.
"""

from __future__ import annotations

import functools
from typing import Final

from actors.cache.numerals import chinese_to_digits
from actors.cache.spelling import is_mention, spaced, spell, without_commas
from actors.cache.wrapping import unwrap

WAKE_WORDS: Final = (
    *("你好小智", "小智小智", "你好小明", "嗨小智", "hi xiaozhi", "hello xiaozhi"),
)
#: A question is one breath; what is longer is cut, so that nobody can make us slow.
MAX_CHARS: Final = 400


@functools.lru_cache(maxsize=8192)
def normalise(text: str, wake_words: tuple[str, ...] = WAKE_WORDS) -> str:
    """The text in its one form; applied again, it changes nothing. "" for no words at all."""
    passes: list[str] = []
    current = text[:MAX_CHARS]
    while current not in passes:
        passes.append(current)
        current = _once(current, wake_words)
    # two forms that turn into each other would be no fixed point: the smaller stands for both
    return min(passes[passes.index(current) :])


def _once(text: str, wake_words: tuple[str, ...]) -> str:
    plain = unwrap(spell(text), wake_words) if text else text
    plain = without_commas(plain)
    if not is_mention(plain):
        plain = chinese_to_digits(plain)
    return spaced(plain)
