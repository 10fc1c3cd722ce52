"""Installing one group of requirements with pip, visibly.

For `cfg.environment` alone. Standard library only, syntax of Python 3.9. pip's
whole output goes to `.venv/install.log`; people see one short line a package,
and on failure a sentence on the likely cause instead of a page of traceback.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

#: pip is ended after this long; it has its own, shorter limits for the network.
LONGEST_INSTALL_S = 1800.0

#: Why each package is there, for the person who watches the first start.
PURPOSES = {
    "thespian": "the actor system",
    "websockets": "connections of devices",
    "structlog": "logs",
    "numpy": "audio arithmetic",
    "vosk": "speech recognition on this machine",
    "av": "Opus and MP3",
    "soxr": "resampling",
    "onnxruntime": "runs the voice-activity model",
    "espeakng-loader": "the embedded voice (eSpeak NG)",
    "pydantic": "settings",
    "pydantic-settings": "settings",
    "aiohttp": "the HTTP port",
    "httpx": "HTTP clients of remote engines",
    "ollama": "client of an Ollama language model",
    "openai": "client of OpenAI-compatible services",
    "edge-tts": "client of the Edge voice service",
    "psutil": "memory and CPU of our processes",
    "pyyaml": "scenario files of the simulation",
    "setproctitle": "names our processes",
    "diskcache": "speech kept on disk",
    "rjieba": "words of Chinese sentences",
    "opencc": "traditional and simplified characters",
    "cn2an": "Chinese numerals",
    "redis": "client of a Redis that instances share",
    "sentence-transformers": "finds paraphrases in the answer cache",
    "silero-vad": "the voice-activity model itself",
    "pytest": "runs the tests",
    "pytest-timeout": "ends a test that hangs",
    "hypothesis": "property tests",
    "mypy": "checks types",
    "ruff": "checks style",
}

_NETWORK = re.compile(
    r"NewConnectionError|Temporary failure in name resolution|Name or service not known"
    r"|Network is unreachable|Connection refused|ConnectTimeout|ReadTimeout|timed out"
    r"|ProxyError|Max retries exceeded|Cannot connect|RemoteDisconnected|Retrying \(Retry"
)


class InstallFailed(Exception):
    """pip failed; the text says the likely cause and what to do."""


def say(text: str) -> None:
    """One line to the person, at once, on stderr: stdout belongs to the command."""
    print(text, file=sys.stderr, flush=True)


def install_group(
    python: Path, group: str, requirements: Sequence[str], dependencies: bool = True
) -> None:
    """Install `requirements` into the environment of `python` and show progress.

    Without `dependencies` only the named packages are installed. What is there
    already is kept, so this also resumes. Raises InstallFailed.
    """
    for line in announcement(group, requirements):
        say(line)
    command = [str(python), "-I", "-m", "pip", "install", "--no-input", "--no-warn-script-location"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--retries", "2"]
    if "PIP_DEFAULT_TIMEOUT" not in os.environ:
        command += ["--timeout", "20"]
    if not dependencies:
        command.append("--no-deps")
    log = python.parent.parent / "install.log"
    code, output = _run([*command, *requirements], log)
    if code != 0:
        raise InstallFailed(failure_text(output, log))


def announcement(group: str, requirements: Sequence[str]) -> Iterator[str]:
    """What is about to be installed and why, a line a package."""
    titles = {"base": "The server needs", "model": "Voice activity needs", "test": "The tests need"}
    yield titles.get(group, f"The extra '{group}' needs") + ":"
    for requirement in requirements:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        yield f"  {requirement:<26}{PURPOSES.get(name, '')}".rstrip()


def progress_line(line: str) -> str | None:
    """A line of pip's output as people want it, or None for one they don't."""
    fetched = re.match(r"\s+(Downloading|Using cached) (\S+)(?: \(([^)]+)\))?", line)
    if fetched:
        name = "-".join(fetched.group(2).rsplit("/", 1)[-1].split("-")[:2])
        verb = "fetching" if fetched.group(1) == "Downloading" else "from cache"
        size = f" ({fetched.group(3)})" if fetched.group(3) else ""
        return f"  {verb} {name}{size}"
    built = re.match(r"\s+Building wheel for (\S+) \([^)]*\): started", line)
    if built:
        return f"  building {built.group(1)}"
    placed = re.match(r"Installing collected packages: (.+)", line)
    if placed:
        count = placed.group(1).count(",") + 1
        return f"  installing {count} package{'s' if count > 1 else ''}, this takes a while"
    if "Retrying (Retry" in line:
        return "  the package registry does not answer, trying again"
    return None


def failure_text(output: Sequence[str], log: Path) -> str:
    """A sentence on why pip failed, from its output."""
    text = "\n".join(output)
    resume = "Start again afterwards: what is there already is kept."
    if "No space left on device" in text:
        return f"The disk is full: the environment needs about 500 MB. Make room. {resume}"
    if _NETWORK.search(text):
        return (
            "The package registry cannot be reached. Check the network, or set https_proxy if "
            "this host needs a proxy;\nwithout any network, copy the wheels here from another "
            f"machine and set PIP_NO_INDEX=1 PIP_FIND_LINKS=<their folder>.\n{resume} "
            f"pip's own words: {log}"
        )
    missing = re.search(r"No matching distribution found for (\S+)", text)
    if missing:
        version = "{}.{}".format(*sys.version_info[:2])
        return (
            f"No package {missing.group(1)} is offered for this machine and Python {version}. "
            f"Python 3.11 to 3.13 on x86-64 or arm64 is known to have them all. See {log}"
        )
    tail = "\n".join(f"    {line}" for line in output[-8:])
    return f"pip failed:\n{tail}\nIts whole output: {log}. {resume}"


def _environ() -> dict[str, str]:
    """The environment for pip, without what would send packages elsewhere."""
    stray = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER")
    kept = {name: value for name, value in os.environ.items() if name not in stray}
    return {**kept, "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}


def _run(command: list[str], log: Path) -> tuple[int, list[str]]:
    """Run pip, show its progress; return its exit code and its output's last lines."""
    output: list[str] = []
    with log.open("a", encoding="utf-8") as kept, _termination_raises():
        kept.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(command)}\n")
        pip = subprocess.Popen(  # noqa: S603 - our own environment's pip, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_environ(),
        )
        watchdog = threading.Timer(LONGEST_INSTALL_S, pip.kill)
        watchdog.start()
        try:
            assert pip.stdout is not None
            for line in pip.stdout:
                kept.write(line)
                output.append(line.rstrip())
                del output[:-400]
                shown = progress_line(line)
                if shown:
                    say(shown)
            return pip.wait(30), output
        finally:
            watchdog.cancel()
            watchdog.join()
            if pip.poll() is None:
                pip.terminate()
                pip.wait(10)


@contextmanager
def _termination_raises() -> Iterator[None]:
    """SIGTERM ends the install like Ctrl-C does, so that pip is not left running."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
