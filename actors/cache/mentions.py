"""Questions about words: translations and meanings, the words kept letter for letter.

Pure. 母亲 and 妈妈 are one person and two words: here nothing is replaced or left out.
"""

from __future__ import annotations

import re
from typing import Final

from actors.cache.framing import PRONOUNS, Framed, got
from actors.cache.lexicon import LANGUAGES
from actors.cache.libraries import words
from actors.cache.spelling import WH

_LANGUAGE: Final = "|".join(
    sorted((word for word in LANGUAGES if not word.isascii()), key=len, reverse=True)
)
_WHAT: Final = "(?:什么|啥)"
#: 守株待兔这个成语 is 守株待兔.
_NAMED: Final = "(?:这个(?:成语|词语?|单词))"
_MEANING: Final = (
    re.compile(
        rf"(?:解释一下)?(?P<x>.+?){_NAMED}?(?:的意思是{_WHAT}|是{_WHAT}意思|{_WHAT}意思|是{_WHAT}含义|的含义是{_WHAT})"
    ),
    re.compile(r"(?:解释(?:一下)?)?(?P<x>.+)的意思"),
    re.compile(rf"解释(?:一下)?(?P<x>.+){_NAMED}"),
)
_INSIDE: Final = re.compile(rf"(?P<l>{_LANGUAGE})里面?(?P<x>.+?)(?:怎么说|怎么讲)")
_OTHER_WORD: Final = re.compile(
    rf"(?:你知不知道|(?P<knows>你知道))?(?P<x>.+)的(?P<kind>[反近同]义词)(?:是(?:{_WHAT}|哪个))?(?P<asks>吗)?"
)
_SPEAKS: Final = re.compile(
    rf"你(?P<may>[会能])(?P<or>不(?P=may))?[说讲](?P<l>{_LANGUAGE})(?P<asks>吗)?"
)
_SAYING: Final = (
    re.compile(
        rf"(?:把|将)?(?P<x>.+?)(?:用|的|翻译成|翻成|译成)?(?P<l>{_LANGUAGE})(?:怎么说|怎么讲|是{_WHAT}|叫{_WHAT})"
    ),
    re.compile(rf"用?(?P<l>{_LANGUAGE})(?:里)?(?:怎么说|怎么讲)(?P<x>.+)"),
    re.compile(rf"用(?P<l>{_LANGUAGE})(?P<x>.+?)怎么说|怎么用(?P<l2>{_LANGUAGE})说(?P<x2>.+)"),
    re.compile(rf"(?P<l>{_LANGUAGE})的?(?P<x>.+?)怎么[说讲]"),
    re.compile(rf"(?:把|将)?(?P<x>.+?)(?:翻译成|翻译为|翻成|译成)(?P<l>{_LANGUAGE})"),
)
_SAME_LANGUAGE: Final = {f"{name}文": f"{name}语" for name in "英日法韩德俄"} | {"汉语": "中文"}


def about_words(text: str) -> Framed:
    """The frame of a question about words; the words themselves stay as they are."""
    text = re.sub("咋(?=[说讲读写念拼])", "怎么", text)
    known = _other_word(text) or _speaks(text)
    if known:
        return known
    for pattern in (_INSIDE, *_SAYING):
        match = pattern.fullmatch(text)
        if match:
            if pattern is _INSIDE and words(text)[1] not in ("里", "里面"):
                continue  # 英语里程怎么说
            said, language = got(match, "x"), got(match, "l")
            if (said.endswith(("的", "用")) or said in ("用", "把")) or _taken_apart(text, said):
                break
            if said in PRONOUNS and f"{said}的" in text:
                break  # 我的英语怎么说 may ask for 我的
            return "say", (_SAME_LANGUAGE.get(language, language), said)
    for pattern in _MEANING:
        match = pattern.fullmatch(text)
        if match and not re.search(f"{_WHAT}|谁|哪|怎么", match["x"]):
            return "meaning", (match["x"],)
    return "words", (re.sub(_WHAT, "什么", text),)


def _other_word(text: str) -> Framed | None:
    """大的反义词是什么, 你知道大的反义词吗."""
    match = _OTHER_WORD.fullmatch(text)
    if match is None or bool(match["knows"]) != bool(match["asks"]):
        return None
    return None if WH.search(match["x"]) else (match["kind"], (match["x"],))


def _speaks(text: str) -> Framed | None:
    """你会说英语吗, 你会不会说英语."""
    match = _SPEAKS.fullmatch(text)
    if match is None or bool(match["or"]) == bool(match["asks"]):
        return None
    return "speaks", (match["may"], _SAME_LANGUAGE.get(match["l"], match["l"]))


def _taken_apart(text: str, said: str) -> bool:
    """把手翻译成英语: is it 把 and 手, or 把手? The words decide."""
    return (
        text.startswith(("把", "将"))
        and not said.startswith(("把", "将"))
        and words(text)[0] not in "把将"
    )
