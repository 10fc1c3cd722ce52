"""An answer that goes on after what was heard already, by a model that may not.

A model that is given the spoken clauses as its own unfinished message usually
continues them. Some begin again; then the repetition is dropped here. Pure.
"""

from __future__ import annotations


class Continuation:
    """Passes text on, without a repetition of `spoken` at its beginning."""

    def __init__(self, spoken: tuple[str, ...]) -> None:
        self._heard = "".join("".join(spoken).split())
        self._matched = 0
        self._held = ""

    def push(self, text: str) -> str:
        """Take more text; return what is new ('' while it may be a repetition)."""
        if self._matched == len(self._heard):
            return text
        for position, char in enumerate(text):
            self._held += char
            if char.isspace():
                continue
            if char != self._heard[self._matched]:
                self._matched = len(self._heard)
                return self.flush() + text[position + 1 :]
            self._matched += 1
            if self._matched == len(self._heard):
                self._held = ""
                return text[position + 1 :].lstrip()
        return ""

    def flush(self) -> str:
        """The text ended: what was held back was no repetition after all."""
        held, self._held = self._held, ""
        return held


def with_spoken(
    messages: tuple[tuple[str, str], ...], spoken: tuple[str, ...]
) -> list[dict[str, str]]:
    """The messages as both chat APIs take them; what was spoken is the last, unfinished one."""
    chat = [{"role": role, "content": text} for role, text in messages]
    if spoken:
        chat.append({"role": "assistant", "content": "".join(spoken)})
    return chat
