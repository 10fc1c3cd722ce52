"""The rule responder: what it answers, and what it honestly does not."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.workers.llm import create
from actors.workers.llm.clauses import ClauseCutter
from actors.workers.llm.rules import (
    BRIDGE_EN,
    BRIDGE_ZH,
    NO_MODEL_EN,
    NO_MODEL_ZH,
    Rules,
    RulesEngine,
    rest_after,
)
from cfg.model import RulesLlm

#: A Thursday.
NOW = datetime(2026, 3, 5, 14, 5)


def answer(question: str, now: datetime = NOW, before: tuple[tuple[str, str], ...] = ()) -> str:
    return Rules(lambda: now).answer((*before, ("user", question)))


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("现在几点了", "现在是下午两点零五分。"),
        ("现在 几 点 了", "现在是下午两点零五分。"),
        ("请问现在几点钟", "现在是下午两点零五分。"),
        ("今天几号", "今天是三月五号。"),
        ("今天是几年几月几号", "今天是二零二六年三月五号。"),
        ("今天星期几", "今天是星期四。"),
        ("明天是星期几", "明天是星期五。"),
        ("大后天是周几", "大后天是星期日。"),
        ("昨天礼拜几", "昨天是星期三。"),
        ("后天几号星期几", "后天是三月七号，星期六。"),
        ("今年是哪一年", "今年是二零二六年。"),
        ("what time is it", "It is two oh five in the afternoon."),
        ("What day is it tomorrow?", "Tomorrow is Friday."),
        ("what's the date today", "Today is Thursday, March fifth."),
    ],
)
def test_time_and_date(question: str, reply: str) -> None:
    assert answer(question) == reply


@pytest.mark.parametrize(
    ("hour", "minute", "said"),
    [(0, 0, "凌晨零点整"), (7, 30, "早上七点三十分"), (9, 9, "上午九点零九分"), (12, 15, "中午十二点十五分"),
     (18, 40, "晚上六点四十分"), (22, 0, "晚上十点整")],
)  # fmt: skip
def test_parts_of_the_day(hour: int, minute: int, said: str) -> None:
    assert answer("几点了", datetime(2026, 1, 1, hour, minute)) == f"现在是{said}。"


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("三加五等于几", "三加五等于八。"),
        ("一百二十减三十五等于多少", "一百二十减三十五等于八十五。"),
        ("十乘以三", "十乘以三等于三十。"),
        ("九除以三", "九除以三等于三。"),
        ("请帮我算一下三加五乘二是多少", "三加五乘以二等于十三。"),
        ("十除以三", "十除以三约等于三点三三。"),
        ("一除以七百", "一除以七百约等于零点零零一四。"),
        ("三点五加一点二五", "三点五加一点二五等于四点七五。"),
        ("三减八等于几", "三减八等于负五。"),
        ("一亿二千万加三万", "一亿二千万加三万等于一亿二千零三万。"),
        ("三分之一加四分之一", "三分之一加四分之一约等于零点五八。"),
        ("12+30", "十二加三十等于四十二。"),
        ("五除以零等于几", "零不能做除数，这道题没有答案。"),
        ("九千万亿加九千万亿", "这个数太大或者太长了，我念不出来。"),
        ("what is three plus five", "Three plus five is eight."),
        ("how much is ten divided by four?", "Ten divided by four is two point five."),
        ("ten divided by three", "Ten divided by three is about three point three three."),
        ("seven divided by zero", "Nothing can be divided by zero, so there is no answer."),
    ],
)
def test_arithmetic(question: str, reply: str) -> None:
    assert answer(question) == reply


@given(st.integers(0, 9999), st.integers(1, 9999), st.sampled_from("加减乘"))
def test_sums_are_right(left: int, right: int, word: str) -> None:
    value = {"加": left + right, "减": left - right, "乘": left * right}[word]
    said = answer(f"{left}{word}{right}等于多少")
    from actors.workers.llm.numerals import parse_chinese

    assert parse_chinese(said.partition("等于")[2].rstrip("。")) == value


@pytest.mark.parametrize(
    "question",
    [
        "定时五分钟",
        "三分钟后提醒我",
        "十秒倒计时",
        "明天早上七点叫我起床",
        "set a timer for five minutes",
        "wake me at seven",
    ],
)
def test_it_does_not_pretend_to_ring_later(question: str) -> None:
    said = answer(question)
    assert "不会到点响铃" in said or "cannot ring later" in said


def test_a_timer_repeats_the_duration_it_understood() -> None:
    assert "一个半小时" in answer("一个半小时后提醒我")
    assert "十秒" in answer("十秒倒计时")


@pytest.mark.parametrize(
    "question", ["声音大一点", "把音量调到五十", "静音", "小声点", "turn it up", "volume please"]
)
def test_volume_is_honest(question: str) -> None:
    said = answer(question)
    assert "不能调设备的音量" in said or "cannot change it" in said


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("你好", "你好，我是小智。"),
        ("你好小智", "你好，我是小智。"),
        ("你是谁", "我是小智，你的语音助手。"),
        ("你叫什么名字", "我是小智，你的语音助手。"),
        ("谢谢你", "不客气。"),
        ("好的", "好的。"),
        ("再见", "再见，需要我的时候再叫我。"),
        ("hello", "Hello, I am Xiaozhi."),
        ("who are you", "I am Xiaozhi, your voice assistant."),
        ("thank you", "You are welcome."),
        ("goodbye", "Goodbye, call me when you need me."),
        ("", "我没听清，请再说一遍。"),
    ],
)
def test_small_talk(question: str, reply: str) -> None:
    assert answer(question) == reply


def test_it_repeats_its_last_answer() -> None:
    before = (("user", "三加五等于几"), ("assistant", "三加五等于八。"))
    assert answer("再说一遍", before=before) == "三加五等于八。"
    assert answer("say that again", before=before) == "三加五等于八。"
    assert answer("再说一遍") == "我刚才还没有说过什么。"


@pytest.mark.parametrize(
    "question",
    [
        "给我讲个故事",
        "春节是几号",
        "火车几点开",
        "一加一手机多少钱",
        "明天几点开会",
        "今天天气怎么样",
        "北京在哪里",
    ],
)
def test_everything_else_says_that_no_model_is_connected(question: str) -> None:
    assert answer(question) == NO_MODEL_ZH


@pytest.mark.parametrize(
    "question", ["tell me a joke", "what day is christmas", "what time is the train"]
)
def test_everything_else_in_english(question: str) -> None:
    assert answer(question) == NO_MODEL_EN


@given(st.text(max_size=40))
def test_any_question_gets_a_speakable_answer(question: str) -> None:
    cutter = ClauseCutter()
    said = answer(question)
    assert cutter.push(said) + cutter.flush()


def test_what_was_spoken_is_skipped() -> None:
    assert rest_after("一，二。三。", ("一，", "二。")) == "三。"
    assert rest_after("One, two. Three.", ("One,", "two.")) == "Three."
    assert rest_after("一。", ("一。",)) == ""


def test_another_engines_answer_ends_with_a_bridge() -> None:
    assert rest_after("一，二。", ("从前有座山，",)) == BRIDGE_ZH
    assert rest_after("Hello.", ("Once upon a time,",)) == BRIDGE_EN
    assert rest_after("一。", ("一。二。",)) == BRIDGE_ZH


def test_the_engine() -> None:
    async def run() -> None:
        engine = create(RulesLlm())
        assert isinstance(engine, RulesEngine)
        await engine.open()
        async with aclosing(engine.generate((("user", "二加二等于几"),))) as answers:
            assert [text async for text in answers] == ["二加二等于四。"]
        spoken = engine.generate((("user", "二加二等于几"),), ("二加二等于四。",))
        assert [text async for text in spoken] == []
        health = await engine.probe()
        assert health.ok
        assert "no language model" in health.detail["limits"]
        await engine.close()

    asyncio.run(run())
