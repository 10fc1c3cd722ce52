"""Settings described in words: what a field takes, where it sits, how TOML writes it.

Pure, and all of it worked out from the model, so that the default file and the
error messages cannot drift from what is really accepted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from cfg.model import Settings

#: A place in the settings: names, and indexes where a list is passed through.
Path = tuple[str | int, ...]

#: The lists of engines, each a list of tables told apart by their `kind`.
ENGINE_LISTS = ("asr", "llm", "tts")


def engine_models(name: str) -> dict[str, type[BaseModel]]:
    """kind → settings model of one list of engines, the embedded kind first."""
    element = get_args(Settings.model_fields[name].annotation)[0]
    union = get_args(element)[0]
    return {
        str(get_args(model.model_fields["kind"].annotation)[0]): model for model in get_args(union)
    }


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model behind a field that is a section, else None."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def find_field(path: Path) -> FieldInfo | None:
    """The field at a place, or None when there is none.

    For engines the place names the kind after the index, as pydantic's own
    error locations do: ('llm', 0, 'ollama', 'model').
    """
    model: type[BaseModel] | None = Settings
    field: FieldInfo | None = None
    kinds: dict[str, type[BaseModel]] = {}
    for part in path:
        if isinstance(part, int):
            continue
        if part in kinds:
            model, kinds = kinds[part], {}
            continue
        field = model.model_fields.get(part) if model else None
        if field is None:
            return None
        model = section_of(field)
        kinds = engine_models(part) if part in ENGINE_LISTS and len(path) > 1 else {}
    return field


def known_names(path: Path) -> list[str]:
    """The settings that exist inside the section or engine at `path`."""
    if not path:
        return list(Settings.model_fields)
    if path[0] in ENGINE_LISTS:
        kind = next((part for part in path[1:] if isinstance(part, str)), "")
        model = engine_models(str(path[0])).get(kind)
        return list(model.model_fields) if model else []
    field = find_field(path)
    section = section_of(field) if field else None
    return list(section.model_fields) if section else []


def spoken_path(path: Path) -> str:
    """`path` as people write it: `server.tokens[0]`, `llm[0].model`."""
    words = ""
    for position, part in enumerate(path):
        if isinstance(part, int):
            words += f"[{part}]"
        elif position == 2 and path[0] in ENGINE_LISTS and part in engine_models(str(path[0])):
            continue  # pydantic's mark of the kind, not a name in the file
        else:
            words += f".{part}" if words else part
    return words


def is_secret(field: FieldInfo | None) -> bool:
    """Whether the field's value must never be shown."""
    return field is not None and "SecretStr" in str(field.annotation)


def is_text(field: FieldInfo) -> bool:
    """Whether any text is taken as it is (in the environment: not JSON)."""
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return field.annotation in (str, SecretStr) or any(isinstance(c, str) for c in choices)


def allowed(field: FieldInfo) -> str:
    """What the field takes, in words, such as 'a whole number from 1 to 65535'."""
    kind = field.annotation
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(toml_value(choice) for choice in get_args(kind))
    if kind is bool:
        return "true or false"
    if kind is int:
        return f"a whole number {_range(field)}".rstrip()
    if kind is float:
        return f"a number {_range(field)}".rstrip()
    if get_origin(kind) is tuple:
        engines = "Union" in str(kind) or "|" in str(kind)
        return "at least one engine" if engines else 'a list of texts: ["one", "two"]'
    if section_of(field):
        return "a section with settings of its own"
    pattern = next((m.pattern for m in field.metadata if getattr(m, "pattern", None)), None)
    return f"text that matches {pattern}" if pattern else "text"


def _range(field: FieldInfo) -> str:
    limits: dict[str, Any] = {}
    for metadata in field.metadata:
        for name in ("ge", "gt", "le", "lt"):
            if getattr(metadata, name, None) is not None:
                limits[name] = getattr(metadata, name)
    words: list[str] = []
    if "ge" in limits:
        words.append(f"from {limits['ge']:g}")
    if "gt" in limits:
        words.append(f"above {limits['gt']:g}")
    if "le" in limits:
        words.append(f"{'to' if 'ge' in limits else 'up to'} {limits['le']:.10g}")
    if "lt" in limits:
        words.append(f"below {limits['lt']:g}")
    return " ".join(words)


def toml_value(value: object) -> str:
    """A default as TOML writes it. Secrets are written as empty text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, SecretStr):
        return '""'
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    raise TypeError(f"no TOML form for {type(value).__name__}")


def description(model: type[BaseModel], name: str) -> str:
    """What a setting is for; a field that an engine redefines keeps the words of its base."""
    for owner in model.__mro__:
        field = owner.model_fields.get(name) if issubclass(owner, BaseModel) else None
        if field and field.description:
            return field.description
    return ""


def settings_of(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The plain settings of a section or engine, in the model's order."""
    for name, field in model.model_fields.items():
        if section_of(field) is None and name not in ENGINE_LISTS:
            yield name, field
