"""Normalising: what is removed, what is written one way, and what must stay."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.cache.normalise import MAX_CHARS, normalise
from actors.cache.numerals import chinese_to_digits, english_to_digits

PIECES = (
    *(
        "嗯",
        "啊",
        "额",
        "那个",
        "请问",
        "你知道",
        "告诉我",
        "帮我",
        "给我",
        "请",
        "麻烦",
        "谢谢",
        "小智小智",
        "你好小智",
    ),
    *(
        "打开",
        "关",
        "客厅",
        "的",
        "灯",
        "一",
        "两",
        "三",
        "十",
        "百",
        "点",
        "半",
        "个",
        "小时",
        "周",
        "不",
        "没",
        "了",
        "吗",
    ),
    *(
        "呢",
        "吧",
        "什么",
        "谁",
        "怎么",
        "写",
        "英语",
        "说",
        "北京",
        "到",
        "妈妈",
        "我",
        "你",
        "，",
        "。",
        "？",
        "!",
        " ",
    ),
    *(
        "3",
        "5",
        ".",
        ":",
        "+",
        "=",
        "%",
        "what",
        "is",
        "the",
        "turn",
        "on",
        "can",
        "you",
        "please",
        "don't",
        "one",
        "two",
    ),
    *(
        "小爱同学",
        "天猫精灵",
        "劳驾问一下",
        "查一下",
        "讲讲",
        "来着",
        "是不是",
        "被谁",
        "哪年",
        "一起",
        "这个成语",
    ),
    *(
        "how do i make",
        "how come",
        "the sky",
        "is it ok for",
        "to eat ",
        "how many",
        " are there in a ",
        "spell",
    ),
    *("發", "開", "燈", "下", "星期", "天", "分之", "零", "吗", "度"),
)
sentences = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("嗯，那个，请问一下现在几点了呀？", "现在几点了"),
        ("小智小智打开客厅的灯", "打开客厅的灯"),
        ("你好小智，给我讲个故事。", "讲个故事"),
        ("你能帮我打开客厅的灯吗", "打开客厅的灯"),
        ("你知道中国的首都是哪里吗", "中国的首都是哪里"),
        ("麻烦你告诉我一下李白是谁", "李白是谁"),
        ("打开灯，谢谢", "打开灯"),
        ("請把臥室的電視關掉", "把卧室的电视关掉"),
        ("3+5=?", "3加5等于几"),
        ("早上八点半叫我", "早上8点30分叫我"),
        ("8:30叫我", "8点30分叫我"),
        ("百分之五十是多少", "50%是多少"),
        ("礼拜天有课吗", "周日有课吗"),
        ("What's the capital of France?", "what is the capital of france"),
        ("could you turn on the kitchen light please", "turn on the kitchen light"),
        ("set a timer for twenty five minutes", "set a timer for 25 minutes"),
        ("小爱同学珠穆朗玛峰有多高", "珠穆朗玛峰有多高"),
        ("天猫精灵，一加一等于几", "1加1等于几"),
        ("劳驾问一句长城有多长", "长城有多长"),
        ("能不能帮我查一下黄河有多长", "黄河有多长"),
        ("人体有多少块骨头来着", "人体有多少块骨头"),
        ("how do I make pancakes", "how to make pancakes"),
        ("how come the sky is blue?", "why is the sky blue"),
        ("is it ok for dogs to eat chocolate", "can dogs eat chocolate"),
        ("颱風係點樣形成嘅", "台风是怎么形成的"),
        ("那个那个太阳为什么会发光啊", "太阳为什么会发光"),
        ("海水咋是咸的嘞", "海水咋是咸的"),
        ("木耳要泡多长时间哪", "木耳要泡多长时间"),
        ("嘿小度牛奶和豆浆哪个好", "牛奶和豆浆哪个好"),
        ("how do you boil an egg", "how to boil an egg"),
        ("are penguins able to fly", "can penguins fly"),
        ("how come the sky's blue", "why is the sky blue"),
        ("in which year did the second world war end", "what year did world war 2 end"),
    ],
)
def test_wrapping_and_writing_are_gone(heard: str, meant: str) -> None:
    assert normalise(heard) == meant


@pytest.mark.parametrize(
    "text",
    [
        *(
            "小智是谁",
            "嗯是什么意思",
            "额头疼怎么办",
            "喂猫吃什么",
            "请老师吃饭",
            "那个人是谁",
            "谢谢用英语怎么说",
        ),
        *(
            "用英语怎么说谢谢",
            "功能不能用",
            "不，打开灯",
            "爸爸，妈妈在哪里",
            "你好",
            "你好小智",
            "谢谢",
            "小智发烧",
        ),
        *(
            "告诉我们今天几号",
            "小爱同学多少钱",
            "天猫精灵声音怎么调",
            "小爱同学是谁",
            "查一下什么",
            "how do i look",
            "how do you feel",
            "can you explain yourself",
            "3点样品在哪里",
            "3点解决了吗",
            "长城在哪",
            "is it ok for dogs to swim",
            "我想问你叫什么",
            "二手车",
            "四川",
            "三国演义是谁写的",
            "一下",
            "三五个人",
            "十几个人",
        ),
        *("can you swim", "do you know how to swim", "no one", "who is there"),
    ],
)
def test_words_of_the_question_stay(text: str) -> None:
    assert normalise(text) == text


def test_a_talk_about_characters_keeps_the_script() -> None:
    assert normalise("發怎麼寫") != normalise("发怎么写")


def test_a_question_mark_stays_where_nothing_else_asks() -> None:
    assert normalise("打开灯？") == "打开灯?"
    assert normalise("谁打开灯？") == "谁打开灯"


def test_nothing_stays_nothing() -> None:
    assert normalise("") == normalise("？") == normalise(" 。 ") == ""


def test_other_wake_words_are_taken_off() -> None:
    assert normalise("小青同学打开灯", ("小青同学",)) == "打开灯"
    assert normalise("小青同学打开灯") == "小青同学打开灯"


@given(sentences)
@settings(max_examples=400, deadline=None)
def test_normalising_again_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_survived(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@pytest.mark.parametrize(
    "piece", ["的", "和", "嗯", "请", "三", "是", "不", "点", "，", "one ", "最", "把打开"]
)
def test_long_texts_are_cut_and_end(piece: str) -> None:
    assert len(normalise(piece * 4000)) <= 2 * MAX_CHARS


@given(st.integers(0, 99_999_999))
@settings(max_examples=300, deadline=None)
def test_a_number_is_read_as_what_it_is(value: int) -> None:
    assert chinese_to_digits(f"数字{_spoken(value)}号") == f"数字{value}号"


def _spoken(value: int) -> str:
    """The value as it is said in full, 0–99 999 999."""
    if value >= 10_000:
        rest = value % 10_000
        gap = "零" if 0 < rest < 1000 else ""
        return f"{_spoken(value // 10_000)}万{gap}{_spoken(rest) if rest else ''}"
    digits = "零一二三四五六七八九"
    said, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // unit % 10
        if digit:
            said += ("零" if gap and said else "") + digits[digit] + name
            gap = False
        else:
            gap = bool(said)
    return said or digits[0]


def test_different_english_numbers_stay_different() -> None:
    spoken = ("fifteen", "fifty", "five", "fifty five", "one hundred and five", "one hundred fifty")
    assert len({english_to_digits(words) for words in spoken}) == len(spoken)
