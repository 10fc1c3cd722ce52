"""May the answer to one question be given to another? Accept or refuse, and why.

Pure and symmetric. Two questions are accepted when they have the same normalised
text, the same canonical form, or differ only in function words that change
nothing there. Everything else is refused, and the reason names the first
difference: a number, a device, a person, the order of the words, or a word that
is unknown here and therefore must be the same. How similar an embedding finds
the two plays no part: it only proposes candidates.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

from actors.cache.canonical import PLAIN, Canonical, canonical
from actors.cache.lexicon import CLASSES
from actors.cache.normalise import WAKE_WORDS
from actors.cache.phrases import Tokens, phrase
from actors.cache.spelling import WH

Ground = Literal["same text", "same meaning", "function words", "different"]

_NUMERAL: Final = re.compile(r"[-\d./%]+|[零一二两三四五六七八九十百千万几]+")
#: Words that a question with its own question word may have or not.
_LIGHT: Final = frozenset({"到底", "究竟", "请", "啊", "呀", "哦", "一下", "1下", "那么", "话说"})


@dataclass(frozen=True, slots=True)
class Judgement:
    """`kind` names what differs (or "" when accepted); `reason` is a sentence part for people."""

    accepted: bool
    ground: Ground
    kind: str
    reason: str


def judge(
    question: str, candidate: str, wake_words: tuple[str, ...] = WAKE_WORDS
) -> Judgement:
    """Whether the answer to `candidate` answers `question`."""
    return compare(canonical(question, wake_words), canonical(candidate, wake_words))


def compare(first: Canonical, second: Canonical) -> Judgement:
    """`judge` for forms that are already known."""
    if not first.text or not second.text:
        return Judgement(False, "different", "nothing said", "one of the two has no words")
    if first.text == second.text:
        return Judgement(True, "same text", "", "the same words")
    if first.key == second.key:
        return Judgement(True, "same meaning", "", f"the same question: {first.key}")
    if first.frame == second.frame == PLAIN and _bare(first) == _bare(second):
        return Judgement(True, "function words", "", "only function words differ")
    kind, reason = _difference(first, second)
    return Judgement(False, "different", kind, reason)


def _bare(form: Canonical) -> Tokens:
    """The words without those that change nothing in a question with a question word."""
    if not WH.search(form.text):
        return form.parts
    parts = [part for part in form.parts if part not in _LIGHT]
    kept: list[str] = []
    for at, part in enumerate(parts):
        following = parts[at + 1] if at + 1 < len(parts) else ""
        # 中国有多少人 is 中国多少人; 电话是多少 is 电话多少
        if part in ("有", "是") and following in ("多少", "多少钱") and kept:
            continue
        kept.append(part)
    return tuple(kept)


def _difference(first: Canonical, second: Canonical) -> tuple[str, str]:
    """The first kind of difference, and both sides of it."""
    a, b = _words(first), _words(second)
    numbers = _sides([w for w in a if _NUMERAL.fullmatch(w)], [w for w in b if _NUMERAL.fullmatch(w)])
    if numbers:
        return "number", f"number: {numbers}"
    for kind, members in CLASSES:
        sides = _sides([w for w in a if w in members], [w for w in b if w in members])
        if sides:
            return kind, f"{kind}: {sides}"
    sides = _sides(a, b)
    if sides:
        return "word", f"other words: {sides}"
    if a != b:
        return "order", f"the same words in another order: {' '.join(a)} / {' '.join(b)}"
    return "form", f"asked in another way: {first.key} / {second.key}"


def _words(form: Canonical) -> Tokens:
    return tuple(form.text.split(" ")) if form.text.isascii() else phrase(form.text)


def _sides(first: list[str] | Tokens, second: list[str] | Tokens) -> str:
    """What only one of the two has, as "x / y"; "" when both have the same."""
    a, b = Counter(first), Counter(second)
    left, right = list((a - b).elements()), list((b - a).elements())
    return f"{'、'.join(left) or '–'} / {'、'.join(right) or '–'}" if left or right else ""
