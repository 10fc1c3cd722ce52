"""Questions of known form in canonical form: the same frame about the same things.

Pure. A frame is a way to ask that has several wordings (X是什么, 什么是X). What it is
about stays as it was said, word for word; only where an order cannot change the
answer (a sum, a difference between two) are the parts sorted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from actors.cache.english import NUMBER, english, total
from actors.cache.framing import PRONOUNS, Framed, Match, got
from actors.cache.lexicon import KIN
from actors.cache.libraries import words
from actors.cache.phrases import phrase
from actors.cache.spelling import WH

_SUM: Final = re.compile(
    rf"(?:计算|算)?(?:一下)?(?P<a>{NUMBER})(?P<op>加上?|减去?|乘[以上]?|除以)(?P<b>{NUMBER})"
    r"(?:(?:等于|是|得|结果是|的结果是|合)(?:几|多少))?"
)
_CAPITAL: Final = r"(?:是|在)(?:哪里|哪个城市|哪座城市|哪|什么城市|什么)"
_UNITS: Final = (
    "公里|千米|米|分米|厘米|毫米|千克|公斤|克|毫克|斤|两|吨|小时|分钟|秒|天|周|月|年|升|毫升|英里|英尺|英寸|寸|尺"
    "|里|亩|平方米|平方公里|立方米|公顷|元|角|分|度|世纪|季度"
)
_SIZES: Final = dict(
    pair.split(":")
    for pair in [
        "高度:高",
        "长度:长",
        "全长:长",
        "宽度:宽",
        "深度:深",
        "重量:重",
        "身高:高",
        "体重:重",
        "海拔:海拔",
        "面积:面积",
        "人口:人口",
        "寿命:寿命",
        "活:寿命",
        "速度:快",
    ]
)
_VERBS: Final = "写|发明|发现|画|创造|设计|唱|演|建|建造|修建|创立|创办|提出|导演|编|作"
_COOK: Final = "做|煮|炒|洗|养|种|用|修|包|折|泡|烤|蒸"
#: Who may be the one that does it: 公司怎么做 is not 怎么做公司.
_DOER: Final = re.compile("[人员家司师长者方府校国客民友们院店]$")


def _one(frame: str) -> Callable[[Match], Framed | None]:
    """A frame about one thing, X."""

    def build(match: Match) -> Framed | None:
        about = got(match, "x")
        if WH.search(about) or about.endswith(
            ("的", "不", "没", "也", "都", "只", "就", "才", "还", "到底")
        ):
            return None
        return frame, phrase(about)

    return build


def _definition(match: Match) -> Framed | None:
    if got(match, "x") in PRONOUNS and ("东西" in match[0] or match[0].startswith("什么")):
        return None  # 你是什么东西 asks for no definition; 什么是我 is not 我是什么
    return _one("what")(match)


def _person(match: Match) -> Framed | None:
    return None if got(match, "x") in PRONOUNS and match[0].startswith("谁") else _one("who")(match)


def _size(match: Match) -> Framed | None:
    framed = _one("size")(match)
    name = got(match, "size") or ("人口" if "人口" in match[0] else "")
    return framed and ("size", (*framed[1], _SIZES[name] if name else match["how"]))


def _made(match: Match) -> Framed | None:
    if re.search("[最更很比太好多]", got(match, "x2")):
        return None  # 谁写的最好 asks for the best writer
    framed = _one("made by whom")(match)
    verb = got(match, "verb") or "写"
    return framed and (framed[0], (verb, *framed[1]))


def _how_to(match: Match) -> Framed | None:
    about = got(match, "x")
    if _DOER.search(about) or about in PRONOUNS or words(about)[-1] in KIN:
        return None
    framed = _one("how to")(match)
    verb = got(match, "verb") or "做"
    return framed and (framed[0], (verb, *framed[1]))


def _distance(match: Match) -> Framed | None:
    a, b = match["a"], match["b"]
    if WH.search(a + b) or "到" in a + b:
        return None
    return f"distance {got(match, 'in')}".strip(), (*phrase(a), "→", *phrase(b))


def _conversion(match: Match) -> Framed | None:
    month = match["u"] == "月" and "个月" not in match[0]  # January, not one month
    year = match["u"] == "年" and len(match["n"]) > 3  # the year 2028, not so many years
    if match["u"] == match["v"] or month or year:
        return None
    return "units", (match["n"], match["u"], match["v"])


def _pair(match: Match) -> Framed | None:
    """Two things compared with each other, in either order."""
    a, b = match["a"], match["b"]
    if re.search("[和跟与]|不|没|别|比|谁|哪|什么|[是的被在让有把给]$", a + b) or b.endswith("是"):
        return None  # 老人与海是谁写的 compares nothing
    what = match.groupdict().get("what")
    if what is not None and re.search("谁|哪|什么|怎么|对方", what):
        return None
    pair = sorted((" ".join(phrase(a)), " ".join(phrase(b))))
    asked = "difference" if what is None else f"which of two {match['who']}"
    return asked, (*pair, *(phrase(what) if what else ()))


def _superlative(match: Match) -> Framed | None:
    tail = got(match, "tail")
    # 最高的山是哪座山, but not 最高的山是哪个国家
    return ("what is most", phrase(match["x"])) if match["x"].endswith(tail) else None


def _most(match: Match) -> Framed | None:
    """哪座山最高 as 最高的山是什么."""
    if len(words(match["x"])) != 1 or re.search("不|没|想|喜|爱", match["how"]):
        return None
    return "what is most", phrase(f"{match['where'] or ''}最{match['how']}的{match['x']}")


def _either(match: Match) -> Framed | None:
    """太阳大还是地球大 as 太阳和地球哪个大."""
    a, b = match["a"], match["b"]
    if (
        re.search("不|没|别|比|谁|哪|什么|[和跟与]", a + b)
        or words(match["what"])[0] != match["what"]
    ):
        return None
    pair = sorted((" ".join(phrase(a)), " ".join(phrase(b))))
    return "which of two 哪个", (*pair, *phrase(match["what"]))


_Builder = Callable[[Match], Framed | None]
_TWO: Final = r"(?P<a>.+?)[和跟与](?P<b>.+?)"
_FRAMES: Final[tuple[tuple[re.Pattern[str], _Builder], ...]] = tuple(
    (re.compile(pattern), builder)
    for pattern, builder in (
        (_SUM.pattern, total),
        (
            rf"(?P<x>.+?)的?首都{_CAPITAL}|(?:哪里|哪个城市|哪座城市)是(?P<x2>.+?)的?首都",
            _one("capital"),
        ),
        (rf"(?P<x>.+?)的?省会{_CAPITAL}", _one("capital of a province")),
        (
            rf"(?P<n>\d+(?:\.\d+)?)个?(?P<u>{_UNITS})(?:等于|是|有|合|相当于)?(?:多少|几)个?(?P<v>{_UNITS})",
            _conversion,
        ),
        (
            rf"{_TWO}(?:(?:有什么|有哪些)(?:区别|不同|差别|不一样|差异)|的(?:区别|不同|差别|差异)(?:是什么|在哪里|有哪些)?"
            r"|(?:区别|差别|差异)(?:是什么|在哪里))",
            _pair,
        ),
        (rf"{_TWO}(?P<who>哪个|谁|哪1个)(?:比较|更)?(?P<what>.+)", _pair),
        (
            r"(?P<a>.+?)(?P<what>[大小高矮长短快慢重轻远近贵多少老]|便宜|好吃|厉害)还是(?P<b>.+?)(?P=what)",
            _either,
        ),
        (
            r"(?P<a>.+?)(?:到|距离|离|距)(?P<b>.+?)(?:多远|的?距离(?:是多少|多远|是多远)?)",
            _distance,
        ),
        (r"(?P<a>.+?)到(?P<b>.+?)有?多少(?P<in>公里|千米|米)", _distance),
        (r"(?P<x>.+?)的(?P<size>高度|海拔|身高|长度|宽度|深度|重量|体重|面积|人口)", _size),
        (r"(?P<x>.+?)(?P<size>全长)(?:是|有)?(?:多少|多长)", _size),
        (r"(?P<x>.+?)的?(?P<size>高度|海拔|身高)(?:是|有)?(?:多少|多高)", _size),
        (r"(?P<x>.+?)的?(?P<size>长度|宽度|深度|寿命)(?:是|有)?(?:多少|多[长宽深久])", _size),
        (r"(?P<x>.+?)的?(?P<size>重量|体重|面积|速度)(?:是|有)?(?:多少|多[重大快])", _size),
        (r"(?P<x>.+?)的?(?P<size>人口)(?:是|有)?多少|(?P<x2>.+?)有?多少人口", _size),
        (r"(?P<x>.+?)(?:能|可以)?(?P<size>活)多久", _size),
        (r"(?P<x>.+?)多(?P<how>[高长宽深重快])", _size),
        (rf"(?P<x>.+?)是谁(?P<verb>{_VERBS})的|谁(?P<verb2>{_VERBS})[了的](?P<x2>.+)", _made),
        (r"(?P<x>.+?)(?:的?作者是谁|是谁的作品)|(?P<x2>.+?)的(?P<verb>发明)[者人]是谁", _made),
        (rf"(?P<x>.+?)怎么(?P<verb>{_COOK})|怎么(?P<verb2>{_COOK})(?P<x2>.+)", _how_to),
        (r"(?P<x>.+?)的做法(?:是什么)?|教我(?:怎么)?做(?P<x2>.+)|做(?P<x3>.+)的方法", _how_to),
        (r"(?P<x>.*最.+?)是(?:什么|哪[个座条种只])(?P<tail>.{0,2})", _superlative),
        (
            r"(?:(?P<where>世界|中国|全国)上?)?(?:什么|哪[个座条种只])(?P<x>.{1,3})最(?P<how>.{1,2})",
            _most,
        ),
        (r"(?:什么是|什么叫)(?P<x>.+)|(?P<x2>.+?)是什么(?:东西)?", _definition),
        (r"(?P<x>.+?)是谁|谁是(?P<x2>.+)", _person),
    )
)


def question(text: str) -> Framed | None:
    """The frame of a question and what it is about, or None where it has no known form."""
    if text.isascii():
        return english(text)
    for pattern, builder in _FRAMES:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        framed = builder(match)
        if framed is not None:
            return framed
    return None
