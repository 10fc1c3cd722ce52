"""eSpeak NG in this process: the embedded voice.

The library (GPL-3, from `espeakng-loader`) is called through ctypes. It keeps its
state per process: `_Library` is that state's one owner, and a lock keeps two
callers apart. A call takes a few milliseconds for a clause and does not hold
Python's interpreter lock, so it runs on the caller's loop; between two parts of a
text the loop gets its turn, and a cancelled synthesis stops there.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from actors.workers.interface import EngineError, EngineUnavailable, Health
from actors.workers.tts.reading import read_out
from actors.workers.tts.text import parts_of

if TYPE_CHECKING:
    from cfg.model import EspeakTts

# Values of espeak-ng's speak_lib.h.
_OUTPUT_SYNCHRONOUS = 2  # audio goes to the callback, on the caller's thread
_DO_NOT_EXIT = 0x8000  # a missing data folder is an error code, not the end of the process
_POSITION_CHARACTER = 1
_TEXT_UTF8 = 0x0001
_PAUSE_AT_END = 0x1000
_RATE = 1
_PITCH = 3

#: Audio that the library hands over at once.
_BUFFER_MS = 60

#: Audio in one yielded chunk: enough to be worth a message, little to wait for.
CHUNK_MS = 120

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class _Library:
    """The one eSpeak NG of this process; raises `EngineUnavailable` if it cannot load."""

    def __init__(self) -> None:
        try:
            import espeakng_loader

            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
            data_path = espeakng_loader.get_data_path()
        except (ImportError, OSError, RuntimeError) as error:
            raise EngineUnavailable(
                f"eSpeak NG cannot be loaded ({error}); install the package espeakng-loader"
            ) from error
        self.rate_hz = int(
            self._library.espeak_Initialize(
                _OUTPUT_SYNCHRONOUS, _BUFFER_MS, data_path.encode(), _DO_NOT_EXIT
            )
        )
        if self.rate_hz <= 0:
            raise EngineUnavailable(
                f"eSpeak NG found no voice data in {data_path}; reinstall espeakng-loader"
            )
        self._library.espeak_Info.restype = ctypes.c_char_p
        self.version = (self._library.espeak_Info(None) or b"").decode()
        self._lock = threading.Lock()
        self._audio: list[bytes] = []
        # Kept as a member: the library calls it for as long as the process lives.
        self._callback = _Callback(self._take)

    def _take(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._audio.append(ctypes.string_at(samples, count * 2))
        return 0

    def _select(self, voice: str, words_per_minute: int, pitch: int) -> None:
        """Make everything ours that another caller in this process may have changed."""
        self._library.espeak_SetSynthCallback(self._callback)
        known = bool(voice) and "\0" not in voice
        if not known or self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise EngineUnavailable(
                f"tts voice {voice!r} is not an eSpeak NG voice; take 'cmn' (Mandarin), "
                "'en-us', or one of these with a variant such as 'cmn+f4'"
            )
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)

    def say(self, text: str, voice: tuple[str, int, int], *, pause: bool) -> bytes:
        """Return s16le mono PCM of `text` at `rate_hz`; `pause` adds the pause after it."""
        data = text.encode() + b"\0"
        flags = _TEXT_UTF8 | (_PAUSE_AT_END if pause else 0)
        with self._lock:
            self._select(*voice)
            self._audio = []
            code = self._library.espeak_Synth(
                data, len(data), 0, _POSITION_CHARACTER, 0, flags, None, None
            )
            pcm, self._audio = b"".join(self._audio), []
        if code != 0:
            raise EngineError(f"eSpeak NG refused the text (code {code})")
        return pcm


_loading = threading.Lock()
_loaded: _Library | None = None


def _library() -> _Library:
    global _loaded
    with _loading:
        if _loaded is None:
            _loaded = _Library()
        return _loaded


class EspeakEngine:
    """`TtsEngine` on eSpeak NG."""

    def __init__(self, settings: EspeakTts) -> None:
        self._voice = (settings.voice, settings.words_per_minute, settings.pitch)
        self._library: _Library | None = None

    @property
    def sample_rate_hz(self) -> int:
        return self._opened().rate_hz

    async def open(self) -> None:
        library = _library()
        library.say("", self._voice, pause=False)  # an unknown voice shows here
        self._library = library

    async def synthesise(self, text: str) -> AsyncIterator[bytes]:
        """Yield PCM of `CHUNK_MS`; between two parts of `text` the loop gets its turn."""
        library = self._opened()
        chunk_bytes = library.rate_hz * CHUNK_MS // 1000 * 2
        parts = parts_of(read_out(text) if self._voice[0].startswith("cmn") else text)
        for number, part in enumerate(parts, 1):
            pcm = library.say(part, self._voice, pause=number < len(parts))
            for start in range(0, len(pcm), chunk_bytes):
                yield pcm[start : start + chunk_bytes]
            await asyncio.sleep(0)

    async def probe(self) -> Health:
        """Speak one syllable and look at the samples."""
        detail = {"voice": self._voice[0], "words_per_minute": self._voice[1]}
        try:
            library = self._opened()
            detail |= {"version": library.version, "sample_rate_hz": library.rate_hz}
            pcm = library.say("好", self._voice, pause=False)
        except EngineError as error:
            return Health(False, error.reason, detail)
        if not any(pcm):
            return Health(False, "eSpeak NG answered with silence", detail)
        return Health(True, "", detail)

    async def close(self) -> None:
        """Forget the library. Its state stays in the process: another engine may use it."""
        self._library = None

    def _opened(self) -> _Library:
        if self._library is None:
            raise EngineUnavailable("the eSpeak NG engine is not open")
        return self._library
