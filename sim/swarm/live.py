"""What a person sees while a run goes on: a few lines that renew themselves.

On a terminal they are drawn over each second; elsewhere one line is printed each ten
seconds. `screen` is pure: the run so far in, lines of text out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TextIO

from sim.swarm.journal import Tally
from sim.swarm.records import Phase
from sim.swarm.statistics import percentile

_PLAIN_EVERY_S = 10.0
_BAR_CHARS = 30


class Live:
    """Writes to `stream` (standard error: standard output is for results)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._redraws = self._stream.isatty()
        self._drawn = 0
        self._plain_at = 0.0

    def say(self, text: str) -> None:
        """One line that stays."""
        self._erase()
        print(text, file=self._stream, flush=True)

    def progress(self, what: str, done: int, all_of_it: int) -> None:
        """A preparation of many steps."""
        if self._redraws:
            self._draw([f"{what}: {_bar(done / max(1, all_of_it))} {done} of {all_of_it}"])
        elif done == all_of_it:
            self.say(f"{what}: {done}")

    def show(self, tally: Tally, phase: Phase | None, at_s: float, planned_s: float) -> None:
        """The run as it is now."""
        if self._redraws:
            self._draw(screen(tally, phase, at_s, planned_s))
        elif time.monotonic() >= self._plain_at:
            self._plain_at = time.monotonic() + _PLAIN_EVERY_S
            print(line(tally, phase, at_s, planned_s), file=self._stream, flush=True)

    def end(self) -> None:
        """Leave the last picture as it is."""
        self._drawn = 0

    def _draw(self, lines: Sequence[str]) -> None:
        self._erase()
        print("\n".join(lines), file=self._stream, flush=True)
        self._drawn = len(lines)

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0


def line(tally: Tally, phase: Phase | None, at_s: float, planned_s: float) -> str:
    """The run in one line."""
    speaking, waiting, hearing, connected = _crowd(tally)
    latency = _latency(tally)
    bad = tally.turns - tally.outcomes["answered"] - tally.outcomes["interrupted"]
    return (
        f"{_clock(at_s)} of {_clock(planned_s)}  {phase.name if phase else '-'}:"
        f" {connected} connected, {speaking} speaking, {waiting} waiting, {hearing} hearing;"
        f" {tally.turns} turns, {bad} lost; {latency}"
    )


def screen(tally: Tally, phase: Phase | None, at_s: float, planned_s: float) -> list[str]:
    """The run in about a dozen lines."""
    speaking, waiting, hearing, connected = _crowd(tally)
    counts = ", ".join(f"{count} {name}" for name, count in sorted(tally.outcomes.items()))
    faults = ", ".join(f"{name} {count}" for name, count in tally.faults.most_common(6))
    name = phase.name if phase else "between two phases"
    lines = [
        f"{_bar(at_s / max(1e-9, planned_s))} {_clock(at_s)} of {_clock(planned_s)}   {name}",
        f"devices   {connected} connected: {speaking} speaking, {waiting} waiting for the first"
        f" word, {hearing} hearing",
        f"turns     {tally.turns}: {counts or 'none yet'}",
        f"latency   {_latency(tally)}",
        f"wrong     {faults or 'nothing'}",
        f"network   {tally.dropped} dropped, {tally.failed} could not connect",
        f"generator {_generator(tally)}",
        f"host      {_host(tally)}",
    ]
    lines += [
        f"fault     {_clock(fault.at_s)} {fault.kind} {fault.target} {fault.detail}"
        for fault in tally.done[-3:]
    ]
    return lines + [f"          {trouble[:110]}" for trouble in tally.troubles]


def _crowd(tally: Tally) -> tuple[int, int, int, int]:
    crowd = tally.crowd.values()
    return (
        sum(each.speaking for each in crowd),
        sum(each.waiting for each in crowd),
        sum(each.hearing for each in crowd),
        sum(each.connected for each in crowd),
    )


def _latency(tally: Tally) -> str:
    recent = sorted(tally.first_words_ms)
    if not recent:
        return "no first word yet"
    shares = ((0.5, "p50"), (0.95, "p95"), (1.0, "most"))
    figures = ", ".join(f"{name} {percentile(recent, share):.0f}" for share, name in shares)
    return f"first word {figures} ms (last {len(recent)} turns)"


def _generator(tally: Tally) -> str:
    lags = tally.lags.values()
    if not lags:
        return "starting"
    worst = max(each.worst_ms for each in lags)
    busiest = max(each.cpu_percent for each in lags)
    return f"up to {worst:.0f} ms late, {busiest:.0f} % of a core, {len(lags)} processes"


def _host(tally: Tally) -> str:
    sample = tally.host
    if sample is None:
        return "-"
    server = "" if sample.server_percent is None else f", server {sample.server_percent:.0f} %"
    foreign = "" if sample.foreign_percent is None else f", foreign {sample.foreign_percent:.0f} %"
    memory = ""
    if tally.resources is not None and tally.resources.total.pss_mib is not None:
        total = tally.resources.total
        memory = f"; server {total.pss_mib:.0f} MiB in {total.processes} processes"
    return (
        f"busy {sample.busy_percent:.0f} %: generator {sample.generator_percent:.0f} %"
        f"{server}{foreign}{memory}"
    )


def _bar(share: float) -> str:
    full = round(_BAR_CHARS * min(1.0, max(0.0, share)))
    return f"[{'#' * full}{'.' * (_BAR_CHARS - full)}]"


def _clock(seconds: float) -> str:
    sign, whole = ("-" if seconds < 0 else ""), int(abs(seconds))
    hours, rest = divmod(whole, 3600)
    clock = f"{rest // 60:02d}:{rest % 60:02d}"
    return f"{sign}{hours}:{clock}" if hours else f"{sign}{clock}"
