"""Numbers: read as people say them, said as people say them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.workers.llm.numerals import (
    LARGEST_CHINESE,
    parse_chinese,
    parse_english,
    say_chinese,
    say_digits,
    say_english,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("零", 0), ("十", 10), ("十五", 15), ("二十", 20), ("一百零五", 105), ("一百一十", 110),
        ("三百五", 350), ("两千三", 2300), ("一万二", 12000), ("一万零二", 10002),
        ("一亿二千万", 120_000_000), ("一千零一十", 1010), ("两亿零三", 200_000_003),
        ("一二三", 123), ("幺零零", 100), ("12", 12), ("3万", 30000), ("负三", -3),
        ("三万亿", 3 * 10**12),
    ],
)  # fmt: skip
def test_reads_chinese(text: str, value: int) -> None:
    assert parse_chinese(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("三点一四", Fraction(314, 100)), ("零点零五", Fraction(5, 100)), ("3.5", Fraction(7, 2)),
     ("三分之一", Fraction(1, 3)), ("百分之二十", Fraction(1, 5)), ("负零点五", Fraction(-1, 2))],
)  # fmt: skip
def test_reads_chinese_parts(text: str, value: Fraction) -> None:
    assert parse_chinese(text) == value


@pytest.mark.parametrize(
    "text", ["", "点", "三点", "百", "三百千", "你好", "零分之一", "三点十", "1" * 5000]
)
def test_refuses_what_is_no_chinese_number(text: str) -> None:
    assert parse_chinese(text) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "零"), (10, "十"), (15, "十五"), (110, "一百一十"), (105, "一百零五"), (2, "二"),
        (22, "二十二"), (200, "二百"), (2000, "两千"), (12000, "一万二千"), (20002, "两万零二"),
        (100_100_000, "一亿零一十万"), (-5, "负五"), (10**8, "一亿"),
    ],
)  # fmt: skip
def test_says_chinese(value: int, text: str) -> None:
    assert say_chinese(value) == text


def test_says_chinese_parts() -> None:
    assert say_chinese(Fraction(25, 10)) == "二点五"
    assert say_chinese(Fraction(1, 3)) == "三分之一"
    assert say_digits(2026) == "二零二六"
    with pytest.raises(ValueError, match="no usual name"):
        say_chinese(LARGEST_CHINESE + 1)


@given(st.integers(-LARGEST_CHINESE, LARGEST_CHINESE))
def test_chinese_round_trip(value: int) -> None:
    assert parse_chinese(say_chinese(value)) == value


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_chinese_decimals_round_trip(value: int, places: int) -> None:
    exact = Fraction(value, 10**places)
    assert parse_chinese(say_chinese(exact)) == exact


@given(st.integers(-(10**12) + 1, 10**12 - 1))
def test_english_round_trip(value: int) -> None:
    assert parse_english(say_english(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("a hundred and five", 105), ("twenty-five", 25), ("minus three", -3), ("12.5", Fraction(25, 2)),
     ("three point one four", Fraction(314, 100)), ("two thousand and one", 2001)],
)  # fmt: skip
def test_reads_english(text: str, value: Fraction) -> None:
    assert parse_english(text) == value


@pytest.mark.parametrize(
    "text", ["", "hundred", "love", "five six", "three point", "and", "twenty twenty"]
)
def test_refuses_what_is_no_english_number(text: str) -> None:
    assert parse_english(text) is None


@given(st.text("零一二三十百千万亿两点分之负9.", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    value = parse_chinese(text)
    assert value is None or isinstance(value, Fraction)


@given(
    st.lists(
        st.sampled_from(["one", "twenty", "hundred", "thousand", "and", "point", "minus", "7"]),
        max_size=9,
    )
)
def test_any_words_are_read_or_refused(words: list[str]) -> None:
    value = parse_english(" ".join(words))
    assert value is None or isinstance(value, Fraction)
