"""What the documents show is what the program accepts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import run
from cfg.checks import findings, name_engines
from cfg.model import Settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_settings_in_the_readme_are_right() -> None:
    examples = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    assert examples
    for example in examples:
        settings = name_engines(Settings.model_validate(tomllib.loads(example)))
        assert list(findings(settings)) == []


def test_commands_in_the_readme_exist() -> None:
    shown = set(re.findall(r"run\.py ([a-z][a-z-]+)", README))
    assert shown <= set(run.COMMANDS)
    assert {"test", "check-config", "status", "fetch-model"} <= shown


def test_ports_in_the_readme_are_the_defaults() -> None:
    server = Settings().server
    assert set(re.findall(r"HOST:(\d+)", README)) == {
        str(server.device_port),
        str(server.http_port),
    }


def test_version_has_a_place_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = run.version().split()[1]
    assert f"## [{version}]" in changelog or "## [Unreleased]" in changelog
