"""One wording for what is asked in several: question words, A-not-A, why in front.

Pure. Works on the normalised text, before it is cut into words. A rule stands
here only when both wordings ask the same wherever it applies.
"""

from __future__ import annotations

import re
from typing import Final

from actors.cache.lexicon import KIN
from actors.cache.libraries import words
from actors.cache.phrases import PRONOUNS, cut

#: Last characters of what befalls one: 感冒了怎么办 is 感冒怎么办, but 离婚了 is not 离婚.
_ILL: Final = "冒烧嗽痛疼泻暑眠秘伤痒炎敏渴电路火嗝"
_QUESTION_WORDS: Final = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        ("^几点(?:了|钟)*$|^(?:现在)?(?:是)?什么时间了?$", "现在几点"),
        ("(?<=几点)钟", ""),
        ("(?<=[今明昨后前]天|现在)是(?=周几|星期几|礼拜几|几[点号月])", ""),
        ("(?<=[今明昨后前]天)多少号$", "几号"),
        ("今早", "今天早上"),
        ("明早", "明天早上"),
        ("今晚", "今天晚上"),
        ("明晚", "明天晚上"),
        ("昨晚", "昨天晚上"),
        ("(?<=[0-9]分钟|[0-9]小时)(?:以后|之后)", "后"),
        (f"(?<=[{_ILL}])了(?=(?:应该|该)?怎么办$)", ""),
        ("(?<=住)(?=哪)", "在"),
        ("有(?:什么|哪些)(?=好[玩吃][的]?(?:地方)?$)", "有什么"),
        ("(?<=有什么好玩的)地方$", ""),
        ("(?<=是)(?=[红橙黄绿蓝紫黑白灰粉]的(?:吗|$))(.)", r"\1色"),
        ("(?<=..)是(?=怎么.+的$)", ""),
        ("位于(?=哪里|哪儿|什么地方|哪$)", "在"),
        ("(?<=是)哪位$", "谁"),
        ("(?<=是)(?:哪个|什么)朝代的人?$", "哪个朝代的"),
        ("(?<=[吃喝])些(?=什么|啥)", ""),
        ("多大(?:年纪|岁数)", "几岁"),
        ("(?<=^[你我他她])多大了$", "几岁"),
        ("^(?:再见|拜拜|回见)(?:了|啦)?$", "再见"),
        ("^(?:谢谢|多谢|感谢)[你了啦]*$", "谢谢"),
        ("^(你|我|他|她)(?:叫什么(?:名字)?|的名字(?:是|叫)什么)$", r"\1叫什么名字"),
        ("^你(?:都)?(?:会|能|可以)(?:做|干)些?什么$", "你会做什么"),
        ("啥时候|何时|什么时间", "什么时候"),
        ("为啥|为何", "为什么"),
        ("啥", "什么"),
        ("哪儿|什么地方", "哪里"),
        ("(?<=[在是去到])哪$", "哪里"),
        ("哪[1一]?(?=[天年座条种只本位])", "哪"),
        ("哪[1一]个", "哪个"),
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
        ("(?<!不)(?:应该|该)(?=怎么(?!样|了))|(?<!不)要(?=怎么(?!样|了|办))", ""),
    )
)
_WILL_RAIN: Final = re.compile("(?<=明天|后天|周末|下周)会(?=下[雨雪]吗$)")
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
    return _why_first(_WILL_RAIN.sub("", _polar(text)))


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
        word == "的"
        or kind in ("n", "ns", "nr", "nz", "nt", "t", "nrt")
        or word in PRONOUNS
        or word in KIN
        for word, kind in subject
    )
    return f"为什么{before}{after}" if plain and len(subject) <= 4 else text
