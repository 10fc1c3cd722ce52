"""Numerals as digits, so that 三十五, 35 and thirty five are one text.

Pure but for the libraries of `actors.cache.libraries`, which it reads words and
numerals with. Only what is surely a numeral is converted: 一下, 四川 and 二手车
keep their characters, and a run that could be a range (三五个) or a list keeps
them too. Two different numbers never become the same digits.
"""

from __future__ import annotations

import re
from typing import Final

from actors.cache.libraries import number, tagged
from actors.numberwords import HUNDRED, LARGE, SMALL, TENS, VALUES

_DIGIT: Final = dict(zip("零〇一二两三四五六七八九幺", "0012234567891", strict=True))
_RUN: Final = "零〇一二两三四五六七八九幺十百千万亿"
_ONE: Final = "[一二两三四五六七八九]"
#: A numeral as it is spoken, up to 99 999 with a colloquial end (一万五, 一百二).
_WELL_FORMED: Final = re.compile(
    rf"(?:{_ONE}?十{_ONE}?|{_ONE}百(?:零{_ONE}|{_ONE}十{_ONE}?|{_ONE})?"
    rf"|{_ONE}千(?:零{_ONE}?十?{_ONE}?|{_ONE}百(?:零{_ONE}|{_ONE}十{_ONE}?)?|{_ONE})?"
    rf"|[一二两三四五六七八九十百千零]+[万亿][一二两三四五六七八九十百千万零]*)"
)
#: Numerals by the tagger that are adverbs or parts of names.
_NO_NUMBER: Final = frozenset(
    {
        "一下",
        "一些",
        "一样",
        "一起",
        "一共",
        "一半",
        "一会",
        "一会儿",
        "一直",
        "一定",
        "一般",
        "十分",
    }
    | {"千万", "万一", "第一时间", "一边", "一点", "一点儿", "一路", "万分", "百般", "一旦", "一生"}
)
_UNIT: Final = (
    "个|只|条|本|张|位|块|斤|公|千|米|厘|毫|天|周|年|小时|分|秒|点|岁|次|遍|首|段|种|件|台|辆|层|楼|句|道|杯"
    "|瓶|碗|人|倍|度|元|毛|升|吨|克|里|英|平|立|名|家|部|篇|页|组|对|双|盏|扇|节|门|口|颗|棵|朵|头|匹|支|枝"
    "|把|盘|份|项|代|星期|礼拜|钟头|寸|尺|丈|格|档|集|章|声|号|日|月"
)
_PLAIN: Final = re.compile(rf"[{_RUN}]+(?!分之)")
_PERCENT: Final = re.compile(rf"百分之([{_RUN}点\d.]+)")
_FRACTION: Final = re.compile(rf"([{_RUN}\d]+)分之([{_RUN}\d]+)")
_DECIMAL: Final = re.compile(
    rf"([{_RUN}]*[零〇一二两三四五六七八九十百]|\d+)点([零〇一二三四五六七八九]+)"
)
_CLOCK: Final = re.compile(r"(\d{1,2})点(?:(半)|([一123])刻|(\d{1,2})分?(?![\d刻])|(整|钟(?!头)))")
_HOURS: Final = re.compile(r"(\d+)个?半(?:个)?(?:小时|钟头)|(?<![\d个])半个?(?:小时|钟头)")
_WEEKDAY: Final = re.compile(r"^(?:周|星期|礼拜)([一二三四五六日天1-7])$")
_NEXT_WEEK: Final = re.compile(
    r"([上下这本每])(?:个)?(?:周|星期|礼拜)([一二三四五六日天1-6])(?![次个天年遍回共定起般周])"
)


def chinese_to_digits(text: str) -> str:
    """Chinese numerals, weekdays, clock times and fractions in one written form."""
    text = _PERCENT.sub(lambda m: f"{_read(m[1])}%" if _read(m[1]) else m[0], text)
    text = _FRACTION.sub(_fraction, text)
    text = _DECIMAL.sub(_decimal, text)
    text = _NEXT_WEEK.sub(lambda m: f"{m[1]}周{_weekday(m[2])}", text)
    text = "".join(piece for piece in _pieces(text))
    text = _HOURS.sub(lambda m: f"{m[1] or 0}.5小时", text)
    text = re.sub(r"(\d)(?:个小时|个?钟头)", r"\1小时", text)
    text = re.sub(r"(\d)个(?:星期|礼拜)|(\d)(?:星期|礼拜)", r"\1\2周", text)
    return _CLOCK.sub(_clock, text)


def _pieces(text: str) -> list[str]:
    """Words one after the other; neighbouring numerals are read as one."""
    pieces: list[str] = []
    run = ""
    for word, kind in tagged(text):
        if _numeral(word, kind):
            run += word
            continue
        pieces += [_convert(run, word), _word(word)]
        run = ""
    pieces.append(_convert(run, ""))
    return pieces


def _numeral(word: str, kind: str) -> bool:
    if word in _NO_NUMBER or not re.search(f"[{_RUN}]", word):
        return word in ("点", "分", "第") or word.isdigit()
    if _WEEKDAY.match(word):
        return False
    if kind in ("m", "mq", "t"):
        return True
    return (
        re.fullmatch(f"[{_RUN}]+", word) is not None
        or re.fullmatch(rf"[{_RUN}]+(?:楼|层|年级|岁|号|度|分|元|块|斤|米|天|年|加|减|乘|除)", word)
        is not None
    )


def _word(word: str) -> str:
    weekday = _WEEKDAY.match(word)
    return f"周{_weekday(weekday[1])}" if weekday else word


def _weekday(name: str) -> str:
    return {"天": "日", "7": "日"}.get(name, _DIGIT.get(name, name))


def _convert(run: str, following: str) -> str:
    """One run of numerals, with the units between them, as digits."""

    def replaced(match: re.Match[str]) -> str:
        rest = run[match.end() :] + following
        if rest[:1] in ("几", "多", "来", "余") and rest[:2] != "多少":
            return match[0]  # 十几, 三十多: no one number
        if match[0] == "两" and not re.match(_UNIT, rest):
            return match[0]
        if match[0] == "两" and rest[:1] in ("月", "楼", "号"):
            return match[0]  # two months, while 二月 is February
        return _read(match[0], rest) or match[0]

    return _PLAIN.sub(replaced, run)


def _read(numeral: str, rest: str = "") -> str | None:
    """A run of numerals as digits; None when it is not surely one number."""
    if re.fullmatch(r"[\d.]+", numeral):
        return numeral
    if "点" in numeral:
        whole, _, decimals = numeral.partition("点")
        read = _read(whole)
        return f"{read}.{_spelt(decimals)}" if read and decimals else None
    if re.search("[十百千万亿]", numeral):
        return number(numeral.replace("〇", "零")) if _WELL_FORMED.fullmatch(numeral) else None
    sure = len(numeral) == 1 or len(numeral) >= 4 or re.search("[零〇幺]", numeral)
    return _spelt(numeral) if sure or rest.startswith("年") else None


def _spelt(digits: str) -> str:
    return "".join(_DIGIT.get(digit, digit) for digit in digits)


def _fraction(match: re.Match[str]) -> str:
    below, above = _read(match[1]), _read(match[2])
    return f"{above}/{below}" if above and below else match[0]


def _decimal(match: re.Match[str]) -> str:
    rest = match.string[match.end() :]
    whole = _read(match[1])
    if whole is None or re.match("[十百分刻半]", rest) or not match[2]:
        return match[0]
    return f"{whole}.{_spelt(match[2])}"


def _clock(match: re.Match[str]) -> str:
    hour, half, quarters, minute, _ = match.groups()
    if half:
        minute = "30"
    elif quarters:
        minute = str(15 * int(_DIGIT.get(quarters, quarters)))
    return f"{hour}点{int(minute)}分" if minute else f"{hour}点"


# --- English ------------------------------------------------------------------

_SMALL: Final = {word: VALUES[word] for word in SMALL}
_TENS: Final = {word: VALUES[word] for word in TENS}
_SCALES: Final = {HUNDRED: 100, "thousand": LARGE["thousand"], "million": LARGE["million"]}


def english_to_digits(text: str) -> str:
    """Number words as digits, apart from a lone "one", which is often no number."""
    out: list[str] = []
    tokens = text.split(" ")
    at = 0
    while at < len(tokens):
        value, length = _english_number(tokens[at:])
        if length == 0 or tokens[at : at + length] == ["one"]:
            out.append(tokens[at])
            at += 1
        else:
            out.append(str(value))
            at += length
    return " ".join(out)


def _english_number(tokens: list[str]) -> tuple[int, int]:
    """Value and length of the number that the tokens begin with; length 0: none."""
    total, current, at, last = 0, 0, 0, 10**9
    while at < len(tokens):
        token = tokens[at]
        if token in _SCALES and current:
            scale = _SCALES[token]
            current *= scale
            if scale > 100:
                total, current = total + current, 0
            last = scale
        elif token in _TENS and last >= 100:
            current, last = current + _TENS[token], 10
        elif token in _SMALL and (last >= 100 or (last == 10 and 0 < _SMALL[token] < 10)):
            current, last = current + _SMALL[token], 1
        elif not (tokens[at] == "and" and at and last in (100, 1000) and _small_next(tokens, at)):
            break
        at += 1
    return total + current, at


def _small_next(tokens: list[str], at: int) -> bool:
    return at + 1 < len(tokens) and (tokens[at + 1] in _SMALL or tokens[at + 1] in _TENS)
