"""How much work the server and the stand-ins say they have done: asked, not guessed.

Our own server tells in its status what each engine has finished, a stand-in how many
requests it served. Whoever does not answer has no count; a run goes on without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from sim.swarm import host
from sim.swarm.records import STANDIN, CallSample, Phase
from sim.swarm.surroundings import Surroundings

_TIMEOUT_S = 2.0


class CallCounter:
    """Tells a `CallSample` at both ends of each phase, times in s by `now_s`.

    `after_s` behind them: those who began to speak just then are about to be answered.
    """

    def __init__(
        self,
        around: Surroundings,
        tell: Callable[[CallSample], None],
        now_s: Callable[[], float],
        after_s: float,
    ) -> None:
        self.after_s = after_s
        self._around = around
        self._tell = tell
        self._now_s = now_s
        self._phases: asyncio.Queue[Phase] = asyncio.Queue()  # no more than a scenario has

    def begin(self, phase: Phase) -> None:
        """This phase is ordered; it follows those before it."""
        self._phases.put_nowait(phase)

    async def count(self) -> None:
        """Go through the phases, for ever."""
        while True:
            phase = await self._phases.get()
            for at_s in (phase.start_s, phase.end_s):
                await asyncio.sleep(max(0.0, at_s + self.after_s - self._now_s()))
                await self.note(phase.name)

    async def note(self, phase: str) -> None:
        """Ask now; nothing is told where nobody answers."""
        target = self._around.target
        status = target.status or host.status_address(target.ota)
        found = await served(status, self._around.standins)
        if found:
            self._tell(CallSample(self._now_s(), phase, found))


async def served(status: str, standins: Mapping[str, str]) -> dict[str, int]:
    """The counts by now: "KIND/ENGINE" of the status at `status` ("": none is asked), and
    "standin:NAME" of each stand-in at its address."""
    limit = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=limit) as session:
        told, *loads = await asyncio.gather(
            _json(session, status),
            *(_json(session, f"{url}/standin/load") for url in standins.values()),
        )
    found = engines(told)
    for name, load in zip(standins, loads, strict=True):
        if isinstance(load, dict) and isinstance(load.get("served"), int):
            found[STANDIN + name] = load["served"]
    return found


def engines(status: Any) -> dict[str, int]:
    """What each engine has finished, by our own server's status; empty for anything else."""
    try:
        router = next(each for each in status["actors"] if each["kind"] == "router")
        told = router["detail"]["engines"]
        return {str(name): int(each["served"]) for name, each in told.items()}
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration):
        return {}


async def _json(session: aiohttp.ClientSession, url: str) -> Any:
    if not url:
        return None
    try:
        async with session.get(url) as answer:
            return await answer.json()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
