"""A scenario: who talks, for how long, what breaks, and which limits must hold.

`load` reads a YAML file into frozen models. Every mistake in it is told at once, each
with its path, its value and what is allowed.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sim.dialect import Mode
from sim.faults import plan
from sim.swarm import served
from sim.swarm.limits import LimitError, Trust, read_limits
from sim.swarm.population import Habits, Mix
from sim.swarm.schedule import Talking

#: More devices than this in one run are a slip of the pen.
MOST_DEVICES = 2000
LONGEST_MINUTES = 7 * 24 * 60.0


class ScenarioError(Exception):
    """A scenario that cannot be run; `str` lists each mistake on a line."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TargetSection(_Section):
    """The server to drive, when the command line names none.

    `status` is the HTTP address of our own server's status, `pid` its first process: one
    of them is needed for resources and faults of a server that this run did not start.
    """

    url: str = ""
    ota: str = ""
    token: str = Field("", repr=False)
    status: str = ""
    pid: int | None = Field(None, gt=1)


class ServeSection(_Section):
    """A server to start for this run, on free ports. `settings` is its settings file as a
    tree; {NAME} in a text is the port of the stand-in or proxy of that name."""

    settings: dict[str, Any] = Field(default_factory=dict)
    ready_within_s: float = Field(60.0, gt=0, le=600)


class StandinSection(_Section):
    """A stand-in to start for this run under `name`, with further arguments of
    `sim standin`."""

    name: str = Field(pattern=r"[a-z][a-z0-9_-]*")
    kind: str
    arguments: tuple[str, ...] = ()


class ProxySection(_Section):
    """A fault proxy under `name` before `to`: a stand-in's name, HOST:PORT, or "device" (the
    server's device port); `conditions` from the start on, as `sim.faults` takes them."""

    name: str = Field(pattern=r"[a-z][a-z0-9_-]*")
    to: str
    conditions: dict[str, Any] = Field(default_factory=dict)


class TalkingSection(_Section):
    period_s: float = Field(12.0, ge=1, le=86400)
    speech_s: float = Field(3.0, ge=0.5, le=30)
    start: str = Field("random", pattern="random|together")
    jitter: float = Field(0.0, ge=0, le=1)

    def talking(self) -> Talking:
        start: Any = self.start
        return Talking(self.period_s, self.speech_s, start, self.jitter)


class HabitsSection(_Section):
    interrupting: float = Field(0.0, ge=0, le=1)
    leaving: float = Field(0.0, ge=0, le=1)
    vanishing: float = Field(0.0, ge=0, le=1)
    typing: float = Field(0.0, ge=0, le=1)

    def habits(self) -> Habits:
        return Habits(self.interrupting, self.leaving, self.vanishing, self.typing)


class MixSection(_Section):
    """Weights of each choice; what is left out is as in `population.Mix`."""

    modes: dict[Mode, float] | None = None
    generations: dict[str, float] | None = None
    versions: dict[int, float] | None = None
    frames_ms: dict[int, float] | None = None
    voices: dict[str, float] | None = None
    noise_dbfs: dict[str, float] | None = None
    links: dict[str, float] | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.mix()
        return self

    def mix(self) -> Mix:
        given = {name: weights for name, weights in self.__dict__.items() if weights is not None}
        return Mix(**given)


class QuestionsSection(_Section):
    """`per_device` different questions, asked in turn; `common` of them everyday ones."""

    per_device: int = Field(5, ge=1, le=200)
    common: float = Field(0.0, ge=0, le=1)


class PhaseSection(_Section):
    """A span with one load. What is not `counted` (a warm-up) enters no figure of the whole.

    `settings` go over those of `serve` for this phase alone. Before a phase for which the
    server runs with other settings, the devices leave and the server is started again;
    that time is no phase's.
    """

    name: str = ""
    minutes: float = Field(gt=0, le=LONGEST_MINUTES)
    talkers: int = Field(0, ge=0, le=MOST_DEVICES)
    listeners: int = Field(0, ge=0, le=MOST_DEVICES)
    idlers: int = Field(0, ge=0, le=MOST_DEVICES)
    counted: bool = True
    settings: dict[str, Any] = Field(default_factory=dict)


class LadderSection(_Section):
    """Finding the knee: levels of talkers from `first` by `step` up to `most`, until a
    level misses a limit of `each_phase`; then shares of the last level that held."""

    first: int = Field(10, ge=1, le=MOST_DEVICES)
    step: int = Field(10, ge=1, le=MOST_DEVICES)
    most: int = Field(100, ge=1, le=MOST_DEVICES)
    minutes: float = Field(2.0, gt=0, le=LONGEST_MINUTES)
    settle_s: float = Field(12.0, ge=0, le=600)
    hold_percent: tuple[float, ...] = (50, 70, 90)
    hold_minutes: float = Field(5.0, gt=0, le=LONGEST_MINUTES)


class TrustSection(_Section):
    """When the run counts at all; `limits.Trust` says what each bounds."""

    median_lag_ms: float = Field(Trust.median_lag_ms, gt=0)
    lag_ms: float = Field(Trust.lag_ms, gt=0)
    generator_percent: float = Field(Trust.generator_percent, gt=0, le=100)
    foreign_percent: float = Field(Trust.foreign_percent, gt=0, le=100)

    def trust(self) -> Trust:
        return Trust(self.median_lag_ms, self.lag_ms, self.generator_percent, self.foreign_percent)


class Scenario(_Section):
    """One run as data; see the sections. `limits` hold for all counted phases together,
    `each_phase` for each of them alone. `give_up_after_s`: a run in which nothing
    succeeds for so long is ended."""

    name: str = Field(min_length=1, max_length=80)
    about: str = ""
    seed: int = Field(1, ge=0)
    target: TargetSection = TargetSection()
    serve: ServeSection | None = None
    standins: tuple[StandinSection, ...] = ()
    proxies: tuple[ProxySection, ...] = ()
    talking: TalkingSection = TalkingSection()
    habits: HabitsSection = HabitsSection()
    mix: MixSection = MixSection()
    questions: QuestionsSection = QuestionsSection()
    phases: tuple[PhaseSection, ...] = ()
    ladder: LadderSection | None = None
    faults: tuple[dict[str, Any], ...] = ()
    limits: dict[str, str | float] = Field(default_factory=dict)
    each_phase: dict[str, str | float] = Field(default_factory=dict)
    trust: TrustSection = TrustSection()
    patience_s: float = Field(10.0, gt=0, le=120)
    generators: int = Field(0, ge=0, le=64, description="0: as many as the devices need")
    hear: float = Field(0.1, ge=0, le=1, description="share of answers listened to afterwards")
    sample_s: float = Field(2.0, ge=0.2, le=600)
    give_up_after_s: float = Field(30.0, gt=0)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.phases and self.ladder is None:
            raise ValueError("give phases, a ladder, or both")
        if self.ladder is None and not any(self.most_devices()):
            raise ValueError("no phase has a device; give one talkers, listeners or idlers")
        for stated in (self.limits, self.each_phase):
            try:
                read_limits(stated)
            except LimitError as error:
                raise ValueError(f"limits: {error}") from None
        try:
            plan.parse(self.faults)
        except plan.PlanError as error:
            raise ValueError(str(error)) from None
        if any(phase.settings for phase in self.phases):
            self._may_restart()
        names = [phase.name for phase in self.named_phases()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two phases are named {twice[0]!r}; names tell phases apart")
        return self

    def _may_restart(self) -> None:
        if self.serve is None:
            raise ValueError(
                "a phase has settings; they need a server that is started for this run: serve: {}"
            )
        if self.ladder is not None or self.faults:
            raise ValueError(
                "a phase has settings; a ladder and faults, whose times a new start of the"
                " server would move, go into a scenario of their own"
            )

    def settings_of(self, phase: PhaseSection | None) -> dict[str, Any]:
        """What the server runs with in a phase, or by itself."""
        below = self.serve.settings if self.serve is not None else {}
        return served.merged(below, phase.settings if phase is not None else {})

    def named_phases(self) -> tuple[PhaseSection, ...]:
        """The phases, those without a name numbered."""
        return tuple(
            phase if phase.name else phase.model_copy(update={"name": f"phase {number}"})
            for number, phase in enumerate(self.phases, 1)
        )

    def most_devices(self) -> tuple[int, int, int]:
        """The most talkers, listeners and idlers of any phase."""
        ladder = self.ladder.most if self.ladder else 0
        return (
            max([ladder, *(phase.talkers for phase in self.phases)]),
            max([0, *(phase.listeners for phase in self.phases)]),
            max([0, *(phase.idlers for phase in self.phases)]),
        )


def load(path: Path) -> Scenario:
    """Read a scenario file. Raises `ScenarioError` with the path and every mistake."""
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: is not YAML: {error}") from None
    if not isinstance(told, dict):
        raise ScenarioError(f"{path}: must be a mapping that begins with name: ...")
    return parse(told, str(path))


def parse(told: Mapping[str, Any], where: str = "scenario") -> Scenario:
    """A scenario from its data. Raises `ScenarioError`."""
    try:
        scenario = Scenario.model_validate(told)
    except ValidationError as error:
        lines = [_mistake(each) for each in error.errors()]
    else:
        lines = _wrong_settings(scenario)
        if not lines:
            return scenario
    raise ScenarioError("\n".join(f"{where}: {line}" for line in lines))


def _wrong_settings(scenario: Scenario) -> list[str]:
    """What is wrong in the server's settings; each mistake where it was made."""
    if scenario.serve is None:
        return []
    common = served.mistakes(scenario.settings_of(None))
    lines = [f"serve.settings.{line}" for line in common]
    for number, phase in enumerate(scenario.phases):
        if phase.settings:
            found = served.mistakes(scenario.settings_of(phase))
            lines += [f"phases.{number}.settings.{line}" for line in found if line not in common]
    return lines


def _mistake(error: Any) -> str:
    """One line: path, value, and what is allowed."""
    path = ".".join(map(str, error["loc"])) or "the scenario"
    value, kind, context = error["input"], error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{path}: is unknown{_nearest(error['loc'])}"
    if kind == "missing":
        return f"{path}: is missing"
    if kind == "value_error":
        return f"{path}: {context.get('error', error['msg'])}"
    return f"{path}: is {_shown(value)}; {error['msg'].removeprefix('Input ')}"


def _nearest(loc: Sequence[Any]) -> str:
    """A name that may have been meant, from the section where the unknown one stands."""
    section: Any = Scenario
    for part in loc[:-1]:
        if isinstance(part, str) and section is not None:
            section = _section_of(section, part)
    names = list(section.model_fields) if section is not None else []
    near = difflib.get_close_matches(str(loc[-1]), names, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"


def _section_of(section: type[BaseModel], member: str) -> type[BaseModel] | None:
    sections: dict[str, type[BaseModel]] = {
        "target": TargetSection,
        "serve": ServeSection,
        "standins": StandinSection,
        "proxies": ProxySection,
        "talking": TalkingSection,
        "habits": HabitsSection,
        "mix": MixSection,
        "questions": QuestionsSection,
        "phases": PhaseSection,
        "ladder": LadderSection,
        "trust": TrustSection,
    }
    return sections.get(member) if section is Scenario else None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
