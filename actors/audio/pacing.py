"""When the next frame may leave: the downlink's clockwork, without a clock.

Devices have no jitter buffer worth the name and silently drop what they cannot
queue (40 packets, 10 on old firmware), so frames leave on an absolute grid: never
more than `lead_frames` ahead of what the device plays, and never later than the
grid because an earlier wake-up was late. All times are seconds of one monotonic
clock that the caller reads.

A turn: `begin(now)` after tts start; whenever the time of `next_due()` has come
send up to `due(now)` frames and report them by `sent(n, now)`; `dry(now)` when
there is nothing to send; tts stop after `played_until()` plus a margin.
"""

from __future__ import annotations

import math

#: Two times closer than this are the same: far below a sample, far above rounding.
_SAME_S = 1e-6


class Pacer:
    """Frame k may leave at t0 + (k - lead_frames + 1) frame times, not before t0.

    When the device has run out of audio its playback is late by that much for good,
    so the grid moves with it: a late frame never leads to a burst that would be more
    than the lead. With a lead of one frame every frame is due at the very moment at
    which the device runs out; then half a frame of lateness is forgiven, or the
    playback would stumble at each wake-up. That is the only case in which a device may
    hold more than the lead, by that half frame.
    """

    def __init__(self, frame_ms: int, lead_frames: int) -> None:
        if frame_ms <= 0 or lead_frames <= 0:
            raise ValueError(f"frame_ms {frame_ms} and lead_frames {lead_frames} must be positive")
        self._frame_s = frame_ms / 1000
        self._lead = lead_frames
        self._grace_s = self._frame_s / 2 if lead_frames == 1 else 0.0
        self.reset()

    def reset(self) -> None:
        """Forget the schedule: nothing is due until the next `begin`."""
        self._origin_s: float | None = None
        self._count = 0
        self._ends_s = -math.inf

    def begin(self, now: float) -> None:
        """Start a schedule whose first frame may leave at `now`."""
        self._origin_s = now
        self._count = 0
        self._ends_s = now

    def due(self, now: float) -> int:
        """How many frames may be sent now; 0 before `begin`."""
        if self._origin_s is None or now < self._origin_s - _SAME_S:
            return 0
        ahead_s = self._grid_end() - now
        if ahead_s < -self._grace_s:
            return self._lead
        free = (self._lead * self._frame_s - ahead_s + _SAME_S) / self._frame_s
        return max(0, min(self._lead, math.floor(free)))

    def next_due(self) -> float | None:
        """The time at which the next frame may leave (perhaps past); None before `begin`."""
        if self._origin_s is None:
            return None
        ahead = self._count - self._lead + 1
        return self._origin_s + max(0, ahead) * self._frame_s

    def sent(self, n: int = 1, now: float | None = None) -> None:
        """Count `n` frames that left at `now` (None: exactly when they were due)."""
        if self._origin_s is None:
            raise RuntimeError("Pacer.sent before Pacer.begin: begin the schedule first")
        if n <= 0:
            return
        if now is None:
            now = self._origin_s
        self._rebase(now)
        self._count += n
        self._ends_s = max(self._ends_s, now) + n * self._frame_s

    def dry(self, now: float) -> None:
        """Nothing to send at `now`: if the device has run out too, the grid moves to now."""
        if self._origin_s is not None:
            self._rebase(now)

    def played_until(self) -> float:
        """When the last sent frame ends on the device, the network's delay apart.

        Before anything was sent: the time of `begin`, or -inf without one.
        """
        return self._ends_s

    def _grid_end(self) -> float:
        assert self._origin_s is not None
        return self._origin_s + self._count * self._frame_s

    def _rebase(self, now: float) -> None:
        if now > self._grid_end() + self._grace_s:
            self._origin_s = now
            self._count = 0
            self._ends_s = now
