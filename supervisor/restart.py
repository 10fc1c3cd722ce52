"""Restart policy as pure data: when a child that ended is started again.

One-for-one: the first restart is immediate. A child that ends before it was
ready, or within `stable_s` of that, waits longer each time (with jitter, so that
many do not come back in step). More than `limit` ends within `window_s`, or more than
`early_limit` in a row, is too much: the supervisor gives up on it for `slow_retry_s` and
serves without it. Where nobody is served without it, that escalates (`Escalation`): a
level above everything is started anew, once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_MAX_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Times in seconds."""

    first_backoff_s: float = 0.1
    max_backoff_s: float = 5.0
    stable_s: float = 5.0
    limit: int = 10
    window_s: float = 10.0
    #: Back-off alone keeps ends below the limit; so many in a row without one stable
    #: run in between are too much as well.
    early_limit: int = 8
    slow_retry_s: float = 15.0


@dataclass(slots=True)
class RestartHistory:
    """What one child did so far; changed only through its methods."""

    policy: RestartPolicy = field(default_factory=RestartPolicy)
    restarts: int = 0
    last_reason: str = ""
    _early: int = 0
    _ready_at: float | None = None
    _ends: deque[float] = field(default_factory=deque)

    def became_ready(self, now: float) -> None:
        self._ready_at = now

    def ended(self, now: float, reason: str, jitter: float) -> float:
        """Record an end; return the seconds to wait before the next start.

        `jitter` is a random number in [0, 1).
        """
        policy = self.policy
        self.restarts += 1
        self.last_reason = reason
        stable = self._ready_at is not None and now - self._ready_at >= policy.stable_s
        served = self._ready_at is not None
        self._ready_at = None
        self._ends.append(now)
        while self._ends and self._ends[0] <= now - policy.window_s:
            self._ends.popleft()
        if len(self._ends) > policy.limit:
            self._early = 0
            return policy.slow_retry_s * (1 + 0.2 * jitter)
        if stable:
            self._early = 0
            return 0.0
        self._early += 1
        if self._early == 1 and served:
            return 0.0
        if self._early > policy.early_limit:
            return policy.slow_retry_s * (1 + 0.2 * jitter)
        # Capped twice: a child may fail for days, and no float is that large.
        backoff: float = policy.first_backoff_s * 2.0 ** min(self._early - 1, _MAX_DOUBLINGS)
        return min(policy.max_backoff_s, backoff) * (0.8 + 0.4 * jitter)

    @property
    def given_up(self) -> bool:
        """Too many ends within the window, or in a row: only slow retries happen."""
        policy = self.policy
        return len(self._ends) > policy.limit or self._early > policy.early_limit


@dataclass(slots=True)
class Escalation:
    """Whether all is started anew because a child that all need was given up.

    Once: a new start may mend what the restarts of one child did not. Where it did not,
    the next will not either, and would only end the healthy for it. Again after `again_s`.
    """

    again_s: float = 600.0
    _last: float | None = None

    def asked(self, now: float) -> bool:
        """A child was given up at `now`: start all anew?"""
        if self._last is not None and now - self._last < self.again_s:
            return False
        self._last = now
        return True
