"""What a question of a known form is about: the readers behind `frames`.

Pure. Each takes a matched form and gives its frame and parts, or None where the
form only looks like one (公司怎么做 is not 怎么做公司).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from actors.cache.facts import is_set, members, most_of
from actors.cache.framing import PRONOUNS, Framed, Match, got
from actors.cache.lexicon import KIN, SYNONYMS
from actors.cache.libraries import tagged, words
from actors.cache.phrases import phrase
from actors.cache.spelling import WH

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
        "高:高",
        "总长:长",
        "总长度:长",
        "面积:面积",
        "人口:人口",
        "寿命:寿命",
        "活:寿命",
        "速度:快",
    ]
)
VERBS: Final = "写|发明|发现|画|创造|设计|唱|演|建|建造|修建|建立|创立|创办|创建|提出|导演|编|作"
#: Verbs of works: a title is a name, in which no word may be replaced.
_OF_WORKS: Final = frozenset({"写", "画", "唱", "演", "导演", "编", "作"})
_FOUNDED: Final = {"创办": "创立", "创建": "创立"}
MAKERS: Final = dict(
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
COOK: Final = (
    "做|煮|炒|洗|养|种|用|修|包|折|泡|烤|蒸|炖|焖|炸|煎|腌|切|剥|去掉|去除|清除|清洗|清理|缓解|预防|治疗|消除|重启|重置"
    "|改|安装|卸载|下载|保存|保养|维修|更换|更新|恢复|申请|办理|设置|使用|挑选|辨别|储存"
)
MAKE_YOU: Final = "创造|发明|制造|开发|研发|设计|做|造"
_PLACE: Final = re.compile("..*[宫山河江湖海城岛寺塔桥州洲朝代节馆园族]$")
_NAMED_SO: Final = re.compile("[人子儿女生师弟妹哥姐者员]$")
#: A title says more than its words.
_TITLE: Final = re.compile("(?:演义|[记传志梦经颂曲恋歌])$")
#: Who may be the one that does it: 公司怎么做 is not 怎么做公司.
_DOER: Final = re.compile("[人员家司师长者方府校国客民友们院店]$")


def one_thing(frame: str) -> Callable[[Match], Framed | None]:
    """A frame about one thing, X."""

    def build(match: Match) -> Framed | None:
        about = got(match, "x")
        if WH.search(about) or about.endswith(
            ("的", "不", "没", "也", "都", "只", "就", "才", "还", "到底")
        ):
            return None
        return frame, phrase(about)

    return build


def definition(match: Match) -> Framed | None:
    if got(match, "x") in PRONOUNS and ("东西" in match[0] or match[0].startswith("什么")):
        return None  # 你是什么东西 asks for no definition; 什么是我 is not 我是什么
    about = SYNONYMS.get(got(match, "x"), got(match, "x"))
    if is_set(about):
        return members(about)  # 四大发明是什么
    if len(about) >= 4 and not _TITLE.search(about):
        (_, kind), *more = tagged(about)
        if not more and kind in ("n", "l", "vn"):
            return "meaning", (about,)  # 什么叫光合作用 asks what the word means
    return one_thing("what")(match)


def person(match: Match) -> Framed | None:
    return (
        None
        if got(match, "x") in PRONOUNS and match[0].startswith("谁")
        else one_thing("who")(match)
    )


def size(match: Match) -> Framed | None:
    framed = one_thing("size")(match)
    name = got(match, "size") or ("人口" if "人口" in match[0] else "")
    if framed is None:
        return None
    asked = _SIZES[name] if name else match.groupdict().get("how") or "高"
    if asked == "海拔" and got(match, "x")[-1] in "峰山":
        asked = "高"  # a mountain's height is that above the sea
    return "size", (*framed[1], asked)


def made(match: Match) -> Framed | None:
    if re.search("[最更很比太好多]", got(match, "x2")):
        return None  # 谁写的最好 asks for the best writer
    framed = one_thing("made by whom")(match)
    maker = match.groupdict().get("maker")
    verb = got(match, "verb") or (MAKERS[maker] if maker else "写")
    verb = _FOUNDED.get(verb, verb)
    if framed and verb in _OF_WORKS:
        about = got(match, "x")
        return framed[0], (verb, about.removesuffix("这首歌") if verb == "唱" else about)
    return framed and (framed[0], (verb, *framed[1]))


def done_by(match: Match) -> Framed | None:
    """项羽被谁打败了 as 谁打败了项羽."""
    about, verb = got(match, "x"), got(match, "v")
    said = tagged(about)
    if not all(kind[0] == "v" for _, kind in tagged(verb)) or (
        len(said) > 1 and said[0][1] == "t"  # 昨天蛋糕被谁吃了: yesterday it was eaten
    ):
        return None
    framed = one_thing("made by whom" if re.fullmatch(VERBS, verb) else "done by whom")(match)
    return framed and (framed[0], (_FOUNDED.get(verb, verb), *framed[1]))


def which_year(match: Match) -> Framed | None:
    """秦始皇是哪年统一六国的 as 秦始皇统一六国是哪年."""
    about, done = match["x"], match.groupdict().get("v") or ""
    framed = one_thing("which year")(match)
    if framed is None or WH.search(done):
        return None
    return f"which {match['q']}", phrase(about + done)


def amount(match: Match) -> Framed:
    """A part or a power of a number, as the sum it is: 9的平方, 100的一半."""
    many, _, of = match["x"].partition("的")
    if of == "平方":
        return "sum", (many, many, "*")
    return ("sum", (many, "2", "÷")) if of == "一半" else ("amount", (match["x"],))


def written_as(match: Match) -> Framed:
    return "written as", (match["n"], match["form"])


def taken_together(match: Match) -> Framed:
    """三和五相加 as 三加五."""
    operator = "*" if re.search("[乘积]", got(match, "op")) else "+"
    return "sum", (*sorted((match["a"], got(match, "b"))), operator)


def together(match: Match) -> Framed | None:
    """Two things mixed or taken together: neither is first."""
    a, b = match["a"], match["b"]
    what = f"{match.groupdict().get('may') or ''}{match['what']}".replace("可以", "能")
    if re.search("[和跟与]|不|没|别|比|谁|哪|什么|[a-z0-9]|[是的被在让有把给]$", a + b):
        return None
    if re.search("谁|哪|先|后|对方|者|[字词念读拼]", what):
        return None
    if not match.groupdict().get("may") and re.search("能|可以|[会要想]$", a):
        return None  # 螃蟹能和柿子一起吃吗: what can be is no part of the crab
    return "together", (*sorted((" ".join(phrase(a)), " ".join(phrase(b)))), *phrase(what))


def introduced(match: Match) -> Framed | None:
    """讲讲李白 as 介绍李白: one name, and no story, language or price."""
    named = tagged(match["x"])
    if len(named) != 1 or re.search("[话语文]$", match["x"]):
        return None
    name, kind = named[0]
    known = kind in ("ns", "nr", "nt", "nrt", "nz") or (kind == "n" and _PLACE.search(name))
    return ("about", (name,)) if known and name not in KIN else None


def province(match: Match) -> Framed | None:
    """黄山是哪个省的 as 黄山在哪个省; a person or a make is from there and need not be there."""
    place = tagged(match["x"])
    if len(place) != 1 or place[0][1] != "ns":
        return None
    return "in which", (match["x"], match["kind"])


def strokes(match: Match) -> Framed:
    return "strokes", (match["x"],)


def line(match: Match) -> Framed | None:
    side = "after" if match["side"][0] in "下后" else "before"
    about = match["x"]
    return None if WH.search(about) or len(about) < 3 else (f"line {side}", (about,))


def how_to(match: Match) -> Framed | None:
    about = got(match, "x")
    if _DOER.search(about) or about in PRONOUNS or words(about)[-1] in KIN:
        return None
    framed = one_thing("how to")(match)
    verb = got(match, "verb") or "做"
    if framed is None:
        return None
    # 怎么煮饺子才不破皮, 饺子怎么煮才不破皮
    about = f"{got(match, 'x')}{match.groupdict().get('result') or ''}".replace("才不", "不")
    return framed[0], (verb, *phrase(about))


def distance(match: Match) -> Framed | None:
    a, b = match["a"], match["b"]
    if WH.search(a + b) or "到" in a + b:
        return None
    return f"distance {got(match, 'in')}".strip(), (*phrase(a), "→", *phrase(b))


def pair(match: Match) -> Framed | None:
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


def superlative(match: Match) -> Framed | None:
    tail = got(match, "tail")
    if match[0].endswith("叫什么") and _NAMED_SO.search(match["x"]):
        return None  # 最小的孩子叫什么 asks for a name
    # 最高的山是哪座山, but not 最高的山是哪个国家
    return ("what is most", most_of(match["x"])) if match["x"].endswith(tail) else None


def either(match: Match) -> Framed | None:
    """太阳大还是地球大 as 太阳和地球哪个大."""
    a, b = match["a"], match["b"]
    if (
        re.search("不|没|别|比|谁|哪|什么|[和跟与]", a + b)
        or words(match["what"])[0] != match["what"]
    ):
        return None
    pair = sorted((" ".join(phrase(a)), " ".join(phrase(b))))
    return "which of two 哪个", (*pair, *phrase(match["what"]), *filter(None, (match["opinion"],)))
