"""Cuts a short plain answer into clauses, as a model's answer is cut.

Pure. The same marks and lengths as in `actors.workers.llm.clauses`, for texts without
quotations, brackets, markup and numbers with points in them: a test holds the two equal
on the phrase bank.
"""

from __future__ import annotations

import re
from typing import Final

#: Of a clause without a pause; a model's first clause would be divided after it.
MAX_FIRST_CHARS: Final = 20

#: A clause ends behind these.
_PIECE: Final = re.compile(r"[^。！？；｡，：…—～]*?(?:[。！？；｡，：…—～]|[.!?;,:]+(?=\s|$)|$)")
_STRONG: Final = frozenset("。！？；｡.!?")

#: What a clause must have to end at a pause: the first, the second, later ones. A Chinese
#: character counts two.
_PAUSE_UNITS: Final = (4, 12, 24)


def clauses(text: str) -> tuple[str, ...] | None:
    """The clauses of `text`; None where it goes on for too long without a pause."""
    found: list[str] = []
    clause = ""
    for piece in _PIECE.findall(text):
        clause += piece
        if _units(piece) > 2 * MAX_FIRST_CHARS:
            return None
        units = _units(clause)
        if not units:
            clause = ""  # marks that belong to no words
        elif units >= _PAUSE_UNITS[min(len(found), 2)] or clause[-1] in _STRONG:
            found.append(clause.strip())
            clause = ""
    if clause:
        found.append(clause.strip())
    return tuple(found)


def _units(text: str) -> int:
    return sum((1 if character.isascii() else 2) for character in text if character.isalnum())
