"""What the processes of a tree cost: the sums, and the measurement of real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.costs import Reading, Round, account, table
from sim.resources import NoSuchLauncher, actor_name, main, measure, sample

MIB = 1024 * 1024

#: Takes its title as an actor does, holds 16 MiB of its own, burns CPU if told, says it is there.
CHILD = """
import sys, setproctitle
setproctitle.setproctitle("xiaozhi: " + sys.argv[1])
burn = sys.argv[2] == "burn"
own = bytearray(b"x" * (16 * 1024 * 1024))
print("up", flush=True)
while burn:
    pass
sys.stdin.read()
"""

LAUNCHER = """
import subprocess, sys
child, names = sys.argv[1], sys.argv[2:]
children = []
for name in names:
    children.append(subprocess.Popen(
        [sys.executable, "-c", child, name, "burn" if name == "busy" else "idle"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    children[-1].stdout.readline()
print("up", flush=True)
sys.stdin.read()
for child in children:
    child.kill()
    child.communicate()
"""


def reading(
    pid: int, name: str, cpu_s: float, *, mib: int | None = 10, began_s: float = 1.0
) -> Reading:
    size = None if mib is None else mib * MIB
    return Reading(pid, began_s, name, cpu_s, size, size, 5, 2)


@pytest.mark.parametrize(
    ("comm", "cmdline", "name"),
    [
        ("xiaozhi: asr/vo", ["xiaozhi:", "asr/vosk-0", ""], "asr/vosk"),
        ("xiaozhi: sessio", ["xiaozhi: session-12"], "session"),
        ("xiaozhi: router", ["xiaozhi: router\0\0"], "router"),
        ("xiaozhi:", ["xiaozhi:"], "xiaozhi:"),
        ("session-12", ["python3", "run.py"], "session"),
        ("asr/vosk#0", [], "asr/vosk"),
        ("llm 3", [], "llm"),
        ("session aa:bb:c", [], "session"),
        ("session-24:0a:", [], "session"),
        ("pool-asr", [], "pool-asr"),
        ("python3.11", ["session 7"], "session"),
        ("python3", ["/usr/bin/python3", "run.py", "serve"], "run.py"),
        ("python3", ["python3", "-m", "sim", "talk"], "sim"),
        ("python3", ["python3", "-c", "pass"], "python3"),
        ("python3", [], "python3"),
        ("7", ["python3"], "7"),
        ("python3.11", ["MultiProcAdmin ActorAddr-(T|:58429)"], "MultiProcAdmin"),
    ],
)
def test_actor_names(comm: str, cmdline: list[str], name: str) -> None:
    assert actor_name(comm, cmdline) == name


def test_processes_of_a_name_are_one_row() -> None:
    rounds = [
        Round(
            10.0, (reading(1, "root", 5.0), reading(2, "session", 1.0), reading(3, "session", 2.0))
        ),
        Round(
            12.0, (reading(1, "root", 5.0), reading(2, "session", 1.5), reading(3, "session", 2.5))
        ),
        Round(
            14.0, (reading(1, "root", 5.2), reading(2, "session", 1.5), reading(3, "session", 2.5))
        ),
    ]
    costs = account(rounds)
    session, root = costs.rows
    assert (session.name, session.processes) == ("session", 2)
    assert session.cpu_percent == 25.0
    assert session.cpu_max_percent == 50.0
    assert session.pss_mib == 20.0
    assert session.fds == 10.0
    assert session.threads == 4.0
    assert (root.cpu_percent, root.cpu_max_percent) == (5.0, 10.0)
    assert costs.total.cpu_percent == 30.0
    assert costs.total.pss_mib == 30.0
    assert costs.total.processes == 3
    assert (costs.seconds, costs.rounds) == (4.0, 3)


def test_processes_that_come_and_go_are_counted() -> None:
    rounds = [
        Round(0.0, (reading(1, "root", 9.0), reading(2, "asr", 4.0))),
        Round(1.0, (reading(1, "root", 9.0), reading(3, "asr", 0.5, began_s=0.5))),
        Round(2.0, (reading(1, "root", 9.0), reading(3, "asr", 0.7, began_s=0.5))),
        # the pid is used again
        Round(3.0, (reading(1, "root", 9.0), reading(3, "asr", 0.1, began_s=2.5))),
    ]
    costs = account(rounds)
    assert costs.rows[0].name == "asr"
    assert costs.rows[0].cpu_percent == pytest.approx(100 * 0.8 / 3, abs=0.01)
    assert costs.rows[0].processes == 1


def test_a_process_that_takes_a_name_keeps_its_count() -> None:
    rounds = [
        Round(0.0, (reading(1, "root", 0.0), reading(2, "python3", 1.0))),
        Round(1.0, (reading(1, "root", 0.0), reading(2, "session", 1.25))),
    ]
    used = {row.name: row.cpu_percent for row in account(rounds).rows}
    assert used == {"session": 25.0, "python3": 0.0, "root": 0.0}


def test_unreadable_memory_is_not_zero() -> None:
    rounds = [Round(at_s, (reading(1, "root", 0.0, mib=None),)) for at_s in (0.0, 1.0)]
    costs = account(rounds)
    assert costs.total.pss_mib is None
    assert costs.total.own_mib is None
    assert table(costs).splitlines()[-1].split()[4:7] == ["-", "-", "-"]


@pytest.fixture
def launcher() -> Iterator[subprocess.Popen[bytes]]:
    names = ["session-1", "session-2", "busy"]
    command = [sys.executable, "-c", LAUNCHER, CHILD, *names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process
        process.communicate()


@pytest.mark.system
def test_real_processes(
    launcher: subprocess.Popen[bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "costs.json"
    options = ["--pid", str(launcher.pid), "--seconds", "1", "--interval", "0.25"]
    assert main([*options, "--json", str(report)]) == 0
    printed = capsys.readouterr().out.splitlines()
    costs = json.loads(report.read_text())
    rows = {row["name"]: row for row in costs["rows"]}
    assert rows["session"]["processes"] == 2
    assert rows["busy"]["processes"] == 1
    assert rows["busy"]["cpu_percent"] > 10 > rows["session"]["cpu_percent"]
    assert costs["total"]["processes"] == 4
    assert rows["session"]["own_mib"] > 32
    assert rows["session"]["pss_mib"] >= rows["session"]["own_mib"] - 0.5
    assert rows["session"]["fds"] >= 6
    assert rows["session"]["threads"] == 2
    assert costs["total"]["pss_mib"] == pytest.approx(
        sum(r["pss_mib"] for r in rows.values()), abs=1
    )
    assert printed[1].split()[0] == "actor"
    assert [line.split()[0] for line in printed[3:-2]] == [row["name"] for row in costs["rows"]]
    assert printed[-1].startswith("total")


def test_json_alone_can_be_piped(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--pid", str(os.getpid()), "--seconds", "0.1", "--interval", "0.05"]
    assert main([*options, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["total"]["processes"] >= 1


def test_a_process_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert sample(gone.pid) == ()
    with pytest.raises(NoSuchLauncher):
        measure(gone.pid, 1.0)
    assert main(["--pid", str(gone.pid)]) == 2
    assert "pid of run.py" in capsys.readouterr().err


def test_a_launcher_that_ends_ends_the_measurement() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 3:
                process.kill()
                process.wait()

        now_s = iter(range(1000))
        costs = measure(process.pid, 500.0, 1.0, clock=lambda: float(next(now_s)), sleep=sleep)
    assert costs.rounds == 3


@pytest.mark.parametrize("seconds", ["0", "-1", "ten", "nan", "inf"])
def test_wrong_time_is_named(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--pid", "1", "--seconds", seconds])
    assert f"'{seconds}' is no number of seconds above 0" in capsys.readouterr().err
