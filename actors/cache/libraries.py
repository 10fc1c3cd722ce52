"""The language libraries behind the answer cache, each loaded at its first use.

Together they need about 0.3 s and 40 MB the first time: a worker calls `load()`
while it starts, so that no question waits for them. Their results are pure.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable

Tagged = tuple[tuple[str, str], ...]

#: Household words that the general dictionary cuts wrongly or does not know.
_OWN_WORDS = (
    *("客厅", "主卧", "次卧", "卧室", "厨房", "书房", "阳台", "玄关", "儿童房", "卫生间"),
    *("扫地机器人", "空气净化器", "加湿器", "取暖器", "排风扇", "投影仪", "热水器", "洗碗机"),
    *("蛋炒饭", "宫保鸡丁", "麻婆豆腐", "红烧肉", "人工智能", "区块链"),
)


@functools.cache
def _segmenter() -> Callable[[str], list[tuple[str, str]]]:
    import rjieba

    cutter = rjieba.Jieba()
    for word in _OWN_WORDS:
        cutter.add_word(word, 100_000, "n")
    # without the hidden Markov model: guessed words would depend on their neighbours
    return lambda text: cutter.tag(text, False)


@functools.cache
def _simplifier() -> Callable[[str], str]:
    import opencc

    convert = opencc.OpenCC("t2s").convert
    return lambda text: str(convert(text))


@functools.cache
def _reader() -> Callable[[str], float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it leaves its settings file open
        read = importlib.import_module("cn2an").cn2an

    return lambda text: float(read(text, "smart"))


def load() -> None:
    """Load everything now instead of at the first question."""
    tagged("打开客厅的灯")
    simplified("開燈")
    number("二十")


@functools.lru_cache(maxsize=4096)
def tagged(text: str) -> Tagged:
    """The words of a text with their part of speech (jieba's letters)."""
    return tuple(_segmenter()(text))


def words(text: str) -> tuple[str, ...]:
    return tuple(word for word, _ in tagged(text))


@functools.lru_cache(maxsize=4096)
def simplified(text: str) -> str:
    """Traditional characters as simplified ones."""
    return _simplifier()(text)


@functools.lru_cache(maxsize=4096)
def number(numeral: str) -> str | None:
    """A well-formed Chinese numeral as digits, or None."""
    try:
        value = _reader()(numeral)
    except ValueError:
        return None
    return str(int(value)) if value == int(value) else repr(value)
