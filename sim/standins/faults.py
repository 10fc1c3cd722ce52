"""What a stand-in does wrong, and how slowly: settable at start and while it runs.

A stand-in speaks the real wire protocol of the part that it stands in for. Two sets of
settings make it slow or broken in the ways that the real part is, and add up: *faults*,
exact values for tests, and a *profile*, the distributions and limits of a real service.

| address | does |
|---|---|
| GET, PUT /standin/faults | the `Faults` now in force; replaces them |
| GET, PUT /standin/profile | the profile now in force; replaces it by `{"name": …}` and changed members, `"seed"` among them |
| GET /standin/load | requests served, waiting and refused |
| GET /standin/requests | what was asked of the stand-in, so that a test can assert it |
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.standins import profiles
from sim.standins.capacity import Burners, Capacity
from sim.standins.profiles import Course, Profile, ProfileError, Service, Throttling

#: Requests remembered for assertions; older ones are forgotten.
REMEMBERED_REQUESTS = 1000


class Faults(BaseModel):
    """Delays in milliseconds; a fault applies to every request while it is set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connect_ms: float = Field(0, ge=0, description="before the request is answered at all")
    first_ms: float = Field(0, ge=0, description="before the first token or audio chunk")
    next_ms: float = Field(0, ge=0, description="between further tokens or chunks")
    status: int | None = Field(None, description="answer with this HTTP status and an error body")
    hang: bool = Field(False, description="accept the request and never answer")
    cut_after: int | None = Field(
        None, ge=0, description="drop the connection after so many chunks"
    )
    error_after: int | None = Field(
        None, ge=0, description="an error inside the stream after so many chunks"
    )
    no_done: bool = Field(False, description="end the stream without its end mark")
    empty: bool = Field(False, description="a well-formed answer without content")
    answer: str = Field("", description="text to answer; {question} is what was asked")


class StandInState:
    """What is in force now, the load, and the requests seen; one per stand-in process.

    `slots` and `queue` are the stand-in's own limits; a profile with slots overrides
    them.
    """

    def __init__(
        self, faults: Faults | None = None, *, slots: int | None = None, queue: int = 512
    ) -> None:
        self.faults = faults or Faults()
        self.requests: deque[dict[str, Any]] = deque(maxlen=REMEMBERED_REQUESTS)
        #: Streams that the client closed before their end (cancellation, seen by the server).
        self.cancelled = 0
        self.capacity = Capacity(slots, queue)
        self.burners = Burners()
        self.served = 0
        self.refused: Counter[int] = Counter()
        self._own_limits = (slots, queue)
        self.use(profiles.NONE)

    def use(self, profile: Profile, seed: int = 0) -> None:
        """Behave like `profile` from the next request on."""
        self.profile, self.seed = profile, seed
        self._count = 0
        self._throttling = Throttling(profile.throttle, seed, time.monotonic())
        limits = (profile.slots, profile.queue) if profile.slots else self._own_limits
        self.capacity.resize(*limits)
        self.burners.start(profile.burn_threads, profile.burn_share)

    def next_course(self, service: Service) -> Course:
        """What the next request meets."""
        self._count += 1
        return Course(self.profile, service, self.seed, self._count)

    def throttled(self) -> int | None:
        """The status that refuses one more request now, or None."""
        at_once = self.capacity.active + self.capacity.waiting + 1
        return self._throttling.refusal(time.monotonic(), at_once)

    def note(self, what: str, **members: Any) -> None:
        self.requests.append({"what": what, **members})

    def load(self) -> dict[str, Any]:
        return {
            "active": self.capacity.active,
            "waiting": self.capacity.waiting,
            "served": self.served,
            "refused": {str(status): count for status, count in self.refused.items()},
        }


STATE: web.AppKey[StandInState] = web.AppKey("standin_state", StandInState)


def add_control_routes(app: web.Application, state: StandInState) -> None:
    """Give `app` the control addresses, and remember `state` under `STATE`."""
    app[STATE] = state

    async def put_faults(request: web.Request) -> web.Response:
        try:
            state.faults = Faults.model_validate(await request.json())
        except (ValidationError, json.JSONDecodeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(state.faults.model_dump())

    async def put_profile(request: web.Request) -> web.Response:
        try:
            wanted = await request.json()
            seed = wanted.pop("seed", 0) if isinstance(wanted, dict) else 0
            if not isinstance(seed, int):
                raise ProfileError(f"seed is {seed!r}; give a whole number")
            state.use(profiles.parse(wanted), seed)
        except (ProfileError, json.JSONDecodeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return get_profile_now()

    def get_profile_now() -> web.Response:
        return web.json_response(state.profile.model_dump() | {"seed": state.seed})

    async def get_faults(_: web.Request) -> web.Response:
        return web.json_response(state.faults.model_dump())

    async def get_profile(_: web.Request) -> web.Response:
        return get_profile_now()

    async def get_load(_: web.Request) -> web.Response:
        return web.json_response(state.load())

    async def get_requests(_: web.Request) -> web.Response:
        return web.json_response({"requests": list(state.requests), "cancelled": state.cancelled})

    async def end(_: web.Application) -> None:
        state.burners.end()

    app.router.add_get("/standin/faults", get_faults)
    app.router.add_put("/standin/faults", put_faults)
    app.router.add_get("/standin/profile", get_profile)
    app.router.add_put("/standin/profile", put_profile)
    app.router.add_get("/standin/load", get_load)
    app.router.add_get("/standin/requests", get_requests)
    app.on_cleanup.append(end)
