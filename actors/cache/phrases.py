"""Words of a text in canonical form: synonyms, linking 的, where the time stands.

Pure. Applied to whole questions and to what a question frame is about.
"""

from __future__ import annotations

import re
from typing import Final

from actors.cache.lexicon import ATTRIBUTES, DATES, DEVICES, KIN, ROOMS, SYNONYMS
from actors.cache.libraries import tagged, words
from actors.cache.spelling import WH

Tokens = tuple[str, ...]

_PRONOUNS: Final = frozenset({"我", "你", "他", "她", "它", "我们", "你们", "他们", "她们"})
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
        if word == "的" and kept and at + 1 < len(pairs) and _only_links(kept[-1], pairs[at + 1][0]):
            continue
        kept.append((word, kind))
    return kept


def _only_links(before: tuple[str, str], after: str) -> bool:
    word, kind = before
    if word in _PRONOUNS:
        return after in KIN or after in ATTRIBUTES or after in DEVICES
    noun = kind in _NOUN_KINDS or word in ROOMS or word in DEVICES
    return noun and (after in ATTRIBUTES or after in DEVICES)


def _time_first(pairs: list[tuple[str, str]]) -> Tokens:
    """北京明天… as 明天北京…, where the text has one time and only a place before it."""
    days = [at for at, (word, _) in enumerate(pairs) if word in DATES and len(word) > 1]
    tokens = tuple(word for word, _ in pairs)
    if len(days) != 1 or days[0] == 0:
        return tokens
    start = days[0]
    if not all(kind == "ns" or word in _PRONOUNS for word, kind in pairs[:start]):
        return tokens
    return (tokens[start], *tokens[:start], *tokens[start + 1 :])


# --- how a question is worded ---------------------------------------------------

_QUESTION_WORDS: Final = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        ("啥时候|何时|什么时间", "什么时候"),
        ("为啥|为何", "为什么"),
        ("啥", "什么"),
        ("哪儿|什么地方", "哪里"),
        ("(?<=[在是去到])哪$", "哪里"),
        ("哪1?(?=[天年座条种只本位])", "哪"),
        ("哪1个", "哪个"),
        ("(?:怎样|如何|咋样)$", "怎么样"),
        ("(?<!无论)如何|怎样|咋(?!样)", "怎么"),
        ("多长时间|多少时间", "多久"),
        ("(?<![没拥还])有多(?=[高长远大重深宽快久厚冷热])", "多"),
        ("世界上(?=最)", "世界"),
        ("^从(?=.+到)", ""),
        ("(?<=几[点号岁])了$", ""),
        ("(?<=[期拜周]几)了$", ""),
        ("(?:星期|礼拜)几", "周几"),
        ("(?<=[是有])(?:多少|几)个?(?=小时|月)", "多少"),
        ("(?<!不)(?:应该|该|要)(?=怎么)|(?<=怎么)(?:才)?(?=能)", ""),
    )
)
_COUNT: Final = re.compile("(?<![我你他她])有几(?=[条只个种本口块根颗张匹座站])")
_A_NOT_A: Final = re.compile(
    "(?P<verb>[能会是有要好对行想该爱怕用够热冷贵大高快难远甜])[不没](?P=verb)"
    "|(?:可|可以)不(?P<may>可以)|喜不(?P<like>喜欢)|应不(?P<ought>应该)|需不(?P<need>需要)"
)
_OTHER_WH: Final = re.compile("什么|谁|哪|怎么|多少|几|为什么|吗|还是|如果|知道|告诉|说")


def plain_question(text: str) -> str:
    """One wording for each kind of question: question words, A-not-A, why in front."""
    for pattern, word in _QUESTION_WORDS:
        text = pattern.sub(word, text)
    if "吗" not in text:
        text = _COUNT.sub("有多少", text)
    return _why_first(_polar(text))


def _polar(text: str) -> str:
    """能不能吃 as 能吃吗, where the text asks nothing else."""
    if _OTHER_WH.search(text):
        return text
    if text.count("是否") == 1:
        return re.sub("是否(?=[能会是有要])", "", text) + "吗"
    matches = list(_A_NOT_A.finditer(text))
    # 功能不能用, 可能不能用: there the first half belongs to the word before
    if len(matches) != 1 or matches[0].start() not in _starts(text):
        return text
    match = matches[0]
    verb = next(group for group in match.groups() if group)
    return f"{text[: match.start()]}{verb}{text[match.end() :]}吗"


def _starts(text: str) -> set[int]:
    starts, at = set(), 0
    for word in words(text):
        starts.add(at)
        at += len(word)
    return starts


def _why_first(text: str) -> str:
    """天空为什么是蓝色的 as 为什么天空是蓝色的; only over what is plainly the subject."""
    before, why, after = text.partition("为什么")
    if not before or not why or not after or "为什么" in after:
        return text
    subject = cut(before)
    plain = all(
        kind in ("n", "ns", "nr", "nz", "nt", "t", "nrt") or word in _PRONOUNS or word in KIN
        for word, kind in subject
    )
    return f"为什么{before}{after}" if plain and len(subject) <= 3 else text
