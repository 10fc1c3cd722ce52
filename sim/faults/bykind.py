"""`python3 -m sim faults-by-kind`: each kind of actor killed and frozen, one at a time.

The kinds are those of the tree that runs. While D devices talk, one process after the
other is killed (SIGKILL) and frozen (SIGSTOP), evenly spaced and in turn, one kind after
the other; the table says what it cost. A long measurement can be cut into pieces
(`--kinds`, `--kills`, `--freezes`) and put together again (`--of`).

Exit codes as of `sim run`; 1 also when a promise on noticing, coming back, lost turns,
disconnects, cross-talk or stuck devices is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sim.faults import targets
from sim.faults.targets import FOREIGN, StatusReader, TreeProcess
from sim.faults.toll import Toll, missed, tolls
from sim.report import tolls as shown
from sim.swarm import command, host
from sim.swarm.conductor import Job, conduct
from sim.swarm.live import Live
from sim.swarm.records import Run, UnreadableRun, read
from sim.swarm.scenario import Scenario, ScenarioError, parse
from sim.swarm.server import NotStarted, Target
from sim.swarm.surroundings import surroundings

#: Stable enough for an immediate restart (supervisor.restart), and the turn is over.
EVERY_S: Final = 8.0
SETTLE_S: Final = 20.0
#: With them everything ends: they come last.
_SYSTEM = ("root", "admin", "logger")
#: A tree in which no kind appeared for so long has all of them.
_QUIET_S, _WITHIN_S, _LOOK_S = 1.0, 20.0, 0.2
#: Starting the server twice, connecting, the last turns, listening to answers.
_AROUND_S = 60.0

#: Folder of the server that is started only to be looked at.
_TREE = "tree"
TEXT_FILE, JSON_FILE, PAGE_FILE = "by-kind.txt", "by-kind.json", "by-kind.html"


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        if options.of:
            return _tell([read(path) for path in options.of], options.out)
        return asyncio.run(_measure(options, argv))
    except (ScenarioError, UnreadableRun, NotStarted, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return command.USAGE
    except KeyboardInterrupt:
        return command.INTERRUPTED


def kinds_of(processes: Iterable[TreeProcess]) -> tuple[str, ...]:
    """The families of a tree, those last with which everything ends."""
    found = {
        targets.family(each.name)
        for each in processes
        if each.kind not in ("launcher", FOREIGN, "")
    }
    return tuple(sorted(found, key=lambda name: (name in _SYSTEM, name)))


def target_of(kind: str, processes: Iterable[TreeProcess]) -> str:
    """How the time line names one of this family."""
    if kind == "session":
        return "kind:serving"
    names = {each.name for each in processes if targets.family(each.name) == kind}
    return f"actor:{kind}" if kind in names else f"kind:{kind}"


def scenario_of(
    targets_by_kind: dict[str, str],
    *,
    kills: int,
    freezes: int,
    devices: int,
    every_s: float = EVERY_S,
    settle_s: float = SETTLE_S,
    seed: int = 1,
    mix: dict[str, Any] | None = None,
    serve: bool = True,
) -> Scenario:
    """One phase a kind; a fault each `every_s`, kills and freezes in turn."""
    both = kills > 0 and freezes > 0
    step_s = every_s * (2 if both else 1)
    phase_s = step_s * max(kills, freezes)
    phases: list[dict[str, Any]] = [
        {"name": "before", "minutes": settle_s / 60, "talkers": devices, "counted": False}
    ]
    faults: list[dict[str, Any]] = []
    at_s = settle_s
    for kind, target in targets_by_kind.items():
        phases.append({"name": kind, "minutes": phase_s / 60, "talkers": devices})
        line = {"target": target, "every_s": step_s}
        if kills:
            faults.append({"action": "kill", "at_s": at_s, "count": kills, **line})
        if freezes:
            first_s = at_s + (every_s if both else 0.0)
            # Whoever is not noticed goes on by itself, before the next is hit.
            frozen = {"action": "stop", "at_s": first_s, "count": freezes, **line}
            faults.append(frozen | {"for_s": every_s - 1.0})
        at_s += phase_s
    return parse(
        {
            "name": "faults by kind",
            "about": "Each kind of actor killed and frozen alone, while devices talk.",
            "seed": seed,
            "talking": {"jitter": 0.3},
            "mix": mix or {},
            "phases": phases,
            "faults": faults,
            "hear": 0.05,
        }
        | ({"serve": {}} if serve else {}),
        "command line",
    )


def lasts_s(scenario: Scenario) -> float:
    """About how long the measurement takes."""
    return 60 * sum(phase.minutes for phase in scenario.phases) + _AROUND_S


async def find_kinds(options: argparse.Namespace, folder: Path) -> dict[str, str]:
    """Each kind of the tree and how to name one of it, of a server that is started for it
    or of the one that was given. Raises `NotStarted`."""
    target = _given(options)
    if target is not None:
        return await _kinds_at(target)
    nobody: Any = {"name": "tree", "phases": [{"minutes": 1, "idlers": 1}], "serve": {}}
    async with surroundings(parse(nobody), Target(), folder) as around:
        return await _kinds_at(around.target)


async def _kinds_at(target: Target) -> dict[str, str]:
    status_url = target.status or host.status_address(target.ota)
    pid = target.pid or (await host.ask_status(status_url)).pid
    if pid is None:
        raise NotStarted("the server's first process is not known; give --pid")
    reader = StatusReader(status_url)
    ends_at = time.monotonic() + _WITHIN_S
    known: tuple[str, ...] = ()
    since = time.monotonic()
    try:
        while True:
            processes = targets.merged(targets.scan(pid), await reader.read())
            kinds = kinds_of(processes)
            if kinds != known:
                known, since = kinds, time.monotonic()
            if time.monotonic() - since > _QUIET_S or time.monotonic() > ends_at:
                return {kind: target_of(kind, processes) for kind in known}
            await asyncio.sleep(_LOOK_S)
    finally:
        await reader.close()


async def _measure(options: argparse.Namespace, argv: Sequence[str]) -> int:
    folder = options.out or command.new_folder("faults by kind")
    live = Live()
    await asyncio.to_thread((folder / _TREE).mkdir, parents=True, exist_ok=True)
    live.say("looking which kinds of actors there are ...")
    known = await find_kinds(options, folder / _TREE)
    chosen = chosen_kinds(options.kinds, known)
    given = _given(options)
    scenario = scenario_of(
        chosen,
        kills=options.kills,
        freezes=options.freezes,
        devices=options.devices,
        every_s=options.every,
        settle_s=options.settle,
        seed=options.seed,
        mix=dict(command.weights(each) for each in options.mix),
        serve=given is None,
    )
    number = len(chosen) * (options.kills + options.freezes)
    live.say(f"kinds     {', '.join(chosen)}")
    live.say(f"takes     about {_in_words(lasts_s(scenario))} for {number} faults")
    if options.plan:
        return command.HELD
    said = shlex.join(["python3", "-m", "sim", "faults-by-kind", *command.without_token(argv)])
    run = await conduct(Job(scenario, given or Target(), folder, said), live)
    command.keep(run, folder, summary=False)
    return max(command.exit_code(run), _tell([run], folder))


def chosen_kinds(wanted: str, known: dict[str, str]) -> dict[str, str]:
    """Some of the kinds, in their own order. Raises ValueError naming those that are none."""
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"--kinds: {unknown[0]!r} is no kind; there are {', '.join(known)}")
    return {kind: target for kind, target in known.items() if not names or kind in names}


def _tell(runs: Sequence[Run], folder: Path | None) -> int:
    """Print the table and keep it; returns the exit code."""
    found = tolls(runs)
    told = shown.text(found)
    print(told)
    broken = any(missed(each) for each in found)
    for run in runs:
        if run.verdict.void or run.info.ended != "complete":
            print(f"void      {run.verdict.summary}")
    print(f"verdict   {'FAILED: promises are broken' if broken else 'PASSED'}")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TEXT_FILE).write_text(told + "\n", encoding="utf-8")
        (folder / JSON_FILE).write_text(as_json(found), encoding="utf-8")
        about = ", ".join(f"{run.info.started_at} (seed {run.info.seed})" for run in runs)
        shown.write_html(found, "Faults by kind", about, folder / PAGE_FILE)
        print(f"kept      {folder / JSON_FILE}, {folder / PAGE_FILE}")
    return command.MISSED if broken else command.HELD


def as_json(found: Sequence[Toll]) -> str:
    """The table for machines: members of `Toll`, and which promises each row breaks."""
    rows = [
        asdict(each) | {"lost_count": each.lost_count, "broken": list(missed(each))}
        for each in found
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def _given(options: argparse.Namespace) -> Target | None:
    """The server that the command line names; None: one is started."""
    if not (options.url or options.ota):
        return None
    return Target(options.url, options.ota, options.token, options.status, options.pid)


def _in_words(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python3 -m sim faults-by-kind",
        description="Kill and freeze each kind of actor, one at a time, while devices talk.",
    )
    made.add_argument("--kinds", default="", metavar="A,B", help="only these (default: all)")
    made.add_argument("--kills", type=int, default=20, metavar="N", help="of each (20)")
    made.add_argument("--freezes", type=int, default=20, metavar="N", help="of each (20)")
    made.add_argument("--devices", type=int, default=10, metavar="N", help="talking (10)")
    made.add_argument("--every", type=float, default=EVERY_S, metavar="S", help="one fault (8)")
    made.add_argument("--settle", type=float, default=SETTLE_S, metavar="S", help="before (20)")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument(
        "--mix",
        action="append",
        default=[],
        metavar="WHAT=CHOICE:WEIGHT,...",
        help="as of sim swarm; links=split:1,narrow:1,rough:1 for links worse than loopback",
    )
    made.add_argument("--plan", action="store_true", help="say the kinds and how long, no more")
    made.add_argument(
        "--of",
        type=Path,
        nargs="+",
        default=[],
        metavar="RUN.json",
        help="put the tables of these runs together, measure nothing",
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="(default: var/sim/runs/...)")
    server = made.add_argument_group("a server that runs already (default: one is started)")
    server.add_argument("--url", default="")
    server.add_argument("--ota", default="", metavar="URL")
    server.add_argument("--token", default="")
    server.add_argument("--status", default="", metavar="URL")
    server.add_argument("--pid", type=int)
    return made
