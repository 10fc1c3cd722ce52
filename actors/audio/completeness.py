"""Does a text look finished? Tables of words, and the few rules that read them.

Judged mostly by how the text ends, for that is what a speaker leaves open. Text
comes from a speech recogniser: no punctuation to rely on, numbers in words,
perhaps spaces between Chinese words.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, Literal


class Completeness(Enum):
    """How a text looks: more is sure to come only after INCOMPLETE."""

    COMPLETE = "complete"
    UNSURE = "unsure"
    INCOMPLETE = "incomplete"


def completeness(text: str, language: Literal["zh", "en"]) -> Completeness:
    """Judge a transcript, final or partial. Text without a word is INCOMPLETE."""
    if _NO_WORD.fullmatch(text):
        return Completeness.INCOMPLETE
    if _ASKED.search(text):
        return Completeness.COMPLETE
    if language == "en":
        return _english(text)
    return _chinese(_NO_WORD.sub("", text))


_NO_WORD: Final = re.compile(r"[\s\W_]*")
_ASKED: Final = re.compile(r"[?？]\s*$")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- Chinese: whole texts --------------------------------------------------------

#: Complete when nothing else was said, whatever the last word is.
ZH_WHOLE: Final = _words("""
    你好 您好 早上好 晚上好 早安 晚安 再见 拜拜 谢谢 谢谢你 多谢 不客气 对不起 没关系 没事 没事了
    好 好的 好吧 行 行的 可以 可以的 是 是的 对 对的 嗯嗯 不 不是 不是的 不要 不行 不对 不用 不用了 没有
    算了 停 停止 停下 停一下 暂停 继续 开始 取消 退出 返回 确定 确认 安静 闭嘴 别说了 够了 重来 再来一次
    再说一遍 下一首 上一首 换一首 下一个 上一个 换一个 关机 重启 开灯 关灯 开门 关门 静音 救命 你是谁
    真的 知道了 明白了 听到了 收到
""")
#: How one opens a sentence: more must come when nothing else was said.
ZH_OPENING: Final = _words("""
    我 你 他 她 我们 你们 我觉得 你能 你能不能 你可以 你可不可以 能不能 可不可以 可以帮我 请你 请问 帮忙
    麻烦你 你知道 我想知道 我想问 我问你 小智 你好小智 今天 明天 昨天 现在 一会儿 早上 晚上 下午 上午
    为什么 怎么 有没有 是不是 要不要 会不会 能 这里 那里 客厅 卧室 厨房
""")

# --- Chinese: how a text ends; the longest ending that is found in a table decides ---

#: Questions and closing particles: nothing follows.
ZH_CLOSING: Final = _words("""
    吗 呢 吧 嘛 么 等于几 是几 得几 几个 几次 怎么叫 怎么走 怎么做 怎么说 几点 几点了 几点钟 几号 几月 几天 几岁 几度 星期几 周几 礼拜几 多少 多少钱 多少度 多少岁
    多大 多高 多远 多久 多长 多重 多快 什么 干什么 做什么 什么时候 什么意思 什么名字 什么地方 怎么样 怎样
    怎么办 怎么了 怎么说 怎么做 怎么走 怎么去 如何 哪里 哪儿 哪天 哪年 是谁 好不好 行不行 对不对 在不在 叫我起床
""")
#: Something hangs on these: conjunctions, prepositions, fillers, verbs without an object.
ZH_OPEN: Final = _words("""
    的 地 得 把 被 将 让 叫 使 给 和 跟 与 或 或者 还是 以及 并 并且 而 而且 但 但是 可是 不过 然后 接着 再 又 也
    还 还有 因为 所以 因此 如果 要是 假如 的话 虽然 尽管 即使 只要 只有 除非 除了 为了 关于 对于 至于 根据
    按照 通过 比 比如 比如说 例如 就是 那个 这个 那 这 那么 一个 一首 一条 一只 一部 某个 每个 这些 那些 这首 那首
    在 从 往 向 到 去 来 对 由 于 离 以 嗯 呃 额 唔 是 等于 叫做 属于 包括 不 很 太 最 更 非常 特别 有点 都 只 才 就
    要 想 想要 会 应该 必须 请 帮我 给我 帮 替 为 打开 关闭 关掉 开启 启动 播放 放 放一首 放一个 来一首 来一个
    讲 讲个 讲一个 说 说一个 唱 唱一首 听 查 查一下 查询 搜索 找 设置 设定 设 定 定个 设个 调 设为 改成 改为
    换成 变成 调成 提醒我 告诉我 叫我 翻译成 翻译 计算 加 减 乘 除 乘以 除以 加上 减去 百分之 第 两 负 几 多 哪 怎么
    以后 之后 以前 之前 分钟后 小时后 秒后 天后 的时候
""")
#: Ends like one of `ZH_OPEN`, but nothing hangs on it; the other rules judge these.
ZH_NOT_OPEN: Final = _words("""
    真的 别的 目的 目的地 土地 草地 当地 火把 暖和 温和 成都 首都 太太 对比 不是 是不是 于是 要不要 会不会
    回来 出来 起来 过来 下来 上来 进来 未来 原来 回去 出去 过去 下去 上去 进去 收到 听到 看到 想到 迟到
    绝对 不对 自由 理由 机会 开会 社会 晚会 聚会 约会 不会 重要 主要 不要 摘要 理想 梦想 思想 感想
    好听 难听 动听 小说 一定 决定 确定 固定 空调 单调 强调 声调 检查 调查 建设 很多 好多 不多 差不多 好不
    行为 打开了 参与 归还 播放了 作为
""")

# --- Chinese: numbers -----------------------------------------------------------------

#: A text that ends in one of these may go on counting.
ZH_NUMBERS: Final = "零〇一二三四五六七八九十百千万亿两半0123456789"
#: These finish a number. (点 does not: 八点 may become 八点半.)
ZH_UNITS: Final = _words("""
    度 分钟 秒 秒钟 小时 个小时 分 块 元 块钱 号 公里 斤 公斤 档 级 挡 格 倍 次 遍 首 章 集 台 半
""")
#: With one of these before it, a number and its unit are a whole command.
ZH_AMOUNT_VERBS: Final = _words("调 设 定 计时 倒计时 到 成 增加 降低 提高 减少 升高 快进 快退")

# --- Chinese: commands -------------------------------------------------------------------

#: One of these, and later at the very end one of `ZH_OBJECTS`: 打开客厅的灯.
ZH_VERBS: Final = _words("""
    打开 开 关闭 关掉 关上 关 开启 启动 停止 暂停 播放 放 来 听 唱 讲 说 念 读 背 查 查询 搜索 看 设置 设定 设 定 取消
    删除 增加 降低 提高 调高 调低 调大 调小 调亮 调暗 调 换 切换 拉开 拉上 升起 降下 锁上 介绍 告诉我 给我 帮我 玩 打 发 记
""")
ZH_OBJECTS: Final = _words("""
    灯 台灯 吊灯 壁灯 灯光 灯带 空调 风扇 电扇 电视 电视机 窗帘 窗户 门 插座 开关 热水器 加湿器 净化器 除湿机
    扫地机 机器人 洗衣机 冰箱 烤箱 微波炉 电饭煲 油烟机 音响 音箱 投影仪 摄像头 暖气 地暖 屏幕 蓝牙
    闹钟 闹铃 计时器 倒计时 定时器 提醒 日程 日历 音量 声音 亮度 温度 湿度 风速 风量 模式 待办 备忘录
    音乐 歌 歌曲 儿歌 故事 笑话 新闻 天气 天气预报 电影 电台 广播 诗 古诗 唐诗 谜语 游戏 时间 日期 股票 路况
    电话 消息 短信 照片 成语 英语 单词 课文 相声 评书 小说 有声书 白噪音
""")
#: One of the objects, and later at the very end one of these: 把客厅的灯打开.
ZH_RESULTS: Final = _words("""
    打开 关闭 关掉 关上 开启 启动 停止 暂停 拉开 拉上 锁上 升起 降下 取消 删除 删掉 调高 调低 调大 调小 调亮 调暗
    打开了 关了 开开 关 开 停掉
""")
#: A change that is whole by itself (音量大一点, 再说一遍), or a report (我回来了).
ZH_CHANGE: Final = re.compile(
    r"([大小高低亮暗快慢冷热轻响多少早晚][一]?[点些]儿?|最[大小高低亮暗]"
    r"|[^为除极]了|[来说讲放试]一[下遍次])$"
)


def _chinese(text: str) -> Completeness:
    """`text` is not empty and holds no spaces or punctuation."""
    if text in ZH_OPENING or _awaits_verb(text):
        return Completeness.INCOMPLETE
    if text in ZH_WHOLE or _is_command(text):
        return Completeness.COMPLETE
    ending = _longest_ending(text)
    if ending in ZH_CLOSING:
        return Completeness.COMPLETE
    if ending in ZH_OPEN:
        return Completeness.INCOMPLETE
    if ZH_CHANGE.search(text):
        return Completeness.COMPLETE
    return Completeness.UNSURE


def _longest_ending(text: str) -> str:
    for length in range(min(_LONGEST, len(text)), 0, -1):
        ending = text[-length:]
        if ending in ZH_CLOSING or ending in ZH_OPEN or ending in ZH_NOT_OPEN:
            return ending
    return ""


_LONGEST: Final = max(map(len, ZH_CLOSING | ZH_OPEN | ZH_NOT_OPEN))


def _is_command(text: str) -> bool:
    """Verb and object, object and verb, or an amount with its unit."""
    return (
        _follows(text, ZH_VERBS, ZH_OBJECTS)
        or _follows(text, ZH_OBJECTS, ZH_RESULTS)
        or any(
            text.endswith(unit)
            and text[: -len(unit)].endswith(tuple(ZH_NUMBERS))
            and any(verb in text for verb in ZH_AMOUNT_VERBS)
            for unit in ZH_UNITS
        )
    )


def _awaits_verb(text: str) -> bool:
    """把 names its object first: 把客厅的灯 says nothing yet of what to do with it."""
    _, ba, after = text.rpartition("把")
    return (
        bool(ba) and after.endswith(tuple(ZH_OBJECTS)) and not _follows(after, ZH_VERBS, ZH_OBJECTS)
    )


def _follows(text: str, earlier: frozenset[str], last: frozenset[str]) -> bool:
    """Whether `text` ends in a word of `last` and one of `earlier` stands before it."""
    return any(
        text.endswith(word) and any(other in text[: -len(word)] for other in earlier)
        for word in last
    )


# --- English ---------------------------------------------------------------------------------

EN_WHOLE: Final = frozenset({
    "hello", "hi", "yes", "no", "ok", "okay", "stop", "thanks", "thank you", "goodbye", "bye",
    "bye bye", "good morning", "good night", "next", "previous", "pause", "continue", "cancel",
    "never mind", "be quiet", "next song", "louder", "quieter", "how are you", "who are you",
})  # fmt: skip
#: Something hangs on these when they come last.
EN_OPEN: Final = _words("""
    a an the and or but so because if when while than which who whose with without of into to from for by about as
    my your his her its our their is are was were am be been does did can could will would shall should may might must
    have has had i we they he she i'm i'd i'll what's very more most um uh er hmm well what why how where
    play set turn switch open tell show give make put add find call between per every each some any let plus minus
    times divided percent's at in
""")
#: Last in "turn the lights off", but first half of "turn off the lights".
EN_PARTICLES: Final = _words("on off up down")
EN_COMMANDS: Final = _words("""
    turn switch set play open close start stop pause tell show give make add remove call find dim raise lower
    increase decrease remind
""")
EN_QUESTIONS: Final = _words("what what's which who who's whose when where where's why how how's")
EN_NUMBERS: Final = _words("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million point
""")
_EN_WORD: Final = re.compile(r"[a-z0-9']+")


def _english(text: str) -> Completeness:
    words = _EN_WORD.findall(text.lower())
    if not words:
        return Completeness.UNSURE
    first, last = words[0], words[-1]
    if " ".join(words) in EN_WHOLE:
        return Completeness.COMPLETE
    if last in EN_PARTICLES and len(words) < 3:
        return Completeness.INCOMPLETE
    if last in EN_OPEN or (len(words) == 1 and first in EN_COMMANDS | EN_QUESTIONS):
        return Completeness.INCOMPLETE
    if last in EN_NUMBERS or last.isdigit():
        return Completeness.UNSURE
    if last == "please" and len(words) > 2:
        return Completeness.COMPLETE
    if first in EN_COMMANDS and last != "me" and len(words) >= 2:
        return Completeness.COMPLETE
    if first in EN_QUESTIONS and len(words) >= 3:
        return Completeness.COMPLETE
    return Completeness.UNSURE
