"""`python3 -m sim accuracy`: how wrong is the swarm itself?

A swarm talks to `sim.swarm.reference`, which notes on the same machine's clock when
speech reached it and when it sent its first frame. For every turn two errors are found,
the ways over loopback included: how much later than due the speech was there, and how
much later than sent the first frame was noted. Their sum is the error of a latency. It
also tells how many devices one core carries.

Exit codes: 0 the median error is at most 5 ms, 1 it is not, 2 the command line is
wrong, 3 the run came to nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from sim.swarm import utterances
from sim.swarm.conductor import SPEECH_FILE, Job, conduct
from sim.swarm.generators import ROOT
from sim.swarm.live import Live
from sim.swarm.records import Distribution, Run
from sim.swarm.reference import serial_of
from sim.swarm.scenario import Scenario, parse
from sim.swarm.server import Target
from sim.swarm.statistics import distribution

#: What an instrument may be wrong by, in the median.
MEDIAN_ERROR_MS = 5.0
_END_WITHIN_S = 5.0
Bank = Mapping[int, Sequence[utterances.Utterance]]
_SHOWN = ("least", "p50", "p90", "p99", "most")


class Answered(NamedTuple):
    """One answer as the reference saw it, in seconds of its own clock."""

    heard_at: float
    sent_at: float


class Accuracy(NamedTuple):
    """The errors in ms, and the generator's cost per talking device in % of a core."""

    errors: Distribution | None
    speech: Distribution | None
    frames: Distribution | None
    turns: int
    devices: int
    cpu_percent: float
    lag_ms: float


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; returns the exit code."""
    made = argparse.ArgumentParser(
        prog="python3 -m sim accuracy", description="Measure the error of the swarm itself."
    )
    made.add_argument("--devices", type=int, default=20, metavar="N")
    made.add_argument("--seconds", type=float, default=60.0, metavar="S")
    made.add_argument("--period", type=float, default=12.0, metavar="S", help="between turns")
    made.add_argument("--generators", type=int, default=1, metavar="N", help="processes")
    made.add_argument("--json", action="store_true", help="result as JSON")
    options = made.parse_args(argv)
    scenario = _scenario(options)
    found, summary = asyncio.run(_measured(scenario))
    if found.errors is None:
        print(f"error: {summary}", file=sys.stderr)
        return 3
    print(json.dumps(_told(found)) if options.json else _words(found))
    return 0 if abs(found.errors.p50) <= MEDIAN_ERROR_MS else 1


def accuracy(run: Run, bank: Bank, answers: dict[int, Answered]) -> Accuracy:
    """Compare what devices measured with what the reference heard and sent."""
    speech, frames = [], []
    for turn in run.turns:
        serial = serial_of(turn.answer)
        if serial not in answers or turn.started_s is None or turn.first_word_ms is None:
            continue
        answer, started = answers[serial], run.info.clock_base_s + turn.started_s
        said = next(each.speech for each in bank[turn.device] if each.speech.text == turn.said)
        largest = max(said.packets, key=len)
        complete_ms = (said.packets.index(largest) + 1) * said.frame_ms - said.first_audible_ms
        due = started + complete_ms / 1000
        arrived = started + (turn.speech_ms + turn.first_word_ms) / 1000
        speech.append((answer.heard_at - due) * 1000)
        frames.append((arrived - answer.sent_at) * 1000)
    errors = [one + two for one, two in zip(speech, frames, strict=True)]
    devices = max((phase.talkers for phase in run.phases), default=0)
    during = [lag for lag in run.lags if lag.at_s > 0]
    seconds = {round(lag.at_s) for lag in during}
    cpu = sum(lag.cpu_percent for lag in during) / max(1, len(seconds))
    worst = max((lag.worst_ms for lag in during), default=0.0)
    spreads = (distribution(errors), distribution(speech), distribution(frames))
    return Accuracy(*spreads, len(run.turns), devices, cpu / max(1, devices), worst)


def _scenario(options: argparse.Namespace) -> Scenario:
    return parse(
        {
            "name": "accuracy",
            "talking": {"period_s": options.period},
            "mix": {"versions": {1: 1}, "noise_dbfs": {"none": 1}},
            "questions": {"per_device": 2},
            "phases": [{"minutes": options.seconds / 60, "talkers": options.devices}],
            "generators": options.generators,
        }
    )


async def _measured(scenario: Scenario) -> tuple[Accuracy, str]:
    answers: dict[int, Answered] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with _reference(answers) as port:
            target = Target(url=f"ws://127.0.0.1:{port}/")
            run = await conduct(Job(scenario, target, folder, "sim accuracy"), Live())
        bank = utterances.load(folder / SPEECH_FILE, [each.index for each in run.devices])
    return accuracy(run, bank, answers), run.verdict.summary


@asynccontextmanager
async def _reference(answers: dict[int, Answered]) -> AsyncIterator[int]:
    """The port of a running reference; `answers` fills while it answers."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sim.swarm.reference"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdout = process.stdout
    port = int((await stdout.readline()).split()[-1])

    async def read() -> None:
        while line := await stdout.readline():
            told = json.loads(line)
            answers[told["serial"]] = Answered(told["heard_at"], told["sent_at"])

    reading = asyncio.create_task(read())
    try:
        yield port
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        await reading


def _words(found: Accuracy) -> str:
    assert found.errors is not None
    lines = [f"{found.errors.count} of {found.turns} turns compared, {found.devices} devices"]
    for what, spread in (
        ("speech there after it was due", found.speech),
        ("first frame noted after it was sent", found.frames),
        ("error of a latency", found.errors),
    ):
        assert spread is not None
        figures = ", ".join(f"{name} {getattr(spread, name):.2f}" for name in _SHOWN)
        lines.append(f"{what:36} ms: {figures}")
    each = found.cpu_percent
    lines.append(
        f"the generator woke up to {found.lag_ms:.1f} ms late and used {each:.2f} % of a core"
        f" for each device: {80 / each if each else 0:.0f} devices at full speech on 80 % of one"
    )
    return "\n".join(lines)


def _told(found: Accuracy) -> dict[str, object]:
    assert found.errors is not None
    return {
        "turns": found.turns,
        "devices": found.devices,
        "error_ms": {name: getattr(found.errors, name) for name in _SHOWN},
        "cpu_percent_per_device": found.cpu_percent,
        "worst_lag_ms": found.lag_ms,
    }
