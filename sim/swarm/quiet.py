"""Devices that do not talk: open silent microphones, and connected idle ones.

They stay connected while they take part, and come back after a while when the server
or the network drops them.
"""

from __future__ import annotations

import asyncio
import random

from sim.link import DeviceError
from sim.swarm.connecting import Presence, Tell
from sim.swarm.orders import Spec
from sim.swarm.population import Member

#: A dropped device comes back after so long, at random.
_BACK_AFTER_S = (1.0, 3.0)
#: Devices of one phase connect spread over this time before it begins.
_SPREAD_S = 3.0
_LOOKS_EVERY_S = 0.5


class Quiet:
    """A listener or an idler. `take_part` until the given moments; `live` ends after `finish`."""

    def __init__(self, member: Member, spec: Spec, tell: Tell) -> None:
        self.presence = Presence(member, spec, tell)
        self._spec = spec
        self._loop = asyncio.get_running_loop()
        self._dice = random.Random(f"{spec.seed}/quiet/{member.index}")
        self._from_s = float("inf")
        self._until_s = float("-inf")
        self._finished = False

    def take_part(self, start_s: float, end_s: float) -> None:
        """Be there in this span; it may adjoin the one before."""
        if self._until_s < start_s:
            self._from_s = start_s - self._dice.uniform(0.0, _SPREAD_S)
        self._until_s = end_s

    def finish(self) -> None:
        self._finished = True

    async def live(self) -> None:
        try:
            while not self._finished:
                now_s = self._loop.time() - self._spec.base
                wanted = self._from_s <= now_s < self._until_s
                if wanted and not self.presence.connected:
                    await self._come()
                elif not wanted and self.presence.device is not None:
                    await self.presence.leave()
                await asyncio.sleep(_LOOKS_EVERY_S)
        finally:
            await self.presence.leave()

    async def _come(self) -> None:
        if self.presence.device is not None:
            await self.presence.leave()
            await asyncio.sleep(self._dice.uniform(*_BACK_AFTER_S))
        try:
            device = await self.presence.connect()
            if self.presence.member.role == "listener":
                await device.listen()
        except DeviceError:
            await asyncio.sleep(self._dice.uniform(*_BACK_AFTER_S))
