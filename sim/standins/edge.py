"""Stand-in for the Edge read-aloud service, spoken to by the unchanged `edge-tts`.

The protocol as that client speaks it: a WebSocket handshake with a token in the
address (403 without one), text messages of header lines and a body under `Path`
(`speech.config`, `ssml` in; `turn.start`, `response`, `audio.metadata`, `turn.end`
out), and binary messages of a two-byte header length, header lines and MP3 of
24 kHz and 48 kbit/s in chunks of 720 bytes, which are 120 ms. The voice is eSpeak
NG's. What cannot be spoken, and a voice that the service does not know, gets a turn
without audio, as there.

A profile is met at the handshake: its limits count connections, as the service's do.

Faults: `status` answers the handshake (403, 429: throttled), `error_after` closes
the socket with an error code, `cut_after` drops the connection, `no_done` closes
before the end mark.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from dataclasses import dataclass
from functools import lru_cache

import av
import numpy as np
from aiohttp import WSCloseCode, WSMsgType, web
from numpy.typing import NDArray

from sim.speech import SpeechError, say
from sim.standins.faults import Faults, StandInState, add_control_routes
from sim.standins.launcher import serve_http
from sim.standins.profiles import Course
from sim.standins.streaming import Refused, drop, served

Pcm = NDArray[np.int16]

RATE_HZ = 24000
BIT_RATE = 48000
CHUNK_BYTES = 720

#: Ticks of 100 ns, in which the service counts time.
TICKS_PER_S = 10_000_000

#: eSpeak NG's words per minute at the service's rate of +0 %.
BASE_WPM = 175

_LANGUAGES = {"zh": "cmn", "en": "en-us"}
_VOICE = re.compile(r"<voice name='[^']*?\(?([a-z]{2,3})-[A-Za-z-]+[,-] ?\w+Neural\)?'")
_PROSODY = re.compile(r"<prosody [^>]*rate='([+-]\d+)%'[^>]*>(.*?)</prosody>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Speech:
    """What one `ssml` message asks for."""

    request_id: str
    text: str
    language: str
    rate_percent: int


def parse_message(message: str) -> tuple[dict[str, str], str]:
    """Split a text message into its headers (names in lower case) and its body."""
    head, _, body = message.partition("\r\n\r\n")
    headers = {}
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers, body


def parse_ssml(headers: dict[str, str], ssml: str) -> Speech | None:
    """Return what to speak; None for what the service does not speak."""
    voice, prosody = _VOICE.search(ssml), _PROSODY.search(ssml)
    if not voice or not prosody or voice[1] not in _LANGUAGES:
        return None
    text = html.unescape(prosody[2]).strip()
    return Speech(headers.get("x-requestid", ""), text, _LANGUAGES[voice[1]], int(prosody[1]))


@lru_cache(maxsize=256)
def mp3_of(text: str, language: str, rate_percent: int) -> bytes:
    """Return `text` as the service's MP3; b"" when nothing of it can be spoken."""
    if not any(character.isalnum() for character in text):
        return b""
    speed = min(450, max(80, BASE_WPM * (100 + rate_percent) // 100))
    try:
        return encode_mp3(say(text, voice=language, speed_wpm=speed, rate_hz=RATE_HZ))
    except SpeechError:
        return b""


def encode_mp3(pcm: Pcm, rate_hz: int = RATE_HZ, bit_rate: int = BIT_RATE) -> bytes:
    """Return mono `pcm` as MP3 frames of constant size, without any header before them."""
    codec = av.CodecContext.create("libmp3lame", "w")
    codec.sample_rate, codec.bit_rate = rate_hz, bit_rate
    codec.layout, codec.format = "mono", "s16p"
    codec.options = {"reservoir": "0"}  # each frame for itself, as the service sends them
    codec.open()
    out = bytearray()
    for start in range(0, len(pcm), codec.frame_size):
        samples = np.ascontiguousarray(pcm[start : start + codec.frame_size].reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(samples, format="s16p", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, start
        for packet in codec.encode(frame):
            out += bytes(packet)
    for packet in codec.encode(None):
        out += bytes(packet)
    return bytes(out)


def text_message(request_id: str, path: str, body: dict[str, object]) -> str:
    return (
        f"X-RequestId:{request_id}\r\nContent-Type:application/json; charset=utf-8\r\n"
        f"Path:{path}\r\n\r\n{json.dumps(body, ensure_ascii=False)}"
    )


def audio_message(request_id: str, data: bytes) -> bytes:
    """A binary message. Its last one has neither data nor a content type."""
    kind = "Content-Type:audio/mpeg\r\n" if data else ""
    head = f"X-RequestId:{request_id}\r\n{kind}X-StreamId:{request_id}\r\nPath:audio\r\n".encode()
    return len(head).to_bytes(2, "big") + head + data


def metadata_body(text: str, mp3_bytes: int) -> dict[str, object]:
    """One sentence boundary over the whole text, as long as its audio."""
    data = {
        "Offset": 0,
        "Duration": mp3_bytes * 8 * TICKS_PER_S // BIT_RATE,
        "text": {
            "Text": html.escape(text),
            "Length": len(text),
            "BoundaryType": "SentenceBoundary",
        },
    }
    return {"Metadata": [{"Type": "SentenceBoundary", "Data": data}]}


class _Connection:
    """One client: answers each `ssml` until the client leaves."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        state: StandInState,
        course: Course,
    ) -> None:
        self._request = request
        self._socket = socket
        self._state = state
        self._course = course
        self._left = asyncio.Event()

    async def run(self) -> None:
        """Read messages while speech is sent, so that a client's leaving is seen at once."""
        speaking: asyncio.Task[None] | None = None
        try:
            async for message in self._socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                headers, body = parse_message(message.data)
                if headers.get("path") == "ssml":
                    speaking = asyncio.create_task(self._speak(headers, body))
        finally:
            self._left.set()
            if speaking is not None:
                await speaking

    async def _speak(self, headers: dict[str, str], ssml: str) -> None:
        request_id = headers.get("x-requestid", "")
        speech = parse_ssml(headers, ssml)
        text = speech.text if speech else ""
        self._state.note("ssml", text=text, ssml=ssml)
        faults = self._state.faults
        if faults.hang:
            await self._left.wait()
        mp3 = b""
        if speech and not faults.empty:
            mp3 = mp3_of(faults.answer or text, speech.language, speech.rate_percent)
        try:
            if self._left.is_set():
                raise ConnectionResetError
            await self._send_turn(request_id, text, mp3, faults)
        except ConnectionResetError:
            self._state.cancelled += 1

    async def _send_turn(self, request_id: str, text: str, mp3: bytes, faults: Faults) -> None:
        send = self._socket.send_str
        await send(text_message(request_id, "turn.start", {"context": {"serviceTag": request_id}}))
        await send(
            text_message(request_id, "response", {"context": {}, "audio": {"type": "inline"}})
        )
        at_once = self._state.capacity.active
        await self._pause(faults.first_ms + self._course.slowed_first_ms(at_once))
        if mp3:
            await send(text_message(request_id, "audio.metadata", metadata_body(text, len(mp3))))
        for number, start in enumerate(range(0, len(mp3), CHUNK_BYTES)):
            if number:
                await self._pause(faults.next_ms + self._course.next_ms(at_once))
            if number in (faults.cut_after, self._course.cut_after):
                drop(self._request)
                return
            if number == faults.error_after:
                await self._socket.close(code=WSCloseCode.INTERNAL_ERROR, message=b"fault")
                return
            chunk = mp3[start : start + CHUNK_BYTES]
            await self._socket.send_bytes(audio_message(request_id, chunk))
        if faults.no_done:
            await self._socket.close(code=WSCloseCode.GOING_AWAY)
            return
        await self._socket.send_bytes(audio_message(request_id, b""))
        await send(text_message(request_id, "turn.end", {}))

    async def _pause(self, ms: float) -> None:
        """Wait; `ConnectionResetError` as soon as the client has left."""
        if ms > 0:
            try:
                await asyncio.wait_for(self._left.wait(), ms / 1000)
            except TimeoutError:
                return
        if self._left.is_set():
            raise ConnectionResetError


def create_app(state: StandInState) -> web.Application:
    """The service and its control addresses (`sim.standins.faults`)."""
    app = web.Application()
    add_control_routes(app, state)

    async def read_aloud(request: web.Request) -> web.StreamResponse:
        query = request.query
        state.note("connect", query=dict(query), user_agent=request.headers.get("User-Agent", ""))
        await asyncio.sleep(state.faults.connect_ms / 1000)
        if state.faults.status is not None:
            return web.Response(status=state.faults.status, text="fault")
        wanted = ("TrustedClientToken", "ConnectionId", "Sec-MS-GEC", "Sec-MS-GEC-Version")
        if not all(query.get(name) for name in wanted):
            return web.Response(status=403, text="Forbidden")
        try:
            async with served(state, "speech") as course:
                socket = web.WebSocketResponse(timeout=1.0)
                await socket.prepare(request)
                await _Connection(request, socket, state, course).run()
                return socket
        except Refused as refused:
            return web.Response(status=refused.status, text="refused")

    app.router.add_get("/edge/v1", read_aloud)
    app.router.add_get("/consumer/speech/synthesize/readaloud/edge/v1", read_aloud)
    return app


async def serve(port: int, state: StandInState) -> None:
    """Serve on loopback until cancelled; `port` 0 is any, said when it listens.

    The client's address for it: `ws://127.0.0.1:<port>/edge/v1?TrustedClientToken=any`.
    """
    await serve_http(create_app(state), port)
