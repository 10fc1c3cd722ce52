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
from actors.cache.facts import FACTS
from actors.cache.framing import Framed, Match
from actors.cache.readers import (
    COOK,
    MAKE_YOU,
    MAKERS,
    VERBS,
    amount,
    definition,
    distance,
    done_by,
    either,
    how_to,
    introduced,
    line,
    made,
    one_thing,
    pair,
    person,
    province,
    size,
    strokes,
    superlative,
    taken_together,
    together,
    which_year,
    written_as,
)

_SUM: Final = re.compile(
    rf"(?:计算|算)?(?:一下)?(?P<a>{NUMBER})(?P<op>加上?|减去?|乘[以上]?|除以)(?P<b>{NUMBER})"
    r"(?:(?:等于|是|得|结果是|的结果是|合)(?:几|多少))?"
)
_CAPITAL: Final = r"(?:是|在)(?:哪里|哪个城市|哪座城市|哪|什么城市|什么)"
_Builder = Callable[[Match], Framed | None]
_TWO: Final = r"(?P<a>.+?)[和跟与](?P<b>.+?)"
_TOGETHER: Final = "(?:吃|喝|用|服用|养|种|放|煮).{0,6}"
#: What stands first must be in the question: most frames are passed over for nothing.
_FRAMES: Final[tuple[tuple[str, re.Pattern[str], _Builder], ...]] = FACTS + tuple(
    (needle, re.compile(pattern), builder)
    for needle, pattern, builder in (
        ("", _SUM.pattern, total),
        (
            "",
            rf"(?P<a>{NUMBER})(?:[和跟与加](?P<b>{NUMBER})(?P<op>相加|加起来|的和)|[和跟与](?P<b2>{NUMBER})(?P<op2>相乘|的积))"
            r"(?:等于|是|得)?(?:几|多少)",
            taken_together,
        ),
        (
            "的",
            rf"(?P<x>{NUMBER}的(?:平方根?|立方根?|\d+次方|\d+倍|一半|{NUMBER}))(?:是|等于|得)(?:几|多少)",
            amount,
        ),
        (
            "数",
            rf"(?P<n>{NUMBER})(?:写|化|换|变|转换|转|改写)[成为](?P<form>小数|分数|百分数)(?:是|等于)?(?:几|多少)",
            written_as,
        ),
        (
            "首都",
            rf"(?P<x>.+?)的?首都{_CAPITAL}|(?:哪里|哪个城市|哪座城市)是(?P<x2>.+?)的?首都",
            one_thing("capital"),
        ),
        ("省会", rf"(?P<x>.+?)的?省会{_CAPITAL}", one_thing("capital of a province")),
        (
            "",
            rf"{_TWO}(?:(?:有什么|有哪些)(?:区别|不同|差别|不一样|差异)|的(?:区别|不同|差别|差异)(?:是什么|在哪里|有哪些)?"
            r"|(?:区别|差别|差异)(?:是什么|在哪里))",
            pair,
        ),
        (
            "起",
            rf"把?{_TWO}(?P<what>(?:混合?|掺|兑|放|加)(?:在一起|到一起|起来).{{1,12}})",
            together,
        ),
        ("", rf"{_TWO}(?P<what>(?:能|可以)?(?:一起|同时){_TOGETHER})", together),
        (
            "",
            rf"(?P<a>.+?)(?P<may>能|可以)[和跟与](?P<b>.+?)(?P<what>(?:一起|同时){_TOGETHER})",
            together,
        ),
        ("", rf"{_TWO}(?P<who>哪个|谁|哪1个)(?:比较|更)?(?P<what>.+)", pair),
        (
            "还是",
            r"(?P<opinion>你觉得|你认为|你说)?(?:是(?!不))?(?P<a>.+?)(?P<what>[大小高矮长短快慢重轻远近贵多少老好]|便宜|好吃|厉害)"
            r"还是(?P<b>.+?)(?P=what)",
            either,
        ),
        (
            "",
            r"(?P<a>.+?)(?:到|距离|离|距)(?P<b>.+?)(?:多远|的?距离(?:是多少|多远|是多远)?)",
            distance,
        ),
        ("公里", r"(?P<a>.+?)(?:到|距离|离|距)(?P<b>.+?)有?(?:多少|几)公里", distance),
        ("到", r"(?P<a>.+?)到(?P<b>.+?)有?多少(?P<in>千米|米)", distance),
        (
            "",
            r"(?P<x>.+?)的(?P<size>高度|海拔|身高|长度|宽度|深度|重量|体重|面积|人口)",
            size,
        ),
        ("长", r"(?P<x>.+?)的?(?P<size>全长|总长度?)(?:是|有)?(?:多少|多长)", size),
        (
            "米",
            r"(?P<x>.+?[峰山])(?:的?(?P<size>海拔|高度|高))?(?:是|有)?(?:多少|几)米高?",
            size,
        ),
        ("", r"(?P<x>.+?)的?(?P<size>高度|海拔|身高)(?:是|有)?(?:多少|多高)", size),
        (
            "度",
            r"(?P<x>.+?)的?(?P<size>长度|宽度|深度)(?:是|有)?(?:多少|多[长宽深久])",
            size,
        ),
        (
            "寿命",
            r"(?P<x>.+?)的?(?P<size>寿命)(?:一般|通常|大概|大约)?(?:是|有)?(?:多少年?|多[长久]|几年)",
            size,
        ),
        ("", r"(?P<x>.+?)的?(?P<size>重量|体重|面积|速度)(?:是|有)?(?:多少|多[重大快])", size),
        ("人口", r"(?P<x>.+?)的?(?P<size>人口)(?:是|有)?多少|(?P<x2>.+?)有?多少人口", size),
        (
            "活",
            r"(?P<x>.+?)(?:一般|通常|大概|大约)?(?:能|可以)?(?P<size>活)(?:多久|几年|多少年|几岁)",
            size,
        ),
        ("多", r"(?P<x>.+?)多(?P<how>[高长宽深重快])", size),
        (
            "谁",
            rf"(?P<x>.+?)是(?:被|由)?谁(?P<verb>{VERBS})(?:出来)?的|谁(?P<verb2>{VERBS})[了的](?P<x2>.+)",
            made,
        ),
        ("是谁", rf"(?P<x>.+?)的(?P<maker>{'|'.join(MAKERS)})是谁", made),
        ("谁", r"(?P<x>.+?)(?:的?作者是谁|是谁的作品)", made),
        (
            "谁",
            rf"(?P<x>你)是谁(?:{MAKE_YOU})(?:出来)?的|谁(?:{MAKE_YOU})(?:出来)?了(?P<x2>你)",
            one_thing("made by whom"),
        ),
        (
            "谁",
            r"(?P<x>.+?)(?:是被|被)谁(?P<v>[^了的]{1,3})[了的]?|谁(?P<v2>[^了的是在有为被把不没]{1,3})了(?P<x2>.+)",
            done_by,
        ),
        (
            "哪",
            r"(?P<x>.+?)(?:是在|是|在)?(?P<q>哪[年天])(?P<v>[^的].*)的",
            which_year,
        ),
        (
            "什么时候",
            r"(?P<x>.+?)(?:是在|是|在)?(?P<q>什么时候)(?P<v>[^的].*)的",
            which_year,
        ),
        ("哪年", r"(?P<x>.+?)(?:是在|是|在|于)(?P<q>哪年)", which_year),
        (
            "怎么",
            rf"(?P<x>.+?)怎么(?P<verb>{COOK})(?P<result>才.+)?|怎么(?P<verb2>{COOK})(?P<x2>.+)",
            how_to,
        ),
        (
            "做",
            r"(?P<x>.+?)的(?:做法(?:和?步骤)?|制作方法|烹饪方法)(?:是什么|是怎么样的)?|教我(?:怎么)?做(?P<x2>.+)|做(?P<x3>.+)的方法",
            how_to,
        ),
        (
            "最",
            r"(?P<x>.*最.+?)(?:是(?:什么|哪[个座条种只颗])(?P<tail>.{0,2})|叫什么)",
            superlative,
        ),
        ("哪个", r"(?P<x>.+?)(?:在|属于|是(?=.+的$))哪个(?P<kind>省|市|洲|县|区)的?", province),
        (
            "字",
            r"(?P<x>[^字])字(?:一共|总共|共)?(?:有|是)?(?:几|多少)(?:画|笔|划|笔画)",
            strokes,
        ),
        (
            "句",
            r"(?:告诉我)?(?P<x>.+?)的?(?P<side>[上下]|[前后]面?的?)[1一]句(?:诗)?(?:是(?:什么|哪句))?",
            line,
        ),
        (
            "",
            r"(?:介绍|讲讲|讲一讲|讲一下|说说|说一说|说一下)(?P<x>.+)",
            introduced,
        ),
        ("什么", r"(?:什么是|什么叫)(?P<x>.+)|(?P<x2>.+?)是什么(?:东西)?", definition),
        ("谁", r"(?P<x>.+?)是谁|谁是(?P<x2>.+)", person),
    )
)


def question(text: str) -> Framed | None:
    """The frame of a question and what it is about, or None where it has no known form."""
    if text.isascii():
        return english(text)
    for needle, pattern, builder in _FRAMES:
        match = pattern.fullmatch(text) if needle in text else None
        if match is None:
            continue
        framed = builder(match)
        if framed is not None:
            return framed
    return None
