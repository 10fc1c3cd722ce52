"""Numbers as people say them, in Chinese and English: read and spoken.

Pure. Values are exact `Fraction`s. Chinese follows the usual grouping by 万 and
亿, with the shortened spoken forms (三百五 is 350, 一万二 is 12 000), decimals
with 点, parts with 分之 and a leading 负.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from actors.numberwords import HUNDRED, LARGE, SMALL, TENS, VALUES

_DIGITS: Final = "零一二三四五六七八九"
_VALUES: Final[dict[str, int]] = {
    **{digit: value for value, digit in enumerate(_DIGITS)},
    **{"〇": 0, "幺": 1, "两": 2, "俩": 2},
    **{str(value): value for value in range(10)},
}
_SMALL_UNITS: Final = {"十": 10, "百": 100, "千": 1000}
_LARGE_UNITS: Final = {"万": 10**4, "亿": 10**8}

#: Nobody says a longer number; longer texts are not read as one.
MAX_CHARS: Final = 200

#: A pattern that covers everything `parse_chinese` may accept.
CHINESE_NUMBER: Final = r"负?[零〇一二三四五六七八九十百千万亿两俩幺0-9点.分之]+"

#: The largest whole number that can be said with 千, 万 and 亿 alone.
LARGEST_CHINESE: Final = 10**16 - 1


def parse_chinese(text: str) -> Fraction | None:
    """The number that `text` says as a whole, or None."""
    if len(text) > MAX_CHARS:
        return None
    if text.startswith("负"):
        positive = parse_chinese(text[1:])
        return None if positive is None else -positive
    if "分之" in text:
        below, _, above = text.partition("分之")
        denominator = Fraction(100) if below == "百" else parse_chinese(below)
        numerator = parse_chinese(above)
        return numerator / denominator if denominator and numerator is not None else None
    whole, point, decimals = text.replace(".", "点").partition("点")
    value = _whole(whole)
    if value is None or not point:
        return None if value is None else Fraction(value)
    if not decimals or any(char not in _VALUES for char in decimals):
        return None
    digits = "".join(str(_VALUES[char]) for char in decimals)
    return value + Fraction(int(digits), 10 ** len(digits))


def _whole(text: str) -> int | None:
    if not text or any(char not in _VALUES | _SMALL_UNITS | _LARGE_UNITS for char in text):
        return None
    if all(char in _VALUES for char in text):
        return int("".join(str(_VALUES[char]) for char in text))  # 一二三 and 123
    for name in ("亿", "万"):
        if name in text:
            head, _, tail = text.rpartition(name)
            high, low = _whole(head), _tail(tail, _LARGE_UNITS[name])
            return None if high is None or low is None else high * _LARGE_UNITS[name] + low
    return _below_ten_thousand(text)


def _tail(text: str, unit: int) -> int | None:
    """What follows a unit: a lone digit counts in the next smaller unit (一万二)."""
    if not text:
        return 0
    if len(text) == 1 and text in _VALUES:
        return _VALUES[text] * unit // 10
    stripped = text.lstrip("零〇")
    value = _whole(stripped) if stripped else None
    return value if value is not None and value < unit else None


def _below_ten_thousand(text: str) -> int | None:
    total, unit_before, pending, after_zero = 0, 10**5, "", False
    for char in text:
        if char in _SMALL_UNITS:
            unit = _SMALL_UNITS[char]
            if unit >= unit_before or (not pending and unit != 10):
                return None
            total += (int(pending) if pending else 1) * unit
            unit_before, pending, after_zero = unit, "", False
        elif _VALUES[char] == 0 and not char.isascii():
            after_zero = True
        else:
            pending += str(_VALUES[char])
    if not pending:
        return total
    shortened = unit_before > 10 and not after_zero and len(pending) == 1
    return total + int(pending) * (unit_before // 10 if shortened else 1)


def say_chinese(value: Fraction | int) -> str:
    """`value` in spoken Chinese: with 点, or with 分之 where decimals never end.

    Raises `ValueError` beyond `LARGEST_CHINESE`, where no usual name exists.
    """
    exact = Fraction(value)
    if exact < 0:
        return "负" + say_chinese(-exact)
    if not _terminates(exact):
        return f"{say_chinese(exact.denominator)}分之{say_chinese(exact.numerator)}"
    whole, decimals = decimal_digits(exact)
    if whole > LARGEST_CHINESE:
        raise ValueError(f"{whole} has no usual name in Chinese: keep it below 10 to the 16th")
    spoken = _say_whole(whole)
    return spoken + ("点" + "".join(_DIGITS[int(digit)] for digit in decimals) if decimals else "")


def _terminates(value: Fraction) -> bool:
    return pow(10, 64, value.denominator) == 0


def decimal_digits(value: Fraction) -> tuple[int, str]:
    """Whole part and decimal digits of a non-negative, terminating fraction."""
    whole, rest = divmod(value, 1)
    digits = ""
    while rest:
        if len(digits) > 30:
            raise ValueError("the decimals do not end: round first")
        digit, rest = divmod(rest * 10, 1)
        digits += str(digit)
    return int(whole), digits


def _say_whole(value: int) -> str:
    if value == 0:
        return "零"
    spoken = _say_groups(value)
    # 2 is 两 before the large units, 二 elsewhere; 一十 is shortened only in front.
    spoken = re.sub(r"(?<![十百千万亿零])二(?=[千万亿])", "两", spoken)
    return spoken[1:] if spoken.startswith("一十") else spoken


def _say_groups(value: int) -> str:
    for name, unit in (("亿", 10**8), ("万", 10**4)):
        if value >= unit:
            high, low = divmod(value, unit)
            gap = "零" if low and low < unit // 10 else ""
            return _say_groups(high) + name + gap + (_say_groups(low) if low else "")
    spoken, skipped = "", False
    for name, unit in (("千", 1000), ("百", 100), ("十", 10), ("", 1)):
        digit, value = divmod(value, unit)
        if digit:
            spoken += ("零" if skipped and spoken else "") + _DIGITS[digit] + name
        skipped = not digit
    return spoken


def say_digits(value: int) -> str:
    """Digit by digit, as a year is said: 2026 is 二零二六."""
    return "".join(_DIGITS[int(digit)] for digit in str(value))


_ENGLISH_VALUES: Final = {**VALUES, "a": 1, "an": 1}


def parse_english(text: str) -> Fraction | None:
    """The number that these words (or digits) say as a whole, or None."""
    if len(text) > MAX_CHARS:
        return None
    words = text.lower().replace("-", " ").split()
    if words[:1] in (["minus"], ["negative"]):
        positive = parse_english(" ".join(words[1:]))
        return None if positive is None else -positive
    if len(words) == 1 and re.fullmatch(r"\d+(\.\d+)?", words[0]):
        return Fraction(words[0])
    if "point" in words:
        at = words.index("point")
        whole, digits = parse_english(" ".join(words[:at])), words[at + 1 :]
        if whole is None or not digits or any(word not in SMALL[:10] for word in digits):
            return None
        decimals = "".join(str(SMALL.index(word)) for word in digits)
        return whole + Fraction(int(decimals), 10 ** len(decimals))
    return _english_whole(words)


def _english_whole(words: list[str]) -> Fraction | None:
    total, group, seen = 0, 0, False
    for word in words:
        if word == "and" and seen:
            continue
        if word == HUNDRED and 0 < group < 100:
            group *= 100
        elif word in LARGE and group:
            total, group = total + group * LARGE[word], 0
        elif word in _ENGLISH_VALUES or word.isdecimal():
            value = _ENGLISH_VALUES.get(word, -1)
            value = int(word) if value < 0 else value
            room = 100 if group % 100 == 0 else 10 if group % 10 == 0 and group % 100 >= 20 else 0
            if seen and not (group == 0 and total) and not 0 < value < room:
                return None
            group += value
        else:
            return None
        seen = True
    return Fraction(total + group) if seen else None


def say_english(value: Fraction | int) -> str:
    """`value` in English words; decimals must terminate (round first)."""
    exact = Fraction(value)
    if exact < 0:
        return "minus " + say_english(-exact)
    whole, decimals = decimal_digits(exact)
    if whole >= 10**12:
        raise ValueError(f"{whole} is too large to say: keep it below a trillion")
    spoken = _english_words(whole)
    if decimals:
        spoken += " point " + " ".join(SMALL[int(digit)] for digit in decimals)
    return spoken


def _english_words(value: int) -> str:
    if value < 20:
        return SMALL[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return TENS[tens - 2] + (f"-{SMALL[ones]}" if ones else "")
    for name, unit in (*reversed(LARGE.items()), (HUNDRED, 100)):
        if value >= unit:
            high, low = divmod(value, unit)
            joint = " and " if 0 < low < 100 else " "
            rest = joint + _english_words(low) if low else ""
            return f"{_english_words(high)} {name}{rest}"
    raise AssertionError("every value above 100 has a unit")
