"""Questions about facts in canonical form: lists, parts, extremes, either-or, kinship.

Pure. As `frames`: the same frame about the same things. Parts are sorted only where
their order says nothing (是水果还是蔬菜).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from actors.cache.framing import PRONOUNS, Framed, Match, got
from actors.cache.lexicon import KIN
from actors.cache.libraries import number, tagged, words
from actors.cache.phrases import phrase
from actors.cache.spelling import WH

Frames = tuple[tuple[str, re.Pattern[str], Callable[[Match], Framed | None]], ...]

_UNITS: Final = (
    "公里|千米|米|分米|厘米|公分|毫米|千克|公斤|克|毫克|斤|两|吨|小时|分钟|秒|天|周|月|年|升|毫升|英里|英尺|英寸|寸|尺"
    "|里|亩|平方米|平方公里|立方米|公顷|元|角|分|度|世纪|季度|刻钟|摄氏度|华氏度|加仑|盎司|磅|光年|海里"
)
_THOUSAND: Final = {"千米": "米", "公里": "米", "千克": "克", "公斤": "克"}
_ONE_UNIT: Final = {"公分": "厘米"}
_RELATIVES: Final = "|".join(
    sorted(
        {word for word in KIN if not word.isascii()}
        - {"孩子", "老师", "学生", "同学", "朋友", "医生", "宝宝"},
        key=len,
        reverse=True,
    )
)
_EACH: Final = "[个位种本条座部句首]"
_BEGINS: Final = re.compile("[二三四五六七八九十]{1,3}(?=[^二三四五六七八九十成月])")
#: 24个节气 is 24节气, but 12个月 is not 12月.
_COUNTED: Final = re.compile(r"(?<=\d)个(?!月|小时|半|人)")
#: Who says the four great inventions means China's.
_CHINESE: Final = re.compile("^中国(?:古代|古典)?的?(?=四大(?:发明|名著|美女))")
_SET: Final = re.compile(r"(?:..|..古代|..古典)?[三四五六七八九十\d]+大[^的]{2,3}")
_OPEN_END: Final = ("的", "不", "没", "也", "都", "只", "就", "才", "还", "被", "把")
#: Festivals that have one day for ever.
_FESTIVALS: Final = "圣诞节|平安夜|元旦|国庆节?|劳动节|儿童节|妇女节|教师节|情人节|植树节|建军节|建党节|万圣节|愚人节|青年节|护士节"
_WHERE: Final = "(?P<where>[^什哪最是的]{2,6}?)(?:里面?|中|上)?"
_MOST: Final = re.compile(
    "(?P<where>[^最是]{2,6}?)(?:里面?|中|上)?的?(?P<attr>面积|人口|海拔)?最(?P<how>.{1,2})的(?P<what>.{1,4})"
)


def conversion(match: Match) -> Framed | None:
    """How many of one unit are in so many of another."""
    month = match["u"] == "月" and "个月" not in match[0]  # January, not one month
    year = match["u"] == "年" and len(match["n"]) > 3  # the year 2028, not so many years
    many, unit = "0.5" if match["n"] == "半" else match["n"], match["u"]
    unit, wanted = _ONE_UNIT.get(unit, unit), _ONE_UNIT.get(got(match, "v"), got(match, "v"))
    if unit == wanted or month or year:
        return None
    if unit in _THOUSAND and many.isdigit():
        many, unit = f"{many}000", _THOUSAND[unit]  # 一千米 was read as 1000 米
    return "units", (many, unit, wanted)


def _dozen(match: Match) -> Framed:
    return "units", ("0.5" if match["n"] == "半" else match["n"], "打", "个")


def members(about: str) -> Framed | None:
    """What belongs to something: 二十四节气有哪些, 四大名著是哪四本."""
    about = _CHINESE.sub("", about)
    numeral = _BEGINS.match(about)
    if numeral:
        about = (number(numeral[0]) or numeral[0]) + about[numeral.end() :]
    about = _COUNTED.sub("", about)
    if about in PRONOUNS or WH.search(about) or about.endswith(_OPEN_END) or len(about) < 2:
        return None
    return "members", phrase(about)


def _list(match: Match) -> Framed | None:
    many = match.groupdict().get("many")
    if many and many not in "几两" and many not in _BEGINS.sub(_digits, match["x"]):
        return None  # 四大名著是哪三本好看
    return members(match["x"])


def _digits(match: re.Match[str]) -> str:
    return f"{match[0]}{number(match[0]) or ''}"


def is_set(text: str) -> bool:
    """Whether this names a known number of things: 四大发明, 世界八大奇迹."""
    return _SET.fullmatch(text) is not None


def _about(frame: str) -> Callable[[Match], Framed | None]:
    """A frame about one thing, said of anybody and anything but a pronoun."""

    def build(match: Match) -> Framed | None:
        about = got(match, "x")
        if about in PRONOUNS or WH.search(about) or about.endswith(_OPEN_END):
            return None
        return frame, phrase(about)

    return build


def _order(match: Match) -> Framed | None:
    numeral = _BEGINS.match(match["x"])
    if numeral is None and not match["x"][0].isdigit():
        return None  # 座位怎么排 asks for a plan
    named = members(match["x"])
    return named and ("order of", named[1])


def either_or(match: Match) -> Framed | None:
    """西瓜是水果还是蔬菜, in either order."""
    a, b = match["a"], match["b"]
    if WH.search(match["x"] + a + b) or re.search("不|没|别|先|后|再|[吗呢和跟与]", a + b):
        return None
    if a[-1] == b[-1] and a[-1] in "大小高矮长短快慢重轻远近贵多少老好":
        return None  # 太阳大还是地球大 compares the two
    pair = sorted((" ".join(phrase(a)), " ".join(phrase(b))))
    return "is which", (*phrase(match["x"] or "-"), "|", *pair)


def _first(match: Match) -> Framed | None:
    a, b = match["a"], match["b"]
    if re.search("不|没|别|后|再|然|吗|谁|哪|什么", a + b):
        return None
    pair = sorted((" ".join(phrase(a)), " ".join(phrase(b))))
    return "first of two", (*phrase(match["x"] or "-"), "|", *pair)


def _kin(match: Match) -> Framed:
    return "kin", phrase(match["x"])


def _festival(match: Match) -> Framed:
    return "festival day", (match["x"].replace("国庆节", "国庆"),)


def _times_table(match: Match) -> Framed | None:
    """三七得几: two digits and 得 are the multiplication table."""
    both = [number(digit) or digit for digit in (match["a"], match["b"])]
    return "sum", (*sorted(both), "*")


def most_of(about: str) -> tuple[str, ...]:
    """太阳系里最大的行星 as 太阳系最大的行星."""
    match = _MOST.fullmatch(about)
    if match is None or re.search("[离比不没]|第", about):
        return phrase(about)
    where, attr = match["where"], match["attr"] or ""
    return phrase(f"{where}{attr}最{match['how']}的{match['what']}")


def _which_most(match: Match) -> Framed | None:
    """太阳系里哪颗行星最大 as 太阳系最大的行星是什么."""
    what, how = got(match, "what"), got(match, "how")
    if len(words(what)) != 1 or re.search("不|没|想|喜|爱|人$", how + what):
        return None
    where = got(match, "where")
    place = tagged(where) if where else ()
    if len(place) > 1 or (place and place[0][1] not in ("n", "ns", "nt", "nz", "s")):
        return None
    attr = match.groupdict().get("attr") or ""
    return "what is most", phrase(f"{where}{attr}最{how}的{what}")


FACTS: Final[Frames] = tuple(
    (needle, re.compile(pattern), builder)
    for needle, pattern, builder in (
        (
            "",
            rf"(?P<n>\d+(?:\.\d+)?|半)个?(?P<u>{_UNITS})(?:(?:等于|是|有|合|相当于)?(?:一共|总共)?(?:多少|几)个?(?P<v>{_UNITS})"
            rf"|(?:换算|折算|折合|转换|转化|换|转|化)(?:成|为)?(?P<v2>{_UNITS})(?:是|等于|有)?(?:多少|几)(?:(?P=v2))?)",
            conversion,
        ),
        ("打", r"(?P<n>\d+|半)打(?:等于|是|有)(?:多少|几)个", _dozen),
        (
            "还是先",
            "(?P<x>.*?)(?:应该|该|要|是)?先(?P<a>.{1,8})还是先(?P<b>.{1,8}?)(?:比较好|好)?",
            _first,
        ),
        (
            "还是",
            "(?P<x>[^是算]+)(?:属于|算是|算|是)(?P<a>[^是算]{1,6})还是(?:属于|算是|算|是)?(?P<b>[^是算]{1,6})",
            either_or,
        ),
        (
            "哪",
            f"(?P<x>.{{2,}}?)(?:都|各|分别|一共|总共)?(?:有哪些|是哪些|有哪几{_EACH}|是哪(?P<many>[几两三四五六七八九十]|\\d+){_EACH}|包括哪些)",
            _list,
        ),
        ("分别是什么", "(?P<x>.{2,}?)分别是什么", _list),
        (
            "成分",
            "(?P<x>.+?)(?:里面?|中)?(?:的?成分(?:是什么|有哪些|有什么|是哪些)|都?有(?:什么|哪些)成分)",
            _about("made of"),
        ),
        (
            "成",
            "(?P<x>.+?)(?:是)?由(?:什么|哪些)(?:东西|物质|成分|气体)?(?:组成|构成)的?",
            _about("made of"),
        ),
        (
            "顺序",
            "(?P<x>.{2,}?)的?(?:排列)?顺序(?:是什么|是怎么样的|是怎么排的|怎么排)?",
            _order,
        ),
        ("怎么排", "(?P<x>.{2,}?)是?怎么排[列序]?的?", _order),
        (
            "道理",
            "(?P<x>.+?)(?:这?个?故事)?(?:告诉|教会?)(?:了?我们|人们?)了?(?:一个)?什么道理|(?P<x2>.+?)说明了?(?:一个)?什么道理",
            _about("moral"),
        ),
        ("寓意", "(?P<x>.+?)(?:的?寓意是什么|有什么寓意)", _about("moral")),
        (
            "怎么",
            "怎么(?P<x>.{1,4}?)(?:才能|才算|才|最)(?:对|正确)|怎么正确地?(?P<x2>.{2,4})",
            _about("how right"),
        ),
        (
            "正确",
            "正确的?(?P<x>.{2,4}?)的?(?:方法|方式)(?:是什么|是怎么样的)?|(?P<x2>.{2,4})的正确(?:方法|方式)(?:是什么|是怎么样的)?",
            _about("how right"),
        ),
        (
            "的",
            rf"(?P<x>(?:(?:{_RELATIVES})的)+(?:{_RELATIVES}))(?:我)?(?:应该|该|要)?(?:怎么)?(?:叫什么|称呼什么|称呼|叫)",
            _kin,
        ),
        (
            "",
            rf"(?P<x>{_FESTIVALS})(?:是|在)?(?:(?:多少|几)月(?:多少|几)[号日]|哪天|(?:多少|几)号)",
            _festival,
        ),
        ("得", "(?P<a>[二三四五六七八九])(?P<b>[二三四五六七八九])得(?:几|多少)", _times_table),
        (
            "最",
            f"(?:{_WHERE})?(?:什么|哪[个座条种只颗])(?P<what>.{{1,3}}?)的?(?P<attr>面积|人口|海拔)?最(?P<how>.{{1,2}})"
            "|(?:什么|哪[个座条种只颗])(?P<what2>.{1,3})是(?P<where2>[^最是]{2,6}?)(?:里面?|中|上)?最(?P<how2>.{1,2})的",
            _which_most,
        ),
    )
)
