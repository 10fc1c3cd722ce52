"""The sound of an answer, as a listener at the device hears it.

Pure. Packets are decoded after the turn, not while it runs: a swarm needs only the
first audible sample, and the rest costs time that would disturb its schedule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from actors.audio.opus import Decoder, OpusError
from sim.sound import Pcm, first_audible
from sim.timeline import Frame

#: Holes shorter than this are clock noise, not silence.
_HOLE_MS = 1.0


def audible_at(frames: Sequence[Frame], rate_hz: int) -> float | None:
    """When the first audible sample leaves the loudspeaker; None if all is silence.

    Decodes from the start only as far as needed. `frames` are those that play.
    """
    decoder = Decoder(rate_hz)
    for frame in frames:
        try:
            pcm = decoder.decode(frame.opus)
        except OpusError:
            continue
        found = first_audible(pcm, rate_hz)
        if found is not None and frame.plays_at is not None:
            return frame.plays_at + found / rate_hz
    return None


def decode_answer(frames: Sequence[Frame], rate_hz: int, frame_ms: int) -> Pcm:
    """All that is heard, at `rate_hz`, holes in playback kept as silence.

    A packet that is no Opus is heard as what the decoder makes of a lost one.
    """
    decoder = Decoder(rate_hz)
    frame_samples = rate_hz * frame_ms // 1000
    pieces: list[Pcm] = []
    ends_at: float | None = None
    for frame in frames:
        if frame.plays_at is None:
            continue
        if ends_at is not None and (hole_ms := (frame.plays_at - ends_at) * 1000) > _HOLE_MS:
            pieces.append(np.zeros(round(rate_hz * hole_ms / 1000), np.int16))
        try:
            pieces.append(decoder.decode(frame.opus))
        except OpusError:
            pieces.append(decoder.conceal(frame_samples))
        ends_at = frame.plays_at + frame_ms / 1000
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)
