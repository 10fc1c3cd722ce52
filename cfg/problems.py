"""What is wrong in the settings, in words: path, value, what is allowed.

Pure. A value that is or may be a secret never appears, nor does the text of a
list or table, which may hold one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from cfg.fields import (
    ENGINE_LISTS,
    Path,
    allowed,
    engine_models,
    find_field,
    is_secret,
    known_names,
    spoken_path,
)

_SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong value. `value` is ready to be shown; '' when there is none to show."""

    path: str
    value: str
    allowed: str
    source: str = ""

    def __str__(self) -> str:
        shown = f" = {self.value}" if self.value else ""
        source = f"  ({self.source})" if self.source else ""
        return f"{self.path}{shown}{source}\n    {self.allowed}"


class SettingsError(Exception):
    """The settings cannot be used; `str()` lists every wrong value with its fix."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "A setting is wrong:" if count == 1 else f"{count} settings are wrong:"
        super().__init__(
            "\n".join([head, *(f"  {p}".replace("\n", "\n  ") for p in self.problems)])
        )


def from_validation(error: ValidationError, source: Callable[[Path], str]) -> list[Problem]:
    """pydantic's errors as problems; `source` names where the value at a path was set."""
    entries = error.errors(include_url=False)
    # a list whose only engine is wrong is reported as empty too: once is enough
    inner = {entry["loc"][:1] for entry in entries if len(entry["loc"]) > 1}
    return [
        _translate(dict(entry), source)
        for entry in entries
        if entry["type"] != "too_short" or entry["loc"] not in inner
    ]


def _translate(entry: dict[str, Any], source: Callable[[Path], str]) -> Problem:
    path: Path = tuple(entry["loc"])
    written = tuple(part for i, part in enumerate(path) if not _is_kind_mark(path, i))
    kind, field = entry["type"], find_field(path)
    if kind == "extra_forbidden":
        return unknown_name(path, source(written))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        block = entry["input"]
        given = block.get("kind") if isinstance(block, dict) else None
        kinds = ", ".join(f'"{name}"' for name in engine_models(str(path[0])))
        shown = show(given) if isinstance(given, str) else ""
        where = f"{spoken_path(path)}.kind"
        return Problem(where, shown, f"allowed: one of {kinds}", source((*written, "kind")))
    if path and path[0] in ENGINE_LISTS and len(path) <= 2 and kind != "too_short":
        fix = f'write each engine as a block of its own: [[{path[0]}]], then kind = "..."'
        return Problem(spoken_path(path), "", fix, source(written[:1]))
    words = allowed(field) if field else str(entry["msg"])
    if kind == "missing":
        return Problem(spoken_path(path), "", f"missing; it must be {words}", source(written[:-1]))
    value = show(entry["input"], secret=is_secret(field))
    return Problem(spoken_path(path), value, f"allowed: {words}", source(written))


def _is_kind_mark(path: Path, position: int) -> bool:
    return position == 2 and path[0] in ENGINE_LISTS and path[2] in engine_models(str(path[0]))


def unknown_name(path: Path, source: str) -> Problem:
    """A setting that does not exist, with the name that was probably meant."""
    known = known_names(path[:-1])
    name = str(path[-1])
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return Problem(spoken_path(path), "", f"no such setting; {hint}", source)


def show(value: object, *, secret: bool = False) -> str:
    """A wrong value for the operator's eyes: short, and without any secret."""
    if secret:
        return "****"
    if isinstance(value, (dict, list, tuple)):
        return "a table" if isinstance(value, dict) else "a list"
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    if isinstance(value, bool):
        text = text.lower()
    text = re.sub(r"//[^/@\s]*@", "//****@", text)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
