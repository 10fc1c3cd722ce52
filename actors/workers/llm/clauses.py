"""Cuts a growing answer into clauses that can be spoken one by one.

Pure. The clauses depend on the characters alone, never on how the text was
divided into pushes. A Chinese sentence mark ends a clause at once; marks that
may be part of a number, an abbreviation or a quotation wait for one character
more. The first clause may end at any pause, so that the voice starts early;
later ones grow, so that it sounds whole. Joined again, the clauses hold every
speakable character of the text in order; only markup, thoughts, code, emoji,
white space, and punctuation that belongs to no words are lost.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from actors.workers.llm.speakable import DISCARD, SpeakableText

#: A Chinese character takes about as long to say as two Latin letters or digits.
_WIDE_UNITS: Final = 2
#: Units that a clause must have to end at a pause: the first, the second, later ones.
_PAUSE_UNITS: Final = (4, 12, 24)

_STRONG: Final = frozenset("。！？；!?｡")
_PAUSES: Final = frozenset("，：…—～,;:")
_LIGHT_PAUSES: Final = frozenset("、")
_OPENERS: Final = frozenset("“‘「『（《〈【〔([{")
_CLOSERS: Final = frozenset("”’」』）》〉】〕)]}")
_SIGNS: Final = frozenset("-+$¥￥€£#@&'")
_ABBREVIATIONS: Final = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "vs",
        "etc",
        "jr",
        "sr",
        "inc",
        "ltd",
        "co",
        "corp",
        "dept",
        "approx",
        "fig",
        "vol",
        "capt",
        "gen",
        "gov",
        "sen",
        "rev",
    ]
)
#: After these a Chinese clause without punctuation may be divided with little harm.
_PARTICLES: Final = frozenset("的了呢吧吗啊呀着过和与及")
_NUMERALS: Final = frozenset("零〇一二三四五六七八九十百千万亿两点")
_LAST_TOKEN: Final = re.compile(r"([A-Za-z.]+|\d+)\.$")


def _units(char: str) -> int:
    if not char.isalnum():
        return 0
    return 1 if ord(char) < 0x2E80 else _WIDE_UNITS


class ClauseCutter:
    """One answer: call `push` with each piece of text, `flush` once at its end.

    `first_max_chars` and `max_chars` are lengths in Chinese characters (two Latin
    letters count as one) after which a clause is divided even without a pause.
    """

    def __init__(self, first_max_chars: int = 20, max_chars: int = 50) -> None:
        if first_max_chars < 2 or max_chars < 2:
            raise ValueError("a clause needs at least two characters: raise the limit")
        self._limits = (first_max_chars * _WIDE_UNITS, max_chars * _WIDE_UNITS)
        self._speakable = SpeakableText()
        self._clauses: list[str] = []
        self._count = 0
        self._buffer = ""
        self._size = 0
        self._pause_at = 0  # length of the buffer at its last pause
        self._waiting = ""  # 'strong', 'pause' or 'dot': a mark that the next character decides
        self._depth = 0  # open quotation marks and brackets
        self._straight_quote_open = False

    @property
    def emotion(self) -> str | None:
        """The emotion of the latest emoji in the text so far; None before any."""
        return self._speakable.emotion

    def push(self, text: str) -> list[str]:
        """Take more text; return the clauses that it completed."""
        return self._take_all(self._speakable.push(text))

    def flush(self) -> list[str]:
        """The text ended; return what was still open."""
        clauses = self._take_all(self._speakable.flush())
        self._end()
        return clauses + self._drain()

    def _drain(self) -> list[str]:
        clauses, self._clauses = self._clauses, []
        return clauses

    def _take_all(self, text: str) -> list[str]:
        for char in text:
            if not (self._waiting and self._settle(char)):
                self._take(char)
        return self._drain()

    def _settle(self, char: str) -> bool:
        """Decide on the mark before `char`; True when `char` was used up."""
        if char == DISCARD:
            self._waiting = ""
            return False
        kind = self._waiting
        closes = char in _CLOSERS or (char == '"' and self._straight_quote_open)
        if closes or char in _STRONG or (kind == "dot" and char == "."):
            if char in _STRONG:
                self._waiting = "strong"
            self._append(char)
            if not self._depth and self._waiting == "strong" and not char.isascii():
                self._end()
            return True
        self._waiting = ""
        if kind == "pause":
            if not (char.isdigit() and self._buffer[-2:-1].isdigit()):
                self._pause()
        elif char.isalnum() and char.isascii():
            pass  # example.com, v2.0, U.S.: the mark stands inside of a word
        elif kind == "strong" or not self._is_abbreviation(char):
            self._end()
        return False

    def _is_abbreviation(self, following: str) -> bool:
        """Whether the full stop at the buffer's end belongs to its word."""
        if not (following.isspace() or following.isalnum()):
            return True
        found = _LAST_TOKEN.search(self._buffer)
        if not found:
            return False
        word = found[1]
        if word.isdigit():
            return found.start() == 0  # a list's number
        initial = len(word) == 1 and word.isupper() and word != "I"
        return initial or "." in word.strip(".") or word.lower() in _ABBREVIATIONS

    def _take(self, char: str) -> None:
        if char == DISCARD:
            self._clear()
        elif char == "\n":
            self._end()
            self._clear()
            self._depth, self._straight_quote_open = 0, False
        elif char.isspace():
            if self._buffer and self._buffer[-1] != " ":
                self._buffer += " "
        elif self._buffer or char.isalnum() or char in _OPENERS or char in _SIGNS or char == '"':
            before = self._buffer[-1:]
            self._append(char)
            self._mark(char, before)
            if self._size > self._limits[min(self._count, 1)] or len(self._buffer) > 800:
                self._divide()

    def _append(self, char: str) -> None:
        self._buffer += char
        self._size += _units(char)
        if char in _OPENERS:
            self._depth += 1
        elif char in _CLOSERS:
            self._depth = max(0, self._depth - 1)
        elif char == '"':
            self._depth = max(0, self._depth + (-1 if self._straight_quote_open else 1))
            self._straight_quote_open = not self._straight_quote_open

    def _mark(self, char: str, before: str) -> None:
        """End the clause at this mark, or wait for what follows it."""
        if char == ".":
            self._waiting = "dot"
        elif char in _STRONG:
            if self._depth or (char.isascii() and before.isascii()):
                self._waiting = "strong"
            else:
                self._end()
        elif char in _PAUSES:
            if self._depth or (char.isascii() and before.isdigit()):
                self._waiting = "pause"
            else:
                self._pause()
        elif char in _LIGHT_PAUSES:
            self._pause_at = len(self._buffer)

    def _pause(self) -> None:
        if self._size >= _PAUSE_UNITS[min(self._count, len(_PAUSE_UNITS) - 1)]:
            self._end()
        else:
            self._pause_at = len(self._buffer)

    def _end(self) -> None:
        """The buffer is a clause, unless nothing in it can be said."""
        if self._size:
            self._clauses.append(self._buffer.strip())
            self._count += 1
            self._clear()
        self._waiting = ""

    def _clear(self) -> None:
        self._buffer, self._size, self._pause_at, self._waiting = "", 0, 0, ""

    def _divide(self) -> None:
        """The clause is too long: end it at its last pause or where it hurts least."""
        at = self._pause_at or _boundary(self._buffer)
        head, rest, waiting = self._buffer[:at], self._buffer[at:].lstrip(), self._waiting
        self._buffer, self._size = head, sum(map(_units, head))
        self._end()
        self._clear()
        self._buffer, self._size, self._waiting = rest, sum(map(_units, rest)), waiting


def _boundary(text: str) -> int:
    """Where to divide a text without pauses: at a space, a particle, between words."""
    last = len(text) - 1  # one character stays, so that it can still be combined with
    half = len(text) // 2
    for places in (range(last, half, -1), range(half, 0, -1)):
        for at in places:
            if text[at - 1].isspace() or (text[at - 1] in _PARTICLES and not text[at].isascii()):
                return at
        for at in places:
            pair = text[at - 1 : at + 1]
            if pair.isalnum() and not any(char.isascii() or char in _NUMERALS for char in pair):
                return at
    while last > 1 and unicodedata.combining(text[last]):
        last -= 1
    return max(1, last)
