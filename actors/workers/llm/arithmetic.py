"""Sums asked in words, in Chinese and English, and their spoken results.

Pure and exact: values are fractions until they are said. Only a text that is a
sum and nothing else counts as one, so that a phone named 一加 is not added up.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from actors.workers.llm.numerals import (
    CHINESE_NUMBER,
    parse_chinese,
    parse_english,
    say_chinese,
    say_english,
)

_ZH_OPERATORS: Final = {
    "加上": "+", "加": "+", "减去": "-", "减掉": "-", "减": "-",
    "乘以": "*", "乘上": "*", "乘": "*", "除以": "/", "除": "/",
    "+": "+", "＋": "+", "-": "-", "－": "-", "×": "*", "*": "*", "÷": "/", "/": "/",
}  # fmt: skip
_ZH_SIGN_WORDS: Final = {"+": "加", "-": "减", "*": "乘以", "/": "除以"}
_ZH_OPERATOR: Final = "|".join(map(re.escape, _ZH_OPERATORS))
_ZH_BEFORE: Final = (
    r"(?:请问|你知道|知道|那么|那|帮我|给我|请|算一下|算一算|算算|算|计算一下|计算|小智)*"
)
_ZH_AFTER: Final = (
    r"(?:的?(?:结果|和|差|积|商)?(?:等于|是|得|等於|=)?(?:多少|几|什么)?)?(?:呢|啊|呀|吧|了|来着)?"
)
_ZH_SUM: Final = re.compile(
    rf"{_ZH_BEFORE}(?P<sum>{CHINESE_NUMBER}(?:(?:{_ZH_OPERATOR}){CHINESE_NUMBER})+){_ZH_AFTER}[？?。]?"
)

_EN_OPERATORS: Final = {
    "multiplied by": "*", "divided by": "/", "plus": "+", "minus": "-", "times": "*", "over": "/",
    "+": "+", "-": "-", "*": "*", "×": "*", "x": "*", "/": "/", "÷": "/",
}  # fmt: skip
_EN_SIGN_WORDS: Final = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
_EN_OPERATOR: Final = "|".join(map(re.escape, _EN_OPERATORS))
_EN_FRAME: Final = re.compile(
    r"^(?:please |can you |tell me |calculate |compute |how much is |how much are |what is |what's |whats )*"
    r"(?P<sum>.+?)(?: equals?| is)?(?: what)?\s*\??$"
)


class DivisionByZero(Exception):
    """The sum divides by nothing."""


def answer_chinese(text: str) -> str | None:
    """The spoken answer if `text` (without spaces) is a sum, else None."""
    found = _ZH_SUM.fullmatch(text)
    if not found:
        return None
    pieces = re.split(f"({_ZH_OPERATOR})", found["sum"])
    values = [parse_chinese(piece) for piece in pieces[::2]]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    signs = [_ZH_OPERATORS[piece] for piece in pieces[1::2]]
    try:
        result = _evaluate(known, signs)
        asked = _join(
            [_echo(piece) for piece in pieces[::2]], [_ZH_SIGN_WORDS[sign] for sign in signs], ""
        )
        rounded = _rounded(result)
        equals = "等于" if rounded == result else "约等于"
        return f"{asked}{equals}{say_chinese(rounded)}。"
    except DivisionByZero:
        return "零不能做除数，这道题没有答案。"
    except ValueError:
        return "这个数太大或者太长了，我念不出来。"


def answer_english(text: str) -> str | None:
    """The spoken answer if `text` (lower case) is a sum, else None."""
    found = _EN_FRAME.match(text)
    if not found:
        return None
    pieces = re.split(rf"\s*(?<![a-z])({_EN_OPERATOR})(?![a-z])\s*", found["sum"].strip())
    if len(pieces) < 3:
        return None
    values = [parse_english(piece) for piece in pieces[::2]]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    signs = [_EN_OPERATORS[piece] for piece in pieces[1::2]]
    try:
        result = _evaluate(known, signs)
        asked = _join(
            [say_english(value) for value in known], [_EN_SIGN_WORDS[sign] for sign in signs], " "
        )
        rounded = _rounded(result)
        equals = "is" if rounded == result else "is about"
        return f"{asked[0].upper()}{asked[1:]} {equals} {say_english(rounded)}."
    except DivisionByZero:
        return "Nothing can be divided by zero, so there is no answer."
    except ValueError:
        return "That number is too large or too long for me to say."


def _echo(number: str) -> str:
    """A number as the user said it, unless it was typed in digits."""
    value = parse_chinese(number)
    typed = any(char.isascii() for char in number)
    return say_chinese(value) if typed and value is not None else number


def _join(values: list[str], signs: list[str], space: str) -> str:
    parts = [values[0]]
    for sign, value in zip(signs, values[1:], strict=True):
        parts += [sign, value]
    return space.join(parts)


def _evaluate(values: list[Fraction], signs: list[str]) -> Fraction:
    """Products before sums, from left to right."""
    terms = [values[0]]
    for sign, value in zip(signs, values[1:], strict=True):
        if sign == "*":
            terms[-1] *= value
        elif sign == "/":
            if not value:
                raise DivisionByZero
            terms[-1] /= value
        else:
            terms.append(value if sign == "+" else -value)
    return sum(terms, Fraction(0))


def _rounded(value: Fraction) -> Fraction:
    """Exact up to four decimals, else two, or two significant ones below 0.1."""
    if (value * 10**4).denominator == 1:
        return value
    places = 2
    while value and abs(value) * 10 ** (places - 1) < 1:
        places += 1
        if places > 30:
            raise ValueError("too small to say")
    return round(value, places)
