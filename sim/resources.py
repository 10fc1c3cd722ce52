"""What each process of a running server costs: CPU, memory, descriptors, threads.

`python -m sim resources --pid LAUNCHER --seconds N` samples the launcher and every
descendant and prints a table and the same as JSON (members: `sim.costs.Account`).
Processes of one actor name ("session-1", "session-2", …) are one row.

* `pss` is the proportional set size (/proc/PID/smaps_rollup): memory shared after a
  fork is divided among those who share it, so the sum is what the machine gives.
* `own` is what only this process holds: about what one more of its kind costs.

Only Linux has these files. A process of another user has no memory figure.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from sim.costs import Account, Reading, Round, account, table

#: What the server puts before the actor's name in a process's title.
TITLE = "xiaozhi:"

#: Names of processes that say nothing about the actor inside.
_INTERPRETERS = re.compile(r"python[0-9.]*|run\.py|(ba|da)?sh")

#: What Thespian puts behind the names of its own processes: an address of this start.
_ADDRESS = re.compile(r" ActorAddr-\S*$")

#: Ends a name: a number ("session-12", "asr/vosk#0", "llm 3") or a MAC, perhaps cut short.
_NUMBER = re.compile(r"[-_./#: ]*([0-9]+|\b[0-9a-f]{2}(:[0-9a-f]{2})*:[0-9a-f]{0,2})$")


class NoSuchLauncher(Exception):
    """The process to watch does not exist, or was gone before it could be sampled."""


def actor_name(comm: str, cmdline: Sequence[str]) -> str:
    """Return the name of the actor in a process, its number left out.

    The server titles its processes "xiaozhi: NAME" over the command line. In another
    server's tree `comm` counts, the kernel's name of the process (prctl sets it, at most
    15 characters); where that is only an interpreter's, what the interpreter runs.
    """
    title = _ADDRESS.sub("", " ".join(cmdline).strip("\0 "))
    if title.startswith(TITLE):
        name = title.removeprefix(TITLE).strip()
        return _NUMBER.sub("", name) or name or comm
    if not _INTERPRETERS.fullmatch(comm):
        return _NUMBER.sub("", comm) or comm
    first = title.split()[0] if title else ""
    if not first or "/" in first or _INTERPRETERS.fullmatch(first):
        return _program_of(cmdline) or comm
    return _NUMBER.sub("", title) or title


def measure(
    pid: int,
    seconds: float,
    interval_s: float = 1.0,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Account:
    """Sample the tree below `pid` for `seconds`, each `interval_s`; at least twice.

    Raises `NoSuchLauncher`. A launcher that ends meanwhile ends the measurement.
    """
    began_s = clock()
    rounds = [Round(began_s, sample(pid))]
    if not rounds[0].readings:
        raise NoSuchLauncher(f"--pid {pid}: there is no such process; give the pid of run.py")
    while (left_s := began_s + seconds - clock()) > 0 or len(rounds) < 2:
        sleep(max(0.0, min(left_s, interval_s)))
        latest = Round(clock(), sample(pid))
        if not latest.readings:
            break
        rounds.append(latest)
    return account(rounds)


def sample(pid: int) -> tuple[Reading, ...]:
    """Read the process and all its descendants; empty when the process is gone."""
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return ()
    readings = [_read(process) for process in processes]
    if readings[0] is None:
        return ()
    return tuple(reading for reading in readings if reading is not None)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns 0, or 2 when there is nothing to measure."""
    options = _parser().parse_args(argv)
    try:
        costs = measure(options.pid, options.seconds, options.interval)
    except NoSuchLauncher as error:
        print(error, file=sys.stderr)
        return 2
    if options.json != "-":
        print(table(costs))
    if options.json in ("", "-"):
        print(json.dumps(costs.as_json()))
    else:
        Path(options.json).write_text(json.dumps(costs.as_json(), indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sim resources", description="what each process of a server costs"
    )
    parser.add_argument("--pid", type=int, required=True, help="process id of run.py")
    parser.add_argument("--seconds", type=_seconds, default=10.0, help="how long to watch (10)")
    parser.add_argument("--interval", type=_seconds, default=1.0, help="s between samples (1)")
    parser.add_argument(
        "--json",
        default="",
        metavar="FILE",
        help="write the JSON there instead of below the table; '-': print JSON alone",
    )
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds above 0")
    return seconds


def _program_of(cmdline: Sequence[str]) -> str:
    """Return the module or script that an interpreter runs, "" for neither."""
    words = list(cmdline[1:])
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1]
    scripts = [word for word in words if not word.startswith("-")]
    return Path(scripts[0]).name if scripts and "-c" not in words else ""


def _read(process: psutil.Process) -> Reading | None:
    try:
        with process.oneshot():
            times = process.cpu_times()
            name = actor_name(process.name(), process.cmdline())
            began_s, threads = process.create_time(), process.num_threads()
        fds = _readable(process.num_fds)
        pss, own, anon = _memory(process.pid)
    except psutil.NoSuchProcess:  # a zombie too, which costs nothing
        return None
    cpu_s = times.user + times.system
    return Reading(process.pid, began_s, name, cpu_s, pss, own, fds, threads, anon)


def _readable(read: Callable[[], int]) -> int | None:
    try:
        return read()
    except psutil.AccessDenied:
        return None


def _memory(pid: int) -> tuple[int | None, int | None, int | None]:
    """Proportional, own, and proportional bytes of no file; None where it may not be read."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None, None, None
    lines = re.findall(r"^(\w+):\s+([0-9]+) kB", text, re.MULTILINE)
    size_bytes = {name: int(kib) * 1024 for name, kib in lines}
    if "Pss" not in size_bytes:
        return None, None, None
    own = size_bytes.get("Private_Clean", 0) + size_bytes.get("Private_Dirty", 0)
    # Linux before 5.4 does not say which share is no file's.
    anon = size_bytes.get("Pss_Anon")
    shared = size_bytes.get("Pss_Shmem", 0)
    return size_bytes["Pss"], own, None if anon is None else anon + shared
