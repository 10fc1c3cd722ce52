"""`python3 -m sim COMMAND`: starts on any python3 and goes on in the project's environment.

Only the standard library until the environment is entered.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

#: Command → module:function(argv) -> int, and what it is for.
COMMANDS = {
    "talk": ("sim.talk:main", "one simulated device talks, times every hop, saves the answer"),
    "swarm": ("sim.swarm.command:main_swarm", "many devices talk at once; every turn is checked"),
    "run": ("sim.swarm.command:main_run", "run scenarios from files (sim/scenarios)"),
    "hops": ("sim.hops:main", "where the server's time went in a run, phase by phase"),
    "compare": ("sim.swarm.compare:main", "set two runs side by side"),
    "faults-by-kind": (
        "sim.faults.bykind:main",
        "kill and freeze each kind of actor alone while devices talk; a table of what it costs",
    ),
    "cycles": ("sim.faults.cycles:main", "kill a worker a thousand times; does anything grow?"),
    "launcher-kills": (
        "sim.faults.launcherkills:main",
        "kill -9 of the first process under load, again and again; is the start clean?",
    ),
    "accuracy": ("sim.swarm.accuracy:main", "how wrong is the swarm itself, against known delays"),
    "resources": ("sim.resources:main", "what each process of a running server costs"),
    "sound-bench": ("sim.soundbench:main", "what the sound cache costs on this host"),
    "standin": ("sim.standins.launcher:main", "serve in place of ollama, openai or edge"),
}

#: If these are there, the interpreter is taken as it is.
_NEEDED = ("numpy", "websockets", "soxr", "av", "espeakng_loader", "aiohttp", "pydantic", "yaml")


def main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage())
        return 0 if argv else 2
    if argv[0] not in COMMANDS:
        print(f"error: {argv[0]!r} is no command\n{_usage()}", file=sys.stderr)
        return 2
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        from cfg.environment import EnvironmentProblem, enter_environment

        try:
            enter_environment()
        except EnvironmentProblem as problem:
            print(f"error: {problem}", file=sys.stderr)
            return 3
    module, _, function = COMMANDS[argv[0]][0].partition(":")
    code: int = getattr(importlib.import_module(module), function)(argv[1:])
    return code


def _usage() -> str:
    lines = ["usage: python3 -m sim COMMAND [--help] ...", ""]
    lines += [f"  {name:16}{what}" for name, (_module, what) in COMMANDS.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
