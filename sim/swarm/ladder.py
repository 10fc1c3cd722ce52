"""Finding the knee: rising levels until one misses a limit, then shares of what held.

Pure. The climb enters no figure of the whole run: only the levels that are held
afterwards are counted, for they are what can be promised.
"""

from __future__ import annotations

from collections.abc import Sequence

from sim.swarm.aggregate import aggregate
from sim.swarm.journal import Collected
from sim.swarm.limits import Limit, check
from sim.swarm.records import Knee, LimitResult, Phase
from sim.swarm.scenario import LadderSection, PhaseSection

#: Phases of one step, each with its start.
Step = list[tuple[PhaseSection, float]]


class Ladder:
    """The levels of one run, in order: ask `next`, and after a climbed level `learn`."""

    def __init__(self, section: LadderSection, start_s: float) -> None:
        self._section = section
        self._at_s = start_s
        self._level = section.first
        self._holds = list(section.hold_percent)
        self.is_climbing = True
        self.knee = Knee(0, None)

    @staticmethod
    def longest_s(section: LadderSection) -> float:
        """How long it takes when every level holds."""
        levels = len(range(section.first, section.most + 1, section.step))
        climb_s = levels * (section.minutes * 60 + 2 * section.settle_s)
        holds = len(section.hold_percent)
        return climb_s + holds * (section.hold_minutes * 60 + section.settle_s)

    @property
    def level_name(self) -> str:
        """The phase of the level that is being climbed."""
        return f"{self._level} talkers"

    def next(self) -> Step | None:
        """The next step's phases; None when all is done.

        A climbed level settles before and goes on behind it, while its last turns end.
        """
        if self.is_climbing:
            return self._climb()
        while self._holds:
            percent = self._holds.pop(0)
            talkers = round(self.knee.held * percent / 100)
            if talkers:
                return self._hold(percent, talkers)
        return None

    def learn(self, talkers: int, results: Sequence[LimitResult]) -> Knee:
        """Take in how a climbed level went."""
        missed = tuple(f"{each.figure} {each.limit}" for each in results if not each.held)
        if missed:
            self.knee = Knee(self.knee.held, talkers, missed)
            self.is_climbing = False
        else:
            self.knee = Knee(talkers, None)
            self._level = talkers + self._section.step
            self.is_climbing = self._level <= self._section.most
        return self.knee

    def told(self, phase: Phase, results: Sequence[LimitResult]) -> str:
        """A level's end in one line."""
        missed = [each for each in results if not each.held]
        if not missed:
            return f"{phase.name}: held all {len(results)} limits"
        words = ", ".join(
            f"{each.figure} {'-' if each.measured is None else f'{each.measured:.4g}'}"
            f" (limit {each.limit})"
            for each in missed
        )
        return f"{phase.name}: missed {words}"

    def _climb(self) -> Step:
        talkers, section = self._level, self._section
        name = self.level_name
        return self._phases(
            (f"{name}, settling", section.settle_s, talkers, False),
            (name, section.minutes * 60, talkers, False),
            (f"{name}, going on", section.settle_s, talkers, False),
        )

    def _hold(self, percent: float, talkers: int) -> Step:
        name, section = f"{percent:g} % of the knee, {talkers} talkers", self._section
        return self._phases(
            (f"{name}, settling", section.settle_s, talkers, False),
            (name, section.hold_minutes * 60, talkers, True),
        )

    def _phases(self, *wanted: tuple[str, float, int, bool]) -> Step:
        step: Step = []
        for name, seconds, talkers, counted in wanted:
            if seconds > 0:
                phase = PhaseSection(
                    name=name, minutes=seconds / 60, talkers=talkers, counted=counted
                )
                step.append((phase, self._at_s))
                self._at_s += seconds
        return step


def climbed(phase: Phase, found: Collected, limits: Sequence[Limit]) -> tuple[LimitResult, ...]:
    """The limits against one level alone."""
    turns = [turn for turn in found.turns if turn.phase == phase.name]
    during = [each for each in found.connections if phase.start_s <= each.at_s < phase.end_s]
    measured = [each for each in found.resources if phase.start_s <= each.at_s < phase.end_s]
    seconds = phase.end_s - phase.start_s
    return check(limits, aggregate(phase.name, seconds, turns, during, measured))
