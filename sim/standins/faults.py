"""What a stand-in does wrong, and how slowly: settable at start and while it runs.

A stand-in speaks the real wire protocol of the part that it stands in for. These
settings make it slow or broken in the ways that the real part is. `PUT
/standin/faults` replaces them (JSON members as below), `GET /standin/requests`
returns what was asked of the stand-in, so that a test can assert it.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
    answer: str = Field("", description="text to answer instead of the built-in one")


class StandInState:
    """The faults now in force and the requests seen; one per stand-in process."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.requests: deque[dict[str, Any]] = deque(maxlen=REMEMBERED_REQUESTS)
        #: Streams that the client closed before their end (cancellation, seen by the server).
        self.cancelled = 0

    def note(self, what: str, **members: Any) -> None:
        self.requests.append({"what": what, **members})


STATE: web.AppKey[StandInState] = web.AppKey("standin_state", StandInState)


def add_control_routes(app: web.Application, state: StandInState) -> None:
    """Give `app` the two control addresses, and remember `state` under `STATE`."""
    app[STATE] = state

    async def put_faults(request: web.Request) -> web.Response:
        try:
            state.faults = Faults.model_validate(await request.json())
        except (ValidationError, json.JSONDecodeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(state.faults.model_dump())

    async def get_requests(_: web.Request) -> web.Response:
        return web.json_response({"requests": list(state.requests), "cancelled": state.cancelled})

    app.router.add_put("/standin/faults", put_faults)
    app.router.add_get("/standin/requests", get_requests)
