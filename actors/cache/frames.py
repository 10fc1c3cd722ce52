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
from actors.cache.libraries import tagged, words
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
_THOUSAND: Final = {"千米": "米", "公里": "米", "千克": "克", "公斤": "克"}
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
_VERBS: Final = "写|发明|发现|画|创造|设计|唱|演|建|建造|修建|建立|创立|创办|创建|提出|导演|编|作"
#: Verbs of works: a title is a name, in which no word may be replaced.
_OF_WORKS: Final = frozenset({"写", "画", "唱", "演", "导演", "编", "作"})
_FOUNDED: Final = {"创办": "创立", "创建": "创立"}
_MAKERS: Final = dict(
    pair.split(":")
    for pair in [
        "作者:写",
        "创始人:创立",
        "创立者:创立",
        "创办人:创立",
        "演唱者:唱",
        "导演:导演",
        "设计者:设计",
        "建造者:建造",
        "发明者:发明",
        "发明人:发明",
        "发现者:发现",
        "发现人:发现",
    ]
)
_COOK: Final = (
    "做|煮|炒|洗|养|种|用|修|包|折|泡|烤|蒸|炖|焖|炸|煎|腌|切|剥|去掉|去除|清除|清洗|清理|缓解|预防|治疗|消除|重启|重置"
    "|改|安装|卸载|下载|保存|保养|维修|更换|更新|恢复|申请|办理|设置|使用|挑选|辨别|储存"
)
_MAKE_YOU: Final = "创造|发明|制造|开发|研发|设计|做|造"
_PLACE: Final = re.compile("..*[宫山河江湖海城岛寺塔桥州洲朝代节馆园族]$")
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
    maker = match.groupdict().get("maker")
    verb = got(match, "verb") or (_MAKERS[maker] if maker else "写")
    verb = _FOUNDED.get(verb, verb)
    if framed and verb in _OF_WORKS:
        about = got(match, "x")
        return framed[0], (verb, about.removesuffix("这首歌") if verb == "唱" else about)
    return framed and (framed[0], (verb, *framed[1]))


def _done_by(match: Match) -> Framed | None:
    """项羽被谁打败了 as 谁打败了项羽."""
    about, verb = got(match, "x"), got(match, "v")
    said = tagged(about)
    if not all(kind[0] == "v" for _, kind in tagged(verb)) or (
        len(said) > 1 and said[0][1] == "t"  # 昨天蛋糕被谁吃了: yesterday it was eaten
    ):
        return None
    framed = _one("made by whom" if re.fullmatch(_VERBS, verb) else "done by whom")(match)
    return framed and (framed[0], (_FOUNDED.get(verb, verb), *framed[1]))


def _which_year(match: Match) -> Framed | None:
    """秦始皇是哪年统一六国的 as 秦始皇统一六国是哪年."""
    about, done = match["x"], match.groupdict().get("v") or ""
    framed = _one("which year")(match)
    if framed is None or WH.search(done):
        return None
    return f"which {match['q']}", phrase(about + done)


def _amount(match: Match) -> Framed:
    return "amount", (match["x"],)


def _written_as(match: Match) -> Framed:
    return "written as", (match["n"], match["form"])


def _taken_together(match: Match) -> Framed:
    """三和五相加 as 三加五."""
    operator = "*" if re.search("[乘积]", got(match, "op")) else "+"
    return "sum", (*sorted((match["a"], got(match, "b"))), operator)


def _together(match: Match) -> Framed | None:
    """Two things mixed or taken together: neither is first."""
    a, b = match["a"], match["b"]
    what = f"{match.groupdict().get('may') or ''}{match['what']}".replace("可以", "能")
    if re.search("[和跟与]|不|没|别|比|谁|哪|什么|[a-z0-9]|[是的被在让有把给]$", a + b):
        return None
    if re.search("谁|哪|先|后|对方|者|[字词念读拼]", what):
        return None
    return "together", (*sorted((" ".join(phrase(a)), " ".join(phrase(b)))), *phrase(what))


def _about(match: Match) -> Framed | None:
    """讲讲李白 as 介绍李白: one name, and no story, language or price."""
    named = tagged(match["x"])
    if len(named) != 1 or re.search("[话语文]$", match["x"]):
        return None
    name, kind = named[0]
    known = kind in ("ns", "nr", "nt", "nrt", "nz") or (kind == "n" and _PLACE.search(name))
    return ("about", (name,)) if known and name not in KIN else None


def _province(match: Match) -> Framed | None:
    """黄山是哪个省的 as 黄山在哪个省; a person or a make is from there and need not be there."""
    place = tagged(match["x"])
    if len(place) != 1 or place[0][1] != "ns":
        return None
    return "in which", (match["x"], match["kind"])


def _strokes(match: Match) -> Framed:
    return "strokes", (match["x"],)


def _line(match: Match) -> Framed | None:
    side = "after" if match["side"][0] in "下后" else "before"
    about = match["x"]
    return None if WH.search(about) or len(about) < 3 else (f"line {side}", (about,))


def _how_to(match: Match) -> Framed | None:
    about = got(match, "x")
    if _DOER.search(about) or about in PRONOUNS or words(about)[-1] in KIN:
        return None
    framed = _one("how to")(match)
    verb = got(match, "verb") or "做"
    if framed is None:
        return None
    # 怎么煮饺子才不破皮, 饺子怎么煮才不破皮
    about = got(match, "x").replace("才不", "不") + (match.groupdict().get("result") or "")
    return framed[0], (verb, *phrase(about))


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
    many, unit = "0.5" if match["n"] == "半" else match["n"], match["u"]
    if unit in _THOUSAND and many.isdigit():
        many, unit = f"{many}000", _THOUSAND[unit]  # 一千米 was read as 1000 米
    return "units", (many, unit, match["v"])


def _pair(match: Match) -> Framed | None:
    """Two things compared with each other, in either order."""
    a, b = match["a"], match["b"]
    if re.search("[和跟与]|不|没|别|比|谁|哪|什么|[是的被在让有把给]$", a + b) or b.endswith("是"):
        return None  # 老人与海是谁写的 compares nothing
    what = match.groupdict().get("what")
    if what is not None and re.search("谁|哪|什么|怎么|对方", what):
        return None
    pair = sorted((" ".join(phrase(a)), " ".join(phrase(b))))
    if what is not None:
        what = re.sub("(?:更|比较)(?=.$)", "", what)
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
    return "which of two 哪个", (*pair, *phrase(match["what"]), *filter(None, (match["opinion"],)))


_Builder = Callable[[Match], Framed | None]
_TWO: Final = r"(?P<a>.+?)[和跟与](?P<b>.+?)"
_TOGETHER: Final = "(?:吃|喝|用|服用|养|种|放|煮).{0,6}"
#: What stands first must be in the question: most frames are passed over for nothing.
_FRAMES: Final[tuple[tuple[str, re.Pattern[str], _Builder], ...]] = tuple(
    (needle, re.compile(pattern), builder)
    for needle, pattern, builder in (
        ("", _SUM.pattern, total),
        (
            "",
            rf"(?P<a>{NUMBER})(?:[和跟与加](?P<b>{NUMBER})(?P<op>相加|加起来|的和)|[和跟与](?P<b2>{NUMBER})(?P<op2>相乘|的积))"
            r"(?:等于|是|得)?(?:几|多少)",
            _taken_together,
        ),
        (
            "的",
            rf"(?P<x>{NUMBER}的(?:平方根?|立方根?|\d+次方|\d+倍|一半|{NUMBER}))(?:是|等于|得)(?:几|多少)",
            _amount,
        ),
        (
            "数",
            rf"(?P<n>{NUMBER})(?:写|化|换|变|转换|转|改写)[成为](?P<form>小数|分数|百分数)(?:是|等于)?(?:几|多少)",
            _written_as,
        ),
        (
            "首都",
            rf"(?P<x>.+?)的?首都{_CAPITAL}|(?:哪里|哪个城市|哪座城市)是(?P<x2>.+?)的?首都",
            _one("capital"),
        ),
        ("省会", rf"(?P<x>.+?)的?省会{_CAPITAL}", _one("capital of a province")),
        (
            "",
            rf"(?P<n>\d+(?:\.\d+)?|半)个?(?P<u>{_UNITS})(?:等于|是|有|合|相当于)?(?:多少|几)个?(?P<v>{_UNITS})",
            _conversion,
        ),
        (
            "",
            rf"{_TWO}(?:(?:有什么|有哪些)(?:区别|不同|差别|不一样|差异)|的(?:区别|不同|差别|差异)(?:是什么|在哪里|有哪些)?"
            r"|(?:区别|差别|差异)(?:是什么|在哪里))",
            _pair,
        ),
        (
            "起",
            rf"把?{_TWO}(?P<what>(?:混合?|掺|兑|放|加)(?:在一起|到一起|起来).{{1,12}})",
            _together,
        ),
        ("", rf"{_TWO}(?P<what>(?:能|可以)?(?:一起|同时){_TOGETHER})", _together),
        (
            "",
            rf"(?P<a>.+?)(?P<may>能|可以)[和跟与](?P<b>.+?)(?P<what>(?:一起|同时){_TOGETHER})",
            _together,
        ),
        ("", rf"{_TWO}(?P<who>哪个|谁|哪1个)(?:比较|更)?(?P<what>.+)", _pair),
        (
            "还是",
            r"(?P<opinion>你觉得|你认为|你说)?(?:是(?!不))?(?P<a>.+?)(?P<what>[大小高矮长短快慢重轻远近贵多少老好]|便宜|好吃|厉害)"
            r"还是(?P<b>.+?)(?P=what)",
            _either,
        ),
        (
            "",
            r"(?P<a>.+?)(?:到|距离|离|距)(?P<b>.+?)(?:多远|的?距离(?:是多少|多远|是多远)?)",
            _distance,
        ),
        ("到", r"(?P<a>.+?)到(?P<b>.+?)有?多少(?P<in>公里|千米|米)", _distance),
        (
            "",
            r"(?P<x>.+?)的(?P<size>高度|海拔|身高|长度|宽度|深度|重量|体重|面积|人口)",
            _size,
        ),
        ("全长", r"(?P<x>.+?)(?P<size>全长)(?:是|有)?(?:多少|多长)", _size),
        ("", r"(?P<x>.+?)的?(?P<size>高度|海拔|身高)(?:是|有)?(?:多少|多高)", _size),
        (
            "度",
            r"(?P<x>.+?)的?(?P<size>长度|宽度|深度)(?:是|有)?(?:多少|多[长宽深久])",
            _size,
        ),
        (
            "寿命",
            r"(?P<x>.+?)的?(?P<size>寿命)(?:一般|通常|大概|大约)?(?:是|有)?(?:多少年?|多[长久]|几年)",
            _size,
        ),
        ("", r"(?P<x>.+?)的?(?P<size>重量|体重|面积|速度)(?:是|有)?(?:多少|多[重大快])", _size),
        ("人口", r"(?P<x>.+?)的?(?P<size>人口)(?:是|有)?多少|(?P<x2>.+?)有?多少人口", _size),
        (
            "活",
            r"(?P<x>.+?)(?:一般|通常|大概|大约)?(?:能|可以)?(?P<size>活)(?:多久|几年|多少年|几岁)",
            _size,
        ),
        ("多", r"(?P<x>.+?)多(?P<how>[高长宽深重快])", _size),
        (
            "谁",
            rf"(?P<x>.+?)是(?:被)?谁(?P<verb>{_VERBS})的|谁(?P<verb2>{_VERBS})[了的](?P<x2>.+)",
            _made,
        ),
        ("是谁", rf"(?P<x>.+?)的(?P<maker>{'|'.join(_MAKERS)})是谁", _made),
        ("谁", r"(?P<x>.+?)(?:的?作者是谁|是谁的作品)", _made),
        (
            "谁",
            rf"(?P<x>你)是谁(?:{_MAKE_YOU})(?:出来)?的|谁(?:{_MAKE_YOU})(?:出来)?了(?P<x2>你)",
            _one("made by whom"),
        ),
        (
            "谁",
            r"(?P<x>.+?)(?:是被|被)谁(?P<v>[^了的]{1,3})[了的]?|谁(?P<v2>[^了的是在有为被把不没]{1,3})了(?P<x2>.+)",
            _done_by,
        ),
        (
            "哪",
            r"(?P<x>.+?)(?:是在|是|在)?(?P<q>哪[年天])(?P<v>[^的].*)的",
            _which_year,
        ),
        (
            "什么时候",
            r"(?P<x>.+?)(?:是在|是|在)?(?P<q>什么时候)(?P<v>[^的].*)的",
            _which_year,
        ),
        ("哪年", r"(?P<x>.+?)(?:是在|是|在|于)(?P<q>哪年)", _which_year),
        (
            "怎么",
            rf"(?P<x>.+?)怎么(?P<verb>{_COOK})(?:才(?P<result>不.+))?|怎么(?P<verb2>{_COOK})(?P<x2>.+)",
            _how_to,
        ),
        (
            "做",
            r"(?P<x>.+?)的做法(?:是什么)?|教我(?:怎么)?做(?P<x2>.+)|做(?P<x3>.+)的方法",
            _how_to,
        ),
        ("最", r"(?P<x>.*最.+?)是(?:什么|哪[个座条种只])(?P<tail>.{0,2})", _superlative),
        (
            "最",
            r"(?:(?P<where>世界|中国|全国)上?)?(?:什么|哪[个座条种只])(?P<x>.{1,3})最(?P<how>.{1,2})",
            _most,
        ),
        ("哪个", r"(?P<x>.+?)(?:在|属于|是(?=.+的$))哪个(?P<kind>省|市|洲|县|区)的?", _province),
        (
            "字",
            r"(?P<x>[^字])字(?:一共|总共|共)?(?:有|是)?(?:几|多少)(?:画|笔|划|笔画)",
            _strokes,
        ),
        (
            "句",
            r"(?:告诉我)?(?P<x>.+?)的?(?P<side>[上下]|[前后]面?的?)[1一]句(?:诗)?(?:是(?:什么|哪句))?",
            _line,
        ),
        (
            "",
            r"(?:介绍|讲讲|讲一讲|讲一下|说说|说一说|说一下)(?P<x>.+)",
            _about,
        ),
        ("什么", r"(?:什么是|什么叫)(?P<x>.+)|(?P<x2>.+?)是什么(?:东西)?", _definition),
        ("谁", r"(?P<x>.+?)是谁|谁是(?P<x2>.+)", _person),
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
