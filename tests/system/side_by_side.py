"""Many cases at the same time in one event loop, each reported as a test of its own.

A turn lasts as long as its speech; cases that do not touch each other need not wait
for each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

#: Longer than any case that goes right, on a busy host too.
CASE_S = 90.0

Case = Callable[[], Awaitable[None]]

#: For tests whose fixture runs all the cases: the first of them waits for the slowest.
takes_long = pytest.mark.timeout(150)


class Outcomes:
    """How each case went."""

    def __init__(self, errors: Mapping[str, Exception | None]) -> None:
        self._errors = errors

    def check(self, name: str) -> None:
        """Raise what this case raised."""
        error = self._errors[name]
        if error is not None:
            raise error


def side_by_side(cases: Mapping[str, Case]) -> Outcomes:
    """Run all of them; a failure of one ends only that one."""

    async def one(case: Case) -> Exception | None:
        try:
            async with asyncio.timeout(CASE_S):
                await case()
        except Exception as error:
            return error
        return None

    async def everything() -> list[Exception | None]:
        return await asyncio.gather(*map(one, cases.values()))

    return Outcomes(dict(zip(cases, asyncio.run(everything()), strict=True)))
