"""The program's own Python environment: make it, keep it right, move into it.

For `run.py` and `sim`, which anybody may start with any `python3`. Standard
library only, and syntax that Python 3.9 still parses, so that an old
interpreter gets a sentence instead of a traceback. What it promises:

* `.venv` beside run.py holds what setup.cfg asks for; nothing else on the host
  is changed, and pip never runs in an environment that is not ours.
* What was installed is remembered in `.venv/installed.json` group by group, so
  a later start costs a few milliseconds and an interrupted one goes on.
* The command goes on in the same process (`exec`), so signals reach it.
"""

from __future__ import annotations

import configparser
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cfg.installing import InstallFailed, install_group, say

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
#: Room that a first start needs, with some to spare.
NEEDED_BYTES = 700_000_000
#: How long a start waits for another one that is installing.
WAIT_FOR_OTHER_S = 1800.0
#: Set across `exec`, so that an environment that does not take cannot loop.
_ENTERED = "XIAOZHI_ENTERED_PID"


class EnvironmentProblem(Exception):
    """The environment cannot be had; the text says why and what mends it."""


class Group(NamedTuple):
    """Requirements that are installed together. `whole`: with their dependencies."""

    name: str
    requirements: tuple[str, ...]
    whole: bool

    @property
    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.requirements).encode()).hexdigest()


def ensure_environment(extras: Sequence[str] = (), root: Path = ROOT) -> None:
    """Make `.venv` complete and go on in it. Returns only inside of it.

    `extras` names further groups of setup.cfg, such as "test". Raises
    EnvironmentProblem; KeyboardInterrupt leaves a state that the next start resumes.
    """
    check_python()
    wanted = wanted_groups(root, extras)
    if missing_groups(root, wanted):
        with _alone(root):
            _install(root, wanted)
    enter_environment(root)


def find_environment(root: Path = ROOT) -> Path | None:
    """The python of the environment that run.py made, or None if it made none."""
    return _python(root) if "base" in _installed(root) else None


def enter_environment(root: Path = ROOT) -> None:
    """Go on with the same command line inside `.venv`; return when already there.

    Raises EnvironmentProblem when run.py has not made the environment yet.
    """
    entered = os.environ.pop(_ENTERED, "")
    if inside_environment(root):
        return
    python = find_environment(root)
    if python is None:
        raise EnvironmentProblem(
            "The program's environment is not there yet. Start 'python3 run.py' once "
            f"in {root}; it sets everything up."
        )
    if entered == str(os.getpid()):
        raise EnvironmentProblem(
            f"{python} does not run as an environment of its own. Delete {root / '.venv'} "
            "and start again: it is made anew."
        )
    environ = {**os.environ, "VIRTUAL_ENV": str(root / ".venv"), _ENTERED: str(os.getpid())}
    environ.pop("PYTHONHOME", None)  # it would point the new python at another's library
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(python, [str(python), *sys.orig_argv[1:]], environ)  # noqa: S606 - ours, no shell


def inside_environment(root: Path = ROOT) -> bool:
    """Whether this process runs on the python of `.venv`."""
    return Path(sys.prefix).resolve() == (root / ".venv").resolve()


def check_python() -> None:
    """Raise EnvironmentProblem on an interpreter that is too old, naming a newer one if here."""
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return
    text = "This program needs Python {}.{} or newer; {} is Python {}.{}.".format(
        *OLDEST_PYTHON, sys.executable, *sys.version_info[:2]
    )
    newer = [f"python3.{minor}" for minor in range(20, OLDEST_PYTHON[1] - 1, -1)]
    found = next((name for name in newer if shutil.which(name)), None)
    fix = (
        f" This machine has one: start '{found} run.py'."
        if found
        else (" Debian 12, Ubuntu 24.04 and later carry it as the package python3.")
    )
    raise EnvironmentProblem(text + fix)


def wanted_groups(root: Path, extras: Sequence[str] = ()) -> tuple[Group, ...]:
    """The groups of setup.cfg that this start needs; "base" and "model" always."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(root / "setup.cfg", encoding="utf-8")
    listed = {"base": config.get("options", "install_requires")}
    listed.update(config.items("options.extras_require"))
    unknown = [name for name in extras if name not in listed]
    if unknown:
        raise EnvironmentProblem(f"setup.cfg has no extra named {unknown[0]!r}.")
    return tuple(
        # "model" brings a file inside a package whose dependencies are not used
        Group(name, tuple(listed[name].split()), whole=name != "model")
        for name in ("base", "model", *extras)
    )


def missing_groups(root: Path, wanted: Sequence[Group]) -> list[Group]:
    """Those of `wanted` that are not installed as they are written now."""
    installed = _installed(root)
    return [group for group in wanted if installed.get(group.name) != group.digest]


def _python(root: Path) -> Path:
    return root / ".venv" / "bin" / "python"


def _installed(root: Path) -> dict[str, str]:
    """Group name → digest, from the record; empty when the environment is unusable.

    A `.venv` is unusable when its python is gone, or is another version since
    the system was upgraded: then its packages lie in a folder nobody reads.
    """
    try:
        record = json.loads((root / ".venv" / "installed.json").read_text(encoding="utf-8"))
        version, groups = record["python"], dict(record["groups"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    python = _python(root)
    if not os.access(python, os.X_OK):
        return {}
    named = re.search(r"python(\d+\.\d+)$", os.path.realpath(python))
    return {} if named and named.group(1) != version else groups


def _install(root: Path, wanted: Sequence[Group]) -> None:
    """Bring `.venv` to what is wanted, recording each group as it is complete."""
    missing = missing_groups(root, wanted)
    if not missing:
        return  # another start did it while this one waited
    installed = _installed(root)
    began = time.monotonic()
    if not installed:
        _create(root)
    try:
        for group in missing:
            install_group(_python(root), group.name, group.requirements, group.whole)
            installed[group.name] = group.digest
            _record(root, installed)
    except InstallFailed as failure:
        raise EnvironmentProblem(str(failure)) from failure
    say(f"The environment is complete after {time.monotonic() - began:.0f} s.")


def _record(root: Path, installed: dict[str, str]) -> None:
    listed = sorted((root / ".venv" / "lib").glob("python3.*"))
    version = listed[-1].name[len("python") :] if listed else ""
    target = root / ".venv" / "installed.json"
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps({"python": version, "groups": installed}), encoding="utf-8")
    partial.replace(target)


def _create(root: Path) -> None:
    """Make an empty `.venv`, or keep one whose pip works; say what happens and why."""
    venv = root / ".venv"
    if _works(_python(root)):
        return
    _check_place(root)
    say(
        f"Setting up the program's own Python environment in {venv}.\n"
        "This happens once and takes one to three minutes and about 500 MB. Nothing outside\n"
        "of this folder is changed; deleting .venv undoes it."
    )
    base = getattr(sys, "_base_executable", None) or sys.executable
    made = subprocess.run(  # noqa: S603 - our own interpreter, no shell
        [base, "-I", "-m", "venv", "--clear", str(venv)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    if made.returncode != 0:
        raise EnvironmentProblem(
            f"{base} could not make {venv}:\n{made.stdout.strip()}\nIf it names ensurepip, "
            f"install it with: {venv_package_command()}"
        )


def _works(python: Path) -> bool:
    """Whether this python runs, with pip, as an environment of its own (no timing: 0.2 s)."""
    if not os.access(python, os.X_OK):
        return False
    code = "import pip, sys; sys.exit(sys.prefix == sys.base_prefix)"
    try:
        command = [str(python), "-I", "-c", code]
        ran = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0


def _check_place(root: Path) -> None:
    """Raise EnvironmentProblem before anything is made that could not be finished."""
    lacking = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if lacking:
        raise EnvironmentProblem(
            f"This Python has no {' and no '.join(lacking)}, which making an environment needs. "
            f"Install it with:\n    {venv_package_command()}\nand start again."
        )
    if not os.access(root, os.W_OK):
        raise EnvironmentProblem(
            f"The folder {root} cannot be written to by this user. Clone the project into a "
            "folder of your own and start it there."
        )
    free = shutil.disk_usage(root).free
    if free < NEEDED_BYTES:
        raise EnvironmentProblem(
            f"The disk of {root} has {free // 1_000_000} MB free; the environment needs "
            f"{NEEDED_BYTES // 1_000_000} MB."
        )


def venv_package_command() -> str:
    """The system command that brings venv and ensurepip to this interpreter."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    if shutil.which("apt-get"):
        # a second interpreter beside the distribution's own has its own package
        this = f"python3.{sys.version_info[1]}"
        default = os.path.realpath("/usr/bin/python3").endswith(this)
        package = "python3-venv" if default else f"{this}-venv"
        return f"{sudo}apt install {package}"
    return f"{sudo}<your package tool> install python3-venv (or reinstall Python with ensurepip)"


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold the project's folder: two first starts at once must not mix their installs."""
    import fcntl  # not on every system that can print the sentence about the Python version

    descriptor = os.open(root, os.O_RDONLY)
    try:
        until = time.monotonic() + WAIT_FOR_OTHER_S
        told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise EnvironmentProblem(
                        "Another start is still installing; stop it."
                    ) from None
            if not told:
                say("Another start is installing at this moment; waiting for it.")
                told = True
            time.sleep(0.2)
        yield
    finally:
        os.close(descriptor)
