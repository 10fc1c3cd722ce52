"""Programs of the operating system that tests need, and bringing them.

For `run.py test`. Standard library only, syntax of Python 3.9. It installs only
as root on a system with apt; otherwise it says what is skipped and which
command would bring it. Tests that need a program skip themselves without it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from cfg.installing import say


class SystemPackage(NamedTuple):
    """A program that tests start, the Debian package that has it, and what for."""

    program: str
    package: str
    purpose: str


FOR_TESTS: tuple[SystemPackage, ...] = (
    SystemPackage("redis-server", "redis-server", "what instances share"),
)

LONGEST_INSTALL_S = 600.0


def missing_packages(wanted: Sequence[SystemPackage]) -> list[SystemPackage]:
    """Those whose program is not found on PATH or among the system's daemons."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    return [package for package in wanted if shutil.which(package.program, path=path) is None]


def provide(wanted: Sequence[SystemPackage] = FOR_TESTS) -> list[SystemPackage]:
    """Install what is missing when that is allowed; return what is still missing."""
    missing = missing_packages(wanted)
    if not missing:
        return []
    names = [package.package for package in missing]
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        say(f"Installing for the tests: {', '.join(names)}")
        _apt(apt, names)
        missing = missing_packages(missing)
    for package in missing:
        say(f"Skipping tests of {package.purpose}: sudo apt install {package.package} brings it.")
    return missing


def _apt(apt: str, names: Sequence[str]) -> None:
    """Ask apt, quietly; a failure shows in what is still missing afterwards."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-qy", "--no-install-recommends", *names]):
        try:
            subprocess.run(  # noqa: S603 - a fixed program and names from the table above
                [apt, *arguments],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                timeout=LONGEST_INSTALL_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            say(f"apt-get {arguments[0]} failed: {error}")
