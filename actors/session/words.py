"""Small rules about words that several parts of a session share. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def bare(text: str) -> str:
    """For comparing phrases: letters and digits only, lower case."""
    return "".join(char for char in text.lower() if char.isalnum())


def is_one_of(text: str, phrases: Iterable[str]) -> bool:
    """Whether `text` is one of these phrases, punctuation and case apart."""
    said = bare(text)
    return bool(said) and any(said == bare(phrase) for phrase in phrases)


def joined(parts: Iterable[str]) -> str:
    """Pieces of one text in a row; pieces written in Latin script get a space between."""
    text = ""
    for part in parts:
        if text and part and text[-1].isascii() and part[0].isascii() and part[0].isalnum():
            text = text.rstrip() + " "
        text += part
    return text
