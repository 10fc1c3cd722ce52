"""Words of a text in canonical form: synonyms, linking 的, where the time stands.

Pure. Applied to whole questions and to what a question frame is about.
"""

from __future__ import annotations

import re
from typing import Final

from actors.cache.lexicon import ATTRIBUTES, DATES, DEVICES, KIN, ROOMS, SYNONYMS
from actors.cache.libraries import tagged
from actors.cache.spelling import WH

Tokens = tuple[str, ...]

PRONOUNS: Final = frozenset({"我", "你", "他", "她", "它", "我们", "你们", "他们", "她们"})
#: 我妈妈 is 我的妈妈, but 我们学生 is not 我们的学生.
_OWNERS: Final = frozenset({"我", "你", "他", "她"})
_NOUN_KINDS: Final = ("n", "ns", "nr", "nz", "nt", "nrt", "s", "t", "f", "j", "eng", "r", "m")
_DAY: Final = re.compile(r"[上下这本每]?周[\d日末]|[上下这本每]周末?")


def cut(text: str) -> list[tuple[str, str]]:
    """Words with their kind; a weekday or a number with its sign is one word."""
    cut_words: list[tuple[str, str]] = []
    for word, kind in tagged(text):
        if cut_words:
            last = cut_words[-1][0]
            if _DAY.fullmatch(last + word):
                cut_words[-1] = (last + word, "t")
                continue
            if re.fullmatch(r"[\d./]+", last) and re.fullmatch(r"[\d./%]+", word):
                cut_words[-1] = (last + word, "m")
                continue
        cut_words.append((word, kind))
    return [pair for pair in cut_words if pair[0] != " "]


def phrase(text: str) -> Tokens:
    """The canonical words of a text that names or asks something."""
    pairs = [(SYNONYMS.get(word, word), kind) for word, kind in cut(text)]
    asked = WH.search(text) is not None or text.endswith("吗")
    if asked:
        pairs = [("能", kind) if word == "可以" else (word, kind) for word, kind in pairs]
    return _time_first(_unlinked(pairs))


def _unlinked(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the 的 that only links: 中国的首都, but not 打开的门 or 爸爸的妈妈."""
    kept: list[tuple[str, str]] = []
    for at, (word, kind) in enumerate(pairs):
        if (
            word == "的"
            and kept
            and at + 1 < len(pairs)
            and _only_links(kept[-1], pairs[at + 1][0])
        ):
            continue
        kept.append((word, kind))
    return kept


def _only_links(before: tuple[str, str], after: str) -> bool:
    word, kind = before
    if word in PRONOUNS:
        return (word in _OWNERS and after in KIN) or after in ATTRIBUTES or after in DEVICES
    noun = kind in _NOUN_KINDS or word in ROOMS or word in DEVICES
    return noun and (after in ATTRIBUTES or after in DEVICES)


def _time_first(pairs: list[tuple[str, str]]) -> Tokens:
    """北京明天… as 明天北京…, where the text has one time and only a place before it."""
    days = [at for at, (word, _) in enumerate(pairs) if word in DATES and len(word) > 1]
    tokens = tuple(word for word, _ in pairs)
    if len(days) != 1 or days[0] == 0:
        return tokens
    start = days[0]
    if not all(kind == "ns" or word in PRONOUNS for word, kind in pairs[:start]):
        return tokens
    return (tokens[start], *tokens[:start], *tokens[start + 1 :])
