"""Cutting text for a voice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.workers.tts.text import MAX_PART_CHARS, has_speech, parts_of


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("你好。今天天气不错！", ["你好。", "今天天气不错！"]),
        ("他说：“好。”然后走了", ["他说：", "“好。”然后走了"]),
        ("真的吗？！是的……", ["真的吗？！", "是的……"]),
        ("圆周率是3.14", ["圆周率是3.14"]),
        ("12:30见", ["12:30见"]),
        ("……", []),
    ],
)
def test_parts_end_at_pauses(text: str, parts: list[str]) -> None:
    assert parts_of(text) == parts


@given(st.text())
def test_nothing_speakable_is_lost_and_no_part_is_too_long(text: str) -> None:
    parts = parts_of(text)
    assert all(0 < len(part) <= MAX_PART_CHARS and has_speech(part) for part in parts)
    spoken = [character for character in text if character.isalnum()]
    assert [character for part in parts for character in part if character.isalnum()] == spoken
