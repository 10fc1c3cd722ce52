"""Is it louder than the room? The cheap question before the model's dear one.

A window passes when it is `gate_db` above the noise floor. The floor is the
quietest window of the last two seconds, so a steady noise, however loud, is the
floor itself two seconds after it began, and the first quiet window brings it down
at once. Speech has dips in every two seconds, so it does not lift its own floor.

Two bands are watched, each with a floor of its own, and either may pass: around
500 Hz, where voices are loudest, and around 2 kHz, where a hum or a fan is not. Below
them nothing is watched: rumble has most of a room's energy and none of its words, and
it sways so much that a floor under it would be passed every second.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

#: No room is taken to be quieter than this, or the codec's comfort noise would
#: pass for a sound after digital silence. Speech across a room is near -45 dBFS.
_QUIETEST_DB = -62.0
#: (x[n] - x[n-d]) / 2 at 16 kHz passes most at 8000 / d Hz: 500 Hz and 2 kHz.
_LOW_LAG_SAMPLES = 16
_HIGH_LAG_SAMPLES = 4
#: The floor looks back over this many blocks of so many windows (32 ms each): 2 s.
_BLOCKS = 8
_BLOCK_WINDOWS = 8
_FULL_SCALE_SQUARED = 32768.0**2


class _Floor:
    """Minimum of the last `_BLOCKS` blocks, by block minima: a few operations a window."""

    def __init__(self) -> None:
        self._blocks: deque[float] = deque([_QUIETEST_DB], maxlen=_BLOCKS)
        self._current = math.inf
        self._windows = 0
        self.db = _QUIETEST_DB

    def feed(self, level_db: float) -> None:
        level_db = max(level_db, _QUIETEST_DB)
        self._current = min(self._current, level_db)
        self.db = min(self.db, level_db)
        self.pass_time()

    def pass_time(self) -> None:
        """One window went by; it counts only if `feed` has taken its level."""
        self._windows += 1
        if self._windows < _BLOCK_WINDOWS:
            return
        if self._current < math.inf:
            self._blocks.append(self._current)
            self.db = min(self._blocks)
        self._windows = 0
        self._current = math.inf


class EnergyGate:
    """Feed every window of one stream; it forgets nothing between utterances.

    At the start of a stream the room is unknown and taken to be quiet, so nothing is
    missed: a noise passes for its first two seconds.
    """

    def __init__(self, gate_db: float) -> None:
        self._gate_db = gate_db
        self._low = _Floor()
        self._high = _Floor()

    @property
    def noise_db(self) -> float:
        """The floor of the louder band in dBFS, at least -62."""
        return max(self._low.db, self._high.db)

    def feed(self, window: NDArray[np.int16]) -> bool:
        """Take some 30 ms at 16 kHz; True: louder than the room, may be speech."""
        samples = window.astype(np.float32)
        low = self._louder(self._low, samples, _LOW_LAG_SAMPLES)
        return self._louder(self._high, samples, _HIGH_LAG_SAMPLES) or low

    def skip(self) -> None:
        """A window went by that the device itself took for silence and did not send.

        What the codec makes up in its place is quieter than the room and must not
        become the floor, or the room would pass whenever it is sent again.
        """
        self._low.pass_time()
        self._high.pass_time()

    def _louder(self, floor: _Floor, samples: NDArray[np.float32], lag: int) -> bool:
        band = samples[lag:] - samples[:-lag]
        power = float(np.dot(band, band)) / (4 * _FULL_SCALE_SQUARED * max(1, len(band)))
        level_db = 10.0 * math.log10(power) if power > 0.0 else -math.inf
        # Judged before it is counted: the quietest of two seconds is no sound itself.
        louder = level_db > floor.db + self._gate_db
        floor.feed(level_db)
        return louder
