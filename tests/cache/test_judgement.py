"""The judgement: nothing wrong is accepted, and it treats both sides alike."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings

from actors.cache.canonical import canonical
from actors.cache.judgement import judge
from sim.datasets.pairs import Part, pairs
from tests.cache.quality import judged_pairs
from tests.cache.test_normalise import sentences

HERE = Path(__file__).parent
NEAR_MISSES = [
    tuple(line.split("|"))
    for line in (HERE / "near_misses.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_no_near_miss_is_accepted() -> None:
    assert len(NEAR_MISSES) > 600
    wrong = [pair for pair in NEAR_MISSES if judge(*pair).accepted]
    assert wrong == []


@pytest.mark.parametrize(
    ("part", "recall"),
    [
        ("tuned", 0.94),
        ("heldout", 0.94),
        ("strangers-a", 0.84),
        ("strangers-b", 0.52),
        ("strangers-c", 0.84),
        ("strangers-d", 0.28),
    ],
)
def test_precision_is_one_and_recall_is_held(part: Part, recall: float) -> None:
    result = judged_pairs(part)
    assert result.wrong == []
    assert result.recall >= recall


@pytest.mark.parametrize(
    ("first", "second", "ground"),
    [
        ("嗯打开灯", "打开灯", "same text"),
        ("打开客厅的灯", "把客厅灯打开", "same meaning"),
        ("三加五等于几", "五加三是多少", "same meaning"),
        ("番茄炒蛋怎么做", "西红柿炒鸡蛋的做法", "same meaning"),
        ("西瓜是水果还是蔬菜", "西瓜到底算蔬菜还是算水果", "same meaning"),
        ("太阳系最大的行星是哪个", "太阳系里哪颗行星最大", "same meaning"),
        ("喉咙被鱼刺卡住了怎么办", "鱼刺卡嗓子了咋办", "same meaning"),
        ("大象的鼻子为什么这么长", "大象鼻子为什么这么长", "function words"),
        ("turn the light in the kitchen on", "turn on the kitchen light", "same meaning"),
    ],
)
def test_it_says_on_what_ground_it_accepts(first: str, second: str, ground: str) -> None:
    judgement = judge(first, second)
    assert judgement.accepted
    assert judgement.ground == ground
    assert judgement.reason


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("把空调调到二十六度", "把空调调到二十五度", "number"),
        ("不要打开灯", "打开灯", "polarity"),
        ("打开客厅的灯", "打开客厅的空调", "device"),
        ("打开客厅的灯", "打开卧室的灯", "room"),
        ("你叫什么名字", "他叫什么名字", "person"),
        ("你好用英语怎么说", "你好用日语怎么说", "language"),
        ("谁去北京", "为什么去北京", "question word"),
        ("明天有课吗", "后天有课吗", "date"),
        ("上午开会", "下午开会", "time"),
        ("打开灯", "关闭灯", "action"),
        ("打开所有的灯", "打开一些灯", "quantifier"),
        ("往左走", "往右走", "direction"),
        ("红烧肉怎么做", "红烧鱼怎么做", "word"),
        ("北京到上海有多远", "上海到北京有多远", "order"),
        ("", "打开灯", "nothing said"),
    ],
)
def test_it_names_what_differs(first: str, second: str, kind: str) -> None:
    judgement = judge(first, second)
    assert not judgement.accepted
    assert judgement.kind == kind
    assert judgement.ground == "different"


@given(sentences, sentences)
@settings(max_examples=300, deadline=None)
def test_it_is_symmetric(first: str, second: str) -> None:
    there, back = judge(first, second), judge(second, first)
    assert (there.accepted, there.ground, there.kind) == (back.accepted, back.ground, back.kind)


@given(sentences)
@settings(max_examples=200, deadline=None)
def test_every_text_with_words_is_itself(text: str) -> None:
    assert judge(text, text).accepted == bool(canonical(text).text)


def test_acceptance_carries_over() -> None:
    """What is the same as the same is the same: no chain leads to another answer."""
    found = [pair for pair in pairs("tuned") if pair.same][::7]
    texts = sorted({text for pair in found for text in (pair.first, pair.second)})[:36]
    for first, second, third in itertools.combinations(texts, 3):
        if judge(first, second).accepted and judge(second, third).accepted:
            assert judge(first, third).accepted
