"""The settings of a server that a run starts: put over each other, and checked before.

Pure. A phase may have settings of its own over those of the whole run; what is wrong in
either is told with its key before anything starts, not by a server that does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from cfg.checks import findings, name_engines
from cfg.fields import spoken_path
from cfg.model import Settings
from cfg.problems import Problem, from_validation, show

#: In a text of the settings: the port of the stand-in or proxy of this name.
NAMED_PORT = re.compile(r"\{([a-z][a-z0-9_-]*)\}")
_ANY_PORT = "1"


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The settings `below` with those `above` put over them, section by section.

    A list, such as the engines of a kind, is replaced as a whole.
    """
    found = dict(below)
    for name, value in above.items():
        old = found.get(name)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        found[name] = merged(old, value) if both else value  # type: ignore[arg-type]
    return found


def mistakes(settings: Mapping[str, Any]) -> list[str]:
    """What the server would not take, a line each that begins with the key."""
    wrong = [
        f"{name}: is {value!r}; write a section, such as {{{name}: {{enabled: false}}}}"
        for name, value in settings.items()
        if not all(isinstance(each, Mapping) for each in _sections(value))
    ]
    return wrong or list(map(_line, _problems(_with_ports(settings))))


def _sections(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _problems(settings: Any) -> Iterator[Problem]:
    try:
        read = name_engines(Settings.model_validate(settings))
    except ValidationError as error:
        yield from from_validation(error, lambda _path: "")
        return
    for path, value, allowed in findings(read):
        shown = show(value, secret=path[:2] == ("server", "tokens"))
        yield Problem(spoken_path(path), shown, f"allowed: {allowed}")


def _line(problem: Problem) -> str:
    shown = f"is {problem.value}; " if problem.value else ""
    return f"{problem.path}: {shown}{problem.allowed}"


def _with_ports(settings: Any) -> Any:
    """The settings with some port for every {NAME}: which one does not matter here."""
    if isinstance(settings, Mapping):
        return {name: _with_ports(value) for name, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [_with_ports(value) for value in settings]
    return NAMED_PORT.sub(_ANY_PORT, settings) if isinstance(settings, str) else settings
