"""What is said around a question: calls, fillers, politeness. Second step of `normalise`.

Pure. Every rule looks at what would remain: 嗯是什么意思, 小智是谁, 请老师吃饭, 喂猫 and
额头疼 keep their first word, for there it is part of the question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from actors.cache.libraries import tagged, words
from actors.cache.spelling import WH, is_mention

#: Verbs that begin a request.
IMPERATIVE: Final = re.compile(
    r"(?:打开|开启|开一下|关闭|关掉|关上|关一下|开灯|关灯|播放|放一?[首段点]|来一?[首段点个]|讲|说一?[个段]|唱|调[大小高低到成]"
    r"|把|将|设置|设定|设一?个|定一?个|定\d|提醒我|叫我|查|找|搜索|推荐|介绍|解释|翻译|计算|算|背|念|朗读|告诉我|停止|暂停"
    r"|继续|切换|换|打电话|发[送短消微邮]|读一下|写|增大|减小|提高|降低|增加|减少|出一?[个道]|拉开|拉上|编|做一?个)(?![的得]|们)"
)
#: The same where only the assistant's name stands before it: 小智发烧 is no request.
_CALLED_TO: Final = re.compile(
    r"打开|开启|关闭|关掉|关上|开灯|关灯|播放|放1?一?[首段]|[来讲]一?[首段个]|讲[故笑]|唱一?首|唱歌|调[大小高低到]|把|设置"
    r"|定一?个|提醒我|叫我|推荐|介绍|解释|翻译|计算|停止|暂停|切换|打电话"
)
_FOR_ME: Final = re.compile(
    r"(?:讲|说一?个|唱|播放|放一?[首段点]|来一?[首段点个]|打开|开一下|关闭|关掉|关上|关一下|开灯|关灯|查|推荐|介绍|解释|念|读"
    r"|背|把|将|调|设|定|算|翻译|出一?[个道]|编)(?![的得])"
)
_SOUND: Final = re.compile("[嗯呃噢诶欸唔]+(?!哼)")
_FILLERS: Final = frozenset(
    {"啊", "哦", "喔", "额", "哎", "哎呀", "哎哟", "唉", "诶", "呃呃", "嗯嗯"}
)
_THAT: Final = re.compile(
    r"(?:那个){2,}，?(?=.{3})|(?:那个|就是)，|那个(?=那个|请|你|我|帮|把|给我|现在|今天|嗯|呃)"
)
#: What follows a name or a sound that is itself the subject of the sentence.
_SUBJECT: Final = re.compile(
    r"(?:是|叫|的|用|字|和|跟|与|吗|呢|读|写|念|翻译|表示|代表|什么意思|怎么[读写念说拼]|[英日法德韩俄][语文]|[这两]个字"
    r"|了|不|也|都|很|真|太|比|到|离|\?)"
)
_PREDICATE: Final = re.compile(
    r"(?:会|能(?!不能帮|不能告诉|帮|告诉)|有|在|几|多|喜欢|可以(?!帮|告诉)|好|来|说|想|爱|怕)"
)
_CALLED_ON: Final = re.compile(r"，|请|帮我|麻烦|给我|告诉我|你")
#: What other assistants are called by; said to this one it is a call and no more.
_OTHER_CALLS: Final = (
    "小爱同学",
    "小度小度",
    "天猫精灵",
    "小艺小艺",
    "小布小布",
    "嘿siri",
    "嘿小度",
)
_WHOLE: Final = re.compile(
    "什么[是叫]|谁是|.+(?:到|距离?|离).+多远|.+[和跟与].+(?:哪个|有什么区别)|-?[0-9零一二两三四五六七八九十百千万点]+[加减乘除]"
)
_EVENT: Final = re.compile("[了过着吗得]|谁|什么|怎么|哪")
_I_ASK: Final = re.compile(
    r"(?:(?:麻烦|劳驾|我想|我要|想)?(?:请问|问|请教|打听)(?:你(?=一下))?(?:一下|下|一句(?!话))|我想请问(?:一下|下)?"
    r"|我?很?想(?:要)?(?:知道|了解)(?:一下|下)?)，?"
)
_TELL_ME: Final = re.compile(
    r"(?:请|麻烦)?你?(?P<able>能不能|可不可以|能|可以|可否)?请?"
    r"(?:告诉我(?!们)(?:一下|一声|下)?|[跟和给]我[说讲](?:一下|下|说|讲))，?"
)
#: 查一下黄河有多长 asks how long it is.
_LOOK_UP: Final = re.compile(
    r"(?:[查搜算](?:一下|下)|查一?查|算一?算|[讲说]一?[讲说]|(?:讲|说|介绍)一下)，?(?![话笑课价])"
)
_DO_YOU_KNOW: Final = re.compile(
    r"(?:请问)?你(?:知不知道|知道|晓不晓得|晓得)，?(?!什么(?!是|叫|时候|地方)|哪些|多少(?!钱)|几(?!点|号))"
)
#: Left over, these would ask nothing: 我想知道什么.
_BARE: Final = frozenset(
    {"什么", "谁", "哪里", "哪儿", "哪个", "怎么", "为什么", "怎么办", "多少", "怎么样", "什么时候"}
)
_HELP: Final = re.compile(
    r"(?:请|麻烦|劳烦|拜托)?你?(?P<able>能不能|可不可以|能|可以|可否)?(?:请|麻烦)?"
    r"(?P<whom>帮忙|帮我|给我|替我|帮一下我)，?"
)
_PLEASE: Final = re.compile(r"(?:请|麻烦|劳烦|拜托)你?，?")
_AGREED: Final = re.compile("(?:，?(?:好吗|好不好|可以吗|行吗|行不行))$")
_THANKS: Final = re.compile(
    r"(?<![说讲叫写是用成对跟向给要会该不没道声])，?(?:谢谢[你啦了]?|多谢|拜托了?|麻烦你?了|辛苦了)$"
)
_TAIL: Final = frozenset("啊呀哦喔哟噢嘞咧")
#: 多长时间哪 is 多长时间啊; 在哪 asks where.
_ASKED_ALREADY: Final = re.compile(
    "(?:多少|几|什么|谁|怎么|多[久高远长大重深宽]).{0,3}[天年个久间远高长大重深宽么谁办样]哪$"
)
_LATER: Final = re.compile("用|怎么|[英日法德韩俄][语文]|把|翻译")
_ENGLISH: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:hey|hi|ok|okay|um|uh)(?:，| )(?!there)(?=\S+ \S+ \S+)",
        r"(?:(?:can|could|would|will) you )?(?:please )?(?:tell me|i want to know)"
        r" (?=(?:who|what|where|when|why|which|how) )|do you know (?=(?:who|what|where|when|why|which) (?!to )"
        r"|how \w+ .+ (?:is|are|was|were)$)",
        r"please (?=(?:turn|switch|tell|set|remind|wake|read|sing|give|show|play|stop|pause|open|close|call|say"
        r"|explain|translate|repeat|start|find|help|do|can|could|would|who|what|where|when|why|how) )",
        r"(?:can|could|would|will) you (?=please |(?:turn|switch) (?:on|off|up|down|the)|tell me|set an?"
        r" |remind me|wake me|read me|sing me|give me|show me)",
    )
)
_ENGLISH_THANKS: Final = re.compile(
    r"(?<=\w )(?<! to )(?<!you )(?<! i )(?<!who )(?<!no )(?<!and )(?<!or )(?:please|thank you|thanks)$|，(?:please|thank you|thanks)$"
)


def unwrap(text: str, wake_words: Sequence[str]) -> str:
    """The question without what is said around it; never empty unless `text` is."""
    before = ""
    while before != text:
        before = text
        for step in (_without_filler, _without_asking, _without_help, _without_end):
            text = step(text).strip("， ") or text
        text = _without_call(text, wake_words).strip("， ") or text
    return text


def _is_cut(text: str, at: int) -> bool:
    """Whether a word begins at this place."""
    begun = 0
    for word in words(text):
        if begun >= at:
            break
        begun += len(word)
    return begun == at


def _without_call(text: str, wake_words: Sequence[str]) -> str:
    for wake_word in wake_words:
        rest = text.removeprefix(wake_word.lower())
        if rest != text and rest:
            called = rest.startswith("，")
            rest = rest.lstrip("， ")
            # the doubled name of the assistant may be what the sentence is about
            if _SUBJECT.match(rest) or (not called and _PREDICATE.match(rest)):
                return text
            return rest
    for name in {
        word[: len(word) // 2] for word in wake_words if word == word[: len(word) // 2] * 2
    }:
        rest = text.removeprefix(name)
        if rest == text or is_mention(rest):
            continue
        if _CALLED_ON.match(rest) or (_CALLED_TO.match(rest) and not _EVENT.search(rest)):
            return rest
    return _without_other_call(text)


def _without_other_call(text: str) -> str:
    """Without another assistant's name, where what follows is whole by itself.

    小爱同学多少钱 and 天猫精灵声音怎么调 are about the thing that is called so.
    """
    call = next((call for call in _OTHER_CALLS if text.startswith(call)), "")
    rest = text[len(call) :].lstrip("， ")
    if not call or not rest or _SUBJECT.match(rest):
        return text
    whole = (
        text[len(call)] == "，"
        or _CALLED_ON.match(rest)
        or (_CALLED_TO.match(rest) and not _EVENT.search(rest))
        or _WHOLE.match(rest)
        or (tagged(rest)[0][1] in ("ns", "nr", "t") and WH.search(rest) and not WH.match(rest))
    )
    return rest if whole else text


def _without_filler(text: str) -> str:
    english = _ENGLISH[0].match(text)
    if english:
        return text[english.end() :]
    sound = _SOUND.match(text)
    first = sound[0] if sound else words(text)[0]
    # 呃逆 is a word of its own
    alone = sound is None or text[len(first) :] == "" or _is_cut(text, len(first))
    if (sound and alone) or first in _FILLERS:
        rest = text[len(first) :]
        return text if _SUBJECT.match(rest.lstrip("，")) else rest
    that = _THAT.match(text)
    return text[that.end() :] if that else text


def _without_asking(text: str) -> str:
    """Without "I would like to know", where a whole question follows."""
    for pattern in _ENGLISH[1:]:
        match = pattern.match(text)
        if match:
            return _direct(text[match.end() :]) if pattern is _ENGLISH[1] else text[match.end() :]
    if text.startswith("请问") and not _SUBJECT.match(text[2:].lstrip("，")):
        return re.sub("^请问(?:一下|下)?", "", text)
    for pattern in (_I_ASK, _TELL_ME, _LOOK_UP, _DO_YOU_KNOW):
        match = pattern.match(text)
        if match is None:
            continue
        rest = text[match.end() :]
        knows = pattern is _DO_YOU_KNOW
        if rest.endswith("吗") and (knows or match.groupdict().get("able")):
            rest = rest[:-1]
        elif knows and "不" not in match[0]:
            continue  # 你知道什么秘密 asks what you know
        if rest not in _BARE and WH.search(rest) and not _SUBJECT.match(rest):
            return rest
    return text


def _direct(indirect: str) -> str:
    """what the capital of france is → what is the capital of france."""
    match = re.fullmatch(r"(who|what|where|when|how \w+|how) (.+) (is|are|was|were)", indirect)
    return f"{match[1]} {match[3]} {match[2]}" if match else indirect


def _without_help(text: str) -> str:
    match = _HELP.match(text)
    if match:
        rest = text[match.end() :]
        verbs = _FOR_ME if match["whom"] == "给我" else IMPERATIVE
        if verbs.match(rest):
            rest = _AGREED.sub("", rest)
            return rest[:-1] if match["able"] and rest.endswith("吗") else rest
    match = _PLEASE.match(text)
    if match:
        rest = text[match.end() :]
        if IMPERATIVE.match(rest) or re.match("不要|别|帮我|给我", rest):
            return _AGREED.sub("", rest)
    return text


def _without_end(text: str) -> str:
    thanked = _ENGLISH_THANKS.sub("", text)
    if thanked != text:
        return text if is_mention(text) else thanked
    if is_mention(text) and _LATER.match(text):
        return text  # 用英语怎么说谢谢: the end is what is asked about
    while len(text) > 2 and words(text)[-1] in _TAIL:
        text = text[: -len(words(text)[-1])]
    if text.endswith("哪") and _ASKED_ALREADY.search(text):
        text = text[:-1]
    if not is_mention(text):
        rest = _THANKS.sub("", text)
        text = rest if WH.search(rest) or IMPERATIVE.match(rest) or _HELP.match(rest) else text
    if text.endswith("来着") and not is_mention(text) and WH.search(text[:-2]):
        return text[:-2]
    # 什么是毛呢 and 推荐酒吧 end in a noun
    last = words(text)[-1]
    if len(text) > 3 and last == "呢" and WH.search(text):
        return text[:-1]
    modal = last in ("吧", "呗") and not re.search("[了是对好的行不].$", text)
    return text[:-1] if modal and IMPERATIVE.match(text) and not WH.search(text) else text
