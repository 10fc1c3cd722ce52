"""Sample rate conversion of a stream, by soxr.

The filter holds back some milliseconds until more arrives or the stream ends, so
a whole stream in equals a whole stream out, in pieces of any size.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray


class Resampler:
    """One mono int16 stream from `from_hz` to `to_hz`; equal rates pass through."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"rates must be positive: from_hz {from_hz}, to_hz {to_hz}")
        self._stream = (
            None
            if from_hz == to_hz
            else soxr.ResampleStream(from_hz, to_hz, 1, dtype="int16", quality="HQ")
        )

    def push(self, pcm: NDArray[np.int16], last: bool = False) -> NDArray[np.int16]:
        """Return what is ready; `last` ends the stream, and the next push starts another."""
        if self._stream is None:
            return pcm
        out: NDArray[np.int16] = self._stream.resample_chunk(pcm, last=last)
        if last:
            self._stream.clear()
        return out
