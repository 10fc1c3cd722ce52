"""What stands beside the server and can be broken: databases, balancers, stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from sim.faults import targets
from sim.swarm.records import Recovery

LOOK_S: Final = 0.02
_ANSWER_S: Final = 1.0
_CONTROL_S: Final = 5.0


class Undoable(Exception):
    """A fault that could not be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """A process beside the server, or the server's own first one ("launcher").

    `pid` finds it (None: it does not run); `start` brings it up again when nobody else
    does; `answers` says whether it serves. Without `answers`, running is serving.
    """

    pid: Callable[[], int | None]
    start: Callable[[], Awaitable[None]] | None = None
    answers: Callable[[], Awaitable[bool]] | None = None

    async def serves(self) -> bool:
        pid = self.pid()
        if pid is None or not targets.is_running(pid) or targets.is_stopped(pid):
            return False
        return self.answers is None or await self.answers()


def answers_on(host: str, port: int) -> Callable[[], Awaitable[bool]]:
    """For `Part.answers`: whether a TCP connection is accepted there within a second."""

    async def answers() -> bool:
        try:
            async with asyncio.timeout(_ANSWER_S):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.transport.abort()
        return True

    return answers


async def come_back(
    name: str,
    part: Part,
    pid: int,
    hit_at: float,
    clock: Callable[[], float],
    within_s: float,
) -> Recovery:
    """Look until `part` serves again after the fault at `hit_at`, or `within_s` passed.

    It was `pid` that was hit; it may come back under another pid or as the same process.
    """
    gone_s = back_s = not_ready_s = ready_s = None
    new_pid: int | None = None
    while ready_s is None and clock() - hit_at < within_s:
        since_s = clock() - hit_at
        if gone_s is None and not targets.is_running(pid):
            gone_s = since_s
        now_pid = part.pid()
        if now_pid not in (None, pid) and back_s is None:
            back_s, new_pid = since_s, now_pid
        if await part.serves():
            ready_s = clock() - hit_at
        else:
            not_ready_s = since_s
            await asyncio.sleep(LOOK_S)
    recovered = ready_s is not None
    return Recovery(name, "part", pid, recovered, gone_s, back_s, new_pid, not_ready_s, ready_s)


async def exchange(method: str, url: str, body: Any = None) -> Any:
    """JSON to a stand-in's control address and back. Raises `Undoable`."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_CONTROL_S)) as session,
            session.request(method, url, json=body) as answer,
        ):
            told = await answer.json()
            if answer.status != 200:
                raise Undoable(f"{url} answered {answer.status}: {told}")
            return told
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Undoable(f"{url} did not answer ({error or type(error).__name__})") from None
