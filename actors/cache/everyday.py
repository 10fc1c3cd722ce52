"""One wording for everyday questions: why, what to do, how to clean, how much a day.

Pure. Works on the text as `wording` left it (什么, 怎么, 多少 for their sisters). A rule
leads to a wording that nobody uses for another question, so that it may only join
what is the same.
"""

from __future__ import annotations

import re
from typing import Final

from actors.cache.libraries import tagged
from actors.cache.phrases import PRONOUNS, cut

Rules = tuple[tuple[str, re.Pattern[str], str], ...]

#: Last characters of what ails one.
_AILS: Final = "冒烧嗽痛疼泻暑眠秘痒炎敏"
#: What happens to a body or in nature without anybody's will: there how it comes is why.
_HAPPENS: Final = (
    "打(?:喷嚏|哈欠|嗝|呼噜|鼾|雷)|做梦|抽筋|失眠|发烧|咳嗽|头晕|流鼻血|掉头发|脱发|耳鸣|便秘|拉肚子|地震"
    "|肚子胀|[^心]疼|[头胃牙腰腿背]痛|发[痒麻肿]"
)
_BODILY: Final = "打[喷哈嗝呼鼾]|做梦|抽筋|流汗|出汗|流泪|咳嗽|发烧|脱发|掉头发|失眠"
_COOK: Final = "做煮炒蒸烤炖煎炸腌切泡"
_DAY: Final = "(?:应该|该|要|需要)?(?:能|可以)?[吃喝睡走跑刷]"
#: After 这么 and 那么: how much, which a question why can leave out.
_DEGREES: Final = (
    "(?:[大小高低矮长短快慢重轻远贵老冷热厚薄深宽胖瘦亮暗黑白红蓝绿咸甜苦酸辣臭香硬软难怕圆]"
    "|喜欢|讨厌|聪明|便宜|好吃|厉害|漂亮)"
)
_ASKED: Final = "(?:多少|几|多[久大高长]|哪|什么)"
_SPOTS: Final = re.compile("[味渍垢锈霉胶污迹]")

_RULES: Final[Rules] = tuple(
    (needle, re.compile(pattern), word)
    for needle, pattern, word in (
        # words that say nothing in a question
        ("到底", "(?<![头潜沉走游见跑落搞])到底(?=[是算有会能要该多怎为什谁哪几在可])", ""),
        ("究竟", "究竟(?=[是算有会能要该多怎为什谁哪几在可])", ""),
        ("什么", "(?<![我你他她它这那们])是(?:个什么(?:东西|玩意儿?)?|什么玩意儿?)$", "是什么"),
        ("里", "(?<=里)[面头边]?装(?:的是|着|了|有)什么(?:东西)?$", "有什么"),
        ("球上", "地球上(?=最|有|一共|总共|第|哪|什么|多少|几)", "世界上"),
        ("界上", "世界上(?=最)", "世界"),
        ("大", "(?<=几)大(?=[洲洋]$)", "个大"),
        # one name
        ("属相", "属相", "生肖"),
        ("新中国", "新中国", "中华人民共和国"),
        ("首", "首[任位](?=总统|总理|首相|主席)", "第1任"),
        ("第1位", "第1位(?=总统|总理|首相|主席)", "第1任"),
        ("的第1任", "的(?=第1任)", ""),
        ("端午", "端午(?!节)", "端午节"),
        ("中秋", "中秋(?!节)", "中秋节"),
        ("重阳", "重阳(?!节)", "重阳节"),
        ("派", "^派(?:等于|是)(?:多少|几)$", "圆周率是多少"),
        ("圆周率", "^圆周率等于(?:多少|几)$", "圆周率是多少"),
        ("氏", r"(摄氏|华氏)(\d+(?:\.\d+)?)度", r"\2\1度"),
        ("氏", r"(?<=[成为])(摄氏|华氏)(?=是|等于|多少|$)", r"\1度"),
        ("天为什么", "^天(?=为什么会?是?蓝)", "天空"),
        ("吃饱饭", "吃饱饭", "吃完饭"),
        ("刚吃完饭", "刚(?=吃完饭.*(?:马上|立刻|立即))", ""),
        ("嗓子", "嗓子(?=[疼痛痒干哑发里了])|(?<=[卡住在到])嗓子", "喉咙"),
        # when, where the past is plain
        ("生于哪年", "生于哪年$", "是哪年出生的"),
        ("于哪年", "[死卒]于哪年$", "是哪年去世的"),
        ("哪年生", "哪年生的$", "哪年出生的"),
        ("哪年", "(?<![是在于])哪年(出生|去世|逝世|灭亡|爆发)的?$", r"是哪年\1的"),
        ("哪年结束", "(?<=[战争朝])哪年结束的?$", "是哪年结束的"),
        # by whom
        ("哪", "是哪[个位](?:诗人|作家|作者)(?:的作品|写的)$", "是谁写的"),
        ("谁是", "^(.{2,6}?)(?:里面?|中)谁是([^最比不第]+)$", r"\1的\2是谁"),
        # ailing
        (
            "",
            f"(?<=[{_AILS}])(?:了|的时候|期间)(?=(?:应该|该|要)?(?:[吃喝用]什么|能|可以))",
            "",
        ),
        ("睡不着", "(?:晚上|夜里)?睡不着觉?了?(?=怎么办$|吃什么)", "失眠"),
        ("失眠", "(?:晚上|夜里)失眠了?(?=怎么办$|吃什么)", "失眠"),
        ("总", f"总是?(?={_BODILY})", "老是"),
        ("老", f"老(?={_BODILY})", "老是"),
        ("一直", f"一直(?={_BODILY})(?=.*怎么[办整]$)", "老是"),
        ("怎么整", f"(?<=[{_AILS}嗝血了])怎么整$", "怎么办"),
        ("了怎么", "(?<=了)怎么(?:整|弄|处理|解决|补救)$", "怎么办"),
        (
            "水",
            "(?<=机|脑|表)(?:掉|泡)(?:进|到|在)?水里?面?了?(?=怎么办$)|(?<=机|脑|表)进水了(?=怎么办$)",
            "进水",
        ),
        (
            "",
            "^被?(蚊子|虫子|蜜蜂|马蜂|蚂蚁|狗|猫|蛇|老鼠)([咬叮蛰抓])(?:了以后|了之后|了|伤了?)?(?=怎么|会|能|多久|要)",
            r"\1\2",
        ),
        ("蚊子叮", "蚊子叮", "蚊子咬"),
        # how much a day
        (
            "",
            "^(?:1个)?人(?:1|每)天(?=(?:应该|该|要|需要)?(?:能|可以)?[吃喝睡走].{0,3}(?:多少|几|多久))",
            "人每天",
        ),
        ("1天", rf"(?<![\d第隔前后每这那头])1天(?={_DAY}.{{0,3}}(?:多少|几|多久))", "每天"),
        ("每天", "(?<=每天)(?:应该|该|要|需要)(?=[吃喝睡走跑刷])", ""),
        ("吃几", "(?<=吃)几(?=[个杯颗粒片])", "多少"),
        ("合适", f"^(.*{_ASKED}[^不]*?)(?:比较)?合适$", r"\1好"),
        ("比较好", f"^(.*{_ASKED}[^不]*?)比较好$", r"\1好"),
        # until when, at what
        ("后", "(?<=.)(?:以后|之后)(?=(?:还|一般)?(?:能|可以|要)?(?:放|吃|喝|多久|保存))", "后"),
        (
            "度",
            "(?:到|在)?(?:多少|几)度(?:的时候)?[才会能就]*(?=结冰|沸腾|烧开|融化|熔化|凝固)",
            "多少度",
        ),
        ("高", "(蛋白质|热量|脂肪|营养|含量)(?:更|比较)?高$", r"\1多"),
        # cleaning
        ("怪味", "怪味", "异味"),
        ("里有", "里有(?=异味|味道)", "有"),
        ("糊", "(?<=[锅底])[烧煮]糊", "糊"),
        (
            "干净",
            "怎么(?:才能|才)?(?:弄|搞|洗|清洗|清洁|擦洗)干净$",
            "怎么洗",
        ),
        ("怎么清", "怎么(?:清洗|清洁)(?![剂液工])", "怎么洗"),
        (
            "",
            "^(.{1,4}?[服裤衫衣裙鞋毯单布发])上?(?:有|沾|弄|蹭|溅|滴|染)(?:了|上了?|到了?)?(.{1,3}?)(?<!味)[渍迹]?怎么(?:洗掉?|去除|弄掉|去掉)$",
            r"\1上的\2渍怎么去除",
        ),
        ("怎么洗", "(?<=[渍迹垢霉])怎么洗掉?$|怎么洗掉?(?=.*[渍迹垢霉]$)", "怎么去除"),
        # making
        ("法", "怎么个(.)法$", r"怎么\1"),
        ("怎么叠", "怎么叠", "怎么折"),
        ("领", "^(领带|领结)怎么[打扎绑系]$", r"怎么系\1"),
        ("领", "怎么[打扎绑](?=领[带结]$)", "怎么系"),
        ("怎么", "(?<=[汤粥羹])怎么[煮熬炖烧煲]$", "怎么做"),
        ("怎么", "怎么[煮熬炖烧煲](?=.+[汤粥羹]$)", "怎么做"),
        ("好吃", f"(?<=怎么[{_COOK}])(?:才能|才会|才|能|会)?(?:更|比较)?(?=好吃$)", "才"),
        ("好吃", f"(?<=怎么[{_COOK}])(.+?)(?:才能|才会|才)(?:更|比较)?(?=好吃$)", r"\1才"),
        ("才不会", "才不会(?=[流粘破腥柴坨辣老糊溅变])", "才不"),
        ("眼泪", "流眼泪", "流泪"),
        ("怎么", f"(?<=怎么[{_COOK}])不(?=[流粘破腥柴坨辣溅])", "才不"),
        # why
        ("因", "^(.+)是什么原因$", r"\1是怎么回事"),
        ("怎么回事", f"^(.*(?:{_HAPPENS}))是?怎么回事$", r"为什么\1"),
        ("怎么", "^(.{1,6}?)是?怎么(灭绝|生锈|发霉|褪色)的?$", r"为什么\1\2"),
        ("为了", "^(..+?)是为了(?:干)?什么$", r"为什么\1"),
        ("怎么", "是?怎么(?:来的|产生的?|形成的?)$", "怎么形成的"),
        ("怎么", f"怎么(?=[这那]么{_DEGREES})", "为什么"),
        ("怎么", "怎么会?(?=是[^我你他她它谁]{1,3}的$)", "为什么"),
    )
)
_WHY: Final[Rules] = tuple(
    (needle, re.compile(pattern), word)
    for needle, pattern, word in (
        ("会", "(?<![机社开约都学聚宴委晚大])会(?=[是有])", ""),
        ("形的", "(?<=是)([圆方])形的$", r"\1的"),
        ("天", "(?:(?<=^)|(?<=为什么))天(?=是蓝)", "天空"),
        ("人", f"(?<=为什么)人们?(?=会?(?:{_BODILY}))", ""),
        ("需要", "(?<!不)需要(?=睡觉|吃饭|喝水|呼吸|运动|刷牙|洗手|休息)", "要"),
        (
            "",
            "(?<=为什么)(小?[狗猫]|[猫狗]咪|狗狗|鹦鹉|兔子|仓鼠)(?:老是|总是|老爱|总爱|老|总)(?=[伸吐摇舔踩追])",
            r"\1",
        ),
    )
)
_DEGREE: Final = re.compile(f"为什么(?P<who>.+?)[这那]么(?P<how>{_DEGREES}.*)")
_SAME_VERB: Final = re.compile(
    f"(?P<v>[{_COOK}])(?P<what>.{{2,}}?)是?怎么(?:(?P=v)|(?=才))(?P<so>才.+)?"
)
_CAUGHT: Final = re.compile(
    "(?P<y>.{1,2})被(?P<x>.{1,2})(?P<v>[卡夹烫割划扎刺])(?:住|到|伤)?了?怎么办"
)
_CATCHES: Final = re.compile(
    "(?P<x>.{1,2})(?P<v>[卡夹烫割划扎刺])(?:住|到|伤|在)?了?(?P<y>.{1,2}?)里?了?怎么办"
)
#: What something living or a machine does all the time: how it did it is how it does.
_ALWAYS: Final = re.compile(
    "(?P<who>.{1,5})怎么(?P<does>呼吸|睡觉|走路|交流|发声|过冬|繁殖|制冷|制热|发电|发光)的"
)
_REMOVED: Final = re.compile("怎么(?:弄掉|去掉|清除|除掉|消除|祛除|除去|洗掉)")
_COMES: Final = re.compile("(?P<what>.+?)怎么形成的")
#: What comes somehow and is no person, place or name.
_FORMED: Final = ("n", "nz", "ns", "v", "vn", "l")


def everyday(text: str) -> str:
    """The text with everyday wordings in one form; others as they are."""
    for needle, pattern, word in _RULES:
        if needle in text:
            changed = pattern.sub(word, text)
            if word != "怎么形成的" or _is_formed(changed):
                text = changed
    if "怎么" not in text:
        return text
    if _SPOTS.search(text):
        text = _REMOVED.sub("怎么去除", text)
    return _passive(_cooked(text))


def _is_formed(text: str) -> bool:
    """孩子怎么来的 is no question of how it takes shape."""
    match = _COMES.fullmatch(text)
    if match is None or match["what"][-1:] in "人子生们":
        return False
    found = tagged(match["what"])
    return len(found) == 1 and found[0][1] in _FORMED


def _cooked(text: str) -> str:
    """蒸年糕怎么蒸 as 年糕怎么蒸, 切洋葱怎么才不流泪 as 洋葱怎么切才不流泪."""
    match = _SAME_VERB.fullmatch(text)
    if match and tagged(text)[0][0] == match["v"]:
        return f"{match['what']}怎么{match['v']}{match['so'] or ''}"
    match = _ALWAYS.fullmatch(text)
    if match and _is_thing(match["who"]):
        return text[:-1]
    return text


def _passive(text: str) -> str:
    """喉咙被鱼刺卡住了怎么办 as 鱼刺卡喉咙怎么办."""
    if not text.endswith("怎么办"):
        return text
    match = _CAUGHT.fullmatch(text) or _CATCHES.fullmatch(text)
    if match is None or not (_is_thing(match["x"]) and _is_thing(match["y"])):
        return text
    return f"{match['x']}{match['v']}{match['y']}怎么办"


def _is_thing(text: str) -> bool:
    found = cut(text)
    return len(found) == 1 and found[0][1] in ("n", "nz") and text[-1] not in "人们师生者员"


def plain_why(text: str) -> str:
    """A text with 为什么 in front, without how much and 会 where they add nothing."""
    for needle, pattern, word in _WHY:
        if needle in text:
            text = pattern.sub(word, text)
    match = _DEGREE.fullmatch(text) if "么" in text else None
    if match and _is_named(match["who"]):
        return f"为什么{match['who']}{match['how']}"
    return text


def _is_named(text: str) -> bool:
    """Whether this names something, in nouns alone: 走路 in 为什么走路这么慢 does not."""
    return all(
        word == "的" or kind in ("n", "ns", "nr", "nz", "nt", "t") or word in PRONOUNS
        for word, kind in cut(text)
    )
