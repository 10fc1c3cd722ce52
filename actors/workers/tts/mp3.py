"""MP3 to PCM as it arrives. Pure (PyAV's decoder, no file, no network)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import av
from av.audio.resampler import AudioResampler

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext


class Mp3Error(Exception):
    """The bytes are not MP3."""


class Mp3Decoder:
    """Decodes one stream; any chunking of it, down to single bytes, will do."""

    def __init__(self, rate_hz: int) -> None:
        """`rate_hz`: rate of the PCM to return, whatever the stream's own is."""
        self._codec: AudioCodecContext = av.CodecContext.create("mp3", "r")
        self._resampler = AudioResampler(format="s16", layout="mono", rate=rate_hz)

    def push(self, data: bytes) -> bytes:
        """Return the s16le mono PCM that `data` completes, possibly none.

        Raises `Mp3Error` if what is there cannot be decoded.
        """
        return self._decoded(self._codec.parse(data)) if data else b""

    def flush(self) -> bytes:
        """Return the rest; the decoder is used up then."""
        return self._decoded([*self._codec.parse(b""), None])

    def _decoded(self, packets: Sequence[Any]) -> bytes:
        pcm = bytearray()
        try:
            for packet in packets:
                for frame in self._codec.decode(packet):
                    for out in self._resampler.resample(frame):
                        pcm += out.to_ndarray().astype("<i2").tobytes()
        except av.error.FFmpegError as error:
            raise Mp3Error(f"not decodable as MP3: {error}") from error
        return bytes(pcm)
