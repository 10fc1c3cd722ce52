#!/usr/bin/env python3
"""The program: `python3 run.py`, from a bare machine to a serving one.

Until the environment is entered this file uses the standard library only, in
syntax that Python 3.9 parses; everything else is imported inside a command.
Exit codes: 0 done, 1 failed, 2 wrong settings or command line, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cfg import environment

if TYPE_CHECKING:
    from cfg.model import Settings

HELP = """\
A voice server for xiaozhi devices.

  python3 run.py                     set up on the first start, then serve
  python3 run.py test [pytest args]  set up what the tests need and run them

commands:
  serve           serve devices until Ctrl-C (this is what happens without a command)
  test            run the tests; what follows goes to pytest: test -k settings
  check-config    say whether the settings are right, and where they come from
  default-config  print every setting with its default, as a file to start from
  status          show what a running server is doing
  fetch-model     fetch the small Chinese speech model, which understands people
                  (fetch-model URL: from another copy of the ZIP file)
  cache           look into the answer cache of a running server, or change it:
                  cache why "…" | forget "…" | clear | export FILE | import FILE | stats
  fetch-embedder  fetch the sentence model by which the answer cache finds more paraphrases
                  (several GB with its library; without it n-grams serve)
"""
COMMANDS = (
    *("serve", "test", "check-config", "default-config", "status"),
    *("fetch-model", "cache", "fetch-embedder"),
)


def main(arguments: list[str]) -> int:
    """Run one command line; return the exit code."""
    try:
        if arguments[:1] == ["test"]:
            return run_tests(arguments[1:])
        if arguments[:1] == ["fetch-model"]:
            return fetch_model(arguments[1:])
        if arguments[:1] == ["fetch-embedder"]:
            return fetch_embedder()
        if arguments[:1] == ["cache"]:
            return cache(arguments[1:])
        options = parser().parse_args(arguments)
        if options.version:
            print(version())
            return 0
        environment.ensure_environment()
        return run_command(options.command, options.config)
    except environment.EnvironmentProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. The next start goes on from here.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The command line of what takes settings; those with arguments of their own were taken before."""
    result = argparse.ArgumentParser(
        prog="run.py", usage="python3 run.py [command] [--config FILE]", description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    result.add_argument(
        "command", nargs="?", default="serve", choices=COMMANDS, help=argparse.SUPPRESS
    )
    result.add_argument(
        "--config", type=Path, metavar="FILE", help="settings file (else cfg/local.toml if present)"
    )
    result.add_argument("--version", action="store_true", help="print the version")
    return result


def version() -> str:
    """Name and version, from setup.cfg."""
    import configparser

    config = configparser.ConfigParser(interpolation=None)
    config.read(environment.ROOT / "setup.cfg", encoding="utf-8")
    return f"{config['metadata']['name']} {config['metadata']['version']}"


def run_tests(arguments: list[str]) -> int:
    """Set up what the tests need, then become pytest: its exit code is ours."""
    environment.ensure_environment(("test",))
    from cfg import system_packages

    system_packages.provide()
    root = str(environment.ROOT)
    os.chdir(root)
    sys.stdout.flush()
    pytest = [sys.executable, "-m", "pytest", "-c", "pytest.ini", "--rootdir", root, *arguments]
    os.execv(sys.executable, pytest)  # noqa: S606 - our own python, no shell


def fetch_model(arguments: list[str]) -> int:
    """Fetch the speech model that understands people; an address may name another copy."""
    environment.ensure_environment()
    from actors.workers.asr import fetching

    return fetching.main(arguments)


def fetch_embedder() -> int:
    """Bring sentence-transformers and the model that the answer cache uses with it."""
    environment.ensure_environment(("embeddings",))
    from actors.cache import fetching

    return fetching.main()


def cache(arguments: list[str]) -> int:
    """Ask the answer cache of the server that runs with these settings."""
    environment.ensure_environment()
    from cfg import cache_command
    from cfg.loading import SettingsError, load

    options = cache_command.checked(arguments)
    try:
        server = load(options.config).server
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    return cache_command.run(options, server.host, server.http_port)


def run_command(command: str, config: Path | None) -> int:
    """Any command that runs inside the environment."""
    if command == "default-config":
        from cfg.defaults import default_toml

        print(default_toml(), end="")
        return 0
    from cfg.loading import SettingsError, load

    try:
        settings = load(config)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    if command == "check-config":
        print("\n".join(describe(settings, config)))
        return 0
    if command == "status":
        from cfg.status import show_status

        return show_status(settings.server.host, settings.server.http_port)
    if any(
        engine.kind == "vosk" and engine.model == "auto" and engine.fetch for engine in settings.asr
    ):
        from actors.workers.asr import fetching

        fetching.at_start()
    from supervisor.launcher import serve

    return serve(settings)


def describe(settings: Settings, config: Path | None) -> list[str]:
    """The settings' origin and the engines they choose, for `check-config`."""
    from cfg.loading import overrides, settings_file

    file = settings_file(config)
    origin = ", ".join([str(file)] * (file is not None) + overrides()) or "defaults only"
    lines = ["The settings are right.", f"  from      {origin}"]
    lines.append(f"  devices   {settings.server.host} port {settings.server.device_port}")
    lines.append(f"  HTTP      {settings.server.host} port {settings.server.http_port}")
    for kind in ("asr", "llm", "tts"):
        engines = getattr(settings, kind)
        lines.append(
            f"  {kind}       {', '.join(f'{e.name} (weight {e.weight})' for e in engines)}"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
