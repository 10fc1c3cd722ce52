"""From readings of processes to a table of what each actor costs.

Pure. CPU is user + system time in per cent of one core over the time watched; what
a process that ended in between had used counts up to its last reading. Memory,
descriptors and threads are means over the rounds of the sum over the processes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class Reading:
    """One process at one moment; memory in bytes, None where it could not be read.

    `cpu_s` is what it used since it began, `began_s` tells it from an earlier
    process of the same pid. `anon_bytes` is its proportional share of memory that is no
    file's: of a library's pages everybody on the machine who maps it has a share, so
    `pss_bytes` moves when a process of others begins or ends.
    """

    pid: int
    began_s: float
    name: str
    cpu_s: float
    pss_bytes: int | None
    own_bytes: int | None
    fds: int | None
    threads: int
    anon_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """All processes of the tree at one moment of a monotonic clock."""

    at_s: float
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """One row: what the processes of one actor name cost together.

    `processes` is the most seen at once, `cpu_max_percent` the busiest span between
    two rounds, `pss_max_mib` the largest sum of one round.
    """

    name: str
    processes: int
    cpu_percent: float
    cpu_max_percent: float
    pss_mib: float | None
    pss_max_mib: float | None
    own_mib: float | None
    fds: float | None
    threads: float
    #: See `Reading.anon_bytes`.
    anon_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What was watched: the time that really passed, the rounds, rows, and their sum."""

    seconds: float
    rounds: int
    rows: tuple[Cost, ...]
    total: Cost

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def account(rounds: Sequence[Round]) -> Account:
    """Sum up rounds, in order of time, by actor name; the dearest in CPU first.

    A process that was not in the first round counts from zero: it began meanwhile.
    """
    used = _used(rounds)
    spans = [later.at_s - sooner.at_s for sooner, later in pairwise(rounds)]
    names = {reading.name for each in rounds for reading in each.readings}
    rows = [
        _cost(name, [_named(each, name) for each in rounds], used[name], spans) for name in names
    ]
    everything = [sum(spent) for spent in zip(*used.values(), strict=True)]
    return Account(
        seconds=round(sum(spans), 3),
        rounds=len(rounds),
        rows=tuple(sorted(rows, key=lambda row: (-row.cpu_percent, row.name))),
        total=_cost("total", [each.readings for each in rounds], everything, spans),
    )


def table(costs: Account) -> str:
    """Lay the account out for people: one line a row, the sum at the end."""
    head = ("actor", "procs", "cpu %", "max %", "pss MiB", "max MiB", "own MiB", "fds", "threads")
    lines = [head, *(_cells(row) for row in costs.rows), _cells(costs.total)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]
    rule = "-" * len(text[0])
    note = f"{costs.seconds:.1f} s watched in {costs.rounds} rounds; 100 % is one core"
    return "\n".join([note, text[0], rule, *text[1:-1], rule, text[-1]])


def _named(each: Round, name: str) -> tuple[Reading, ...]:
    return tuple(reading for reading in each.readings if reading.name == name)


def _used(rounds: Sequence[Round]) -> dict[str, list[float]]:
    """CPU seconds used in each span between two rounds, by actor name."""
    used: dict[str, list[float]] = defaultdict(lambda: [0.0] * (len(rounds) - 1))
    last: dict[tuple[int, float], float] = {}
    for index, each in enumerate(rounds):
        for reading in each.readings:
            key = (reading.pid, reading.began_s)
            spent = used[reading.name]
            if index:
                spent[index - 1] += max(0.0, reading.cpu_s - last.get(key, 0.0))
            last[key] = reading.cpu_s
    return used


def _cost(
    name: str,
    rounds: Sequence[Sequence[Reading]],
    used_s: Sequence[float],
    spans_s: Sequence[float],
) -> Cost:
    passed_s = sum(spans_s)
    rates = [spent / span for spent, span in zip(used_s, spans_s, strict=True) if span > 0]
    seen = [readings for readings in rounds if readings]
    pss = [_sum(reading.pss_bytes for reading in readings) for readings in seen]
    own = [_sum(reading.own_bytes for reading in readings) for readings in seen]
    anon = [_sum(reading.anon_bytes for reading in readings) for readings in seen]
    fds = [_sum(reading.fds for reading in readings) for readings in seen]
    threads = [sum(reading.threads for reading in readings) for readings in seen]
    return Cost(
        name=name,
        processes=max(map(len, rounds), default=0),
        cpu_percent=round(100 * sum(used_s) / passed_s, 2) if passed_s > 0 else 0.0,
        cpu_max_percent=round(100 * max(rates, default=0.0), 2),
        pss_mib=_mib(_mean(pss)),
        pss_max_mib=_mib(max((each for each in pss if each is not None), default=None)),
        own_mib=_mib(_mean(own)),
        fds=_rounded(_mean(fds)),
        threads=_rounded(_mean(threads)) or 0.0,
        anon_mib=_mib(_mean(anon)),
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _mean(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _mib(size_bytes: float | None) -> float | None:
    return None if size_bytes is None else round(size_bytes / (1024 * 1024), 2)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _cells(row: Cost) -> tuple[str, ...]:
    def figure(value: float | None, digits: int = 1) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    return (
        row.name,
        str(row.processes),
        figure(row.cpu_percent, 2),
        figure(row.cpu_max_percent, 2),
        figure(row.pss_mib),
        figure(row.pss_max_mib),
        figure(row.own_mib),
        figure(row.fds, 0),
        figure(row.threads, 0),
    )
