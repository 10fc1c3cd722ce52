"""Rules about words."""

from __future__ import annotations

import pytest

from actors.session.words import bare, is_one_of, joined


@pytest.mark.parametrize(
    ("text", "left"), [("你好，小智！", "你好小智"), ("Hi, XiaoZhi", "hixiaozhi"), ("…！", "")]
)
def test_bare(text: str, left: str) -> None:
    assert bare(text) == left


def test_is_one_of() -> None:
    assert is_one_of("再见。", ["退出", "再见"])
    assert is_one_of("Bye bye!", ["bye-bye"])
    assert not is_one_of("再见面", ["再见"])
    assert not is_one_of("…", ["！", "再见"])


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([], ""),
        (["", "好"], "好"),
        (["一，", "二。"], "一，二。"),
        (["It is three.", "Yes."], "It is three. Yes."),
        (["set ", "it"], "set it"),
        (["现在", "3点"], "现在3点"),
        (["at 3", "点"], "at 3点"),
        (["well", ", yes"], "well, yes"),
    ],
)
def test_joined(parts: list[str], text: str) -> None:
    assert joined(parts) == text
