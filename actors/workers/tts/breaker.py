"""A circuit breaker: leave a service alone that refuses us. Pure; times are passed in.

Closed, every call may go. After `FAILURES` refusals in a row it opens for
`FIRST_OPEN_S`; then one call may try. If that is refused too it opens for twice
as long, up to `LONGEST_OPEN_S`; if it works the breaker is closed again.
"""

from __future__ import annotations

FAILURES = 3
FIRST_OPEN_S = 15.0
LONGEST_OPEN_S = 300.0


class Breaker:
    """State of one service; `now` is any clock in seconds that does not go back."""

    def __init__(self) -> None:
        self._refusals = 0
        self._open_s = FIRST_OPEN_S
        self._closed_at: float | None = None
        self._trying = False

    def wait_s(self, now: float) -> float:
        """Return 0 if a call may go now, else the seconds until one may try."""
        if self._closed_at is None:
            return 0.0
        if self._trying:
            return self._open_s
        return max(0.0, self._closed_at - now)

    def starts(self) -> None:
        """A call goes out. While the breaker is open it is the one that tries."""
        self._trying = self._closed_at is not None

    def worked(self) -> None:
        self._refusals, self._open_s = 0, FIRST_OPEN_S
        self._closed_at, self._trying = None, False

    def gave_up(self) -> None:
        """A call ended without telling anything (cancelled): another one may try."""
        self._trying = False

    def refused(self, now: float) -> None:
        self._refusals += 1
        if self._closed_at is not None and self._trying:
            self._open_s = min(self._open_s * 2, LONGEST_OPEN_S)
        elif self._refusals < FAILURES:
            return
        self._closed_at, self._trying = now + self._open_s, False
