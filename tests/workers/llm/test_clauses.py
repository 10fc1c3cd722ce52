"""Clauses: where they end, what is lost, and that pushes do not matter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.workers.llm.clauses import ClauseCutter
from actors.workers.llm.speakable import SpeakableText


def cut(text: str, size: int = 10**6, **limits: int) -> list[str]:
    cutter = ClauseCutter(**limits)
    clauses: list[str] = []
    for at in range(0, len(text), size):
        clauses += cutter.push(text[at : at + size])
    return clauses + cutter.flush()


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("你好，我是小智。今天天气不错！", ["你好，", "我是小智。", "今天天气不错！"]),
        ("圆周率是3.14，不是3。", ["圆周率是3.14，", "不是3。"]),
        ("It costs 1,000.50 dollars at 12:30. Fine.", ["It costs 1,000.50 dollars at 12:30.", "Fine."]),
        ("Mr. Smith met Dr. J. Doe in the U.S. today. Good.",
         ["Mr. Smith met Dr. J. Doe in the U.S. today.", "Good."]),
        ("Look at example.com or v2.0 now! OK?", ["Look at example.com or v2.0 now!", "OK?"]),
        ("他问：“你真的要去吗？”我说对。", ["他问：", "“你真的要去吗？”", "我说对。"]),
        ('He said "Stop!" and left.', ['He said "Stop!"', "and left."]),
        ("真的吗？！太好了！！！", ["真的吗？", "太好了！"]),
        ("嗯……我想想。", ["嗯……我想想。"]),
        ("好", ["好"]),
        ("", []),
        ("……！？", []),
        ("时间是12:30。", ["时间是12:30。"]),
        ("第一句话\n第二句话\n\n第三句话", ["第一句话", "第二句话", "第三句话"]),
        ("他来了.我走了.", ["他来了.", "我走了."]),
        ("我有3个苹果，2个梨。", ["我有3个苹果，", "2个梨。"]),
    ],
)  # fmt: skip
def test_ends(text: str, clauses: list[str]) -> None:
    assert cut(text) == clauses
    assert cut(text, 1) == clauses


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("**苹果**是*红*的。", ["苹果是红的。"]),
        (
            "## 标题\n- 苹果\n* 香蕉\n1. 第一\n2. 第二",
            ["标题", "苹果", "香蕉", "1. 第一", "2. 第二"],
        ),
        ("看[这里](http://a.b/c)，好吗？", ["看这里，", "好吗？"]),
        ("网址是 https://a.b/c?d=1。好了。", ["网址是 。", "好了。"]),
        ("```py\nprint(1)\n```\n好了。", ["好了。"]),
        ("用`print`吧。", ["用print吧。"]),
        ("3*4等于12，snake_case不变。", ["3×4等于12，", "snake_case不变。"]),
        ("因为1 < 2，所以a<b。", ["因为1 < 2，", "所以a<b。"]),
        ("<b>粗</b>的<br>字", ["粗的", "字"]),
        ("😄好的！👍🏽再见。", ["好的！", "再见。"]),
        ("<think>想，想。</think>答案是五。", ["答案是五。"]),
        ("<thinking>想</thinking>五。", ["五。"]),
        ("我先想想</think>答案是五。", ["答案是五。"]),
        ("答案是五。<think>没说完", ["答案是五。"]),
        ("他说1️⃣和-5度。", ["他说1和-5度。"]),
        ("> 引用\n---\n好", ["引用", "好"]),
    ],
)
def test_only_speech_remains(text: str, clauses: list[str]) -> None:
    assert cut(text) == clauses
    assert cut(text, 1) == clauses


def test_a_sentence_mark_ends_the_clause_without_waiting() -> None:
    cutter = ClauseCutter()
    assert cutter.push("你好") == []
    assert cutter.push("，") == ["你好，"]
    assert cutter.push("我是小智。") == ["我是小智。"]
    assert cutter.flush() == []


def test_the_first_clause_is_short_and_later_ones_grow() -> None:
    text = "好的，" + "我来说说，" * 12 + "完了。"
    clauses = cut(text)
    assert clauses[0] == "好的，"
    assert len(clauses[1]) < len(clauses[2]) <= 20


def test_a_clause_without_any_pause_is_divided() -> None:
    text = "我觉得你应该先去北京的故宫看一看然后再去上海的外滩走一走" * 10
    clauses = cut(text, first_max_chars=10, max_chars=30)
    assert "".join(clauses) == text
    assert len(clauses[0]) <= 11
    assert max(map(len, clauses)) <= 31


def test_numerals_are_not_divided() -> None:
    clauses = cut("总共有一亿二千三百四十五万", first_max_chars=10)
    assert clauses == ["总共", "有一亿二千三百四十五万"]


def test_emotion_is_that_of_the_latest_emoji() -> None:
    cutter = ClauseCutter()
    cutter.push("好的。")
    assert cutter.emotion is None
    cutter.push("😔唉。😊")
    assert cutter.emotion == "happy"


def test_limits_must_be_usable() -> None:
    with pytest.raises(ValueError, match="raise the limit"):
        ClauseCutter(first_max_chars=1)


MARKS = "。，！？、；：…—～“”‘’（）《》.,!?;:()[]<>*_`~#-+>/\\|\"' \n\t"
WORDS = [
    "你",
    "好的",
    "三百",
    "3",
    "14",
    "1,000",
    "3.14",
    "12:30",
    "Mr.",
    "U.S.",
    "OK",
    "hello",
    "😄",
    "👍🏽",
    "é",
    "\x18",
]
MARKUP = ["<think>", "</think>", "<b>", "**", "```", "https://a.b/c", "]("]
PIECES = st.sampled_from([*MARKS, *WORDS, *MARKUP])
TEXTS = st.lists(PIECES, max_size=60).map("".join) | st.text(max_size=80)


@given(TEXTS, st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(2, 20))
def test_the_pushes_do_not_matter(text: str, sizes: list[int], first: int) -> None:
    cutter = ClauseCutter(first_max_chars=first, max_chars=25)
    clauses: list[str] = []
    at = turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        clauses += cutter.push(text[at : at + size])
        at, turn = at + size, turn + 1
    clauses += cutter.flush()
    assert clauses == cut(text, first_max_chars=first, max_chars=25)


PLAIN = "你我他的了三百零五Abcz0189。，！？、；：…—“”‘’（）.,!?;:()\"'%- \n"


@given(st.text(PLAIN, max_size=200))
def test_no_word_is_lost_or_moved(text: str) -> None:
    said = "".join(cut(text))
    assert [c for c in said if c.isalnum()] == [c for c in text if c.isalnum()]


SENTENCES = st.lists(
    st.tuples(
        st.text("你我他来去看说想", min_size=1, max_size=12), st.sampled_from("。，！？；：、")
    )
)


@given(SENTENCES)
def test_well_formed_chinese_comes_back_whole(sentences: list[tuple[str, str]]) -> None:
    text = "".join(words + mark for words, mark in sentences)
    clauses = cut(text)
    assert "".join(clauses) == text
    assert all(clause == clause.strip() and clause for clause in clauses)


@given(TEXTS)
def test_every_clause_can_be_spoken_and_is_bounded(text: str) -> None:
    for clause in cut(text, first_max_chars=5, max_chars=10):
        assert any(char.isalnum() for char in clause)
        assert sum(char.isalnum() for char in clause) <= 22
        assert "\n" not in clause
        assert "\x18" not in clause


@given(TEXTS, st.integers(1, 5))
def test_the_filter_does_not_depend_on_pushes(text: str, size: int) -> None:
    whole, pieces = SpeakableText(), SpeakableText()
    expected = whole.push(text) + whole.flush()
    got = "".join(pieces.push(text[at : at + size]) for at in range(0, len(text), size))
    assert got + pieces.flush() == expected
    assert pieces.emotion == whole.emotion
