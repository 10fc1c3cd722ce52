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
from actors.cache.lexicon import CLASSES, KIN, PERSONS
from actors.cache.libraries import tagged
from actors.cache.normalise import WAKE_WORDS
from actors.cache.phrases import Tokens, phrase
from actors.cache.spelling import WH

Ground = Literal["same text", "same meaning", "function words", "different"]

_NUMERAL: Final = re.compile(r"[-\d./%]+|[零一二两三四五六七八九十百千万几]+")
#: Words that a question with its own question word may have or not.
_LIGHT: Final = frozenset({"到底", "究竟", "话说"})
_SOMEBODY: Final = re.compile(
    "[人员家师生者友民客们长手婆公爷奶姨舅叔]$|父母|公主|王子|皇|国王|王后|警察|小偷|[男女]孩|美女|帅哥|老板|英雄|孩"
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """`kind` names what differs (or "" when accepted); `reason` is a sentence part for people."""

    accepted: bool
    ground: Ground
    kind: str
    reason: str


def judge(question: str, candidate: str, wake_words: tuple[str, ...] = WAKE_WORDS) -> Judgement:
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
    kept: list[str] = []
    for at, part in enumerate(form.parts):
        following = form.parts[at + 1 :]
        if not (part in _LIGHT or (kept and _says_nothing(part, kept, following))):
            kept.append(part)
    return tuple(kept)


def _says_nothing(part: str, before: list[str], after: Tokens) -> bool:
    """电话是多少 is 电话多少, 大概有多远 is 有多远, 大象的鼻子 is 大象鼻子."""
    if part == "是":
        return bool(after) and after[0] in ("多少", "多少钱")
    if part in ("大概", "大约"):
        return any(word.startswith("多") for word in after)
    # 的 between two things; between people or after a verb it says who or which
    return part == "的" and bool(after) and _is_thing(before[-1]) and _is_thing(after[0])


def _is_thing(word: str) -> bool:
    """Whether a word names a thing, an animal or a place, and nobody."""
    tags = tagged(word)
    if len(tags) != 1 or word in KIN or word in PERSONS or _SOMEBODY.search(word):
        return False
    return tags[0][1] in ("n", "ns", "nz", "nt", "s")


def _difference(first: Canonical, second: Canonical) -> tuple[str, str]:
    """The first kind of difference, and both sides of it."""
    a, b = _words(first), _words(second)
    numbers = _sides(
        [w for w in a if _NUMERAL.fullmatch(w)], [w for w in b if _NUMERAL.fullmatch(w)]
    )
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
