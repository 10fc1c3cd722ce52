"""Only what can be read aloud: markup, code, thoughts and emoji fall away.

Pure, and fed in any pieces: the output depends on the characters alone, never on
how they were divided. Nothing that could be speech is held back for longer than
it takes to recognise the mark that it may begin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from actors.workers.llm.emotion import emoji_emotion, is_emoji

#: In the output: what came before in this answer was thought, not speech.
DISCARD: Final = "\x18"

_THOUGHT_TAGS: Final = ("think", "thinking", "thought", "reasoning")
_TAG_LIMIT: Final = 24
_URL_STARTS: Final = ("http://", "https://")
_BULLETS: Final = "-+•·▪●"


class SpeakableText:
    """Filter of a growing text. `emotion` is that of the latest emoji seen."""

    def __init__(self) -> None:
        self.emotion: str | None = None
        self._held = ""  # characters that may begin a mark
        self._previous = "\n"  # last character that the input showed outside marks
        self._line_start = True
        self._skip_until: Callable[[str], str | None] | None = None
        self._skipped = ""
        self._out: list[str] = []

    def push(self, text: str) -> str:
        """Take more text; return what became speakable."""
        for char in text:
            self._take(char)
        return self._drain()

    def flush(self) -> str:
        """The text ended: what was held back is either speech or nothing."""
        if not self._skip_until and self._held:
            self._take("\n")  # no mark goes on over the end of a line
        self._held = ""
        return self._drain()

    def _drain(self) -> str:
        text = "".join(self._out)
        self._out.clear()
        return text

    def _take(self, char: str) -> None:
        if self._skip_until:
            self._skipped = self._skipped[-_TAG_LIMIT:] + char
            rest = self._skip_until(self._skipped)
            if rest is None:
                return
            self._skip_until, self._skipped = None, ""
            for again in rest:
                self._take(again)
            return
        self._held += char
        while self._held and not self._skip_until:
            used = self._resolve(self._held)
            if used == 0:
                return
            self._held = self._held[used:]
        if self._skip_until and self._held:
            held, self._held = self._held, ""
            for again in held:
                self._take(again)

    def _emit(self, char: str) -> None:
        self._out.append(char)
        self._previous = char
        if char == "\n":
            self._line_start = True
        elif char != " ":
            self._line_start = False

    def _resolve(self, held: str) -> int:
        """Decide on the first characters of `held`; 0: more must be seen."""
        first = held[0]
        if first == "<":
            return self._tag(held)
        if first in "*`~_#":
            return self._run(held)
        if first in "hH" and not (self._previous.isascii() and self._previous.isalnum()):
            return self._url(held)
        if first == "]":
            return self._link(held)
        if first in _BULLETS and self._line_start:
            return self._bullet(held)
        if first in "[\\" or (first == ">" and self._line_start):
            return 1
        if is_emoji(first):
            self.emotion = emoji_emotion(first) or self.emotion
            return 1
        if first in "\n\r\u2028\u2029":
            self._emit("\n")
        elif first.isspace() or first == "|":
            self._emit(" ")
        elif first.isprintable():
            self._emit(first)
        return 1

    def _tag(self, held: str) -> int:
        end = held.find(">")
        if end < 0:
            may_be_tag = len(held) == 1 or (
                held[1] == "/" or (held[1].isascii() and held[1].isalpha())
            )
            if may_be_tag and len(held) < _TAG_LIMIT and "\n" not in held:
                return 0
            self._emit("<")
            return 1
        name = held[1:end].strip().lower()
        if name in _THOUGHT_TAGS:
            closing = f"</{name}>"
            self._skip_until = lambda seen: "" if seen[-len(closing) :].lower() == closing else None
        elif name.startswith("/") and name[1:] in _THOUGHT_TAGS:
            self._out.append(DISCARD)
            self._line_start = True
        elif not name[:1].isascii() or not name.strip("/")[:1].isalpha():
            self._emit("<")
            return 1
        elif name in ("br", "br/", "br /", "/p", "/li"):
            self._emit("\n")
        return end + 1

    def _run(self, held: str) -> int:
        mark = held[0]
        length = len(held) - len(held.lstrip(mark))
        if mark == "`" and length == 3:
            self._skip_until = lambda seen: "\n" if seen.endswith("```") else None
            return 3
        if length == len(held) and length < 8:
            return 0
        following = held[length : length + 1]
        alone = length == 1
        if mark == "*" and alone and not self._line_start and self._multiplies(following):
            self._emit("×")
        elif mark == "_" and alone and self._previous.isalnum() and following.isalnum():
            self._emit("_")
        elif (mark == "~" and alone) or (mark == "#" and not self._line_start):
            for _ in range(length):
                self._emit(mark)
        return length

    def _multiplies(self, following: str) -> bool:
        both_digits = self._previous.isdigit() and following.isdigit()
        return both_digits or (self._previous == " " and following == " ")

    def _url(self, held: str) -> int:
        lowered = held.lower()
        if lowered in _URL_STARTS:
            self._skip_until = _end_of_url
            return len(held)
        if any(start.startswith(lowered) for start in _URL_STARTS):
            return 0
        self._emit(held[0])
        return 1

    def _link(self, held: str) -> int:
        if len(held) == 1:
            return 0
        if held[1] == "(":
            self._skip_until = lambda seen: "" if seen[-1] in ")\n" else None
            return 2
        return 1

    def _bullet(self, held: str) -> int:
        if len(held) == 1:
            return 0
        if held[1].isspace():
            return 1
        self._emit(held[0])
        return 1


def _end_of_url(seen: str) -> str | None:
    last = seen[-1]
    if last.isspace() or not last.isascii() or last in ")<>\"'":
        return last
    return None
