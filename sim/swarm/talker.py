"""A simulated user with a device: lives through its turns, in order, one record each.

A turn begins at its intended start or, while the device is not ready, as soon as it is;
one whose time is over by a whole period is given up and told as missed. What a person
would do about a device that hangs in *speaking* is done: it is switched off and on.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from sim.device import SimulatedDevice
from sim.link import DeviceError, Stuck
from sim.microphone import WARM_UP_MS
from sim.result import TurnResult
from sim.swarm.connecting import Presence, Tell
from sim.swarm.lag import LoopLag
from sim.swarm.orders import AnswerSound, Spec
from sim.swarm.population import Member
from sim.swarm.records import TurnRecord
from sim.swarm.schedule import IntendedTurn
from sim.swarm.turns import Asked, held, not_held
from sim.swarm.utterances import Utterance

#: A device connects so long before its first turn: at random within this span.
_EARLY_S = (1.0, 3.0)
_RETRY_S = 1.0
#: Breath and clock beyond a frame that pass between a wish and the first sample.
_BREATH_MS = 10.0
#: A user interrupts, or pulls the plug, so long after the answer began, in ms.
_MIDDLE_MS = (200.0, 1500.0)

#: Faults that the user's own vanishing brings about.
_OWN_DOING = ("disconnected", "no tts stop", "no answer", "no audio", "frames lost", "early stop")


class Talker:
    """One talking device. Give it turns with `add`; `live` ends after `finish`."""

    def __init__(
        self,
        member: Member,
        spec: Spec,
        utterances: Sequence[Utterance],
        tell: Tell,
        lag: LoopLag,
    ) -> None:
        self.presence = Presence(member, spec, tell)
        self._spec = spec
        self._utterances = utterances
        self._tell = tell
        self._lag = lag
        self._loop = asyncio.get_running_loop()
        self._turns: deque[tuple[IntendedTurn, str]] = deque()
        self._leaves_at_s: float | None = None
        self._was_here = False
        self._running: Asked | None = None
        self._finished = False
        self._more = asyncio.Event()

    def add(self, turns: Sequence[IntendedTurn], phase: str) -> None:
        """Take part in a phase with these turns."""
        self._turns.extend((turn, phase) for turn in turns)
        self._leaves_at_s = None
        self._more.set()

    def leave_at(self, at_s: float) -> None:
        """Switch the device off then, after the turns that were given before."""
        self._leaves_at_s = at_s
        self._more.set()

    def finish(self) -> None:
        self._finished = True
        self._more.set()

    async def live(self) -> None:
        """Go through the turns until `finish`; ends with the device off."""
        try:
            while True:
                if self._turns:
                    intended, phase = self._turns.popleft()
                    await self._turn(intended, phase)
                elif self._finished:
                    return
                elif self._leaves_at_s is not None:
                    await self._until(self._leaves_at_s)
                    if self._leaves_at_s is not None and not self._turns:
                        self._leaves_at_s = None
                        self._was_here = False  # when it is wanted again, it comes early again
                        await self.presence.leave()
                else:
                    self._more.clear()
                    await self._more.wait()
        except asyncio.CancelledError:
            self._tell_what_is_open()
            raise
        finally:
            await self.presence.leave()

    def _tell_what_is_open(self) -> None:
        """The run ends now: turns that are running or should be have a record all the same."""
        now = self._loop.time()
        if self._running is not None:
            words = "the run ended before the turn did"
            self._tell(not_held(self._running, "unanswered", "no answer", words, now))
        for intended, phase in self._turns:
            if self._spec.base + intended.at_s < now:
                asked, _utterance = self._asked(intended, phase, random.Random())
                words = "the run ended while the turn before still ran"
                self._tell(not_held(asked, "missed", "no answer", words, now))

    async def _turn(self, intended: IntendedTurn, phase: str) -> None:
        dice = random.Random(f"{self._spec.seed}/turn/{intended.device}/{intended.turn}")
        await self._boot_before(intended, dice)
        await self._until(intended.at_s)
        asked, utterance = self._asked(intended, phase, dice)
        self._running = asked
        self._tell(await self._attempted(asked, utterance, dice))
        self._running = None
        if dice.random() < self._spec.habits.leaving:
            await self.presence.leave()

    async def _attempted(
        self, asked: Asked, utterance: Utterance, dice: random.Random
    ) -> TurnRecord:
        late_s = self._loop.time() - self._spec.base - asked.at_s
        if late_s > self._spec.talking.give_up_s:
            words = f"its time passed {late_s:.1f} s ago, while the turn before still ran"
            return not_held(asked, "missed", "no answer", words, self._loop.time())
        began = self._loop.time()
        try:
            device = self.presence.device if self.presence.connected else None
            if device is None:
                await self.presence.leave()
                device = await self.presence.connect()
            return await self._held(device, asked, utterance, dice, began)
        except Stuck as error:
            await self.presence.leave()
            return not_held(asked, "unanswered", "stuck", str(error), self._loop.time())
        except DeviceError as error:
            await self.presence.leave()
            now = self._loop.time()
            return not_held(asked, "not connected", "not connected", str(error), now)

    async def _held(
        self,
        device: SimulatedDevice,
        asked: Asked,
        utterance: Utterance,
        dice: random.Random,
        began: float,
    ) -> TurnRecord:
        habits, spec = self._spec.habits, self._spec
        interrupts = dice.random() < habits.interrupting
        vanishes = not interrupts and dice.random() < habits.vanishing
        middle_ms = dice.uniform(*_MIDDLE_MS)
        abort_after_ms = middle_ms if interrupts else None
        pull = None
        if vanishes:
            pull = self._loop.create_task(self._vanish(middle_ms / 1000))
        try:
            if asked.typed:
                result = await device.typed_turn(
                    asked.question.text,
                    timeout_s=spec.patience_s,
                    abort_after_ms=abort_after_ms,
                    linger_ms=spec.linger_ms,
                )
            else:
                result = await device.turn(
                    utterance.speech,
                    timeout_s=spec.patience_s,
                    abort_after_ms=abort_after_ms,
                    linger_ms=spec.linger_ms,
                )
        finally:
            if pull is not None:
                pull.cancel()
                await asyncio.gather(pull, return_exceptions=True)
        record_sound = dice.random() < spec.hear_share
        return await self._judged(device, asked, result, began, vanishes, record_sound)

    async def _judged(
        self,
        device: SimulatedDevice,
        asked: Asked,
        result: TurnResult,
        began: float,
        vanishes: bool,
        record_sound: bool,
    ) -> TurnRecord:
        if record_sound:
            self._tell(_sound(asked, result))
        # An answer that begins while we linger belongs to no turn: that device is not stuck.
        stuck = result.timed_out and device.connected and device.state == "speaking"
        record = held(
            asked,
            result,
            stuck=stuck,
            lag_ms=self._lag.worst_since(began),
            apologies=self._spec.apologies,
        )
        if stuck:
            await self.presence.leave()
        if vanishes and self.presence.device is None and record.outcome != "answered":
            faults = tuple(fault for fault in record.faults if fault not in _OWN_DOING)
            record = replace(record, outcome="interrupted", faults=faults, problems=())
        return record

    async def _vanish(self, after_s: float) -> None:
        await self.presence.answering.wait()
        await asyncio.sleep(after_s)
        await self.presence.leave()

    async def _boot_before(self, intended: IntendedTurn, dice: random.Random) -> None:
        """Connect ahead of a device's first turn, and go on trying until the turn is due."""
        if self.presence.device is not None or self._was_here:
            return
        self._was_here = True
        await self._until(intended.at_s - dice.uniform(*_EARLY_S))
        while self._loop.time() < self._spec.base + intended.at_s:
            try:
                device = await self.presence.connect()
                if self.presence.member.mode != "manual":
                    await device.listen()
                return
            except DeviceError:
                await asyncio.sleep(_RETRY_S)

    def _asked(
        self, intended: IntendedTurn, phase: str, dice: random.Random
    ) -> tuple[Asked, Utterance]:
        utterance = self._utterances[intended.turn % len(self._utterances)]
        speech, member = utterance.speech, self.presence.member
        opens = member.mode == "manual" or not self.presence.connected
        grid_ms = speech.first_audible_ms + 2 * member.frame_ms + _BREATH_MS
        asked = Asked(
            device=member.index,
            turn=intended.turn,
            phase=phase,
            at_s=intended.at_s,
            base=self._spec.base,
            question=utterance.question,
            speech_ms=speech.last_audible_ms - speech.first_audible_ms,
            typed=dice.random() < self._spec.habits.typing,
            grid_ms=grid_ms + (WARM_UP_MS + member.frame_ms if opens else 0.0),
        )
        return asked, utterance

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, self._spec.base + at_s - self._loop.time()))


def _sound(asked: Asked, result: TurnResult) -> AnswerSound:
    packets = (base64.b64encode(frame.opus).decode() for frame in result.trace.heard_frames)
    return AnswerSound(asked.device, asked.turn, result.rate_hz, tuple(packets))
