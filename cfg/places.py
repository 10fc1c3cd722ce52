"""On which line of a TOML file a setting stands, for error messages.

Pure. The parser of the standard library keeps no positions, so this reads the
lines again in a simple way. It may find nothing (an inline table, a text over
several lines); then the message goes without a line.
"""

from __future__ import annotations

import re

from cfg.fields import Path

_HEADER = re.compile(r"^\s*(\[\[?)\s*([\w.\"' -]+?)\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(r"^\s*([\w.\"'-]+)\s*=")


def line_of(text: str, path: Path) -> int | None:
    """The line (from 1) where `path` is set, else of the nearest thing around it."""
    lines = _lines(text)
    for length in range(len(path), 0, -1):
        found = lines.get(path[:length])
        if found is not None:
            return found
    return None


def _lines(text: str) -> dict[Path, int]:
    places: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            table = _names(header.group(2))
            if header.group(1) == "[[":
                index = counts.get(table, 0)
                counts[table] = index + 1
                places.setdefault(table, number)
                table = (*table, index)
            places.setdefault(table, number)
            continue
        assignment = _ASSIGNMENT.match(line)
        if assignment:
            places.setdefault((*table, *_names(assignment.group(1))), number)
    return places


def _names(dotted: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
