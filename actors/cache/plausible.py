"""Can these packets be the speech of this text? What cannot is not kept.

Pure. A cut-off sound that was kept would be heard for hours; so its length must fit the
words, within wide limits, and every packet must be one that the codec can make.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from actors.cache.sounds import MAX_ENTRY_BYTES

#: libopus never needs more for one packet (opus_encode's documentation).
MAX_PACKET_BYTES: Final = 4000

#: Speech for one written character, at the fastest and at the slowest.
_CHARACTER_MS: Final = (50, 1500)
#: A Latin letter is mostly part of a word, a digit may be a zero of a million.
_LATIN_MS: Final = (8, 1500)
#: Silence around the words, and pauses at the marks in between.
_SILENCE_MS: Final = 4000


def problem(text: str, frames: Sequence[bytes], frame_ms: int) -> str:
    """Why this is no speech of `text` to keep; '' when it is."""
    if not frames:
        return "it was not finished"
    if not all(0 < len(frame) <= MAX_PACKET_BYTES for frame in frames):
        return f"a frame is empty or longer than {MAX_PACKET_BYTES} bytes"
    if sum(map(len, frames)) + 2 * len(frames) > MAX_ENTRY_BYTES - 16:
        return f"it is longer than {MAX_ENTRY_BYTES} bytes"
    least_ms, most_ms = length_ms(text)
    if most_ms == 0:
        return "the text has no words"
    audio_ms = len(frames) * frame_ms
    if audio_ms < least_ms:
        return f"{audio_ms} ms are too short for the text"
    if audio_ms > most_ms:
        return f"{audio_ms} ms are too long for the text"
    return ""


def length_ms(text: str) -> tuple[int, int]:
    """Between which lengths speech of this text can be; (0, 0) for none."""
    least = most = 0
    for character in text:
        if character.isalnum():
            fast, slow = _LATIN_MS if character.isascii() else _CHARACTER_MS
            least, most = least + fast, most + slow
    return (least, most + _SILENCE_MS) if most else (0, 0)
