"""How finished a text looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.audio.completeness import Completeness, completeness

COMPLETE_ZH = [
    "打开客厅的灯", "把客厅的灯打开", "客厅的灯关掉", "关闭空调", "把空调打开", "关灯", "把音量调大", "音量大一点",
    "空调温度调低一点", "温度调到二十六度", "倒计时十分钟", "定一个五分钟的闹钟", "播放音乐", "播放一首周杰伦的歌", "讲个笑话", "给我讲一个故事",
    "打电话", "下一首", "现在几点", "现在几点了", "今天星期几", "今天几号", "今天天气怎么样", "北京的天气怎么样",
    "明天会下雨吗", "一加一等于多少", "你叫什么名字", "这是什么", "你好", "谢谢", "好的", "停",
    "再见", "是的", "不用了", "再说一遍", "明天早上八点叫我起床", "我回来了", "那就这样吧",
]  # fmt: skip
INCOMPLETE_ZH = [
    "打开", "打开客厅的", "把", "把音量调到", "把客厅的灯", "请帮我把客厅的灯", "播放", "我想听",
    "讲一个", "一加", "一加一等于", "百分之", "今天", "明天早上几", "客厅", "今天天气怎么",
    "然后", "因为", "那个", "嗯", "呃", "为了", "我觉得", "帮我",
    "帮我把", "请问", "你能不能", "提醒我", "五分钟后", "等我回来以后", "如果明天下雨的话", "打开客厅的灯和",
    "打开客厅的灯然后", "打开客厅的灯再",
]  # fmt: skip
UNSURE_ZH = [
    "今天天气",
    "播放周杰伦",
    "音量调到五十",
    "一加一",
    "提醒我喝水",
    "灯",
    "我想喝水",
    "空调",
    "成都",
]

COMPLETE_EN = (
    "what time is it",
    "turn on the light",
    "turn the lights off",
    "play music",
    "stop",
    "how old are you",
    "tell me a joke",
    "what is the weather today",
    "open the door please",
    "Hello!",
)
INCOMPLETE_EN = ("turn on", "turn on the", "what is the", "and", "play", "set a timer for", "um")
UNSURE_EN = ("set a timer for five", "the weather", "can you")


@pytest.mark.parametrize("text", COMPLETE_ZH)
def test_whole_sentences(text: str) -> None:
    assert completeness(text, "zh") is Completeness.COMPLETE


@pytest.mark.parametrize("text", INCOMPLETE_ZH)
def test_halves_of_sentences(text: str) -> None:
    assert completeness(text, "zh") is Completeness.INCOMPLETE


@pytest.mark.parametrize("text", UNSURE_ZH)
def test_either_way(text: str) -> None:
    assert completeness(text, "zh") is Completeness.UNSURE


@pytest.mark.parametrize(
    ("texts", "look"),
    [
        (COMPLETE_EN, Completeness.COMPLETE),
        (INCOMPLETE_EN, Completeness.INCOMPLETE),
        (UNSURE_EN, Completeness.UNSURE),
    ],
)
def test_english(texts: tuple[str, ...], look: Completeness) -> None:
    assert {text: completeness(text, "en") for text in texts} == dict.fromkeys(texts, look)


@pytest.mark.parametrize("text", ["", " ", "。", "……", " , "])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_word_is_incomplete(text: str, language: str) -> None:
    assert completeness(text, language) is Completeness.INCOMPLETE  # type: ignore[arg-type]


@pytest.mark.parametrize("text", COMPLETE_ZH + INCOMPLETE_ZH + UNSURE_ZH)
def test_a_recognisers_spaces_and_punctuation_change_nothing(text: str) -> None:
    assert completeness(" ".join(text), "zh") is completeness(text, "zh")
    assert completeness(text + "。", "zh") is completeness(text, "zh")


def test_a_question_mark_settles_it() -> None:
    assert completeness("今天天气？", "zh") is Completeness.COMPLETE
    assert completeness("the weather?", "en") is Completeness.COMPLETE


@pytest.mark.parametrize("text", COMPLETE_ZH)
@pytest.mark.parametrize("more", ["然后", "和", "因为"])
def test_a_conjunction_opens_any_sentence_again(text: str, more: str) -> None:
    assert completeness(text + more, "zh") is Completeness.INCOMPLETE


@given(st.text(max_size=60), st.sampled_from(["zh", "en"]))
def test_any_text_has_a_look(text: str, language: str) -> None:
    assert completeness(text, language) in Completeness  # type: ignore[arg-type]
