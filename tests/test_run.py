"""The command line as people meet it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import run
from cfg import environment, loading, system_packages
from cfg.defaults import default_toml

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def entered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """The extras with which the environment was asked for; it is there already."""
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(environment, "ensure_environment", lambda extras=(): asked.append(extras))
    monkeypatch.setattr(loading, "LOCAL_FILE", tmp_path / "local.toml")
    for name in loading.overrides():
        monkeypatch.delenv(name)
    monkeypatch.delenv(loading.FILE_VARIABLE, raising=False)
    return asked


def test_version_and_help_need_no_environment(
    entered: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(["--version"]) == 0
    with pytest.raises(SystemExit):
        run.main(["--help"])
    output = capsys.readouterr().out
    assert output.startswith("xiaozhi-actors 0.")
    assert all(command in output for command in run.COMMANDS)
    assert entered == []


def test_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.main(["sreve"])
    assert "sreve" in capsys.readouterr().err


def test_no_command_serves_with_the_settings_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served: list[int] = []

    def serve(settings: object) -> int:
        served.append(settings.server.device_port)  # type: ignore[attr-defined]
        return 7

    monkeypatch.setitem(sys.modules, "supervisor.launcher", SimpleNamespace(serve=serve))
    file = tmp_path / "mine.toml"
    file.write_text("[server]\ndevice_port = 8100\n", encoding="utf-8")
    assert run.main(["--config", str(file)]) == 7
    assert run.main(["serve"]) == 7
    assert served == [8100, 8000]


def test_default_config_is_the_shipped_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["default-config"]) == 0
    assert capsys.readouterr().out == default_toml()


def test_check_config_says_where_settings_come_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XIAOZHI__SERVER__DEVICE_PORT", "8100")
    file = tmp_path / "mine.toml"
    file.write_text('[[llm]]\nkind = "ollama"\n', encoding="utf-8")
    assert run.main(["check-config", "--config", str(file)]) == 0
    output = capsys.readouterr().out
    assert f"from      {file}, XIAOZHI__SERVER__DEVICE_PORT" in output
    assert "devices   0.0.0.0 port 8100" in output
    assert "llm       ollama (weight 100)" in output


@pytest.mark.parametrize("command", ["serve", "check-config", "status"])
def test_wrong_settings_end_every_command_with_2(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[server]\ndevice_port = 0\n", encoding="utf-8")
    assert run.main([command, "--config", str(file)]) == 2
    assert "server.device_port = 0" in capsys.readouterr().err


def test_test_hands_everything_to_pytest(
    monkeypatch: pytest.MonkeyPatch, entered: list[tuple[str, ...]]
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, arguments: started.append(arguments))
    monkeypatch.setattr(os, "chdir", lambda _: None)
    monkeypatch.setattr(system_packages, "provide", list)
    run.main(["test", "-k", "settings", "--help"])
    assert entered == [("test",)]
    assert started[0][1:5] == ["-m", "pytest", "-c", "pytest.ini"]
    assert started[0][-3:] == ["-k", "settings", "--help"]


def test_environment_problem_and_interrupt_are_sentences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(error: BaseException) -> None:
        def ensure(extras: tuple[str, ...] = ()) -> None:
            raise error

        monkeypatch.setattr(environment, "ensure_environment", ensure)

    fail(environment.EnvironmentProblem("No venv here."))
    assert run.main([]) == 1
    fail(KeyboardInterrupt())
    assert run.main([]) == 130
    assert capsys.readouterr().err.startswith("No venv here.\nInterrupted.")
