"""May this question's answer be kept, and is this answer one to keep?

Pure. A question is kept out when its answer changes by itself (the time, the
weather, the news, a device's state), leans on what was said before, is about the
person who asks, makes something happen, or is asked for a new answer each time
(a joke). An answer is kept out when it failed, was cut off, apologises, or was
made with tools, personal history or the present moment. The operator's lists
come first: never, then always.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from actors.cache.canonical import Canonical, canonical
from actors.cache.lexicon import KIN, PERSONS
from actors.cache.libraries import tagged, words
from actors.cache.normalise import normalise

#: Spoken answers beyond this are no common dialogue and cost too much of the cache.
MAX_ANSWER_CHARS: Final = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind` is one word for counting, `reason` a sentence part for people."""

    cacheable: bool
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lists:
    """The operator's own rules: parts of questions, as people would say them.

    A question that contains one of `never` is not kept; else one that contains one
    of `always` is. Both are compared after normalising.
    """

    never: Sequence[str] = ()
    always: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """How an answer came about, as the session saw it."""

    finished: bool = True
    failed: bool = False
    used_tools: bool = False
    used_history: bool = False


_VOLATILE: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "weather",
            r"天气|气温|室温|下雨|下雪|雨(?:什么时候|多久|.{0,2}停)|刮风|外[面头边][冷热]|[厅卧室屋房里儿].{0,4}温度|台风.*(?:到|来)|雾霾|空气质量|带伞|穿什么|\d度吗|冷不冷|热不热|几度(?![才会能就]*(?:结冰|沸腾|烧开|融化|熔化|凝固))|多少度$|日出|日落"
            r"|\b(?:weather|rain(?:ing|y)?|snow(?:ing)?|forecast|umbrella|humid)\b|how (?:hot|cold)",
        ),
        (
            "time",
            r"现在|几点|今[天年日晚早]|明[天年日晚早]|后天|昨[天晚]|前天|去年|前年|后年|周几|星期几|礼拜几|几号|几月|哪年了|这周|本周|下周"
            r"|上周|周末|这个月|本月|下个月|上个月|还[有剩差](?:多久|几天|多少天)|刚才|最近|刚刚|目前|当前|距离?.*还[有剩差]|离.*还[有剩差]|节日|放假"
            r"|放.{0,3}天?假|[今明昨]儿|这会儿|眼下|此刻"
            r"|\b(?:now|today|tomorrow|yesterday|tonight|current(?:ly)?|what time|what day|what date|this (?:week|month|year)"
            r"|next (?:week|month|year)|last (?:week|month|year|night)|latest|recent(?:ly)?|how long until|how many \w+ (?:until|till|since|left))\b",
        ),
        (
            "news",
            r"新闻|头条|热搜|股票|股价|股市|基金|汇率|金价|油价|房价|比分|赢了吗|路况|堵车|限行|航班|火车票|快递|外卖|彩票|排行榜|票房|夺冠|上1?届|下1?届|本届|这届|输给|[赢胜败]了.*队|能?[换买]多少|[美欧日港]元等于多少|限.?行|限.?号"
            r"|上映|热播|(?<!\d任)总统是谁|首相是谁|总理是谁|主席是谁|谁是.{0,8}(?<!\d任)(?<!首任)(?:总统|首相|总理|主席|冠军|首富)$|首富|冠军是谁|价格|多少钱|便宜"
            r"|\b(?:news|stocks?|price|score|exchange rate|traffic|flight|president|prime minister|ceo|bitcoin)\b",
        ),
        (
            "device state",
            r"(?:灯|空调|电视|风扇|窗帘|门|窗户?|音量|热水器|洗衣机|电量|电池|网络|蓝牙|插座|加湿器|扫地机器人).*(?:开着|关着|开了|关了|打开了|多少$|吗$|没有$|几度)"
            r"|机器人.*(?:开着|关着|在扫|扫完|开了|关了)"
            r"|电量|没电|音量(?:是|多少)|连上|\b(?:is|are) the .*\b(?:on|off|open|closed|locked)\b|battery",
        ),
    )
)
_LEANING: Final = re.compile(
    r"^(?:换一?1?个|可以$|没有$|为什么呢?$|怎么了?$|什么$|真的吗|是吗|谁$|哪里$|哪个$|多少$|怎么办$|什么意思$|什么时候$)"
    r"|它|(?<!姐)他(?!命)|她|这是|那是|[这那](?:[个些首里样种部本篇张句段道条只件位款集章边场次回届颗棵朵台辆幅类家几两1一]|儿(?!童|子))|上面|前面|后面那|第[\d一二三]个呢|刚才|之前说|你说的|上一个|下一个"
    r"|再(?:来|讲|说|一)|继续|呢$|^\w{0,3}也"
    r"|\b(?:it|that|this|those|these|he|she|they|him|them|again|another|continue|more|also)\b|^(?:and|so|then|but|what about|how about)\b.{0,20}$|^why\b(?! (?:is|are|do|does|can) (?:the (?:sky|sun|moon|sea|ocean|earth|grass|wind)|(?!(?:the|you|we|i|not|there)\b)\w+) ).{0,20}$"
)
#: What a question about words may not be about: this one, what he said.
_UNNAMED: Final = re.compile(
    r"[这那](?:[个些首里样种部本篇张句段道条]|[1一]).*|(?:它|他|她)(?:们)?|[他她你]说的.*|刚才.*|上面.*|前面.*|解释一下|是|.*\b(?:it|that|this)\b.*"
)
#: A word named before it is no pointing back: 守株待兔这个成语; but 老师这个字 calls the teacher.
_APPOSITION: Final = re.compile("(?<!^)这个?首?(?:成语|词语?|单词|歌|诗)(?!歌|词|诗)")
_FAMILY: Final = {word for word in KIN if not word.isascii()} - frozenset(
    {"孩子", "老师", "学生", "同学", "朋友", "医生", "宝宝"}
)
#: Who and what they are differs from home to home.
_OF_THIS_HOME: Final = re.compile(
    rf"^(?:{'|'.join(sorted(_FAMILY))})(?!节)(?:的?(?:生日|电话|手机|名字)|什么时候|多会儿|几时|几点|在哪|去哪|在干"
    "|在做|今年|几岁|多大|喜欢|爱|回来|回家|到家|下班|放学|睡|[敢肯也还])"
)
_CONNECTING: Final = frozenset(
    [
        "那",
        "那么",
        "还有",
        "然后",
        "接着",
        "继续",
        "再",
        "又",
        "所以",
        "但是",
        "可是",
        "另外",
        "不是",
        "是的",
        "对",
        "好",
        "好的",
        "嗯",
        "行",
        "不",
        "不要",
        "不用",
        "还",
        "也",
    ]
)
_NOT_LEANING: Final = re.compile(
    r"(?:它|他|她)(?:们)?是什么字|其他|吉他|它山之石|他乡|^what is it like to\b|what time is it|^再见"
)
_PERSONAL: Final = re.compile(
    r"我(?!国)|咱|俺|本人|家里|你(?:还)?记得|记住|我们|上次|聊过"
    r"|\b(?:i|me|my|mine|our|us|we|remember)\b"
)
#: Wrapping that names the speaker without being about him.
_SPEAKER: Final = re.compile(
    r"(?:给|帮|替|教|告诉|陪|跟|和|为)我|我想(?:听|知道|问|学)|我(?:该|应该|要)?怎么称呼你|(?:tell|give|show|teach|read|sing) me|我爱你怎么|我国"
)
_ACTING: Final = re.compile(
    r"^(?:开|关)(?:一下|1下)|(?:灯|空调|电视|窗帘|风扇|加湿器|取暖器|热水器|暖气|音响)(?:.{0,8}(?:[开调弄设]到|关掉|关了?$|再关)|[开关](?:1半|一半|\d|[两几]))"
    r"|\d(?:分钟|小时|点|刻|秒)(?:以后|之后|后)?[开关]|^(?:别|不要|先别|只)[开关].*(?:灯|空调|电视|窗|门|扇|器|机|的)|^除了.*[都全].{0,2}[开关].?$|温度别|^[放来]1?点.{1,8}(?:乐|歌|曲|听听)$"
    r"|^(?:把|将)?.{0,8}?(?:打开|关闭|开启|关掉|关上|调[大小高低到成亮暗]|播放|暂停|停止|设置|设定|取消|删除|添加|切换|静音|锁上|解锁|拉开|拉上|启动|重启)"
    r"|^[开关](?!.*(?:谁|什么|哪|怎|为)).{1,4}$|提醒我|叫我|闹钟|定时|倒计时|计时|打电话|发短信|发消息|下单|记一下|买一?[个张]|导航|音量|声音[大小]|大声|小声|快进|后退|[上下]一?1?[首曲集]"
    r"|拍照|录音|充电|扫地|亮一点|暗一点|[高低]一点"
    r"|\b(?:turn|switch) (?:it |the .* )?(?:on|off|up|down)\b|^(?:turn|switch|set|play|stop|pause|open|close|lock|unlock|call|send|remind|wake|add|remove|cancel|start|increase|decrease)\b"
)
_FRESH: Final = re.compile(
    r"笑话|段子|故事|谜语|绕口令|脑筋急转弯|唱.*歌|^唱|来一?1?[首段个]|讲一?1?个|随便|猜|推荐|写一?1?[首篇段个]|作诗|编|想听|掷|抛硬币|随机|聊聊|陪我"
    r"|\b(?:joke|story|poem|sing|recommend|suggest|random|riddle|flip a coin|roll)\b"
)
#: Kinds of question whose answer is always the same, whatever words are in them.
_SURE: Final = frozenset(
    {"say", "spell", "sum", "units", "amount", "written as", "kin", "festival day"}
)
_MEANS: Final = re.compile(r"意思|含义|解释|\bmean(?:s|ing)?\b")
_OBJECTION: Final = re.compile(
    r"^(?:不对|不是(?:这个|这样|这首|的)?|那不对|这不对|错了|说错了|你(?:说|听|搞|弄|理解)错了|你错了|答错了|答非所问|不是这个意思|我(?:不是|没)(?:问|说|让你)(?:这个|的)?.{0,6}"
    r"|我问的(?:不)?是.{0,12}|乱说|胡说|瞎说|(?:你)?听错了|no|wrong|that is (?:wrong|not right|not what i (?:asked|meant|said))|you are wrong|not that|incorrect)(?:[了啊吧呀的]|，.*)?$"
)
_APOLOGY: Final = re.compile(
    r"抱歉|对不起|不好意思|很遗憾|无法(?:回答|提供|获取|访问|联网|查询|为您|帮)|没(?:办法|法)(?:回答|查|帮)|我不(?:太)?(?:知道|清楚|确定|了解|会|能)|不太明白|没听[清懂]|没有理解|请再说一[遍次]"
    r"|出了?点?(?:问题|错)|稍后再试|网络.*(?:问题|异常)|还没有接上|作为一?个?(?:AI|人工智能|语言模型|助手)|我是一个(?:AI|语言模型)"
    r"|\b(?:sorry|apologi[sz]e|i (?:do not|don't) know|i can(?:no|')t|unable to|as an ai|language model|something went wrong|try again)\b",
    re.IGNORECASE,
)
_MOMENT: Final = re.compile(
    r"现在(?:是|时间)|今天(?:是|的|天气)|明天(?:是|的)|昨天|此刻|截至|目前(?:是|为)|当前(?:时间|温度|是)|刚刚|今年是"
    r"|\b(?:right now|today is|it is currently|as of|at the moment|tomorrow)\b",
    re.IGNORECASE,
)


def cacheable(question: str, lists: Lists | None = None) -> Verdict:
    """Whether the answer to this question may be kept for others who ask the same."""
    form = canonical(question)
    if not form.text:
        return Verdict(False, "empty", "nothing was said")
    lists = lists or Lists()
    for kind, kept, phrases in (("never", False, lists.never), ("always", True, lists.always)):
        for phrase in phrases:
            if normalise(phrase) and normalise(phrase) in form.text:
                return Verdict(kept, kind, f"on the operator's list '{kind}': {phrase}")
    return _by_its_words(form)


def _by_its_words(form: Canonical) -> Verdict:
    text = form.text
    if form.frame in _SURE or (form.frame == "meaning" and _MEANS.search(text)):
        about = "".join(form.parts[-1:]) if form.frame in ("say", "meaning", "spell") else ""
        if about and _UNNAMED.fullmatch(about):
            return Verdict(False, "context", f"it asks about what was said before: {about}")
        if not about or not _LEANING.fullmatch(about):
            return Verdict(True, "fact", f"its answer is always the same ({form.frame})")
    if is_objection(text):
        return Verdict(False, "objection", "it objects to the last answer")
    if form.frame in (
        "open",
        "close",
        "open that",
        "close that",
        "volume up",
        "volume down",
        "track",
        "play",
        "on",
        "off",
    ):
        return Verdict(False, "command", "it makes something happen")
    acting = _ACTING.search(text)
    if acting:
        return Verdict(False, "command", f"it makes something happen: {acting[0]}")
    for kind, pattern in _VOLATILE:
        found = pattern.search(text)
        if found:
            return Verdict(False, kind, f"its answer changes by itself ({kind}): {found[0]}")
    leaning = _leaning(text)
    if leaning:
        return Verdict(False, "context", f"it leans on what was said before: {leaning}")
    personal = _PERSONAL.search(_SPEAKER.sub("", text)) or _OF_THIS_HOME.search(text)
    if personal:
        return Verdict(False, "personal", f"it is about the one who asks: {personal[0]}")
    fresh = _FRESH.search(text)
    if fresh or form.frame in ("tell", "sing"):
        return Verdict(False, "fresh", "every time another answer is wanted")
    return Verdict(True, "fact", "nothing in it changes by itself")


def _leaning(text: str) -> str:
    first = words(text)[0]
    if first in _CONNECTING:
        return first
    found = _LEANING.search(_NOT_LEANING.sub("", _without_apposition(text)))
    return found[0] if found else ""


def _without_apposition(text: str) -> str:
    """守株待兔 for 守株待兔这个成语, where what stands before is itself a word or a title."""
    match = _APPOSITION.search(text)
    if match is None:
        return text
    word, kind = tagged(text[: match.start()])[-1]
    named = kind in ("n", "nz", "nr", "i", "l", "eng", "j") and word not in KIN | PERSONS
    return text[: match.start()] + text[match.end() :] if named else text


def worth_keeping(answer: str, made: Made, question: str = "") -> Verdict:
    """Whether this answer may be learned; a question about 对不起 excuses the word."""
    text = " ".join(answer.split())
    if made.failed or not made.finished:
        return Verdict(False, "unfinished", "the answer failed or was cut off")
    if made.used_tools:
        return Verdict(False, "tools", "a tool made it")
    if made.used_history:
        return Verdict(False, "personal", "it uses what this person said before")
    if not any(char.isalnum() for char in text):
        return Verdict(False, "empty", "the answer has no words")
    if len(text) > MAX_ANSWER_CHARS:
        return Verdict(False, "long", f"more than {MAX_ANSWER_CHARS} characters")
    for kind, pattern in (("apology", _APOLOGY), ("moment", _MOMENT)):
        found = pattern.search(text)
        if found and not (kind == "apology" and pattern.search(question)):
            return Verdict(False, kind, f"the answer says: {found[0]}")
    return Verdict(True, "good", "complete, and not about this moment")


def is_objection(text: str) -> bool:
    """Whether somebody says that the last answer was wrong (那不对)."""
    said = normalise(text)
    return _OBJECTION.fullmatch(said) is not None
