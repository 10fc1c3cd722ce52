"""The commented default file: complete, never out of date, and usable as it is."""

from __future__ import annotations

import re
import tomllib

import pytest

from cfg import loading
from cfg.defaults import default_toml
from cfg.fields import ENGINE_LISTS, engine_models, section_of, settings_of
from cfg.model import Settings


def switched_on(text: str) -> str:
    """The file with the '#' before every setting removed; prose has a space there."""
    return re.sub(r"^#(?=\S)", "", text, flags=re.MULTILINE)


def test_shipped_file_is_what_the_model_says() -> None:
    shipped = loading.DEFAULT_FILE.read_text(encoding="utf-8")
    assert shipped == default_toml(), "python3 run.py default-config > cfg/default.toml"


def test_shipped_file_changes_nothing() -> None:
    values = tomllib.loads(default_toml())
    assert Settings.model_validate(values) == Settings()


def test_every_section_switched_on_is_the_default() -> None:
    values = tomllib.loads(switched_on(default_toml()))
    for kind in ENGINE_LISTS:
        del values[kind]
    assert Settings.model_validate(values) == Settings()
    for name, field in Settings.model_fields.items():
        section = section_of(field)
        if section:
            assert list(values[name]) == [setting for setting, _ in settings_of(section)]


@pytest.mark.parametrize("kind", ENGINE_LISTS)
def test_every_engine_is_shown_with_all_its_settings(kind: str) -> None:
    blocks = tomllib.loads(switched_on(default_toml()))[kind]
    models = engine_models(kind)
    assert [block["kind"] for block in blocks] == list(models)
    for block in blocks:
        model = models[block["kind"]]
        assert set(block) == set(model.model_fields)
        model.model_validate(block)


@pytest.mark.parametrize("kind", ENGINE_LISTS)
def test_embedded_engine_switched_on_is_the_default_engine(kind: str) -> None:
    block = tomllib.loads(switched_on(default_toml()))[kind][0]
    assert (engine_models(kind)[block["kind"]].model_validate(block),) == getattr(Settings(), kind)


def test_lines_fit_and_prose_is_prose() -> None:
    for line in default_toml().splitlines():
        assert not line or line.startswith(("# ", "#", "["))
        if line.startswith("# "):
            assert len(line) <= 100
