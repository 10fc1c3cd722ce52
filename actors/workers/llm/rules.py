"""The embedded rule responder: short honest answers without a language model.

`Rules.answer` is pure: the clock comes in as a callable. It understands what a
recogniser yields (no punctuation, numerals in words) in Chinese and English, and
never pretends: what it cannot do it names, and for everything else it says that
no language model is connected and how to connect one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Final

from actors.workers.interface import Health
from actors.workers.llm import arithmetic, calendar_words
from cfg.model import RulesLlm

Clock = Callable[[], datetime]
Messages = tuple[tuple[str, str], ...]

NO_MODEL_ZH: Final = "我还没有接上大模型，这个问题我答不了。在设置文件的 llm 一栏填上 Ollama 或者兼容 OpenAI 的服务，我就能聊了。"
NO_MODEL_EN: Final = (
    "No language model is connected yet, so I cannot answer that. "
    "Add Ollama or an OpenAI compatible service to the llm section of the settings file."
)
BRIDGE_ZH: Final = "后面的我接不上了，请再问我一遍。"
BRIDGE_EN: Final = "I lost the rest of that, please ask me again."

_TIMER_ZH: Final = re.compile(r"定时|计时|倒数|闹钟|闹铃|提醒我|提醒一下|叫我起床|叫醒我|叫我一声")
_TIMER_EN: Final = re.compile(r"\b(?:timer|alarm|remind me|wake me|countdown|count down)\b")
_TIME_ZH: Final = re.compile(r"几点|什么时间|现在.*什么时候|什么时候了|报时|时间")
_WEEKDAY_ZH: Final = re.compile(r"(?:星期|礼拜|周)几")
_DATE_ZH: Final = re.compile(r"[几多]少?号|几月|几日|日期|什么日子|哪一?天")
_YEAR_ZH: Final = re.compile(r"[哪几多][一几少]?年")
#: A question about the calendar holds nothing else: 春节是几号 is not one of ours.
_CALENDAR_WORDS_ZH: Final = re.compile(
    r"请问|你知道|知不知道|告诉我|我想知道|帮我看|看一下|看看|说一下|小智|现在|当前|北京|这会儿|已经|都"
    r"|大?前天|大?后天|[今明昨][天日]|今年|这个月|本月"
    r"|[几多]少?号|几月|几日|日期|什么日子|哪一?天|(?:星期|礼拜|周)几|[哪几多][一几少]?年"
    r"|几点|几分|什么时间|什么时候|报时|时间|多少分?|什么|[是的和钟了呢啊呀吗吧到份年]"
)
_CALENDAR_WORDS_EN: Final = re.compile(
    r"\b(?:please|hey|xiaozhi|can|could|you|tell|me|do|know|what|whats|what's|which|is|was|it|the|of|day|week"
    r"|weekday|date|time|today|today's|tomorrow|tomorrow's|yesterday|yesterday's|after|before|will|be|now|right"
    r"|current|s)\b"
)
_VOLUME_ZH: Final = re.compile(
    r"音量|静音|(?:声音|声儿|嗓门|说话)(?:再|太|稍微|给我)?(?:调|开|放|关)?(?:到|得|的)?(?:大|小|高|低|轻|响)|(?:大|小)点?声|太吵|听不(?:见|清)你"
)
_VOLUME_EN: Final = re.compile(r"\b(?:volume|louder|quieter|mute|speak up|turn it (?:up|down))\b")
_REPEAT_ZH: Final = re.compile(
    r"再(?:说|讲|来|念|重复)一?(?:遍|次|下)|重复一?(?:遍|次|下)|重说|刚才说(?:什么|啥)|你说(?:什么|啥)$|没听(?:清|见)"
)
_REPEAT_EN: Final = re.compile(
    r"\b(?:say (?:that|it) again|repeat|come again|pardon|what did you say)\b"
)
_WHO_ZH: Final = re.compile(
    r"你是(?:谁|哪位|什么)|你(?:叫|的名字)(?:是|叫)?(?:什么|啥)|介绍(?:一下)?你?自己|自我介绍|你是小智吗"
)
_WHO_EN: Final = re.compile(
    r"\bwho are you\b|\b(?:what is|what's|whats) your name\b|\bintroduce yourself\b"
)
_SKILLS_ZH: Final = re.compile(
    r"你(?:都)?(?:会|能|可以)(?:做|干|帮我|说|回答)?(?:些)?(?:什么|啥|哪些)|有(?:什么|哪些|啥)(?:功能|本事|本领)|怎么用你"
)
_SKILLS_EN: Final = re.compile(r"\bwhat can you do\b|\bhow can you help\b|^help( me)?$")
_THANKS_ZH: Final = re.compile(r"谢谢|多谢|感谢|谢了|辛苦(?:你|了)")
_THANKS_EN: Final = re.compile(r"\b(?:thank you|thanks)\b")
_BYE_ZH: Final = re.compile(
    r"^(?:那|好的?|好了|先这样)?(?:我走了)?(?:再见|拜拜|回见|下次见|回头见|明天见|晚安|退下吧?|没事了)(?:小智|了|啦|吧)?$"
)
_BYE_EN: Final = re.compile(r"\b(?:goodbye|bye|see you|good night)\b")
_HELLO_ZH: Final = re.compile(
    r"^(?:小智)*(?:你好|您好|你们好|嗨|嘿|哈喽|哈罗|早上好|上午好|中午好|下午好|晚上好|早安|早|在吗|在不在|你在吗)(?:啊|呀|吗|小智|小明)*$|^(?:小智)+$"
)
_HELLO_EN: Final = re.compile(r"^(?:hi|hello|hey|good (?:morning|afternoon|evening))\b")
_AGREED_ZH: Final = re.compile(r"^(?:好的?|嗯+|哦+|行|可以|知道了|没事|对)(?:了|呀|啊|吧|的)?$")
_WELL_ZH: Final = re.compile(r"你(?:还|最近)?(?:好吗|怎么样|过得好吗)")
_WELL_EN: Final = re.compile(r"\bhow are you\b")


def is_chinese(text: str) -> bool:
    return any("\u3400" <= char <= "\u9fff" for char in text)


class Rules:
    """Answers one question; `clock` gives the local time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def answer(self, messages: Messages) -> str:
        """The whole answer to the last user message of `messages`."""
        question = next((text for role, text in reversed(messages) if role == "user"), "")
        if is_chinese(question):
            return self._chinese(re.sub(r"[\s，。！？、,!?；;：:~～]+", "", question), messages)
        lowered = re.sub(r"[?!.,;]+(?=\s|$)", " ", question.lower())
        lowered = " ".join(lowered.split())
        if not any(char.isalnum() for char in lowered):
            return "我没听清，请再说一遍。"
        if not re.search("[a-z]", lowered):
            return arithmetic.answer_chinese(lowered.replace(" ", "")) or NO_MODEL_ZH
        return self._english(lowered, messages)

    def _chinese(self, text: str, messages: Messages) -> str:
        return (
            arithmetic.answer_chinese(text)
            or _timer_chinese(text)
            or self._calendar_chinese(text)
            or _volume_chinese(text)
            or _repeat(_REPEAT_ZH, text, messages, "我刚才还没有说过什么。")
            or _small_talk_chinese(text)
            or NO_MODEL_ZH
        )

    def _calendar_chinese(self, text: str) -> str | None:
        if _CALENDAR_WORDS_ZH.sub("", text):
            return None
        now = self._clock()
        name, day = calendar_words.named_day_chinese(text, now)
        weekday, date = bool(_WEEKDAY_ZH.search(text)), bool(_DATE_ZH.search(text))
        if _YEAR_ZH.search(text) and not (weekday or date):
            return f"今年是{calendar_words.date_chinese(now, year=True).split('年')[0]}年。"
        if weekday and date:
            when = calendar_words.date_chinese(day, year="年" in text)
            return f"{name}是{when}，{calendar_words.weekday_chinese(day)}。"
        if weekday:
            return f"{name}是{calendar_words.weekday_chinese(day)}。"
        if date:
            return f"{name}是{calendar_words.date_chinese(day, year='年' in text)}。"
        if _TIME_ZH.search(text) and day == now:
            return f"现在是{calendar_words.time_chinese(now)}。"
        return None

    def _english(self, text: str, messages: Messages) -> str:
        return (
            arithmetic.answer_english(text)
            or _timer_english(text)
            or self._calendar_english(text)
            or _volume_english(text)
            or _repeat(_REPEAT_EN, text, messages, "I have not said anything yet.")
            or _small_talk_english(text)
            or NO_MODEL_EN
        )

    def _calendar_english(self, text: str) -> str | None:
        if _CALENDAR_WORDS_EN.sub("", text.replace("'s", "")).strip():
            return None
        now = self._clock()
        name, day = calendar_words.named_day_english(text, now)
        verb = "was" if day < now else "is"
        if re.search(r"\btime\b", text):
            return f"It is {calendar_words.time_english(now)}."
        if re.search(r"\bdate\b", text):
            date = f"{calendar_words.weekday_english(day)}, {calendar_words.date_english(day)}"
            return f"{name[0].upper()}{name[1:]} {verb} {date}."
        if re.search(r"\b(?:what|which) (?:day|weekday)\b|\bday of the week\b", text):
            return f"{name[0].upper()}{name[1:]} {verb} {calendar_words.weekday_english(day)}."
        return None


def _timer_chinese(text: str) -> str | None:
    if not _TIMER_ZH.search(text):
        return None
    duration = calendar_words.duration_chinese(text)
    understood = f"你想要一个{duration}的计时" if duration else "你想让我到时候提醒你"
    return f"听懂了，{understood}。可是我现在还不会到点响铃，请先用手机定时。"


def _timer_english(text: str) -> str | None:
    if not _TIMER_EN.search(text):
        return None
    return "I understood that you want to be reminded. But I cannot ring later yet, so please use your phone."


def _volume_chinese(text: str) -> str | None:
    if not _VOLUME_ZH.search(text):
        return None
    return "听懂了，是要调音量。可是我现在还不能调设备的音量，请按设备上的音量键。"


def _volume_english(text: str) -> str | None:
    if not _VOLUME_EN.search(text):
        return None
    return "I understood that it is about the volume. I cannot change it yet, so please use the buttons on the device."


def _repeat(pattern: re.Pattern[str], text: str, messages: Messages, nothing: str) -> str | None:
    if not pattern.search(text):
        return None
    return next(
        (said for role, said in reversed(messages) if role == "assistant" and said.strip()), nothing
    )


def _small_talk_chinese(text: str) -> str | None:
    for pattern, reply in (
        (_WHO_ZH, "我是小智，你的语音助手。"),
        (_SKILLS_ZH, "我能报时间和日期，还会算数。接上大模型以后，我就能陪你聊天了。"),
        (_THANKS_ZH, "不客气。"),
        (_BYE_ZH, "再见，需要我的时候再叫我。"),
        (_WELL_ZH, "我很好，谢谢你。"),
        (_HELLO_ZH, "你好，我是小智。"),
        (_AGREED_ZH, "好的。"),
    ):
        if pattern.search(text):
            return reply
    return None


def _small_talk_english(text: str) -> str | None:
    for pattern, reply in (
        (_WHO_EN, "I am Xiaozhi, your voice assistant."),
        (
            _SKILLS_EN,
            "I can tell the time and the date, and do sums. With a language model I could chat with you.",
        ),
        (_THANKS_EN, "You are welcome."),
        (_BYE_EN, "Goodbye, call me when you need me."),
        (_WELL_EN, "I am fine, thank you."),
        (_HELLO_EN, "Hello, I am Xiaozhi."),
    ):
        if pattern.search(text):
            return reply
    return None


def rest_after(answer: str, spoken: tuple[str, ...]) -> str:
    """What is left of `answer` once `spoken` was heard.

    When another engine said something else, nothing of ours continues it: a
    short bridge ends the answer instead.
    """
    heard = "".join("".join(spoken).split())
    at = 0
    for position, char in enumerate(answer):
        if at == len(heard):
            return answer[position:].lstrip()
        if not char.isspace():
            if char != heard[at]:
                break
            at += 1
    else:
        if at == len(heard):
            return ""
    return BRIDGE_ZH if is_chinese(heard) else BRIDGE_EN


class RulesEngine:
    """The rule responder as a language model engine; nothing can be missing."""

    def __init__(self, settings: RulesLlm, clock: Clock = datetime.now) -> None:
        self._settings = settings
        self._rules = Rules(clock)

    async def open(self) -> None:
        """Nothing to load."""

    async def generate(
        self, messages: Messages, spoken: tuple[str, ...] = ()
    ) -> AsyncIterator[str]:
        """Yield the answer in one piece, without what was `spoken` already."""
        answer = self._rules.answer(messages)
        rest = rest_after(answer, spoken) if spoken else answer
        if rest:
            yield rest

    async def probe(self) -> Health:
        """Ask it a sum: it works when the answer is right."""
        answer = self._rules.answer((("user", "一加一等于几"),))
        ok = answer == "一加一等于二。"
        detail = {
            "model": "rules",
            "languages": ["zh", "en"],
            "limits": "no language model is connected",
        }
        return Health(ok, "" if ok else f"wrong answer to a sum: {answer}", detail)

    async def close(self) -> None:
        """Nothing to free."""
