"""Numbers as a Mandarin speaker reads them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.workers.tts.reading import amount, read_out
from tests.workers.speech import RATE_HZ, spoken, understood


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "零"),
        (10, "十"),
        (12, "十二"),
        (20, "二十"),
        (105, "一百零五"),
        (110, "一百一十"),
        (1001, "一千零一"),
        (1010, "一千零一十"),
        (10_000, "一万"),
        (100_000, "十万"),
        (10_005, "一万零五"),
        (120_030, "十二万零三十"),
        (12_345_678, "一千二百三十四万五千六百七十八"),
        (100_000_001, "一亿零一"),
    ],
)
def test_amounts(number: int, words: str) -> None:
    assert amount(number) == words


def value(words: str) -> int:
    """Read an amount back, the slow and obvious way."""
    total = group = digit = 0
    for word in words:
        if word in "零一二三四五六七八九":
            digit = "零一二三四五六七八九".index(word)
        elif word in "十百千":
            group += (digit or 1) * 10 ** ("十百千".index(word) + 1)
            digit = 0
        else:
            total = (total + group + digit) * {"万": 10**4, "亿": 10**8}[word]
            group = digit = 0
    return total + group + digit


@given(st.integers(0, 10**8 - 1))
def test_an_amount_reads_back_as_itself(number: int) -> None:
    assert value(amount(number)) == number


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("今天是2024年3月5号", "今天是二零二四年三月五号"),
        ("圆周率是3.14", "圆周率是三点一四"),
        ("现在12:30", "现在十二点三十分"),
        ("2:05出发，8:00到", "两点零五分出发，八点到"),
        ("电量还有50%", "电量还有百分之五十"),
        ("今天-5度", "今天零下五度"),
        ("气温25℃", "气温二十五摄氏度"),
        ("3×4=12", "三乘四等于十二"),
        ("5-3=2", "五减三等于二"),
        ("1/2", "二分之一"),
        ("我有1,000块", "我有一千块"),
        ("电话13800138000", "电话一三八零零一三八零零零"),
        ("3~5天", "三到五天"),
        ("3-5天", "三到五天"),
        ("等于-3", "等于负三"),
        ("2个苹果，12个梨", "两个苹果，十二个梨"),
        ("版本1.2.3", "版本一点二点三"),
        ("代码007", "代码零零七"),
        ("Hello小智", "Hello小智"),
        ("MP3和ESP32", "MP三和ESP三十二"),
        ("", ""),
    ],
)
def test_what_is_written_as_it_is_read(written: str, read: str) -> None:
    assert read_out(written) == read


@given(st.text())
def test_no_digit_stays_and_nothing_fails(text: str) -> None:
    assert not any(character in "0123456789" for character in read_out(text))


@pytest.mark.parametrize(
    ("written", "heard"),
    [("现在是12:30", "现在是十二点三十分"), ("3加5等于8", "三加五等于八")],
)
def test_the_embedded_voice_reads_it_so(written: str, heard: str) -> None:
    async def run() -> None:
        assert await understood(await spoken(written), RATE_HZ) == heard

    asyncio.run(run())
