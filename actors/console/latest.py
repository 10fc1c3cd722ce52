"""The status as the HTTP side asks for it: one question at a time, for everybody.

A page per person and a health check per balancer ask every second or two, and each
answer costs a message to every actor. Promises: at most one question is under way,
an answer serves all who ask within `max_age_s`, and nobody waits beyond `timeout_s`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from actors.console.snapshot import StatusSnapshot

#: How long an answer is good for.
MAX_AGE_S = 0.5

#: How long the actors may take; a live actor answers a probe in milliseconds.
TIMEOUT_S = 2.0


class StatusUnavailable(Exception):
    """The actors gave no status; the text says why."""


class LatestStatus:
    """Asks for the status when somebody wants it and the last one is too old.

    `clock` gives seconds; only differences matter.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[StatusSnapshot]],
        clock: Callable[[], float],
        *,
        max_age_s: float = MAX_AGE_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._max_age_s = max_age_s
        self._timeout_s = timeout_s
        self._asking: asyncio.Task[StatusSnapshot] | None = None
        self._answer: StatusSnapshot | None = None
        self._answered_s = 0.0

    async def get(self) -> StatusSnapshot:
        """Return a status not older than `max_age_s`; raises `StatusUnavailable`."""
        # abs: a wall clock may be set back
        if self._answer and abs(self._clock() - self._answered_s) < self._max_age_s:
            return self._answer
        if self._asking is None:
            self._asking = asyncio.create_task(self._question())
            self._asking.add_done_callback(self._asked)
        # one client that goes away must not take the answer from the others
        return await asyncio.shield(self._asking)

    async def close(self) -> None:
        """Give up a question that is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking], timeout=self._timeout_s)

    async def _question(self) -> StatusSnapshot:
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._ask()
        except TimeoutError:
            raise StatusUnavailable(
                f"the actors did not answer within {self._timeout_s:g} s"
            ) from None
        self._answer, self._answered_s = answer, self._clock()
        return answer

    def _asked(self, question: asyncio.Task[StatusSnapshot]) -> None:
        self._asking = None
        if not question.cancelled():
            question.exception()  # seen, though every client may have gone
