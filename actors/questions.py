"""What operators ask the answer cache, and what it answers them.

The console forwards these from its HTTP routes, which only this host may use; a
`CacheReply` carries the request's number back. Frozen, as everything that travels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, get_args


@dataclass(frozen=True, slots=True)
class CacheStats:
    """How many answers, what they saved, where they are stored."""

    request: int


@dataclass(frozen=True, slots=True)
class WhyAnswer:
    """What would be answered to this question, and how it comes to that. Changes nothing."""

    request: int
    question: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class ForgetAnswer:
    """Drop this question's answer, here and wherever it is shared."""

    request: int
    question: str


@dataclass(frozen=True, slots=True)
class ClearAnswers:
    """Drop every answer, here and wherever they are shared."""

    request: int


@dataclass(frozen=True, slots=True)
class ExportAnswers:
    """The next answers of an export; `after` 0 begins a new one, else it is the last reply's
    `next`."""

    request: int
    after: int


@dataclass(frozen=True, slots=True)
class ImportAnswers:
    """Take in these lines; they are numbered from `first`."""

    request: int
    first: int
    lines: tuple[str, ...]


CacheQuestion = CacheStats | WhyAnswer | ForgetAnswer | ClearAnswers | ExportAnswers | ImportAnswers

#: The same, for whoever receives them all.
QUESTIONS: Final[tuple[type[CacheQuestion], ...]] = get_args(CacheQuestion)


@dataclass(frozen=True, slots=True)
class CacheReply:
    """`problem` "" when it was done; `found` is plain data for JSON."""

    request: int
    found: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
