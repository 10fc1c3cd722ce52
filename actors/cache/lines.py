"""An answer as it is exported and imported: one line of JSON that people can read and edit.

Pure. What is wrong in a line is named with its field.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from actors.cache.cacheable import MAX_ANSWER_CHARS
from actors.cache.entries import Entry, Scope
from actors.cache.normalise import MAX_CHARS
from actors.cache.records import clauses_of, joined

#: Longest line of an export, in bytes.
MAX_LINE_BYTES: Final = 16_000


class LineWrong(ValueError):
    """A line of an import cannot be taken; `field` names what is wrong in it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def to_line(entry: Entry, now_s: float) -> str:
    """One line of JSON, without a newline."""
    scope = entry.scope
    members: dict[str, Any] = {
        "question": entry.question,
        "answer": list(clauses_of(entry.answer)),
        "emotion": entry.emotion,
        "scope": {
            "persona": scope.agent,
            "language": scope.language,
            "tools": scope.tools,
            "model": scope.model,
        },
        "context": entry.context,
        "seconds_left": max(0, round(entry.expires_s - now_s)),
        "hits": entry.hits,
        "strikes": entry.strikes,
        "threshold": entry.threshold,
        "took_ms": entry.took_ms,
    }
    return json.dumps(members, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was read; `scope` None: it named none."""

    question: str
    answer: str
    scope: Scope | None
    context: str
    emotion: str
    seconds_left: float
    hits: int
    strikes: int
    threshold: float
    took_ms: float


_SCOPE: Final = ("persona", "language", "tools", "model")
_MEMBERS: Final = (
    *("question", "answer", "emotion", "scope", "context", "seconds_left"),
    *("hits", "strikes", "threshold", "took_ms"),
)


def from_line(line: str, ttl_s: float) -> Line:
    """Read a line of an export or one written by hand: question and answer are enough.

    Raises `LineWrong`. Without seconds_left it lives for `ttl_s`, and never longer.
    """
    if len(line.encode()) > MAX_LINE_BYTES:
        raise LineWrong("line", f"it is longer than {MAX_LINE_BYTES} bytes")
    try:
        members = json.loads(line)
    except ValueError as error:
        raise LineWrong("line", f"it is not JSON: {error}") from None
    if not isinstance(members, dict):
        raise LineWrong("line", 'it must be an object such as {"question": …, "answer": …}')
    for name in members:
        if name not in _MEMBERS:
            raise LineWrong(name, f"there is no such member; there are {', '.join(_MEMBERS)}")
    return Line(
        _text(members, "question", MAX_CHARS, required=True),
        _answer(members),
        _scope(members),
        _text(members, "context", MAX_CHARS),
        _text(members, "emotion", 40),
        _number(members, "seconds_left", ttl_s, ttl_s),
        int(_number(members, "hits", 0, 1e12)),
        int(_number(members, "strikes", 0, 100)),
        _number(members, "threshold", 0, 1),
        _number(members, "took_ms", 0, 1e7),
    )


def _text(members: dict[str, Any], name: str, longest: int, *, required: bool = False) -> str:
    value = members.get(name, "")
    if not isinstance(value, str):
        raise LineWrong(name, f"it must be text, not {value!r:.40}")
    if required and not value.strip():
        raise LineWrong(name, "it is missing")
    if len(value) > longest:
        raise LineWrong(name, f"it has more than {longest} characters")
    return value.strip()


def _answer(members: dict[str, Any]) -> str:
    value = members.get("answer", [])
    clauses = [value] if isinstance(value, str) else value
    if not isinstance(clauses, list) or not all(isinstance(clause, str) for clause in clauses):
        raise LineWrong("answer", f"it must be text or a list of texts, not {value!r:.40}")
    answer = joined(tuple(clauses))
    if not any(char.isalnum() for char in answer):
        raise LineWrong("answer", "it is missing" if not answer else "it has no words")
    if len(answer) > MAX_ANSWER_CHARS:
        raise LineWrong("answer", f"it has more than {MAX_ANSWER_CHARS} characters")
    return answer


def _scope(members: dict[str, Any]) -> Scope | None:
    if "scope" not in members:
        return None
    value = members["scope"]
    if not isinstance(value, dict) or not all(isinstance(part, str) for part in value.values()):
        raise LineWrong("scope", f"it must be an object of texts, not {value!r:.40}")
    for name in value:
        if name not in _SCOPE:
            raise LineWrong(f"scope.{name}", f"there are {', '.join(_SCOPE)}")
    return Scope(
        value.get("persona", ""),
        value.get("language", "zh"),
        value.get("tools", ""),
        value.get("model", ""),
    )


def _number(members: dict[str, Any], name: str, default: float, most: float) -> float:
    value = members.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise LineWrong(name, f"it must be a number from 0 to {most:g}, not {value!r:.40}")
    return float(value)
