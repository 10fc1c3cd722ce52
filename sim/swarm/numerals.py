"""Numbers in what is said, heard and answered: in Chinese words or in digits.

Pure. Enough to recognise a marker: whole numbers below ten thousand.
"""

from __future__ import annotations

import re
import unicodedata

_DIGITS = "零一二三四五六七八九"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)} | {"两": 2, "〇": 0, "幺": 1}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_NUMBER = re.compile(rf"[0-9]+|[{''.join(_VALUES)}{''.join(_UNITS)}]+")
#: 几 and 多少 ask for the same; recognisers and people write plus and equals as signs.
_SAME = (("多少", "几"), ("+", "加"), ("＋", "加"), ("=", "等于"))


def spell(number: int) -> str:
    """0 to 999 as one says it: 25 is 二十五, 105 is 一百零五."""
    if not 0 <= number <= 999:
        raise ValueError(f"{number} is not 0 to 999")
    hundreds, rest = divmod(number, 100)
    if hundreds:
        joint = "零" if 0 < rest < 10 else "一" if 10 <= rest < 20 else ""
        return f"{_DIGITS[hundreds]}百{joint}{spell(rest) if rest else ''}"
    tens, ones = divmod(rest, 10)
    if not tens:
        return _DIGITS[ones]
    return ("" if tens == 1 else _DIGITS[tens]) + "十" + (_DIGITS[ones] if ones else "")


def numbers_in(text: str) -> tuple[int, ...]:
    """The whole numbers in `text`, in order."""
    return tuple(_value(found[0]) for found in _NUMBER.finditer(text))


def plain(text: str) -> str:
    """`text` as it is compared: no spaces, no punctuation, numbers in digits."""
    for word, same in _SAME:
        text = text.replace(word, same)
    kept = "".join(char for char in text.casefold() if unicodedata.category(char)[0] in "LN")
    return _NUMBER.sub(lambda found: str(_value(found[0])), kept)


def _value(word: str) -> int:
    if word.isascii():
        return int(word[:9])
    if not any(char in _UNITS for char in word):  # digits one by one: 二零二六
        return int("".join(str(_VALUES[char]) for char in word)[:9])
    total, digit = 0, None
    for char in word:
        if char in _UNITS:
            total += (1 if digit is None else digit) * _UNITS[char]
            digit = 0
        else:
            digit = _VALUES[char]
    return total + (digit or 0)
