"""`python3 -m sim launcher-kills`: kill -9 of the first process under load, again and again.

Devices talk; at random moments (of the seed) the launcher of the server is killed and
started again at once, on the same ports. Nothing survives it by design. What is checked
of each kill: the start worked at once; after 5 s no process of the old generation is
left; every device came back as it reconnects, and was answered from then on.

Whom a process belongs to is told by what it writes to: all of a server inherit its log.
So a process that has been given up by its parents is found as well.

Exit codes as of `sim run`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shlex
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sim.faults import targets
from sim.faults.parts import Part
from sim.speech import SpeechError
from sim.swarm import command
from sim.swarm.conductor import Job, conduct
from sim.swarm.live import Live
from sim.swarm.records import Run
from sim.swarm.scenario import Scenario, ScenarioError, parse
from sim.swarm.server import SERVER_LOG, Target
from sim.swarm.surroundings import Surroundings

#: Nobody of the old generation may be left so long after the kill.
LEFT_AFTER_S: Final = 5.0
SETTLE_S: Final = 20.0
_READY_WITHIN_S: Final = 30.0
_LOOK_S: Final = 0.02
#: A turn that began this soon after the server was ready may have missed it.
_GRACE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class LauncherKill:
    """One kill at `at_s` of the run. Seconds since it; None: it was not seen.

    `gone_s`: the last process of the old generation had ended. `starts`: how often it had
    to be started. `left`: who of the old generation was there after `LEFT_AFTER_S`.
    """

    at_s: float
    processes: int
    gone_s: float | None
    ready_s: float | None
    starts: int
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AfterKill:
    """What the devices had of one kill. `back_s`: (median, last) connection after it.

    `broken`: turns that ran or began while the server was away; `turns` began later, until
    the next kill, and `answered` of them were.
    """

    kill: LauncherKill
    back_s: tuple[float, float] | None
    came_back: int
    broken: int
    turns: int
    answered: int

    @property
    def problems(self) -> tuple[str, ...]:
        kill, found = self.kill, []
        if kill.left:
            found.append(f"{', '.join(kill.left)} left after {LEFT_AFTER_S:g} s")
        if kill.ready_s is None:
            found.append("it did not get ready again")
        if kill.starts > 1:
            found.append(f"it had to be started {kill.starts} times")
        if self.answered < self.turns:
            found.append(f"{self.turns - self.answered} of {self.turns} turns lost afterwards")
        return tuple(found)


def moments(count: int, every_s: float, first_s: float, seed: int) -> tuple[float, ...]:
    """Random moments, one early in each span of `every_s`, so that devices have time to come
    back: most reconnect for their next turn."""
    source = random.Random(f"{seed}/launcher")
    return tuple(first_s + every_s * (n + source.uniform(0, 0.3)) for n in range(count))


def scenario_of(count: int, every_s: float, devices: int, seed: int) -> Scenario:
    """The load beside the kills."""
    minutes = (count + 0.5) * every_s / 60
    return parse(
        {
            "name": "launcher kills",
            "about": "The first process is killed under load and started again at once.",
            "seed": seed,
            "serve": {},
            "talking": {"jitter": 0.3},
            "phases": [
                {
                    "name": "before",
                    "minutes": SETTLE_S / 60,
                    "talkers": devices,
                    "counted": False,
                },
                {"name": "kills", "minutes": minutes, "talkers": devices},
            ],
            "limits": {"cross_talk": "== 0", "stuck_devices": "== 0"},
        },
        "command line",
    )


class Killer:
    """Does the kills beside a run; `kills` fills meanwhile."""

    def __init__(self, at_s: Sequence[float], folder: Path) -> None:
        self._at_s = at_s
        self._log = str((folder / SERVER_LOG).resolve())
        self.kills: list[LauncherKill] = []

    async def run(self, around: Surroundings, base: float) -> None:
        part = around.parts["launcher"]
        async with asyncio.TaskGroup() as checks:
            for at_s in self._at_s:
                await asyncio.sleep(max(0.0, base + at_s - time.monotonic()))
                await self._kill(part, around.target, base, checks)

    async def _kill(
        self, part: Part, target: Target, base: float, checks: asyncio.TaskGroup
    ) -> None:
        pid = part.pid()
        if pid is None:
            self.kills.append(LauncherKill(time.monotonic() - base, 0, None, None, 0, ()))
            return
        old = generation(pid, self._log)
        killed_at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        gone = checks.create_task(_all_gone(old, killed_at))
        starts, ready_s = await _start_again(part, target, killed_at)
        checks.create_task(self._check(old, killed_at, base, starts, ready_s, gone))

    async def _check(
        self,
        old: dict[int, tuple[int, str]],
        killed_at: float,
        base: float,
        starts: int,
        ready_s: float | None,
        gone: asyncio.Task[float | None],
    ) -> None:
        await asyncio.sleep(max(0.0, killed_at + LEFT_AFTER_S - time.monotonic()))
        left = tuple(sorted(name for _pid, name in remaining(old)))
        self.kills.append(
            LauncherKill(killed_at - base, len(old), await gone, ready_s, starts, left)
        )
        self.kills.sort(key=lambda kill: kill.at_s)


async def _start_again(part: Part, target: Target, killed_at: float) -> tuple[int, float | None]:
    """Start at once, again if that one ended; (how often, seconds until it was ready)."""
    assert part.start is not None
    reader = targets.StatusReader(target.status)
    starts = 0
    try:
        while time.monotonic() - killed_at < _READY_WITHIN_S:
            if starts == 0 or part.pid() is None:
                starts += 1
                await part.start()
            status = await reader.read()
            if status is not None and status.ready and status.taken_at > killed_at:
                return starts, time.monotonic() - killed_at
            await asyncio.sleep(_LOOK_S)
    finally:
        await reader.close()
    return starts, None


async def _all_gone(old: dict[int, tuple[int, str]], killed_at: float) -> float | None:
    while time.monotonic() - killed_at < LEFT_AFTER_S:
        if not any(remaining(old)):
            return time.monotonic() - killed_at
        await asyncio.sleep(_LOOK_S)
    return None


def generation(launcher: int, log: str) -> dict[int, tuple[int, str]]:
    """All processes of a server: pid → (the kernel's start time, what it calls itself).

    Those below `launcher`, and those that write to its log, wherever they hang.
    """
    pids = {each.pid for each in targets.scan(launcher)} | set(writers(log))
    return {pid: (targets.began(pid), targets.title_of(pid) or str(pid)) for pid in pids}


def remaining(old: dict[int, tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Those of a generation that still run, under the titles that they had."""
    for pid, (began, title) in old.items():
        if targets.is_running(pid) and targets.began(pid) == began:
            yield pid, title


def writers(log: str) -> Iterator[int]:
    """Processes whose standard error goes to this file."""
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{name}/fd/2") == log:
                    yield int(name)


# --- judging ------------------------------------------------------------------------


def judged(run: Run, kills: Sequence[LauncherKill]) -> tuple[AfterKill, ...]:
    """What the devices of a run had of each kill. Pure."""
    ends = [kill.at_s for kill in kills[1:]]
    ends.append(max((phase.end_s for phase in run.phases), default=0.0))
    return tuple(_judged(run, kill, end) for kill, end in zip(kills, ends, strict=True))


def _judged(run: Run, kill: LauncherKill, end_s: float) -> AfterKill:
    first: dict[int, float] = {}
    for event in run.connections:
        if event.kind == "connected" and kill.at_s < event.at_s < end_s:
            first.setdefault(event.device, event.at_s - kill.at_s)
    back_s = sorted(first.values())
    serves_s = kill.at_s + (_READY_WITHIN_S if kill.ready_s is None else kill.ready_s) + _GRACE_S
    # A turn that the next kill breaks is the next one's.
    later = [
        turn
        for turn in run.turns
        if serves_s <= turn.intended_s < end_s and (turn.ended_s or turn.intended_s) < end_s
    ]
    broken = [
        turn
        for turn in run.turns
        if turn.intended_s < serves_s and (turn.ended_s or turn.intended_s) >= kill.at_s
    ]
    answered = sum(turn.outcome in ("answered", "interrupted") for turn in later)
    middle = (back_s[len(back_s) // 2], back_s[-1]) if back_s else None
    return AfterKill(kill, middle, len(first), len(broken), len(later), answered)


def table(found: Iterable[AfterKill]) -> str:
    """One line a kill, for people."""
    lines: list[tuple[str, ...]] = [
        (
            *("at s", "processes", "gone s", "left", "starts", "ready s", "back", "median s"),
            *("last s", "broken", "turns", "answered"),
        )
    ]
    for each in found:
        kill, back = each.kill, each.back_s or (None, None)
        figures = (kill.gone_s, kill.ready_s, *back)
        gone, ready, middle, last = ("-" if x is None else f"{x:.2f}" for x in figures)
        lines.append(
            (
                *(f"{kill.at_s:.1f}", str(kill.processes), gone, str(len(kill.left))),
                *(str(kill.starts), ready, str(each.came_back), middle, last),
                *(str(each.broken), str(each.turns), str(each.answered)),
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(map(str.rjust, line, widths)) for line in lines)


# --- the command ----------------------------------------------------------------------


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    folder = options.out or command.new_folder("launcher kills")
    at_s = moments(options.count, options.every, SETTLE_S, options.seed)
    try:
        scenario = scenario_of(options.count, options.every, options.devices, options.seed)
        said = shlex.join(["python3", "-m", "sim", "launcher-kills", *argv])
        killer = Killer(at_s, folder)
        run = asyncio.run(conduct(Job(scenario, Target(), folder, said, killer.run), Live()))
    except (ScenarioError, SpeechError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return command.USAGE
    except KeyboardInterrupt:
        return command.INTERRUPTED
    command.keep(run, folder, summary=False)
    return _tell(run, judged(run, killer.kills), options.count, folder)


def _tell(run: Run, found: Sequence[AfterKill], wanted: int, folder: Path) -> int:
    lines = [table(found)]
    problems = [
        f"at {each.kill.at_s:.1f} s: {'; '.join(each.problems)}" for each in found if each.problems
    ]
    lines += [f"problem   {each}" for each in problems]
    code = command.exit_code(run)
    if len(found) < wanted:
        problems.append(f"{len(found)} of {wanted} kills were done")
    if problems and code == command.HELD:
        code = command.MISSED
    why = problems[0] if problems else run.verdict.summary
    lines.append(f"verdict   {'PASSED' if code == command.HELD else 'FAILED'}: {why}")
    told = "\n".join(lines)
    print(told)
    (folder / "launcher-kills.txt").write_text(told + "\n", encoding="utf-8")
    rows = [asdict(each) | {"problems": list(each.problems)} for each in found]
    (folder / "launcher-kills.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"kept      {folder / 'launcher-kills.json'}")
    return code


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python3 -m sim launcher-kills",
        description="Kill the server's first process under load; is the next start clean?",
    )
    made.add_argument("--count", type=int, default=20, metavar="N", help="kills (20)")
    made.add_argument("--devices", type=int, default=20, metavar="N", help="talking (20)")
    made.add_argument("--every", type=float, default=25.0, metavar="S", help="one kill (25)")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--out", type=Path, metavar="DIR", help="(default: var/sim/runs/...)")
    return made
