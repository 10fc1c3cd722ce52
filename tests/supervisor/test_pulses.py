"""Heartbeats on a clock that the tests set: who hangs, and who must not be blamed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actors.heartbeat import BEAT_S, Board, Pulse
from supervisor.pulses import (
    ACTOR_LIMIT_S,
    BUSY_LIMIT_S,
    ENGINE_LIMIT_S,
    LATE_S,
    SCAN_S,
    STOPPED_LIMIT_S,
    Pulses,
    kill,
)

ROOT = Path(__file__).resolve().parents[2]
PID = 4242


class Watch:
    """A supervisor's scanner and one child, on a fake clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.runs = False
        self.stopped = False
        self.pulses = Pulses(lambda _pid: self.runs, lambda _pid: self.stopped)
        self.slot = self.pulses.new_slot(self.now)
        self.pulses.forked(PID, self.slot)
        self.child: Pulse = self.pulses.board.pulse(self.slot)
        self.pulses.hung(self.now)

    def scan(self, seconds: float = 0.0, *, actor: bool = False, engine: bool = False) -> set[int]:
        """Let time pass, scanning and beating as said; return who was found hung."""
        found: set[int] = set()
        end = self.now + seconds
        while self.now < end:
            self.now += SCAN_S
            if actor:
                self.child.beat(self.now)
            if engine:
                self.child.beat_engine(self.now)
            found |= set(self.pulses.hung(self.now))
        return found


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_a_child_that_beats_never_hangs(watch: Watch) -> None:
    assert watch.scan(100.0, actor=True) == set()


def test_a_child_that_was_never_heard_hangs_after_the_limit(watch: Watch) -> None:
    assert watch.scan(ACTOR_LIMIT_S - SCAN_S) == set()
    assert watch.scan(2 * SCAN_S) == {PID}


def test_the_limit_leaves_room_for_one_late_beat() -> None:
    assert ACTOR_LIMIT_S > 2 * BEAT_S


def test_a_child_that_stops_beating_hangs(watch: Watch) -> None:
    watch.scan(10.0, actor=True)
    assert watch.scan(ACTOR_LIMIT_S + SCAN_S) == {PID}


def test_an_actor_that_computes_has_more_time(watch: Watch) -> None:
    watch.runs = True
    assert watch.scan(BUSY_LIMIT_S - SCAN_S) == set()
    assert watch.scan(2 * SCAN_S) == {PID}


def test_who_is_stopped_hangs_with_its_first_missing_beat(watch: Watch) -> None:
    watch.stopped = True
    assert watch.scan(10.0, actor=True) == set(), "it beats: what the kernel says is past"
    assert watch.scan(STOPPED_LIMIT_S - SCAN_S / 2) == set()
    watch.now += SCAN_S
    assert watch.pulses.hung(watch.now)[PID].startswith("it is stopped")


def test_a_stopped_child_misses_a_beat_before_it_is_judged() -> None:
    assert BEAT_S < STOPPED_LIMIT_S < ACTOR_LIMIT_S


def test_who_was_stopped_with_its_supervisor_is_not_judged_by_the_first_look(watch: Watch) -> None:
    watch.stopped = True
    watch.now += 60.0
    assert watch.pulses.hung(watch.now) == {}


def test_an_engine_may_be_busy_for_longer_than_its_actor(watch: Watch) -> None:
    watch.child.has_engine = True
    assert watch.scan(ENGINE_LIMIT_S - SCAN_S, actor=True) == set()
    assert watch.scan(2 * SCAN_S, actor=True) == {PID}


def test_a_busy_engine_that_turns_again_is_forgiven(watch: Watch) -> None:
    watch.child.has_engine = True
    assert watch.scan(ENGINE_LIMIT_S - SCAN_S, actor=True) == set()
    assert watch.scan(ENGINE_LIMIT_S - SCAN_S, actor=True, engine=True) == set()


def test_an_actor_that_is_silent_hangs_though_its_engine_turns(watch: Watch) -> None:
    watch.child.has_engine = True
    assert watch.scan(ACTOR_LIMIT_S + SCAN_S, engine=True) == {PID}


def test_a_scanner_that_woke_late_blames_nobody_in_that_round(watch: Watch) -> None:
    watch.scan(10.0, actor=True)
    watch.now += SCAN_S + LATE_S + ACTOR_LIMIT_S
    assert watch.pulses.hung(watch.now) == {}
    assert watch.scan(SCAN_S, actor=True) == set()
    assert watch.scan(ACTOR_LIMIT_S + SCAN_S) == {PID}


def test_the_reason_names_what_is_silent(watch: Watch) -> None:
    watch.scan(1.0)
    watch.now += SCAN_S
    assert watch.pulses.hung(watch.now)[PID] == "its actor was silent for 1.2 s"


def test_who_has_ended_is_watched_no_longer(watch: Watch) -> None:
    watch.pulses.ended(PID)
    watch.pulses.ended(PID)
    assert watch.scan(60.0) == set()


def test_a_slot_starts_afresh_with_its_next_child(watch: Watch) -> None:
    watch.scan(60.0)
    watch.pulses.ended(PID)
    again = watch.pulses.new_slot(watch.now)
    assert again == watch.slot
    watch.pulses.forked(PID + 1, again)
    assert watch.scan(ACTOR_LIMIT_S - SCAN_S) == set()


def test_children_have_slots_of_their_own() -> None:
    board = Board()
    slots = [board.take(5.0) for _ in range(10)]
    assert len(set(slots)) == 10
    board.pulse(slots[3]).beat(9.0)
    assert board.silence(slots[3], 10.0) == (1.0, 1.0)
    assert board.silence(slots[4], 10.0) == (5.0, 5.0)


def test_a_beat_is_seen_across_a_fork() -> None:
    script = """
import os
from actors.heartbeat import inherited_board, own_board
board = own_board()
slot = board.take(1.0)
if os.fork() == 0:
    inherited_board().pulse(slot).beat(7.0)
    os._exit(0)
os.wait()
print(board.silence(slot, 10.0))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=10
    )
    assert done.stdout.strip() == "(3.0, 3.0)", done.stderr


def test_killing_ends_a_stopped_process_and_minds_no_dead_one() -> None:
    process = subprocess.Popen(["sleep", "60"])
    os.kill(process.pid, signal.SIGSTOP)
    kill(process.pid)
    assert process.wait(5) == -signal.SIGKILL
    kill(2**22 + 1)


#: A child beats without a pause while its supervisor looks without a pause.
CROSSING = """
import os, time
from actors.heartbeat import Board
board = Board()
slot = board.take(time.monotonic())
pulse = board.pulse(slot)
pulse.has_engine = True
ends_at = time.monotonic() + 0.5
child = os.fork()
while (now := time.monotonic()) < ends_at:
    if child == 0:
        pulse.beat(now)
        pulse.beat_engine(now)
    elif max(silence := board.silence(slot, now)) > 30:
        print("silent for", silence)
        break
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""


def test_no_beat_is_ever_seen_half_written() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CROSSING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout == ""
