"""Making, recognising and entering the environment; one real project on a real pip."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cfg import environment
from cfg.environment import (
    EnvironmentProblem,
    check_python,
    find_environment,
    missing_groups,
    venv_package_command,
    wanted_groups,
)

SETUP = """\
[options]
install_requires =
    tiny-example==1.0

[options.extras_require]
# a comment
model =
    tiny-model==1.0
test =
    tiny-tool>=1
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's folder with an empty environment that is recorded as complete."""
    (tmp_path / "setup.cfg").write_text(SETUP, encoding="utf-8")
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(tmp_path / "python3.11")
    (tmp_path / "python3.11").touch(mode=0o755)
    record(tmp_path, "base", "model")
    return tmp_path


def record(project: Path, *names: str) -> None:
    groups = {g.name: g.digest for g in wanted_groups(project, ("test",)) if g.name in names}
    text = json.dumps({"python": "3.11", "groups": groups})
    (project / ".venv" / "installed.json").write_text(text, encoding="utf-8")


def missing(project: Path, *extras: str) -> list[str]:
    return [group.name for group in missing_groups(project, wanted_groups(project, extras))]


class TestRequirements:
    def test_groups_come_from_setup_cfg(self, project: Path) -> None:
        groups = wanted_groups(project, ("test",))
        assert [(group.name, group.requirements, group.whole) for group in groups] == [
            ("base", ("tiny-example==1.0",), True),
            ("model", ("tiny-model==1.0",), False),
            ("test", ("tiny-tool>=1",), True),
        ]

    def test_the_projects_own_file_has_them(self) -> None:
        base, model, test = wanted_groups(environment.ROOT, ("test",))
        assert any(line.startswith("thespian") for line in base.requirements)
        assert [line.split("=")[0] for line in model.requirements] == ["silero-vad"]
        assert any(line.startswith("pytest") for line in test.requirements)

    def test_extra_that_does_not_exist(self, project: Path) -> None:
        with pytest.raises(EnvironmentProblem, match="no extra named 'gpu'"):
            wanted_groups(project, ("gpu",))


class TestRecord:
    def test_complete_environment_needs_nothing_but_a_new_extra(self, project: Path) -> None:
        assert missing(project) == []
        assert missing(project, "test") == ["test"]
        assert find_environment(project) == project / ".venv" / "bin" / "python"

    def test_changed_requirement_is_installed_again(self, project: Path) -> None:
        (project / "setup.cfg").write_text(SETUP.replace("model==1.0", "model==1.1"))
        assert missing(project) == ["model"]

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"python": "3.11", "groups": 1}'])
    def test_record_that_is_broken_counts_as_none(self, project: Path, text: str) -> None:
        (project / ".venv" / "installed.json").write_text(text, encoding="utf-8")
        assert missing(project) == ["base", "model"]

    def test_python_that_is_gone_makes_everything_missing(self, project: Path) -> None:
        (project / "python3.11").unlink()
        assert missing(project) == ["base", "model"]
        assert find_environment(project) is None

    def test_python_that_was_upgraded_makes_everything_missing(self, project: Path) -> None:
        (project / "python3.11").rename(project / "python3.12")
        (project / ".venv" / "bin" / "python").unlink()
        (project / ".venv" / "bin" / "python").symlink_to(project / "python3.12")
        assert missing(project) == ["base", "model"]

    def test_entering_what_was_never_made_names_the_command(self, tmp_path: Path) -> None:
        with pytest.raises(EnvironmentProblem, match=r"python3 run\.py"):
            environment.enter_environment(tmp_path)


class TestWhatIsMissingOnTheHost:
    def test_old_python_is_told_which_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "version_info", (3, 9, 2))
        monkeypatch.setattr(shutil, "which", lambda name: name == "python3.12" or None)
        with pytest.raises(EnvironmentProblem, match=r"needs Python 3\.11.*python3\.12 run\.py"):
            check_python()

    def test_no_ensurepip_names_the_system_package(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        found = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "ensurepip" else found(name)
        )
        (tmp_path / "setup.cfg").write_text(SETUP, encoding="utf-8")
        with pytest.raises(EnvironmentProblem) as caught:
            environment.ensure_environment(root=tmp_path)
        assert "no ensurepip" in str(caught.value)
        assert venv_package_command() in str(caught.value)
        assert not (tmp_path / ".venv").exists()

    def test_command_for_venv(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/apt-get")
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        monkeypatch.setattr(
            os.path, "realpath", lambda _: f"/usr/bin/python3.{sys.version_info[1]}"
        )
        assert venv_package_command() == "sudo apt install python3-venv"
        monkeypatch.setattr(os.path, "realpath", lambda _: "/usr/bin/python3.99")
        assert venv_package_command() == f"sudo apt install python3.{sys.version_info[1]}-venv"

    def test_folder_of_somebody_else(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)
        with pytest.raises(EnvironmentProblem, match="cannot be written"):
            environment._create(tmp_path)

    def test_full_disk(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(EnvironmentProblem, match="has 1 MB free"):
            environment._create(tmp_path)


START = """\
import os, sys
from pathlib import Path
from cfg import environment
try:
    environment.ensure_environment(root=Path(__file__).parent)
except environment.EnvironmentProblem as problem:
    sys.exit(f"PROBLEM {problem}")
import tiny_example, tiny_model
print(sys.prefix, os.getpid(), sys.argv[1:], os.environ.get("VIRTUAL_ENV"))
"""


def wheel(folder: Path, name: str, requires: str = "") -> None:
    """Write a wheel that holds one empty module."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}"
    with zipfile.ZipFile(folder / f"{module}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{module}.py", "")
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


class Project:
    """A small project of the same build, started as a person would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        (folder / "cfg").mkdir()
        for name in ("__init__.py", "environment.py", "installing.py"):
            shutil.copy(environment.ROOT / "cfg" / name, folder / "cfg" / name)
        (folder / "setup.cfg").write_text(SETUP, encoding="utf-8")
        (folder / "start.py").write_text(START, encoding="utf-8")

    def start(self, *arguments: str, **environ: str) -> tuple[int, str, str, int]:
        """Exit code, stdout, stderr and process id of one start by the base python."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        offline = {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_CONFIG_FILE": os.devnull,
        }
        base = str(sys._base_executable)  # type: ignore[attr-defined]
        process = subprocess.Popen(
            [base, "start.py", *arguments],
            cwd=self.folder,
            env={**kept, **offline, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        output, errors = process.communicate(timeout=50)
        return process.returncode, output, errors, process.pid


@pytest.mark.system
def test_from_nothing_to_instant_starts_through_failures(tmp_path: Path) -> None:
    """One real life of an environment: it takes several seconds to make, so it is one test."""
    project = Project(tmp_path)
    venv = tmp_path / ".venv"
    wheel(project.wheels, "tiny-example")

    # no network: refused at once, with a sentence
    code, _, errors, _ = project.start(
        PIP_NO_INDEX="0",
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_FIND_LINKS="",
        PIP_RETRIES="0",
    )
    assert code == 1
    assert "Setting up the program's own Python environment" in errors
    assert "PROBLEM The package registry cannot be reached" in errors

    # the second group is not to be had: the first one is kept
    code, _, errors, _ = project.start()
    assert code == 1
    assert "No package tiny-model==1.0 is offered" in errors
    assert "Setting up" not in errors, "the environment made before is used"
    assert missing(tmp_path) == ["model"]

    # now it is, with a dependency that must not be installed; another venv is active
    wheel(project.wheels, "tiny-model", "Requires-Dist: a-giant\n")
    foreign = tmp_path / "foreign"
    code, output, errors, pid = project.start("--word", VIRTUAL_ENV=str(foreign), PYTHONHOME="")
    assert (code, foreign.exists()) == (0, False)
    assert output == f"{venv} {pid} ['--word'] {venv}\n", "the same process went on inside"
    assert "Voice activity needs:\n  tiny-model==1.0\n" in errors
    assert "The server needs" not in errors, "what is there is not installed again"

    # later starts say nothing and do nothing, even without any network
    assert project.start(PIP_FIND_LINKS="")[:3:2] == (0, "")
    assert find_environment(tmp_path) == venv / "bin" / "python"

    # broken off in the middle of making it: made again
    shutil.rmtree(venv / "lib")
    (venv / "installed.json").unlink()
    code, output, errors, _ = project.start()
    assert code == 0
    assert "The environment is complete" in errors
