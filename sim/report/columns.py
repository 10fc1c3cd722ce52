"""Rows of words as lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def lines(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """One line a row, the first `left` columns to the left, the others to the right."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [*map(str.ljust, row[:left], widths), *map(str.rjust, row[left:], widths[left:])]
        ).rstrip()
        for row in rows
    ]
