"""Numbers and signs as a Mandarin speaker reads them. Pure.

eSpeak NG's own reading of digits inside Chinese is wrong in many places (1,000 as
four digits, 12:30 as a list, + and = as English words, 2024 without its zero), so
they are written out for it. Services with a real text front end get the plain text.
"""

from __future__ import annotations

import re

_DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")

#: So many digits, or a leading zero, are a telephone number or a code, not an amount.
_CODE_DIGITS = 9

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_YEAR = re.compile(r"(?<![\d.])(\d{4})(?=年)")
_TIME = re.compile(r"(?<![\d:.])([01]?\d|2[0-4])[:：]([0-5]\d)(?![\d:])")
_PERCENT = re.compile(r"([-−]?)(\d+(?:\.\d+)?)\s*[%％]")
_DEGREES = re.compile(r"\s*(?:℃|°C)")
_BELOW_ZERO = re.compile(r"(?<![\dA-Za-z])[-−](\d+(?:\.\d+)?)(?=\s*(?:度|摄氏度))")
_FRACTION = re.compile(r"(?<![\d/.])(\d+)/(\d+)(?![\d/.])")
_SIGN = re.compile(r"(?<=[\d)）])\s*([+＋×*÷=＝])\s*(?=[-−(（]?\d)")
_MINUS = re.compile(r"(?<=\d)\s*[-−–]\s*(?=\d)")
_RANGE = re.compile(r"(?<=\d)\s*[~～]\s*(?=\d)")
_TWO = re.compile(r"(?<![\d.])2(?=个|点|位|件|次|天|年|小时|分钟|块|只|本|杯)")
_NUMBER = re.compile(r"(?<![\dA-Za-z.])([-−]?)(\d+(?:\.\d+)*)|(\d+(?:\.\d+)*)")

_SIGN_WORDS = {"+": "加", "＋": "加", "×": "乘", "*": "乘", "÷": "除以", "=": "等于", "＝": "等于"}


def amount(number: int) -> str:
    """Return a whole number below 10^16 in Chinese characters: 105 as 一百零五."""
    if number == 0:
        return _DIGITS[0]
    out, lower_is_short = "", False
    for group in _GROUPS:
        number, four = divmod(number, 10000)
        if four:
            gap = "零" if out and lower_is_short else ""
            out = _four(four) + group + gap + out
        lower_is_short = four < 1000
        if not number:
            break
    return out.removeprefix("一") if out.startswith("一十") else out


def _four(number: int) -> str:
    """1..9999, with one 零 for the empty places between two filled ones."""
    out, gap = "", False
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if not digit:
            gap = bool(out)
            continue
        out += ("零" if gap else "") + _DIGITS[digit] + _PLACES[place]
        gap = False
    return out


def digits(text: str) -> str:
    """Return digits one by one."""
    return "".join(_DIGITS[int(digit)] for digit in text)


def _number(text: str) -> str:
    whole, *rest = text.split(".")
    if len(rest) > 1:  # a version or an address: 1.2.3
        return "点".join(_whole(part) for part in [whole, *rest])
    return _whole(whole) + "".join("点" + digits(part) for part in rest)


def _whole(text: str) -> str:
    is_code = len(text) >= _CODE_DIGITS or (len(text) > 1 and text.startswith("0"))
    return digits(text) if is_code else amount(int(text))


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    spoken_hour = "两" if hour == 2 else amount(hour)
    if not minute:
        return spoken_hour + "点"
    return f"{spoken_hour}点{'零' if minute < 10 else ''}{amount(minute)}分"


def _signed(match: re.Match[str]) -> str:
    return ("负" if match[1] else "") + _number(match[2] or match[3])


def read_out(text: str) -> str:
    """Return `text` with its numbers and the signs around them in Chinese characters."""
    text = _THOUSANDS.sub("", text)
    text = _YEAR.sub(lambda match: digits(match[1]), text)
    text = _TIME.sub(_clock, text)
    text = _PERCENT.sub(
        lambda match: ("负" if match[1] else "") + "百分之" + _number(match[2]), text
    )
    text = _DEGREES.sub("摄氏度", text)
    text = _BELOW_ZERO.sub(lambda match: "零下" + match[1], text)
    text = _FRACTION.sub(lambda match: f"{_whole(match[2])}分之{_whole(match[1])}", text)
    is_sum = re.search(r"[=＝]", text) is not None
    text = _SIGN.sub(lambda match: _SIGN_WORDS[match[1]], text)
    text = _MINUS.sub("减" if is_sum else "到", text)
    text = _RANGE.sub("到", text)
    text = _TWO.sub("两", text)
    return _NUMBER.sub(_signed, text)
