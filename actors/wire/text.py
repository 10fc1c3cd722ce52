"""Text for a device's screen: clean, and short enough not to freeze it.

Promises: what comes out can be encoded as UTF-8, holds no control characters,
is never longer than asked, and is never cut inside what a reader sees as one
character (combining marks, emoji joined by ZWJ, flags, Hangul syllables).
Very long texts froze the display of an ESP32-S3 (xinnan-tech #3167).
"""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"

_ZWJ = "\u200d"
_ZWNJ = "\u200c"
# A device's JSON parser ends a string at NUL, and its font has no glyph for the others.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Replace runs of control characters by a space and lone surrogates by U+FFFD."""
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text))


def cap_text(text: str, max_chars: int) -> str:
    """Return `text` in at most `max_chars` code points, with … in place of what was cut.

    Raises ValueError when `max_chars` is below 1.
    """
    if max_chars < 1:
        raise ValueError(f"max_chars is {max_chars}, it must be at least 1")
    if len(text) <= max_chars:
        return text
    end = max_chars - len(ELLIPSIS)
    while end > 0 and not _breaks_before(text, end):
        end -= 1
    return text[:end].rstrip() + ELLIPSIS


def _breaks_before(text: str, index: int) -> bool:
    """Whether a character (grapheme cluster) starts at `index` > 0; after Unicode UAX #29."""
    before, after = text[index - 1], text[index]
    if _extends(after) or before == _ZWJ:
        return False
    if before == "\r" and after == "\n":
        return False
    if _is_flag_letter(before) and _is_flag_letter(after):
        return _flag_letters_before(text, index) % 2 == 0
    return not _joins_hangul(before, after)


def _extends(char: str) -> bool:
    """Whether `char` belongs to the one before: a mark, a skin tone, a tag, a joiner."""
    if char in (_ZWJ, _ZWNJ) or "\U0001f3fb" <= char <= "\U0001f3ff":
        return True
    if "\U000e0020" <= char <= "\U000e007f":
        return True
    return unicodedata.category(char) in ("Mn", "Mc", "Me")


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_letters_before(text: str, index: int) -> int:
    count = 0
    while count < index and _is_flag_letter(text[index - count - 1]):
        count += 1
    return count


def _joins_hangul(before: str, after: str) -> bool:
    """GB6-GB8: leading consonant + (leading | vowel | syllable), vowel + (vowel | trailing)…"""
    left, right = _hangul(before), _hangul(after)
    if left == "L":
        return right in ("L", "V", "LV", "LVT")
    if left in ("V", "LV"):
        return right in ("V", "T")
    return left in ("T", "LVT") and right == "T"


def _hangul(char: str) -> str:
    if "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c":
        return "L"
    if "\u1160" <= char <= "\u11a7" or "\ud7b0" <= char <= "\ud7c6":
        return "V"
    if "\u11a8" <= char <= "\u11ff" or "\ud7cb" <= char <= "\ud7fb":
        return "T"
    if "\uac00" <= char <= "\ud7a3":
        return "LV" if (ord(char) - 0xAC00) % 28 == 0 else "LVT"
    return ""
