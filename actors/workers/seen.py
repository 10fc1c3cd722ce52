"""The memory of having been seen to work, for the probes of paid or throttled services. Pure."""

from __future__ import annotations

#: A probe believes a success of this age; a younger one needs no call of its own.
SEEN_VALID_S = 120.0


class Seen:
    """When this engine was last seen to work; times are seconds, passed in."""

    def __init__(self) -> None:
        self._at: float | None = None

    def worked(self, now: float) -> None:
        self._at = now

    def failed(self) -> None:
        self._at = None

    def age_s(self, now: float) -> float | None:
        """Seconds since it worked; None when that is too long ago, or it failed since."""
        if self._at is None or now - self._at > SEEN_VALID_S:
            return None
        return now - self._at
