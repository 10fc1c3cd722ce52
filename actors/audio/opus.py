"""Opus packets to PCM and back, through libopus.

The library is the one inside the PyAV wheel (no system package needed), else the
system's. PCM is int16, mono. Whatever bytes a device sends, `Decoder.decode`
returns samples or raises `OpusError`; it never crashes and never changes what the
next good packet decodes to beyond what RFC 6716 says about lost packets.

libopus has no threads and no global state: coders made before a fork work in the
child, and the library may be loaded before the fork to share its pages.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import weakref
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

#: The rates libopus codes at (RFC 6716 section 2.1.3 and its 48 kHz clock).
RATES_HZ: Final = (8000, 12000, 16000, 24000, 48000)
#: Packet durations that the firmware's decoder can be set to.
FRAME_DURATIONS_MS: Final = (5, 10, 20, 40, 60, 80, 100, 120)
#: The longest packet that RFC 6716 section 3.2.5 allows.
MAX_PACKET_MS: Final = 120
#: Larger than any packet libopus makes for one 120 ms mono frame at its top rate.
_MAX_PACKET_BYTES: Final = 8000

_APPLICATION: Final = {"voip": 2048, "audio": 2049}
_SIGNAL_VOICE: Final = 3001
_SET_BITRATE: Final = 4002
_SET_VBR: Final = 4006
_SET_COMPLEXITY: Final = 4010
_SET_DTX: Final = 4016
_SET_SIGNAL: Final = 4024
_RESET_STATE: Final = 4028

_Samples = ctypes.POINTER(ctypes.c_int16)


class OpusError(Exception):
    """A packet that is no Opus, or a setting that libopus refuses."""


def is_dtx(packet: bytes) -> bool:
    """Whether a device says with this packet only that it hears silence (1-3 bytes)."""
    return 0 < len(packet) <= 3


def _library_path() -> str:
    """The shared object beside PyAV, else the system's name for it."""
    spec = importlib.util.find_spec("av")
    if spec is not None and spec.origin is not None:
        beside = Path(spec.origin).parent.parent / "av.libs"
        for found in sorted(beside.glob("libopus-*.so*")):
            return str(found)
    return "libopus.so.0"


@functools.cache
def _library() -> ctypes.CDLL:
    path = _library_path()
    try:
        lib = ctypes.CDLL(path)
    except OSError as error:
        raise OpusError(
            f"libopus cannot be loaded ({error}): install the package 'av', "
            "or libopus0 from the system's packages"
        ) from error
    state, integer = ctypes.c_void_p, ctypes.c_int
    failure = ctypes.POINTER(ctypes.c_int)
    for name, result, arguments in (
        ("opus_strerror", ctypes.c_char_p, (integer,)),
        ("opus_get_version_string", ctypes.c_char_p, ()),
        ("opus_decoder_create", state, (ctypes.c_int32, integer, failure)),
        ("opus_decoder_destroy", None, (state,)),
        (
            "opus_decode",
            integer,
            (state, ctypes.c_char_p, ctypes.c_int32, _Samples, integer, integer),
        ),
        ("opus_decoder_ctl", integer, (state, integer, ctypes.c_int32)),
        ("opus_encoder_create", state, (ctypes.c_int32, integer, integer, failure)),
        ("opus_encoder_destroy", None, (state,)),
        (
            "opus_encode",
            ctypes.c_int32,
            (state, _Samples, integer, ctypes.c_char_p, ctypes.c_int32),
        ),
        ("opus_encoder_ctl", integer, (state, integer, ctypes.c_int32)),
    ):
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments
    return lib


def version() -> str:
    """What the library calls itself, such as 'libopus 1.6.1'; loads it."""
    text: bytes = _library().opus_get_version_string()
    return text.decode("ascii", "replace")


def _reason(code: int) -> str:
    text: bytes = _library().opus_strerror(code)
    return text.decode("ascii", "replace")


def _check(code: int, doing: str) -> int:
    """Return a count from libopus, or raise with its own words for a negative code."""
    if code < 0:
        raise OpusError(f"{doing}: {_reason(code)}")
    return code


def _check_rate(rate_hz: int) -> None:
    if rate_hz not in RATES_HZ:
        raise OpusError(f"rate_hz is {rate_hz}: Opus allows {', '.join(map(str, RATES_HZ))}")


class Decoder:
    """One device's uplink: packets in, int16 mono at `rate_hz` out.

    Packets depend on those before them: one decoder per stream, every packet in order.
    """

    def __init__(self, rate_hz: int = 16000) -> None:
        _check_rate(rate_hz)
        self._lib = _library()
        code = ctypes.c_int(0)
        state = self._lib.opus_decoder_create(rate_hz, 1, ctypes.byref(code))
        _check(code.value, "no decoder")
        self._state = ctypes.c_void_p(state)
        weakref.finalize(self, self._lib.opus_decoder_destroy, self._state).atexit = False
        self.rate_hz = rate_hz
        self._room = rate_hz * MAX_PACKET_MS // 1000
        self._pcm = np.zeros(self._room, np.int16)
        self._target = self._pcm.ctypes.data_as(_Samples)

    def decode(self, packet: bytes) -> Pcm:
        """Return the packet's samples: any legal duration up to 120 ms.

        A DTX packet of 1-3 bytes gives silence or comfort noise, b"" (a browser's end
        mark) an empty array. Raise `OpusError` on anything else that is no packet.
        """
        if not packet:
            return np.zeros(0, np.int16)
        count = self._lib.opus_decode(self._state, packet, len(packet), self._target, self._room, 0)
        _check(count, f"packet of {len(packet)} bytes")
        return self._pcm[:count].copy()

    def conceal(self, samples: int) -> Pcm:
        """Return `samples` of what libopus puts in place of a lost packet.

        `samples` must be a multiple of 2.5 ms, at most 120 ms; else `OpusError`.
        """
        if not 0 <= samples <= self._room:
            raise OpusError(f"cannot conceal {samples} samples: 0 to {self._room} are possible")
        if samples == 0:
            return np.zeros(0, np.int16)
        count = self._lib.opus_decode(self._state, None, 0, self._target, samples, 0)
        _check(count, f"conceal {samples} samples")
        return self._pcm[:count].copy()

    def reset(self) -> None:
        """Forget the stream so far, as at a new stream's start."""
        _check(self._lib.opus_decoder_ctl(self._state, _RESET_STATE, 0), "reset")


class Encoder:
    """One stream of packets of exactly `frame_ms` each, tuned for speech."""

    def __init__(
        self,
        rate_hz: int,
        frame_ms: int,
        bitrate: int = 24000,
        complexity: int = 5,
        application: Literal["voip", "audio"] = "voip",
        dtx: bool = False,
        vbr: bool = True,
    ) -> None:
        _check_rate(rate_hz)
        if frame_ms not in FRAME_DURATIONS_MS:
            allowed = ", ".join(map(str, FRAME_DURATIONS_MS))
            raise OpusError(f"frame_ms is {frame_ms}: devices play {allowed}")
        if application not in _APPLICATION:
            raise OpusError(f"application is {application!r}: 'voip' and 'audio' are possible")
        self._lib = _library()
        code = ctypes.c_int(0)
        state = self._lib.opus_encoder_create(
            rate_hz, 1, _APPLICATION[application], ctypes.byref(code)
        )
        _check(code.value, "no encoder")
        self._state = ctypes.c_void_p(state)
        weakref.finalize(self, self._lib.opus_encoder_destroy, self._state).atexit = False
        for request, value, name in (
            (_SET_BITRATE, bitrate, "bitrate"),
            (_SET_COMPLEXITY, complexity, "complexity"),
            (_SET_SIGNAL, _SIGNAL_VOICE, "signal"),
            (_SET_DTX, int(dtx), "dtx"),
            (_SET_VBR, int(vbr), "vbr"),
        ):
            _check(self._lib.opus_encoder_ctl(self._state, request, value), f"{name} {value}")
        self.rate_hz = rate_hz
        self.frame_ms = frame_ms
        self.frame_samples = rate_hz * frame_ms // 1000
        self._packet = ctypes.create_string_buffer(_MAX_PACKET_BYTES)

    def encode(self, pcm: Pcm) -> bytes:
        """Return the packet for exactly `frame_samples` samples; else `ValueError`."""
        if pcm.dtype != np.int16 or pcm.shape != (self.frame_samples,):
            raise ValueError(
                f"pcm is {pcm.dtype}{list(pcm.shape)}: int16[{self.frame_samples}] is encoded"
            )
        samples = np.ascontiguousarray(pcm)
        count = self._lib.opus_encode(
            self._state,
            samples.ctypes.data_as(_Samples),
            self.frame_samples,
            self._packet,
            _MAX_PACKET_BYTES,
        )
        return self._packet.raw[: _check(count, "encode")]

    def reset(self) -> None:
        """Start a new stream with the same settings."""
        _check(self._lib.opus_encoder_ctl(self._state, _RESET_STATE, 0), "reset")


class FrameEncoder:
    """PCM of any length in, packets of exactly one frame out; no sample lost or doubled.

    The codec looks 6.5 ms ahead, so that much of the very end is heard only if the
    last frame was padded by as much; speech engines end in silence, so nothing is lost.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._rest: Pcm = np.zeros(0, np.int16)

    def push(self, pcm: Pcm) -> list[bytes]:
        """Return the packets that are complete now; the rest is kept for the next call."""
        samples = np.concatenate((self._rest, pcm)) if len(self._rest) else pcm
        size = self._encoder.frame_samples
        whole = len(samples) // size * size
        packets = [self._encoder.encode(samples[at : at + size]) for at in range(0, whole, size)]
        self._rest = samples[whole:].copy()
        return packets

    def flush(self) -> list[bytes]:
        """Return the last packet, padded with silence; none if nothing is left."""
        if not len(self._rest):
            return []
        last = np.zeros(self._encoder.frame_samples, np.int16)
        last[: len(self._rest)] = self._rest
        self._rest = np.zeros(0, np.int16)
        return [self._encoder.encode(last)]
