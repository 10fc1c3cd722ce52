"""What of a text can be spoken, and where it may be cut. Pure."""

from __future__ import annotations

import re

#: Where a voice pauses anyway, so that two calls sound like one.
_PAUSES = "。！？；：，、…!?;\n"
_AFTER_PAUSE = re.compile(f"(?<=[{_PAUSES}])(?![{_PAUSES}”’」』）)\"'])")

#: A part without any pause is cut here all the same.
MAX_PART_CHARS = 60


def has_speech(text: str) -> bool:
    """Whether anything in `text` has a sound: a letter, a character or a digit.

    Services answer text without it with an empty stream, an error or a noise.
    """
    return any(character.isalnum() for character in text)


def plain(text: str) -> str:
    """Return `text` with control characters as spaces; C libraries end at a NUL."""
    return "".join(character if character >= " " else " " for character in text).strip()


def parts_of(text: str) -> list[str]:
    """Cut `text` after its pauses into parts of at most `MAX_PART_CHARS` characters.

    Parts without speech are left out, so an empty list means: nothing to say.
    """
    parts: list[str] = []
    for piece in _AFTER_PAUSE.split(text):
        for start in range(0, len(piece), MAX_PART_CHARS):
            part = plain(piece[start : start + MAX_PART_CHARS])
            if has_speech(part):
                parts.append(part)
    return parts
