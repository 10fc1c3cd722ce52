"""One wording for what is asked in several: question words, A-not-A, why in front.

Pure. Works on the normalised text, before it is cut into words. A rule stands
here only when both wordings ask the same wherever it applies.
"""

from __future__ import annotations

import re
from typing import Final

from actors.cache.everyday import everyday, plain_why
from actors.cache.lexicon import KIN
from actors.cache.libraries import words
from actors.cache.phrases import PRONOUNS, cut

#: Last characters of what befalls one: 感冒了怎么办 is 感冒怎么办, but 离婚了 is not 离婚.
_ILL: Final = "冒烧嗽痛疼泻暑眠秘伤痒炎敏渴电路火嗝"
#: Said in a region, in short or with a child's ending; and how it is written elsewhere.
#: What stands first must be in the text, so that most rules cost next to nothing.
_ELSEWHERE: Final = tuple(
    (needle, re.compile(pattern), word)
    for needle, pattern, word in (
        ("儿", "([今明昨])儿个?", r"\1天"),
        ("儿", "(?<=[点味事])儿", ""),
        ("这会儿", "这会儿", "现在"),
        ("多会儿", "多会儿(?=[来回去到走开起结])", "什么时候"),
        ("几时", "几时", "什么时候"),
        ("咋整", "(?<=了)咋整$", "怎么办"),
        ("干", "(?<![饼肉果豆笋])(?:干嘛|干啥)", "干什么"),
        ("马铃薯", "马铃薯", "土豆"),
        ("番茄", "番茄", "西红柿"),
        ("截屏", "截屏", "截图"),
        ("改", "(?:修改|更改)(?=.*(?:密码|名[字称]|昵称|头像))", "改"),
        ("世卫", "世卫组织", "世界卫生组织"),
        ("世贸", "世贸组织", "世界贸易组织"),
        ("北大", "^北大(?=[在是有怎哪])", "北京大学"),
        ("清华", "^清华(?=[在是有怎哪])", "清华大学"),
        ("为", "以(?:什么|啥)为(?:主?食)$", "吃什么"),
    )
)
#: Titles keep their words: 今儿个真高兴 is a song.
_ABOUT_A_WORK: Final = re.compile(
    "谁[写唱演画编拍作导]|作者|歌词|演唱|原唱|导演|主角|主演|[书歌]名"
)
_COOKED: Final = "做煮炒洗养种修烤蒸炖焖炸煎腌"
_QUESTION_WORDS: Final = tuple(
    (needle, re.compile(pattern), word)
    for needle, pattern, word in (
        ("几点", "^几点(?:了|钟)*$", "现在几点"),
        ("什么时间", "^(?:现在)?(?:是)?什么时间了?$", "现在几点"),
        ("几点钟", "(?<=几点)钟", ""),
        ("是", "(?<=[今明昨后前]天|现在)是(?=周几|星期几|礼拜几|几[点号月])", ""),
        ("多少号", "(?<=[今明昨后前]天)多少号$", "几号"),
        ("今早", "今早", "今天早上"),
        ("明早", "明早", "明天早上"),
        ("今晚", "今晚", "今天晚上"),
        ("明晚", "明晚", "明天晚上"),
        ("昨晚", "昨晚", "昨天晚上"),
        ("后", "(?<=[0-9]分钟|[0-9]小时)(?:以后|之后)", "后"),
        ("怎么办", f"(?<=[{_ILL}])了(?=(?:应该|该)?怎么办$)", ""),
        ("肚子了", "(?<=[拉闹]肚子)了(?=(?:应该|该)?怎么办$)", ""),
        ("住哪", "(?<=住)(?=哪)", "在"),
        ("好", "有(?:什么|哪些)(?=好[玩吃][的]?(?:地方)?$)", "有什么"),
        ("地方", "(?<=有什么好玩的)地方$", ""),
        ("是", "(?<=是)(?=[红橙黄绿蓝紫黑白灰粉]的(?:吗|$))(.)", r"\1色"),
        ("是怎么", "(?<=..)是(?=怎么.+的$)", ""),
        ("位于", "位于(?=哪里|哪儿|什么地方|哪$)", "在"),
        ("哪位", "(?<=是)哪位$", "谁"),
        ("朝代", "(?<=是)(?:哪个|什么)朝代的人?$", "哪个朝代的"),
        ("些", "(?<=[吃喝])些(?=什么|啥)", ""),
        ("点", "(?<=[吃喝])点(?=什么|啥)", ""),
        ("多大", "多大(?:年纪|岁数|年龄)|多大(?=开始|才?能|可以)", "几岁"),
        ("多少岁", "多少岁", "几岁"),
        ("多大了", "(?<=^[你我他她])多大了$", "几岁"),
        ("见", "^(?:再见|回见)(?:了|啦)?$", "再见"),
        ("拜拜", "^拜拜(?:了|啦)?$", "再见"),
        ("谢", "^(?:谢谢|多谢|感谢)[你了啦]*$", "谢谢"),
        ("名", "^(你|我|他|她)的名字(?:是|叫)(?:什么|啥)$", r"\1叫什么名字"),
        ("叫", "^(你|我|他|她)叫(?:什么|啥)(?:名字?)?$", r"\1叫什么名字"),
        ("称呼你", "^(?:我)?(?:应该|该|要)?怎么称呼你$", "你叫什么名字"),
        ("你", "^你(?:都)?(?:会|能|可以)(?:做|干)些?(?:什么|啥)$", "你会做什么"),
        ("时", "啥时候|何时|什么时间", "什么时候"),
        ("为", "为啥|为何", "为什么"),
        ("啥", "啥", "什么"),
        ("哪儿", "哪儿", "哪里"),
        ("什么地方", "什么地方", "哪里"),
        ("哪", "(?<=[在是去到])哪$", "哪里"),
        ("哪", "哪[1一]?(?=[天年座条种只本位])", "哪"),
        ("哪", "哪[1一]个", "哪个"),
        ("怎样", "怎样$", "怎么样"),
        ("如何", "如何$", "怎么样"),
        ("咋样", "咋样$", "怎么样"),
        ("如何", "(?<!无论)如何", "怎么"),
        ("怎样", "怎样", "怎么"),
        ("咋", "咋(?![样呼舌唬])", "怎么"),
        ("怎么修改", "(?<=密码|名字|昵称|头像)怎么(?:修改|更改)", "怎么改"),
        ("比较", "(?<=什么)比较(?=好$|合适$)", ""),
        ("时间", "多长时间|多少时间", "多久"),
        ("有多", "(?<![没拥还])有多(?=[高长远大重深宽快久厚冷热])", "多"),
        ("世界上", "世界上(?=最)", "世界"),
        ("从", "^从(?=.+到)", ""),
        ("几", "(?<=几[点号岁])了$", ""),
        ("几了", "(?<=[期拜周]几)了$", ""),
        ("几", "(?:星期|礼拜)几", "周几"),
        ("有", "(?<=有)(?:多少|几)个?(?=小时|月)", "多少"),
        ("是", "(?<=是)(?:多少|几)个?(?=小时|月)", "多少"),
        ("是几", "(?<=是)几(?=[天年条种只块颗]$)", "多少"),
        ("期几天", "(?<=期)几(?=天$)", "多少"),
        ("怎么", "(?<!不)(?:应该|该)(?=怎么(?!样|了))|(?<!不)要(?=怎么(?!样|了|办))", ""),
        ("多久", f"要(?=[{_COOKED}]多久)", ""),
        ("多久", f"(?<=[{_COOKED}]多久)(?:才能|才|能|可以)(?=熟$)", ""),
        ("才", f"(?<=怎么[{_COOKED}])才能?(?=.)", "才"),
        ("有1", "(?<=有)1(?=[股种])", ""),
        ("长了", "长了(?=(?:几|多少)[条只颗对](?:腿|脚|眼睛|牙|尾巴|翅膀|耳朵|手))", "有"),
    )
)
_WILL_RAIN: Final = re.compile("(?<=明天|后天|周末|下周)会(?=下[雨雪]吗$)")
_COUNT: Final = re.compile(
    "(?<![我你他她])有几(?=[条只个种本口块根颗张匹座站对双层章节位名道首天年页集级部件瓣])"
)
#: There 几 may mean some: 有几个朋友要来怎么办.
_ASKS_ELSE: Final = re.compile("吗|怎么|什么|谁|哪")
#: 一共 says nothing where one thing is counted; of several it is their sum.
_IN_ALL: Final = re.compile("(?:一共|总共)(?=有(?:多少|几))")
_SEVERAL: Final = re.compile(r"\d|[和跟与每各两都们]|分别|加|共.*共")
_A_NOT_A: Final = re.compile(
    "(?P<verb>[能会是有要好对行想该爱怕用够热冷贵大高快难远甜])[不没](?P=verb)"
    "|(?:可|可以)不(?P<may>可以)|喜不(?P<like>喜欢)|应不(?P<ought>应该)|需不(?P<need>需要)"
)
#: What is asked to be so with 是不是 and not to be something: there 是 goes too.
_IS_IT_SO: Final = re.compile(
    "(?!.*[不没])(?:只有|只能|会|能|可以|要|需要|有|都|越|很|喜欢|应该|所有|每|属于|已经)"
)
_OTHER_WH: Final = re.compile("什么|谁|哪|怎么|多少|几|为什么|吗|还是|如果|知道|告诉|说")
_BECAUSE: Final = re.compile("(?P<what>.+?)是?因为什么")
#: What befalls without anybody's will: 为什么人会打嗝 is 为什么人打嗝; 鸟会飞 is an ability.
_BEFALLS: Final = re.compile(
    "会(?=打[喷哈嗝呼鼾]|做梦|流[泪汗鼻]|出汗|发烧|咳嗽|头疼|失眠|感冒|生病|脱发|掉头发|抽筋|下[雨雪]|打雷|地震|灭绝|生锈"
    "|发霉|褪色|结冰)"
)
_CUSTOM: Final = re.compile("(?<=[节夕])要(?=[吃放贴喝赏挂发拜守赛扫登])")
#: 发芽了还能吃吗 is 发芽了能吃吗; without what happened before, 还 says for how long.
_STILL: Final = re.compile("(?<=了)还(?=[能可].*吗$)")
_FAILS: Final = re.compile("(?P<how>连不上|打不开|关不掉)(?P<what>.{1,4})怎么办")


def plain_question(text: str) -> str:
    """One wording for each kind of question: question words, A-not-A, why in front."""
    if not _ABOUT_A_WORK.search(text):
        text = _rewritten(text, _ELSEWHERE)
    text = everyday(_rewritten(text, _QUESTION_WORDS))
    if "共有" in text and not _SEVERAL.search(text):
        text = _IN_ALL.sub("", text)
    if not _ASKS_ELSE.search(text):
        text = _COUNT.sub("有多少", text)
    text = _STILL.sub("", _WILL_RAIN.sub("", _polar(text)))
    if "不" in text and (match := _FAILS.fullmatch(text)) and _one_noun(match["what"]):
        return f"{match['what']}{match['how']}怎么办"
    return _why(text)


def _rewritten(text: str, rules: tuple[tuple[str, re.Pattern[str], str], ...]) -> str:
    for needle, pattern, word in rules:
        if needle in text:
            text = pattern.sub(word, text)
    return text


def _one_noun(text: str) -> bool:
    found = cut(text)
    return len(found) == 1 and found[0][1] in ("n", "nz", "ns", "eng", "vn")


def _polar(text: str) -> str:
    """能不能吃 as 能吃吗, where the text asks nothing else."""
    if "不" not in text and "没" not in text and "是否" not in text:
        return text
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
    after = text[match.end() :]
    if verb == "是" and (_IS_IT_SO.match(after) or after.startswith("就是")):
        verb = ""  # 是不是只有七秒 is 只有七秒吗
    return f"{text[: match.start()]}{verb}{after}吗"


def _starts(text: str) -> set[int]:
    starts, at = set(), 0
    for word in words(text):
        starts.add(at)
        at += len(word)
    return starts


def _why(text: str) -> str:
    """为什么 in front where that can be, without the words that add nothing to it."""
    if "因为" in text:
        match = _BECAUSE.fullmatch(text)
        if match and not _OTHER_WH.search(match["what"]):
            text = f"为什么{match['what']}"
    if "为什么" not in text:
        return text
    text = _why_first(text)
    return plain_why(_CUSTOM.sub("", _BEFALLS.sub("", text)))


def _why_first(text: str) -> str:
    """天空为什么是蓝色的 as 为什么天空是蓝色的; only over what is plainly the subject."""
    before, why, after = text.partition("为什么")
    if not before or not why or not after or "为什么" in after:
        return text
    subject = cut(before)
    plain = all(
        word == "的"
        or kind in ("n", "ns", "nr", "nz", "nt", "t", "nrt")
        or word in PRONOUNS
        or word in KIN
        for word, kind in subject
    )
    return f"为什么{before}{after}" if plain and len(subject) <= 4 else text
