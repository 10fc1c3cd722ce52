"""Reading the settings: the shipped file, the operator's file, the environment.

Later sources win: cfg/default.toml, then one operator's file (`--config`, else
the file that XIAOZHI_CONFIG names, else cfg/local.toml if there is one), then
variables such as XIAOZHI__SERVER__DEVICE_PORT=8100. Nobody else reads either.
Types and ranges are checked first, all at once; then the rules of `cfg.checks`.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cfg import fields
from cfg.checks import findings, name_engines
from cfg.model import Settings
from cfg.places import line_of
from cfg.problems import Problem, SettingsError, from_validation, show, unknown_name

__all__ = ["Problem", "SettingsError", "load", "overrides", "settings_file"]

FOLDER = Path(__file__).resolve().parent
DEFAULT_FILE = FOLDER / "default.toml"
LOCAL_FILE = FOLDER / "local.toml"
FILE_VARIABLE = "XIAOZHI_CONFIG"
PREFIX = "XIAOZHI__"


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings, complete and checked; raise SettingsError naming every fault.

    `path` is the file given on the command line. Every engine has a unique name
    afterwards.
    """
    sources = _Sources()
    for file in (DEFAULT_FILE if DEFAULT_FILE.is_file() else None, settings_file(path, environ)):
        if file is not None:
            sources.add_file(file)
    sources.add_environment(environ)
    return sources.settings()


def settings_file(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The operator's file that `load` reads, or None when defaults are all there is."""
    if path is not None:
        return path
    named = environ.get(FILE_VARIABLE, "")
    if named:
        return Path(named)
    return LOCAL_FILE if LOCAL_FILE.is_file() else None


def overrides(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Names of the environment variables that set something; values may be secret."""
    return sorted(name for name in environ if name.upper().startswith(PREFIX))


class _Sources:
    """The merged values while they are read, who set which, and what was wrong."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self.files: list[tuple[Path, str]] = []
        self.variables: dict[fields.Path, str] = {}

    def add_file(self, file: Path) -> None:
        """Merge a TOML file; a file that cannot be read at all ends the loading."""
        name = _short(file)
        try:
            text = file.read_text(encoding="utf-8-sig")
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            fix = 'not TOML. A setting is written  name = value , with text in quotes: "zh"'
            raise SettingsError([Problem(f"{name}: {error}", "", fix)]) from None
        except UnicodeDecodeError as error:
            fix = f"the file must be UTF-8 text; byte {error.start} is not"
            raise SettingsError([Problem(name, "", fix)]) from None
        except OSError as error:
            fix = f"cannot be read: {error.strerror}. 'run.py default-config' prints an example"
            raise SettingsError([Problem(name, "", fix)]) from None
        _merge(self.values, values)
        self.files.insert(0, (file, text))

    def add_environment(self, environ: Mapping[str, str]) -> None:
        """Put every XIAOZHI__… variable in its place, or note why it has none."""
        for name in overrides(environ):
            parts = tuple(part.lower() for part in name[len(PREFIX) :].split("__"))
            try:
                self._override(name, parts, environ[name])
            except _Misplaced as misplaced:
                self.problems.append(misplaced.problem)

    def settings(self) -> Settings:
        """Check everything; raise SettingsError or return the settings."""
        try:
            settings = name_engines(Settings.model_validate(self.values))
        except ValidationError as error:
            raise SettingsError(self.problems + from_validation(error, self.source)) from None
        for path, value, allowed in findings(settings):
            where = fields.spoken_path(path)
            shown = show(value, secret=path[:2] == ("server", "tokens"))
            self.problems.append(Problem(where, shown, f"allowed: {allowed}", self.source(path)))
        if self.problems:
            raise SettingsError(self.problems)
        return settings

    def source(self, path: fields.Path) -> str:
        """Who set the value at `path`: a variable, or a file with its line."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.variables:
                return f"environment variable {self.variables[path[:length]]}"
        for file, text in self.files:
            line = line_of(text, path)
            if line is not None:
                return f"{_short(file)}, line {line}"
        return ""

    def _override(self, name: str, parts: tuple[str, ...], text: str) -> None:
        where, container, typed = self._container(name, parts)
        leaf = parts[-1]
        field = fields.find_field((*typed, leaf))
        if field is None:
            known = unknown_name((*typed, leaf), f"environment variable {name}")
            raise _Misplaced(known)
        container[leaf] = _value(field, text, name, (*where, leaf))
        self.variables[(*where, leaf)] = name

    def _container(
        self, name: str, parts: tuple[str, ...]
    ) -> tuple[fields.Path, dict[str, Any], fields.Path]:
        """The table that holds the last part: its place, itself, its place with the kind."""
        source = f"environment variable {name}"
        if parts[0] in fields.ENGINE_LISTS and len(parts) > 1:
            engines = self.values.get(parts[0], [])
            index = int(parts[1]) if parts[1].isdecimal() else len(engines)
            if len(parts) != 3 or index >= len(engines) or not isinstance(engines[index], dict):
                fix = f"there {_count(len(engines))} set for {parts[0]}; write {PREFIX}"
                fix += f"{parts[0].upper()}__0__NAME for the first one, or {PREFIX}"
                fix += f"{parts[0].upper()} with a JSON list"
                raise _Misplaced(Problem(".".join(parts), "", fix, source))
            kind = str(engines[index].get("kind", ""))
            return (parts[0], index), engines[index], (parts[0], index, kind)
        table = self.values
        for depth, part in enumerate(parts[:-1], start=1):
            field = fields.find_field(parts[:depth])
            if field is None or fields.section_of(field) is None:
                raise _Misplaced(unknown_name(parts[:depth], source))
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise _Misplaced(Problem(part, show(table), "allowed: a section", source))
        return parts[:-1], table, parts[:-1]


class _Misplaced(Exception):
    """A variable that cannot be put anywhere."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.path)
        self.problem = problem


def _value(field: Any, text: str, name: str, path: fields.Path) -> object:
    """A variable's text as the value that TOML would have given."""
    if fields.is_text(field):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        compound = fields.section_of(field) or "tuple" in str(field.annotation)
        if not compound:
            return text  # the model says what is wrong with it
        problem = str(error).split(":")[0].lower()  # without the text, which may be secret
        fix = f"allowed: {fields.allowed(field)}, as JSON; {problem} at its position"
        fix += f" {getattr(error, 'pos', 0)}"
        source = f"environment variable {name}"
        raise _Misplaced(Problem(fields.spoken_path(path), "", fix, source)) from None


def _count(number: int) -> str:
    return f"is {number} engine" if number == 1 else f"are {number} engines"


def _merge(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Lay `above` over `below`, table by table; lists are replaced whole."""
    for name, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(name), dict):
            _merge(below[name], value)
        else:
            below[name] = value


def _short(file: Path) -> str:
    """The file's name as people would type it here."""
    try:
        return str(file.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(file)
