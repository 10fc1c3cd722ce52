"""Faces: only names that the firmware knows, from emoji first and words second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.workers.llm.emotion import EMOTION_NAMES, emotion_of, split_emoji

FIRMWARE = frozenset(
    [
        "neutral",
        "happy",
        "laughing",
        "funny",
        "sad",
        "angry",
        "crying",
        "loving",
        "embarrassed",
        "surprised",
        "shocked",
        "thinking",
        "winking",
        "cool",
        "relaxed",
        "delicious",
        "kissy",
        "confident",
        "sleepy",
        "silly",
        "confused",
    ]
)


def test_the_names_are_the_firmwares() -> None:
    assert EMOTION_NAMES == FIRMWARE


@pytest.mark.parametrize(
    ("text", "emotion"),
    [("😊你好", "happy"), ("😎 酷", "cool"), ("太好了", "happy"), ("我很高兴", "happy"), ("我不高兴", "sad"),
     ("对不起，我错了", "embarrassed"), ("哈哈，真逗", "laughing"), ("今天是三月五号。", None), ("", None),
     ("I am so glad.", "happy"), ("别难过", None)],
)  # fmt: skip
def test_emotion_of(text: str, emotion: str | None) -> None:
    assert emotion_of(text) == emotion


def test_leading_emoji_are_stripped_and_reported() -> None:
    assert split_emoji("👍🏽😄 好的") == ("happy", "好的")
    assert split_emoji("❤️好") == ("loving", "好")
    assert split_emoji("好😄") == (None, "好😄")
    assert split_emoji("🚗车") == (None, "车")


@given(st.text(max_size=30))
def test_any_text_has_a_known_emotion_or_none(text: str) -> None:
    assert emotion_of(text) in FIRMWARE | {None}
