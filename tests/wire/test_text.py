"""Screen text: never longer than asked, never cut inside a character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.wire.text import ELLIPSIS, cap_text, clean_text

# Each is one character to its reader.
CHARACTERS = (
    "a",
    "你",
    "。",
    " ",
    "é",
    "e\u0301",  # a letter and its combining accent
    "o\u0302\u0323",
    "नि",
    "각",
    "\u1112\u1161\u11ab",  # a Hangul syllable in parts
    "👍",
    "👍🏽",
    "👨‍👩‍👧‍👦",
    "🏳️‍🌈",
    "❤️",
    "1️⃣",
    "🇨🇳",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
)


@given(characters=st.lists(st.sampled_from(CHARACTERS), max_size=40), limit=st.integers(1, 60))
def test_the_cut_falls_between_characters(characters: list[str], limit: int) -> None:
    text = "".join(characters)
    capped = cap_text(text, limit)
    assert len(capped) <= limit
    if len(text) <= limit:
        assert capped == text
        return
    assert capped.endswith(ELLIPSIS)
    kept = capped[: -len(ELLIPSIS)]
    starts = ["".join(characters[:count]) for count in range(len(characters) + 1)]
    whole = [start for start in starts if len(start) <= limit - 1]
    assert kept == whole[-1].rstrip()


@given(text=st.text(), limit=st.integers(1, 20))
def test_any_text_keeps_the_bound(text: str, limit: int) -> None:
    capped = cap_text(text, limit)
    assert len(capped) <= limit
    assert text.startswith(capped.removesuffix(ELLIPSIS) if len(text) > limit else capped)


@given(st.text(st.characters(), max_size=50))
def test_clean_text_can_be_sent(text: str) -> None:
    cleaned = clean_text(text + "\ud800\x00")
    assert cleaned.encode("utf-8")
    assert not any(char < " " for char in cleaned)


def test_a_character_longer_than_the_limit_gives_way() -> None:
    assert cap_text("👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 5) == ELLIPSIS


def test_flags_are_cut_in_pairs() -> None:
    assert cap_text("🇨🇳🇩🇪🇫🇷", 4) == "🇨🇳…"
    assert cap_text("🇨🇳🇩🇪🇫🇷", 5) == "🇨🇳🇩🇪…"


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="max_chars"):
        cap_text("x", 0)
