"""Linux process facts that the actor system leans on: death signals, reaping, descriptors."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent dies; die now if it has already.

    `parent_pid` is the parent that forked us: the kernel only signals deaths that
    happen after the call, so the parent is compared once more afterwards.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def adopt_orphans() -> None:
    """Make this process the one that inherits and reaps descendants' orphans."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def raise_descriptor_limit() -> int:
    """Lift the soft limit of open files to the hard one; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def close_inherited_descriptors() -> None:
    """Close everything but standard input, output and error.

    A forked actor inherits its parent's sockets, other devices' among them.
    """
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def parent_of(pid: int) -> int:
    """Pid of the parent of `pid`; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return int(stat.read().rsplit(")", 1)[1].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def group_of(pid: int) -> int:
    """The process group of `pid`; 0 when it is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def kill_group(leader_pid: int) -> None:
    """Kill a process group and its leader; who has not become the leader yet is alone.

    Those who die give way to those who replace them: ends cost as much as forks.
    """
    if leader_pid <= 0:
        return
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PGRP, leader_pid, 19)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader_pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader_pid, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """Pids of the direct children of `pid`; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as listing:
            return [int(word) for word in listing.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants_of(pid: int) -> list[int]:
    """Every process below `pid`, parents before their children."""
    found: list[int] = []
    queue = [pid]
    while queue:
        children = children_of(queue.pop())
        found += children
        queue += children
    return found


def is_stopped(pid: int) -> bool:
    """Whether a signal or a debugger has stopped the process."""
    return any(state in ("t", "T") for state in _states_of(pid))


def is_running(pid: int) -> bool:
    """Whether any of its threads computes, waits for a processor to do so, or for a page.

    An actor's thread that waits for the interpreter's lock sleeps while another runs.
    """
    return any(state in ("R", "D") for state in _states_of(pid))


def _states_of(pid: int) -> list[str]:
    """The kernel's letter for the state of each thread; none when the process is gone."""
    states = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat", "rb") as stat:
                states.append(stat.read().rsplit(b")", 1)[1].split()[0].decode())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return states
