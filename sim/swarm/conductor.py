"""Conducts a run: prepares the speech, starts generators, gives the phases, measures.

`conduct` returns the record of the run whatever happens to the server: what was
measured until then is kept, and `info.ended` and `info.problem` say how it ended.
"""

from __future__ import annotations

import asyncio
import math
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sim.faults import plan
from sim.faults.execute import FaultExecutor
from sim.link import DeviceError
from sim.swarm import host, utterances
from sim.swarm.connecting import Presence
from sim.swarm.counting import CallCounter
from sim.swarm.excuses import excuses
from sim.swarm.generators import Generator, GeneratorFailed, how_many, shares
from sim.swarm.journal import Journal, collected
from sim.swarm.ladder import Ladder, climbed
from sim.swarm.limits import read_limits
from sim.swarm.live import Live
from sim.swarm.orders import PhaseOrder, Spec
from sim.swarm.outcome import Conducted, record_of
from sim.swarm.population import Member, populate
from sim.swarm.records import Knee, Phase, Run, RunEnd
from sim.swarm.scenario import PhaseSection, Scenario
from sim.swarm.server import NotStarted, Target
from sim.swarm.surroundings import Served, Surroundings, surroundings

#: From the last generator's start to the run's start: the first devices connect in it.
_LEAD_S = 4.0
#: Beyond a user's patience, an answer may take so long to be heard to its end.
_LAST_ANSWER_S = 15.0
_LOOK_S = 0.5
#: From the end of speech to the calls that answer it, about.
_ANSWERED_AFTER_S = 1.0
#: A server counts as lost after so many failures in a row, over the scenario's time.
_LOST_AFTER_FAILURES = 3
#: Bytes of speech that every run writes once and all runs share.
SPEECH_FOLDER = Path(__file__).resolve().parents[2] / "var" / "sim" / "speech"

#: The utterances of one run, in its folder.
SPEECH_FILE = "speech.json"


#: Something done beside a run, from its base on, until it returns or the run ends.
Beside = Callable[[Surroundings, float], Awaitable[None]]


@dataclass(frozen=True)
class Job:
    """One run to do; everything is written to `folder`. `command` is for the record.

    `beside` is done once the devices are on their way.
    """

    scenario: Scenario
    target: Target
    folder: Path
    command: str
    beside: Beside | None = None


async def conduct(job: Job, live: Live) -> Run:
    """Do the run. Raises `SpeechError` and `ValueError` for what can be known before it."""
    began_at = datetime.now(UTC)
    scenario = job.scenario
    members = populate(scenario.seed, *scenario.most_devices(), scenario.mix.mix())
    job.folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(job.folder / "records.jsonl")
    done = Conducted("unreachable", "", job.target.address)
    try:
        bank = await _speech(job, members, live)
        async with surroundings(scenario, job.target, job.folder) as around:
            done = await _Conductor(job, around, members, bank, journal, live).run()
    except NotStarted as error:
        done = replace(done, problem=str(error))
    finally:
        journal.close()
        live.end()
    if done.generators and scenario.hear:
        live.say("listening to some of the answers ...")
    return await asyncio.to_thread(
        record_of, scenario, job.command, began_at, members, journal, done
    )


async def _speech(job: Job, members: Sequence[Member], live: Live) -> Path:
    """Make the utterances, or take them from disk; returns the file for the generators."""
    scenario = job.scenario
    made = await asyncio.to_thread(
        utterances.prepare,
        members,
        SPEECH_FOLDER,
        scenario.seed,
        speech_s=scenario.talking.speech_s,
        per_device=scenario.questions.per_device,
        common_share=scenario.questions.common,
        progress=lambda done, every: live.progress("speech prepared for devices", done, every),
    )
    path = job.folder / SPEECH_FILE
    utterances.save(made, path)
    return path


class _Conductor:
    """One run, from the check that somebody is there to the last record."""

    def __init__(
        self,
        job: Job,
        around: Surroundings,
        members: Sequence[Member],
        bank: Path,
        journal: Journal,
        live: Live,
    ) -> None:
        self._job = job
        self._scenario = job.scenario
        self.around = around
        self._members = members
        self._bank = bank
        self._journal = journal
        self._live = live
        self._stop = asyncio.Event()
        self.generators: list[Generator] = []
        self.facts = host.ServerFacts()
        self.phases: list[Phase] = []
        self.base = time.monotonic()
        after_s = self._scenario.talking.speech_s + _ANSWERED_AFTER_S
        self._calls = CallCounter(around, journal.add, self._now_s, after_s)
        self.lasted_s = 0.0
        self.knee: Knee | None = None

    @property
    def planned_s(self) -> float:
        ladder = self._scenario.ladder
        minutes = sum(phase.minutes for phase in self._scenario.phases)
        return minutes * 60 + (Ladder.longest_s(ladder) if ladder else 0.0)

    async def run(self) -> Conducted:
        """Do it all; what is returned says how it ended, and why."""
        ended: RunEnd
        try:
            await self._scout()
        except DeviceError as error:
            return self._conducted("unreachable", str(error))
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self._stop.set)
        try:
            await self._start()
            ended, problem = await self._conduct()
        except GeneratorFailed as error:
            ended, problem = "generator failed", str(error)
        except NotStarted as error:  # between two phases
            ended, problem = "server lost", str(error)
        finally:
            self.lasted_s = max(0.0, self._now_s())
            for name in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(name)
            await asyncio.gather(*(each.end() for each in self.generators))
        return self._conducted(ended, problem)

    def _conducted(self, ended: RunEnd, problem: str) -> Conducted:
        return Conducted(
            ended,
            problem,
            self.around.target.address,
            self.base,
            self.planned_s,
            self.lasted_s,
            len(self.generators),
            tuple(self.phases),
            self.facts,
            self.knee,
        )

    async def _scout(self) -> None:
        """See that a device could connect, before many try. Raises `DeviceError`."""
        target = self.around.target
        if not target.address:
            raise DeviceError("no server is named; give --url, --ota or --serve")
        member = populate(self._scenario.seed, 0, 0, 1)[0]
        scout = Presence(member, self._spec(-1, ()), lambda _report: None)
        await scout.connect()
        await scout.leave()
        status = target.status or host.status_address(target.ota)
        if status:
            self.facts = await host.ask_status(status)

    async def _start(self) -> None:
        count = self._scenario.generators or how_many(self._members)
        for number in range(count):
            self.generators.append(
                await Generator.start(number, self._job.folder, self._journal.add)
            )
        self.base = time.monotonic() + _LEAD_S
        for generator, share in zip(self.generators, shares(self._members, count), strict=True):
            generator.order(self._spec(generator.number, share))

    async def _conduct(self) -> tuple[RunEnd, str]:
        """Let the script run to its end, or until something ends it before."""
        script = asyncio.create_task(self._script())
        stopped = asyncio.create_task(self._stop.wait())
        lost = asyncio.create_task(self._lost())
        failed = [asyncio.create_task(each.ended()) for each in self.generators]
        always = (self._measure(), self._show(), self._calls.count())
        beside = [asyncio.create_task(each) for each in always]
        faults = asyncio.create_task(self._faults())
        if self._job.beside is not None:
            beside.append(asyncio.create_task(self._beside(self._job.beside)))
            beside[-1].add_done_callback(self._ended_beside)
        try:
            await asyncio.wait(
                [script, stopped, lost, *failed], return_when=asyncio.FIRST_COMPLETED
            )
            for each in failed:
                if each.done():
                    each.result()
            ended: tuple[RunEnd, str] = ("stopped", "interrupted by the user")
            if script.done():
                script.result()
                ended = ("complete", "")
            elif lost.done():
                ended = ("server lost", lost.result())
            self.lasted_s = self._now_s()
            within_s = self._scenario.patience_s + _LAST_ANSWER_S if script.done() else 0.0
            await asyncio.gather(*(each.finish(within_s) for each in self.generators))
            if script.done():
                await self._calls.note(self.phases[-1].name)
            return ended
        finally:
            every = [script, stopped, lost, *failed, *beside, faults]
            for task in every:
                task.cancel()
            await asyncio.gather(*every, return_exceptions=True)

    # --- the script ----------------------------------------------------------

    async def _script(self) -> None:
        """Every phase in its turn; the ladder's depend on what was measured."""
        at_s = 0.0
        for section in self._scenario.named_phases():
            settings, served = self._scenario.settings_of(section), self.around.server
            if served is not None and served.settings != settings:
                at_s = await self._served_anew(served, settings, at_s)
            self._begin(section, at_s)
            at_s += section.minutes * 60
        await self._until(at_s)
        if self._scenario.ladder is not None:
            await self._climb(Ladder(self._scenario.ladder, at_s))

    async def _climb(self, ladder: Ladder) -> None:
        limits = read_limits(self._scenario.each_phase)
        while (step := ladder.next()) is not None:
            for section, at_s in step:
                self._begin(section, at_s)
            await self._until(self.phases[-1].end_s)
            if ladder.is_climbing:
                level = next(each for each in self.phases if each.name == ladder.level_name)
                self._journal.flush()
                found = await asyncio.to_thread(collected, self._journal.path)
                results = climbed(level, found, limits)
                self.knee = ladder.learn(level.talkers, results)
                self._live.say(ladder.told(level, results))

    async def _served_anew(self, served: Served, settings: dict[str, Any], at_s: float) -> float:
        """Between two phases: everybody leaves, the server starts again with other settings.
        Returns when the next phase can begin. Raises `NotStarted`."""
        await self._until(at_s)
        for generator in self.generators:
            generator.order(PhaseOrder("", at_s, at_s, frozenset()))
        self._live.say("the devices leave; the server is started with other settings ...")
        await self._all_gone(at_s)
        await self._calls.note(self.phases[-1].name)
        await served.restart(settings)
        return self._now_s() + _LEAD_S

    async def _all_gone(self, since_s: float) -> None:
        """Return when every generator has said so since then, or has had time enough."""
        until_s = since_s + self._scenario.patience_s + _LAST_ANSWER_S
        await self._until(since_s + self._calls.after_s + _LOOK_S)  # counted by then
        numbers = [each.number for each in self.generators]
        looks = range(max(1, math.ceil((until_s - self._now_s()) / _LOOK_S)))
        for _look in looks:
            if self._journal.tally.has_left(numbers, since_s):
                return
            await asyncio.sleep(_LOOK_S)

    def _begin(self, section: PhaseSection, at_s: float) -> None:
        phase = Phase(
            name=section.name,
            start_s=at_s,
            end_s=at_s + section.minutes * 60,
            talkers=section.talkers,
            listeners=section.listeners,
            idlers=section.idlers,
            counted=section.counted,
            settings=section.settings,
        )
        self.phases.append(phase)
        self._calls.begin(phase)
        order = PhaseOrder(phase.name, phase.start_s, phase.end_s, self._active(phase))
        for generator in self.generators:
            generator.order(order)

    def _active(self, phase: Phase) -> frozenset[int]:
        wanted = {"talker": phase.talkers, "listener": phase.listeners, "idler": phase.idlers}
        active = set()
        for member in self._members:
            if wanted[member.role] > 0:
                wanted[member.role] -= 1
                active.add(member.index)
        return frozenset(active)

    # --- beside the script ---------------------------------------------------

    async def _measure(self) -> None:
        """Sample the host and the server's processes, for ever."""
        target = self.around.target
        pid = target.pid or self.facts.pid
        meter = await asyncio.to_thread(host.Meter, pid, host.is_local(target.address))
        while True:
            await asyncio.sleep(self._scenario.sample_s)
            pids = [each.pid for each in self.generators]
            launcher = self.around.parts.get("launcher")
            meter.server_pid = launcher.pid() if launcher else pid
            sample, resource = await asyncio.to_thread(meter.sample, pids, self._now_s())
            self._journal.add(sample)
            if resource is not None:
                self._journal.add(resource)
            self._journal.flush()

    async def _show(self) -> None:
        while True:
            at_s = self._now_s()
            phase = next((each for each in self.phases if each.start_s <= at_s < each.end_s), None)
            self._live.show(self._journal.tally, phase, at_s, self.planned_s)
            await asyncio.sleep(_LOOK_S)

    async def _faults(self) -> None:
        scenario, target = self._scenario, self.around.target
        if not scenario.faults:
            return
        planned = plan.timeline(plan.parse(scenario.faults), self.planned_s, scenario.seed)
        executor = FaultExecutor(
            planned,
            launcher_pid=target.pid or self.facts.pid,
            status_url=target.status or host.status_address(target.ota) or None,
            parts=self.around.parts,
            proxies=self.around.proxies,
            standins=self.around.standins,
            on_record=self._journal.add,
        )
        await executor.run(self.base)

    async def _beside(self, work: Beside) -> None:
        await work(self.around, self.base)

    def _ended_beside(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._live.say(f"what was done beside the run failed: {error!r}")

    async def _lost(self) -> str:
        """Return, in words, when nothing has succeeded for the scenario's time."""
        tally, within_s = self._journal.tally, self._scenario.give_up_after_s
        while True:
            await asyncio.sleep(_LOOK_S)
            since_s = tally.failing_since_s
            if since_s is None or tally.failures < _LOST_AFTER_FAILURES:
                continue
            if self._now_s() - since_s > within_s:
                last = f"; the last: {tally.troubles[-1]}" if tally.troubles else ""
                return f"nothing succeeded for {within_s:g} s{last}"

    def _spec(self, number: int, members: tuple[Member, ...]) -> Spec:
        target, scenario = self.around.target, self._scenario
        return Spec(
            generator=number,
            seed=scenario.seed,
            base=self.base,
            members=members,
            bank=str(self._bank.resolve()),
            url=target.url,
            ota=target.ota,
            token=target.token,
            talking=scenario.talking.talking(),
            habits=scenario.habits.habits(),
            patience_s=scenario.patience_s,
            apologies=excuses(),
            hear_share=scenario.hear,
        )

    def _now_s(self) -> float:
        return time.monotonic() - self.base

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, at_s - self._now_s()))
