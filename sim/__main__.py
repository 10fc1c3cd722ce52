"""`python3 -m sim COMMAND`: starts on any python3 and goes on in the project's environment.

Only the standard library until the environment is entered.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

#: Command → module with `main(argv) -> int`, and what it is for.
COMMANDS = {
    "talk": ("sim.talk", "one simulated device talks, times every hop, saves the answer"),
    "standin": ("sim.standins.launcher", "serve in place of ollama, openai or edge"),
}

#: If these are there, the interpreter is taken as it is.
_NEEDED = ("numpy", "websockets", "soxr", "av", "espeakng_loader", "aiohttp", "pydantic")


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
    command = importlib.import_module(COMMANDS[argv[0]][0])
    code: int = command.main(argv[1:])
    return code


def _usage() -> str:
    lines = ["usage: python3 -m sim COMMAND [--help] ...", ""]
    lines += [f"  {name:9}{what}" for name, (_module, what) in COMMANDS.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
