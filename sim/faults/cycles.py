"""`python3 -m sim cycles`: a worker killed a thousand times; does anything grow?

A server is started for it, with the embedded parts and `--workers` of the kind, which
take turns: each alone needs 2.8 s a cycle (`sim.faults.cycling`), so a thousand take four
of them a quarter of an hour. What is weighed is the whole process tree and what it leaves
in its folder of temporary files.

Exit codes: 0 nothing grows, 1 something does or did not come back, 2 the command line is
wrong, 3 the server did not start, 4 undecided: more cycles are needed, or restarts had to
wait, so that these were not the cycles that were meant.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from sim import resources, soak
from sim.costs import Reading
from sim.faults import serverlog, targets
from sim.faults.cycling import Growth, Rhythm, Weighed, growth, steps, table
from sim.faults.serverlog import LogLine
from sim.swarm import command
from sim.swarm.server import NotStarted, Server
from sim.swarm.statistics import distribution

_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_EMBEDDED: Final = {
    "asr": {"kind": "vosk", "model": "tiny"},
    "llm": {"kind": "rules"},
    "tts": {"kind": "espeak"},
}
#: They come back under another name, or with everything else.
_NOT_ALONE: Final = ("session", "root", "admin", "logger")
_READY_WITHIN_S = 60.0
_BACK_WITHIN_S = 20.0
_LOOK_S = 0.02
#: Between the last worker's return and weighing.
_SETTLE_S = 0.5
_SHOWN_EACH_S = 10.0
#: Of the actors whose memory changed most.
_ACTORS_SHOWN = 5
#: More restarts that waited than this share: not the cycles that were meant.
_WAITED_SHARE = 0.01


class NotBack(Exception):
    """A worker did not come back; the text says which."""


@dataclass
class Outcome:
    """What came of it. `waited` counts restarts that the supervisor put off."""

    kind: str
    signal: str
    wanted: int
    cycles: int = 0
    waited: int = 0
    problem: str = ""
    back_ms: list[float] = field(default_factory=list)
    samples: list[Weighed] = field(default_factory=list)


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    folder = options.out or command.new_folder(f"cycles of {options.kind}")
    said = shlex.join(["python3", "-m", "sim", "cycles", *argv])
    try:
        outcome = asyncio.run(_measure(options, folder))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return command.USAGE
    except NotStarted as error:
        print(f"error: {error}", file=sys.stderr)
        return command.UNREACHABLE
    except KeyboardInterrupt:
        return command.INTERRUPTED
    return _tell(outcome, folder, said)


async def _measure(options: argparse.Namespace, folder: Path) -> Outcome:
    scraps = folder / "tmp"
    await asyncio.to_thread(scraps.mkdir, parents=True, exist_ok=True)
    server = Server(folder, _settings(options), {"TMPDIR": str(scraps.resolve())})
    async with server.running(_READY_WITHIN_S):
        launcher = server.pid()
        assert launcher is not None
        cycles = _Cycles(options, launcher, server.log, scraps)
        try:
            await cycles.run()
        except NotBack as problem:
            cycles.outcome.problem = str(problem)
        return cycles.outcome


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """The embedded parts, with more workers of the kind where it is a worker's."""
    engine = _EMBEDDED.get(options.kind)
    return {} if engine is None else {options.kind: [engine | {"workers": options.workers}]}


class _Cycles:
    """Hits the workers of one kind in their rhythm and weighs the tree between."""

    def __init__(self, options: argparse.Namespace, launcher: int, log: Path, scraps: Path) -> None:
        self.outcome = Outcome(options.kind, options.signal, options.count)
        self._options = options
        self._launcher = launcher
        self._log = _Tail(log)
        self._scraps = scraps
        self._every = max(1, options.sample or options.count // 100)
        self._rhythms: dict[str, Rhythm] = {}
        self._hit_at: dict[str, float] = {}
        self._shown_at = time.monotonic()

    async def run(self) -> None:
        """All cycles. Raises `NotBack`, and ValueError for a kind that cannot be hit."""
        self._log.lines()  # what the start wrote is of no interest
        now = time.monotonic()
        for name in self._names():
            self._rhythms[name] = Rhythm()
            self._rhythms[name].ready(now)
        await self._weigh()
        due = self._every
        while self.outcome.cycles < self._options.count:
            self._read_log()
            self._hit_who_may_be()
            if self.outcome.cycles >= due:
                due += self._every
                await self._weigh()
            await asyncio.sleep(_LOOK_S)
        if self.outcome.samples[-1].cycles < self.outcome.cycles:
            await self._weigh()

    def _names(self) -> list[str]:
        kind, tree = self._options.kind, targets.scan(self._launcher)
        kinds = {targets.family(each.name) for each in tree if each.kind != "launcher"}
        possible = sorted(kinds.difference(_NOT_ALONE))
        if kind not in possible:
            raise ValueError(f"--kind: {kind!r} cannot be cycled; there are {', '.join(possible)}")
        return [each.name for each in tree if targets.family(each.name) == kind]

    def _hit_who_may_be(self) -> None:
        pids = {each.name: each.pid for each in targets.scan(self._launcher)}
        for name, rhythm in self._rhythms.items():
            now = time.monotonic()
            if self.outcome.cycles >= self._options.count:
                return
            if name in pids and rhythm.may_be_hit(now):
                rhythm.hit(now)
                self._hit_at[name] = now
                os.kill(pids[name], _SIGNALS[self._options.signal])
                self.outcome.cycles += 1

    def _read_log(self) -> None:
        now = time.monotonic()
        for line in self._log.lines():
            name = line.members.get("child", "")
            if name not in self._rhythms:
                continue
            if line.event == "child ended" and line.members.get("restart_in_ms") != "0":
                self.outcome.waited += 1
            elif line.event == "restarted" and name in self._hit_at:
                self._rhythms[name].ready(now)
                self.outcome.back_ms.append((now - self._hit_at.pop(name)) * 1000)
        for name, hit_at in self._hit_at.items():
            if now - hit_at > _BACK_WITHIN_S:
                raise NotBack(f"{name} did not come back within {_BACK_WITHIN_S:g} s")
        if now - self._shown_at > _SHOWN_EACH_S:
            self._shown_at = now
            print(f"{self.outcome.cycles} of {self._options.count} cycles", file=sys.stderr)

    async def _weigh(self) -> None:
        """When everybody is back: what does the tree weigh?"""
        while self._hit_at:
            await asyncio.sleep(_LOOK_S)
            self._read_log()
        await asyncio.sleep(_SETTLE_S)
        self.outcome.samples.append(
            await asyncio.to_thread(weigh, self._launcher, self.outcome.cycles, self._scraps)
        )


def weigh(launcher: int, cycles: int, scraps: Path) -> Weighed:
    """Weigh the tree below `launcher`, whose temporary files lie in `scraps`."""
    readings = resources.sample(launcher)

    def total(values: Iterator[int | None], unit: float = 1.0) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / unit if known else None

    mib = 1024.0 * 1024
    return Weighed(
        cycles=cycles,
        processes=len(readings),
        anon_mib=total((each.anon_bytes for each in readings), mib),
        fds=total(each.fds for each in readings),
        threads=float(sum(each.threads for each in readings)),
        files=sum(1 for _ in scraps.rglob("*")),
        shared=_shared(),
        memfds=len({file for each in readings for file in memory_files(each.pid)}),
        pss_mib=total((each.pss_bytes for each in readings), mib),
        actors_mib=_by_actor(readings),
    )


def _by_actor(readings: Sequence[Reading]) -> dict[str, float]:
    """Proportional MiB of no file, by actor; those that share a name are one."""
    weights: dict[str, float] = {}
    for each in readings:
        if each.anon_bytes is not None:
            weights[each.name] = weights.get(each.name, 0.0) + each.anon_bytes / 1024**2
    return weights


def memory_files(pid: int) -> Iterator[int]:
    """The inodes of memory files that a process holds open."""
    folder = Path(f"/proc/{pid}/fd")
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                if os.readlink(folder / name).startswith("/memfd:"):
                    yield os.stat(folder / name).st_ino


def _shared() -> int:
    """Entries of /dev/shm that are this user's."""
    count = 0
    with contextlib.suppress(OSError):
        for entry in os.scandir("/dev/shm"):  # noqa: S108 - it is looked at, not written to
            with contextlib.suppress(OSError):
                count += entry.stat(follow_symlinks=False).st_uid == os.getuid()
    return count


class _Tail:
    """The events that were added to a log since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> list[LogLine]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        whole, newline, _rest = new.rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        return list(serverlog.read(whole.decode("utf-8", "replace").splitlines()))


# --- telling ----------------------------------------------------------------------


def verdict(outcome: Outcome, found: Sequence[Growth]) -> tuple[int, str]:
    """The exit code and why."""
    if outcome.problem or outcome.cycles < outcome.wanted:
        return command.MISSED, outcome.problem or "it ended too early"
    leaks = [each.figure for each in found if each.trend.verdict == "leak"]
    if leaks:
        return command.MISSED, f"{', '.join(leaks)} grew"
    if outcome.waited > _WAITED_SHARE * outcome.cycles:
        return command.VOID, f"{outcome.waited} restarts waited: hit more slowly"
    if not soak.holds(each.trend for each in found):
        undecided = [each.figure for each in found if each.trend.verdict == "undecided"]
        return command.VOID, f"{', '.join(undecided)}: undecided, use more cycles"
    return command.HELD, "nothing grows"


def _tell(outcome: Outcome, folder: Path, said: str) -> int:
    found = growth(outcome.samples)
    code, why = verdict(outcome, found)
    back = distribution(outcome.back_ms)
    lines = [f"{outcome.cycles} cycles: {outcome.kind}, {outcome.signal}"]
    if back is not None:
        lines.append(
            f"back      after {back.p50:.0f} ms (median), {back.p95:.0f} (95 %), {back.most:.0f} (most)"
        )
    lines += [f"waited    {outcome.waited} restarts", table(found)]
    lines += [
        f"memory    {each.actor}: {each.first_mib:.1f} → {each.last_mib:.1f} MiB, "
        f"largest step {each.step_mib:+.1f} at {each.at_cycles} cycles"
        for each in steps(outcome.samples)[:_ACTORS_SHOWN]
    ]
    lines.append(f"verdict   {'PASSED' if code == command.HELD else 'FAILED'}: {why}")
    print("\n".join(lines))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cycles.txt").write_text("\n".join([said, *lines]) + "\n", encoding="utf-8")
    told = {"command": said, "code": code, "why": why, **asdict(outcome)}
    told["growth"] = [asdict(each) for each in found]
    (folder / "cycles.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"kept      {folder / 'cycles.json'}")
    return code


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python3 -m sim cycles",
        description="Kill a worker over and over; see that nothing grows.",
    )
    made.add_argument("--kind", default="tts", help="asr, llm, tts, router, ... (tts)")
    made.add_argument("--count", type=_positive, default=1000, metavar="N", help="(1000)")
    made.add_argument("--signal", choices=tuple(_SIGNALS), default="kill")
    made.add_argument(
        "--workers", type=_positive, default=4, metavar="N", help="that take turns (4)"
    )
    made.add_argument(
        "--sample", type=int, default=0, metavar="N", help="weigh each N cycles (a hundredth)"
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="(default: var/sim/runs/...)")
    return made


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)
