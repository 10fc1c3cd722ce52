"""Edge: Microsoft's read-aloud service through the package `edge-tts`.

Not a local engine: one connection per text, throttled, and closed to whoever asks
too often (waves of HTTP 403). So every wait is short, a breaker leaves the service
alone while it refuses, and a broken stream is an error instead of a short answer.
How many texts run at once is the pool's number of slots. Settings that are wrong
show at `open`; the network is not touched before the first text.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import aiohttp
from edge_tts import communicate as client
from edge_tts import constants
from edge_tts.exceptions import EdgeTTSException, NoAudioReceived, SkewAdjustmentError

from actors.workers.interface import EngineError, EngineUnavailable, Health
from actors.workers.seen import Seen
from actors.workers.tts.breaker import Breaker
from actors.workers.tts.mp3 import Mp3Decoder, Mp3Error
from actors.workers.tts.text import has_speech, plain

if TYPE_CHECKING:
    from cfg.model import EdgeTts

#: What the service sends: MP3 of this rate, 48 kbit/s, mono.
RATE_HZ = 24000

#: HTTP answers to the handshake by which the service keeps callers away.
REFUSALS = frozenset({403, 429, 503})

#: A single text without audio may have been unspeakable; so many in a row are not.
MAX_SILENT_TEXTS = 3

_CLOSE_S = 1.0
_PROBE_TEXT = "好"


class _Connector(aiohttp.TCPConnector):
    """Connections of one text, closed by `end` only.

    The client's session closes its connector when the handshake is refused, which
    would spoil the client's own second try; and it waits ten seconds for a silent
    server's goodbye unless the transport below is gone by then.
    """

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Do nothing: the session does not own this."""

    async def end(self) -> None:
        """Cut what is still connected; waits for that at most `_CLOSE_S`."""
        await asyncio.wait({asyncio.ensure_future(super().close())}, timeout=_CLOSE_S)


class EdgeEngine:
    """`TtsEngine` on the Edge read-aloud service."""

    sample_rate_hz = RATE_HZ

    def __init__(self, settings: EdgeTts) -> None:
        self._settings = settings
        self._breaker = Breaker()
        self._seen = Seen()
        self._silent_texts = 0
        self._last_failure = ""

    async def open(self) -> None:
        url = self._settings.service_url
        if url and (not url.startswith(("ws://", "wss://")) or "?" not in url):
            raise EngineUnavailable(
                f"tts service_url {url!r} must start with ws:// or wss:// and contain '?'"
            )
        # The package offers no parameter; the worker's process has one such engine.
        client.WSS_URL = url or constants.WSS_URL  # type: ignore[attr-defined]
        try:
            client.Communicate(_PROBE_TEXT, self._settings.voice, rate=self._settings.rate)
        except ValueError as error:
            raise EngineUnavailable(
                f"tts voice {self._settings.voice!r} with rate {self._settings.rate!r}: {error} "
                "Take a voice such as 'zh-CN-XiaoxiaoNeural' and a rate such as '+0%'"
            ) from error

    async def synthesise(self, text: str) -> AsyncGenerator[bytes, None]:
        """Yield PCM of 120 ms as the service sends it.

        Raises `EngineUnavailable` at once while the breaker is open, and
        `EngineError` when the stream ends before its end mark.
        """
        if not has_speech(text):
            return
        now = asyncio.get_running_loop().time
        wait_s = self._breaker.wait_s(now())
        if wait_s > 0:
            raise EngineUnavailable(
                f"the Edge service refuses calls ({self._last_failure}); "
                f"next try in {math.ceil(wait_s)} s"
            )
        decoder = Mp3Decoder(RATE_HZ)
        self._breaker.starts()
        stream = self._audio(plain(text))
        try:
            async for data in stream:
                self._seen.worked(now())
                if pcm := decoder.push(data):
                    yield pcm
            if pcm := decoder.flush():
                yield pcm
            self._breaker.worked()
        except (EngineError, Mp3Error) as error:
            self._seen.failed()
            self._last_failure = str(error)
            if isinstance(error, Mp3Error):
                raise EngineError(f"the Edge service sent audio that is {error}") from error
            raise
        finally:
            self._breaker.gave_up()
            await stream.aclose()

    async def _audio(self, text: str) -> AsyncGenerator[bytes, None]:
        """Yield the MP3 of `text`; turn whatever goes wrong into an `EngineError`."""
        settings = self._settings
        connector = _Connector()
        request = client.Communicate(
            text,
            settings.voice,
            rate=settings.rate,
            connector=connector,
            # Whole seconds only; the exact limit is kept by `_next`.
            connect_timeout=math.ceil(settings.connect_timeout_s),
            receive_timeout=math.ceil(settings.read_timeout_s),
        )
        stream = request.stream()
        limit_s = settings.connect_timeout_s + settings.read_timeout_s
        try:
            while (message := await _next(stream, limit_s, connector)) is not None:
                limit_s = settings.read_timeout_s
                if message["type"] == "audio":
                    yield message["data"]
            # Set to 0 by the end mark alone: a connection that broke leaves the count.
            if request.state.get("chunk_audio_bytes", 0):
                raise EngineError("the Edge service broke off in mid-speech")
            self._silent_texts = 0
        except NoAudioReceived as error:
            self._silent_texts += 1
            if self._silent_texts >= MAX_SILENT_TEXTS:
                raise EngineError(
                    f"the Edge service sent no audio for {self._silent_texts} texts in a row; "
                    f"check that voice {settings.voice!r} speaks their language"
                ) from error
        except (aiohttp.ClientError, EdgeTTSException, OSError) as error:
            raise self._failure(error) from error
        finally:
            await connector.end()
            await stream.aclose()

    def _failure(self, error: Exception) -> EngineError:
        """Say what went wrong; tell the breaker when it was a refusal."""
        status = error.status if isinstance(error, aiohttp.ClientResponseError) else 0
        if isinstance(error, SkewAdjustmentError):
            status = 403  # the package's word for a 403 without a Date header
        if status in REFUSALS:
            self._breaker.refused(asyncio.get_running_loop().time())
            return EngineError(f"HTTP {status} from the Edge service: it keeps this host away")
        if status:
            return EngineError(f"HTTP {status} from the Edge service; check service_url")
        if isinstance(error, TimeoutError):
            return EngineError(
                f"the Edge service did not answer in time (connect "
                f"{self._settings.connect_timeout_s:g} s, read {self._settings.read_timeout_s:g} s)"
            )
        if isinstance(error, aiohttp.ClientConnectionError):
            return EngineError(
                "the Edge service cannot be reached; it needs the internet (or check service_url)"
            )
        return EngineError(f"the Edge service failed: {type(error).__name__}: {error}")

    async def probe(self) -> Health:
        """Trust a recent success; else speak one syllable, unless the breaker is open."""
        loop = asyncio.get_running_loop()
        detail: dict[str, Any] = {"voice": self._settings.voice, "sample_rate_hz": RATE_HZ}
        age_s = self._seen.age_s(loop.time())
        if age_s is not None:
            return Health(True, "", detail | {"worked_s_ago": round(age_s, 1)})
        heard = 0
        try:
            async for pcm in self.synthesise(_PROBE_TEXT):
                heard += len(pcm)
        except EngineError as error:
            return Health(False, error.reason, detail)
        if not heard:
            return Health(False, "the Edge service sent no audio", detail)
        return Health(True, "", detail)

    async def close(self) -> None:
        """Nothing is kept between two texts."""


async def _next(stream: Any, limit_s: float, connector: _Connector) -> Any:
    """Return the stream's next message, or None at its end; `TimeoutError` past `limit_s`.

    The step is a task of its own: given up, its connection is cut first, so that
    the client does not wait for the server's goodbye.
    """
    step = asyncio.ensure_future(anext(stream, None))
    try:
        await asyncio.wait({step}, timeout=limit_s)
        if not step.done():
            raise TimeoutError
        return step.result()
    finally:
        if not step.done():
            await connector.end()
            step.cancel()
            await asyncio.wait({step}, timeout=_CLOSE_S)
