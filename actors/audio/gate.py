"""Is it louder than the room? The cheap question before the model's dear one.

A window passes when it is `gate_db` above the noise floor. The floor is the
quietest window of the last two seconds, so a steady noise, however loud, is the
floor itself two seconds after it began, and the first quiet window brings it down
at once. Speech has dips in every two seconds, so it does not lift its own floor.

Two levels are watched, each with a floor of its own: the whole band, and the band
around 2 kHz, which a mains hum or a fan's rumble does not reach; so soft speech
over a loud hum still passes.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

#: No room is taken to be quieter than this, or the codec's comfort noise would
#: pass for a sound after digital silence. Speech across a room is near -45 dBFS.
_QUIETEST_DB = -62.0
#: x[n] - x[n-4] at 16 kHz: nothing at 0 Hz, 22 dB down at 50 Hz, most at 2 kHz.
_COMB_SAMPLES = 4
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
        self._windows += 1
        if self._windows == _BLOCK_WINDOWS:
            self._blocks.append(self._current)
            self._windows = 0
            self._current = math.inf
            self.db = min(self._blocks)
        elif level_db < self.db:
            self.db = level_db


class EnergyGate:
    """Feed every window of one stream; it forgets nothing between utterances.

    At the start of a stream the room is unknown and taken to be quiet, so nothing is
    missed: a noise passes for its first two seconds.
    """

    def __init__(self, gate_db: float) -> None:
        self._gate_db = gate_db
        self._whole = _Floor()
        self._middle = _Floor()

    @property
    def noise_db(self) -> float:
        """The whole band's noise floor in dBFS (RMS; 0 is a full-scale square wave)."""
        return self._whole.db

    def feed(self, window: NDArray[np.int16]) -> bool:
        """Take some 30 ms at 16 kHz; True: louder than the room, may be speech."""
        samples = window.astype(np.float32)
        middle = samples[_COMB_SAMPLES:] - samples[:-_COMB_SAMPLES]
        passed = self._louder(self._whole, samples)
        return self._louder(self._middle, middle) or passed

    def _louder(self, floor: _Floor, samples: NDArray[np.float32]) -> bool:
        power = float(np.dot(samples, samples)) / max(1, len(samples)) / _FULL_SCALE_SQUARED
        level_db = 10.0 * math.log10(power) if power > 0.0 else -math.inf
        # Judged before it is counted: the quietest of two seconds is no sound itself.
        louder = level_db > floor.db + self._gate_db
        floor.feed(level_db)
        return louder
