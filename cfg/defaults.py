"""The commented default file, written from the model so that it cannot drift.

Pure. `python3 run.py default-config` prints it; cfg/default.toml is its shipped
copy, and a test compares the two. Form: a line that begins with '# ' is prose,
one that begins with '#name' is a setting with its default, switched off.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cfg.fields import (
    ENGINE_LISTS,
    allowed,
    description,
    engine_models,
    section_of,
    settings_of,
    toml_value,
)
from cfg.model import Settings

_HEAD = """\
# Every setting with its default. Copy the lines you change to cfg/local.toml (with
# their [section] line), remove the '#' before the name, and start again.
# 'python3 run.py check-config' says whether a file is right.
#
# One setting may also come from the environment, which wins over the file:
#   XIAOZHI__SERVER__DEVICE_PORT=8100    XIAOZHI__LLM__0__API_KEY=...    lists as JSON
#
# This file is written from cfg/model.py: python3 run.py default-config > cfg/default.toml
"""

_ENGINES = {
    "asr": "Speech recognition",
    "llm": "Language models",
    "tts": "Voices",
}


def default_toml() -> str:
    """The whole file's text, with a newline at its end."""
    lines = [*_HEAD.splitlines()]
    for name, field in Settings.model_fields.items():
        section = section_of(field)
        if section:
            lines += ["", *_prose(_summary(section)), f"[{name}]"]
            lines += _settings(section)
    for name in ENGINE_LISTS:
        lines += _engines(name)
    return "\n".join(lines) + "\n"


def _engines(name: str) -> Iterator[str]:
    models = engine_models(name)
    embedded = next(iter(models))
    yield ""
    yield from _prose(
        f"{_ENGINES[name]}. One [[{name}]] block for each engine; several share the work by "
        f'weight, and one takes over from another that fails. No block: "{embedded}", embedded.'
    )
    for kind, model in models.items():
        yield ""
        yield f"#[[{name}]]"
        yield f'#kind = "{kind}"'
        yield from _settings(model)


def _settings(model: type[BaseModel]) -> Iterator[str]:
    for name, field in settings_of(model):
        if name == "kind":
            continue
        yield from _prose(_explanation(model, name, field))
        yield f"#{name} = {toml_value(_default(field))}"


def _explanation(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    """What the setting is for and what it takes, where the value does not show it."""
    words = allowed(field)
    if words == "text" or words.startswith("a list of texts"):
        words = ""
    if field.is_required():
        words = f"required; {words}".rstrip("; ")
    meaning = description(model, name)
    return f"{meaning} ({words})" if meaning and words else meaning or words


def _default(field: FieldInfo) -> Any:
    if not field.is_required():
        return field.get_default(call_default_factory=True)
    choices = get_args(field.annotation)
    return choices[0] if choices else ""


def _summary(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())


def _prose(text: str) -> list[str]:
    return textwrap.wrap(
        text, 96, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
