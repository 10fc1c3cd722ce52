"""Times, dates and durations as they are said, in Chinese and English. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from actors.workers.llm.numerals import (
    CHINESE_NUMBER,
    parse_chinese,
    say_chinese,
    say_digits,
    say_english,
)

_WEEKDAYS_ZH: Final = "一二三四五六日"
_WEEKDAYS_EN: Final = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS_EN: Final = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS_ZH: Final = (("大前天", -3), ("大后天", 3), ("前天", -2), ("后天", 2), ("昨天", -1), ("昨日", -1),
                   ("明天", 1), ("明日", 1), ("今天", 0), ("今日", 0))  # fmt: skip
_DAYS_EN: Final = (("day after tomorrow", 2), ("day before yesterday", -2), ("tomorrow", 1),
                   ("yesterday", -1), ("today", 0))  # fmt: skip
_ORDINALS: Final = {1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth",
                    12: "twelfth", 20: "twentieth", 30: "thirtieth"}  # fmt: skip

_UNITS_ZH: Final = r"(?:小时|钟头|刻钟|分钟|分|秒钟|秒)"
_DURATION_ZH: Final = re.compile(rf"(?:(?:{CHINESE_NUMBER}|半)个?半?{_UNITS_ZH}半?)+")


def time_chinese(now: datetime) -> str:
    """现在 as it is said: 下午三点零五分."""
    part = next(
        name
        for until, name in (
            (5, "凌晨"),
            (8, "早上"),
            (12, "上午"),
            (13, "中午"),
            (18, "下午"),
            (24, "晚上"),
        )
        if now.hour < until
    )
    hour = now.hour if now.hour <= 12 else now.hour - 12
    spoken = f"{part}{'两' if hour == 2 else say_chinese(hour)}点"
    if now.minute == 0:
        return spoken + "整"
    gap = "零" if now.minute < 10 else ""
    return f"{spoken}{gap}{say_chinese(now.minute)}分"


def time_english(now: datetime) -> str:
    """The time as it is said: three oh five in the afternoon."""
    part = (
        "in the morning"
        if now.hour < 12
        else "in the afternoon"
        if now.hour < 18
        else "in the evening"
    )
    hour = say_english(now.hour % 12 or 12)
    if now.minute == 0:
        return f"{hour} o'clock {part}"
    gap = "oh " if now.minute < 10 else ""
    return f"{hour} {gap}{say_english(now.minute)} {part}"


def date_chinese(day: datetime, *, year: bool = False) -> str:
    spoken = f"{say_chinese(day.month)}月{say_chinese(day.day)}号"
    return f"{say_digits(day.year)}年{spoken}" if year else spoken


def date_english(day: datetime) -> str:
    return f"{_MONTHS_EN[day.month - 1]} {_ordinal(day.day)}"


def weekday_chinese(day: datetime) -> str:
    return f"星期{_WEEKDAYS_ZH[day.weekday()]}"


def weekday_english(day: datetime) -> str:
    return _WEEKDAYS_EN[day.weekday()]


def named_day_chinese(text: str, now: datetime) -> tuple[str, datetime]:
    """The day that `text` speaks of (today when it names none): its name and its date."""
    name, offset = next(((name, offset) for name, offset in _DAYS_ZH if name in text), ("今天", 0))
    return name, now + timedelta(days=offset)


def named_day_english(text: str, now: datetime) -> tuple[str, datetime]:
    name, offset = next(((name, offset) for name, offset in _DAYS_EN if name in text), ("today", 0))
    return name if " " not in name else f"the {name}", now + timedelta(days=offset)


def duration_chinese(text: str) -> str | None:
    """The duration named in `text`, as it was said, if it is a real one; else None."""
    found = _DURATION_ZH.search(text)
    if not found:
        return None
    for number in re.findall(rf"{CHINESE_NUMBER}(?=个?半?{_UNITS_ZH})", found[0]):
        if parse_chinese(number) is None:
            return None
    return found[0]


def _ordinal(day: int) -> str:
    if day in _ORDINALS:
        return _ORDINALS[day]
    if day > 20:
        return f"{say_english(day - day % 10)}-{_ordinal(day % 10)}"
    return say_english(day) + "th"
