"""One simulated device's connection over a run: booting, connecting, being dropped.

A device asks the OTA address once, at its boot, as firmware does. Every connection and
every end of one is told as a `ConnectionRecord`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sim.device import SimulatedDevice
from sim.link import DeviceError
from sim.ota import OtaError, ask_ota, check_url
from sim.profile import DeviceProfile
from sim.swarm.orders import Report, Spec
from sim.swarm.population import Member
from sim.swarm.records import ConnectionKind, ConnectionRecord
from sim.timeline import Event

Tell = Callable[[Report], None]

#: What a person sees the device do; other events do not change it.
_DOING = {
    "speech_started": "speaking",
    "speech_ended": "waiting",
    "speech_cut": "waiting",
    "typed": "waiting",
    "tts_start": "hearing",
    "tts_stop": "",
    "closed": "",
}
#: Close codes of a server that ends a conversation on purpose.
_NORMAL_CODES = ("1000", "1001")


class Presence:
    """A device and its connection; `doing` is "speaking", "waiting", "hearing" or ""."""

    def __init__(self, member: Member, spec: Spec, tell: Tell) -> None:
        self.member = member
        self.doing = ""
        self.device: SimulatedDevice | None = None
        #: Set while the answer of the running turn is being spoken.
        self.answering = asyncio.Event()
        self._spec = spec
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._profile: DeviceProfile | None = None
        self._is_up = False

    @property
    def connected(self) -> bool:
        return self.device is not None and self.device.connected

    async def connect(self) -> SimulatedDevice:
        """Boot if need be, and open the channel. Raises `DeviceError` in words."""
        began = self._loop.time()
        try:
            if self._profile is None:
                self._profile = await self._boot()
            self.device = SimulatedDevice(self._profile, self._saw)
            await self.device.connect()
        except (DeviceError, OtaError) as error:
            self._note("failed", took_ms=(self._loop.time() - began) * 1000, detail=str(error))
            self.device = None
            raise DeviceError(str(error)) from None
        self._is_up = True
        self._note("connected", took_ms=(self._loop.time() - began) * 1000)
        return self.device

    async def leave(self) -> None:
        """Drop the connection without a Close frame, as firmware does."""
        device, self.device, self._is_up = self.device, None, False
        if device is not None:
            was_connected = device.connected
            await device.close()
            if was_connected:
                self._note("left")
        self.doing = ""

    async def _boot(self) -> DeviceProfile:
        url, token, member = self._spec.url, self._spec.token, self.member
        if self._spec.ota:
            reply = await ask_ota(self._spec.ota, member.device_id, member.client_id)
            url, token = reply.url, token or reply.token
        return member.profile(check_url(url), token)

    def _saw(self, event: Event) -> None:
        self.doing = _DOING.get(event.kind, self.doing)
        if event.kind == "tts_start":
            self.answering.set()
        elif event.kind in ("turn", "tts_stop", "closed"):
            self.answering.clear()
        if event.kind == "closed" and self._is_up and self.device is not None:
            self._is_up = False
            cut = not any(f"with {code}" in event.text for code in _NORMAL_CODES)
            self._note("dropped", cut=cut, detail=event.text)

    def _note(
        self,
        kind: ConnectionKind,
        took_ms: float | None = None,
        cut: bool = False,
        detail: str = "",
    ) -> None:
        at_s = self._loop.time() - self._spec.base
        record = ConnectionRecord(self.member.index, at_s, kind, took_ms, cut, detail)
        self._tell(record)
