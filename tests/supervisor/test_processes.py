"""What the kernel is asked for: death signals, orphans, descriptors, relatives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor import processes
from tests.supervisor.programs import runs

ROOT = Path(__file__).resolve().parents[2]
SOON_S = 5.0
NO_PID = 2**22 + 1  # above the largest pid that Linux gives


def start(script: str) -> subprocess.Popen[str]:
    """A Python process with `os` and `processes` at hand; its output can be read."""
    head = "import os, resource, signal, sys, time; from supervisor import processes\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + script],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def output(script: str) -> str:
    with start(script) as process:
        text, _ = process.communicate(timeout=SOON_S)
    assert process.returncode == 0
    return text.strip()


def soon(condition: Callable[[], bool]) -> bool:
    ends_at = time.monotonic() + SOON_S
    while not condition():
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.002)
    return True


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_child_dies_with_its_parent() -> None:
    script = """
parent = os.getpid()
child = os.fork()
if child == 0:
    processes.die_with_parent(parent)
    print(os.getpid(), flush=True)
time.sleep(60)
"""
    with start(script) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert runs(child)
        parent.kill()
        assert soon(lambda: not runs(child))


def test_a_child_whose_parent_died_before_it_asked_dies_at_once() -> None:
    with start(f"processes.die_with_parent({NO_PID}); print('alive')") as orphan:
        text, _ = orphan.communicate(timeout=SOON_S)
    assert (orphan.returncode, text) == (1, "")


def test_orphans_become_the_adopters_children() -> None:
    script = """
processes.adopt_orphans()
read, write = os.pipe()
if os.fork() == 0:
    middle = os.getpid()
    if os.fork() == 0:
        while os.getppid() == middle:
            time.sleep(0.001)
        os.write(write, str(os.getppid()).encode())
    os._exit(0)
os.wait()
print(os.read(read, 100).decode(), os.getpid())
"""
    parent, adopter = output(script).split()
    assert parent == adopter


def test_the_descriptor_limit_is_lifted_to_the_hard_one() -> None:
    script = """
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
print(processes.raise_descriptor_limit() == hard, resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard)
"""
    assert output(script) == "True True"


def test_only_the_standard_descriptors_are_left_open() -> None:
    script = """
held = [open(os.devnull) for _ in range(20)]
os.dup2(held[0].fileno(), 900)
processes.close_inherited_descriptors()
left = {int(name) for name in os.listdir("/proc/self/fd")}
print(sorted(left)[:3], len(left) <= 4, 900 in left, flush=True)
os._exit(0)
"""
    assert output(script) == "[0, 1, 2] True False"


def test_relatives_are_known_both_ways(sleeper: subprocess.Popen[bytes]) -> None:
    assert processes.parent_of(sleeper.pid) == os.getpid()
    assert sleeper.pid in processes.children_of(os.getpid())
    assert processes.children_of(sleeper.pid) == []


def test_descendants_are_found_over_generations() -> None:
    script = """
if os.fork() == 0:
    if os.fork() == 0:
        print(os.getpid(), os.getppid(), flush=True)
    time.sleep(60)
time.sleep(60)
"""
    with start(script) as oldest:
        assert oldest.stdout is not None
        youngest, middle = map(int, oldest.stdout.readline().split())
        assert processes.descendants_of(oldest.pid) == [middle, youngest]
        for pid in (youngest, middle, oldest.pid):
            os.kill(pid, signal.SIGKILL)


def test_a_group_ends_as_a_whole_whatever_its_members_had_forked() -> None:
    script = """
os.setsid()
if os.fork() == 0:
    os.fork()
    time.sleep(60)
print(os.getpid(), flush=True)
time.sleep(60)
"""
    with start(script) as leader:
        assert leader.stdout is not None
        leader.stdout.readline()
        assert soon(lambda: len(processes.descendants_of(leader.pid)) == 2)
        others = processes.descendants_of(leader.pid)
        assert {processes.group_of(pid) for pid in others} == {leader.pid}
        processes.kill_group(leader.pid)
        assert leader.wait(SOON_S) == -signal.SIGKILL
        assert soon(lambda: not any(map(runs, others)))


def test_who_does_not_lead_its_group_yet_is_killed_alone() -> None:
    with start("print(os.getpid(), flush=True); time.sleep(60)") as process:
        processes.kill_group(process.pid)  # this process's group is another
        assert process.wait(SOON_S) == -signal.SIGKILL
    processes.kill_group(0)  # not "my own group"
    processes.kill_group(NO_PID)


def test_a_process_with_an_odd_name_is_read_rightly() -> None:
    name = "a) S 1 (b"
    script = f"""
open("/proc/self/comm", "w").write({name!r})
print(os.getpid(), flush=True)
time.sleep(60)
"""
    with start(script) as odd:
        assert odd.stdout is not None
        odd.stdout.readline()
        assert processes.parent_of(odd.pid) == os.getpid()
        assert not processes.is_stopped(odd.pid)
        odd.kill()


def test_a_stopped_process_is_told_from_a_sleeping_one(sleeper: subprocess.Popen[bytes]) -> None:
    assert not processes.is_stopped(sleeper.pid)
    sleeper.send_signal(signal.SIGSTOP)
    assert soon(lambda: processes.is_stopped(sleeper.pid))
    sleeper.send_signal(signal.SIGCONT)
    assert soon(lambda: not processes.is_stopped(sleeper.pid))


def test_a_computing_process_is_told_from_a_sleeping_one(
    sleeper: subprocess.Popen[bytes],
) -> None:
    assert soon(lambda: not processes.is_running(sleeper.pid))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        assert soon(lambda: processes.is_running(busy.pid))
        busy.kill()


def test_a_process_computes_when_any_of_its_threads_does() -> None:
    """The first thread waits for the interpreter's lock: it sleeps, the process does not."""
    program = (
        "import threading, time\n"
        "def work():\n"
        "    while True: pass\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "print('works', flush=True)\n"
        "threading.Event().wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert soon(lambda: processes.is_running(process.pid))
        process.kill()


def test_a_process_that_is_gone_has_no_relatives_and_no_state() -> None:
    assert processes.parent_of(NO_PID) == 0
    assert processes.group_of(NO_PID) == 0
    assert processes.children_of(NO_PID) == []
    assert processes.descendants_of(NO_PID) == []
    assert not processes.is_stopped(NO_PID)
    assert not processes.is_running(NO_PID)
