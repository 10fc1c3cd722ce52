"""Stand-in for the audio part of an OpenAI-compatible service.

`POST /v1/audio/speech` speaks with eSpeak NG (pcm, wav or mp3 of 24 kHz, streamed in
chunks of 100 ms) and `POST /v1/audio/transcriptions` recognises a WAV file with Vosk
and the tiny model. Errors have the service's own body.

Faults: in a stream of sound nothing can say "error", so `error_after` ends like
`cut_after` (the connection drops), and `no_done` leaves out the end of the chunked
body.
"""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from aiohttp import web

from sim.speech import SpeechError, say
from sim.standins.edge import Pcm, encode_mp3
from sim.standins.faults import StandInState
from sim.standins.openai_chat import error_body, refusal
from sim.standins.profiles import Course, Service
from sim.standins.streaming import Refused, admit, drop, served, sleep_ms

RATE_HZ = 24000
CHUNK_MS = 100
MAX_INPUT_CHARS = 4096
RECOGNISED_RATE_HZ = 16000

#: The model in this repository; the program runs from a checkout.
TINY_MODEL = Path(__file__).parents[2] / "actors" / "workers" / "asr" / "tiny" / "model-static"

_CONTENT_TYPES = {"pcm": "audio/pcm", "wav": "audio/wav", "mp3": "audio/mpeg"}
_BYTES_PER_S = {"pcm": RATE_HZ * 2, "wav": RATE_HZ * 2, "mp3": 6000}


class BadRequest(Exception):
    """The request cannot be served; the text goes to the caller."""


def add_routes(app: web.Application, state: StandInState) -> None:
    """Give `app` the two audio addresses."""

    async def speech(request: web.Request) -> web.StreamResponse:
        return await _answer(request, state, "speech", _speech)

    async def transcriptions(request: web.Request) -> web.StreamResponse:
        return await _answer(request, state, "transcription", _transcriptions)

    app.router.add_post("/v1/audio/speech", speech)
    app.router.add_post("/v1/audio/transcriptions", transcriptions)


Work = Callable[[web.Request, StandInState, Course], Awaitable[web.StreamResponse]]


async def _answer(
    request: web.Request, state: StandInState, service: Service, work: Work
) -> web.StreamResponse:
    """Let the request in as the faults say, do the work, and count who leaves early."""
    try:
        if refused := refusal(request, await admit(state)):
            return refused
        async with served(state, service) as course:
            return await work(request, state, course)
    except Refused as refused:
        return refusal(request, refused.status) or web.Response(status=refused.status)
    except BadRequest as error:
        body = error_body(str(error), "invalid_request_error", None)
        return web.json_response(body, status=400)
    except (asyncio.CancelledError, ConnectionResetError):
        state.cancelled += 1
        raise


# --- speech -----------------------------------------------------------------


async def _speech(request: web.Request, state: StandInState, course: Course) -> web.StreamResponse:
    faults = state.faults
    text, format_ = await _asked_speech(request, state)
    audio = b"" if faults.empty else _encoded(_spoken(faults.answer or text), format_)
    chunk_bytes = _BYTES_PER_S[format_] * CHUNK_MS // 1000
    response = web.StreamResponse(headers={"Content-Type": _CONTENT_TYPES[format_]})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await sleep_ms(faults.first_ms + course.slowed_first_ms(state.capacity.active))
    for number, start in enumerate(range(0, len(audio), chunk_bytes)):
        if number:
            await sleep_ms(faults.next_ms + course.next_ms(state.capacity.active))
        if number in (faults.cut_after, faults.error_after, course.cut_after):
            drop(request)
            return response
        await response.write(audio[start : start + chunk_bytes])
    if faults.no_done:
        drop(request)
    else:
        await response.write_eof()
    return response


async def _asked_speech(request: web.Request, state: StandInState) -> tuple[str, str]:
    """Return the text and the format that the JSON body asks for, or raise `BadRequest`."""
    try:
        body = await request.json()
    except json.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    state.note("/v1/audio/speech", **{str(name): value for name, value in body.items()})
    for name in ("model", "input", "voice"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise BadRequest(f"{name} must be a text that is not empty")
    if len(body["input"]) > MAX_INPUT_CHARS:
        raise BadRequest(f"input is longer than {MAX_INPUT_CHARS} characters")
    format_ = body.get("response_format", "mp3")
    if format_ not in _CONTENT_TYPES:
        raise BadRequest(f"response_format must be one of {', '.join(_CONTENT_TYPES)}")
    return body["input"], format_


def _spoken(text: str) -> Pcm:
    try:
        return say(text, rate_hz=RATE_HZ)
    except SpeechError:
        return np.zeros(0, np.int16)


def _encoded(pcm: Pcm, format_: str) -> bytes:
    if format_ == "mp3":
        return encode_mp3(pcm)
    raw = pcm.astype("<i2").tobytes()
    if format_ == "pcm":
        return raw
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(raw)
    return out.getvalue()


# --- transcription ----------------------------------------------------------


async def _transcriptions(
    request: web.Request, state: StandInState, course: Course
) -> web.StreamResponse:
    faults = state.faults
    fields, file = await _form(request)
    pcm = _read_wav(file)
    seconds = round(len(pcm) / RECOGNISED_RATE_HZ, 2)
    state.note("/v1/audio/transcriptions", **fields, seconds=seconds)
    if not fields.get("model"):
        raise BadRequest("model must be given")
    format_ = fields.get("response_format", "json")
    if format_ not in ("json", "text"):
        raise BadRequest("response_format must be json or text")
    await sleep_ms(faults.first_ms + course.slowed_first_ms(state.capacity.active))
    broken = (faults.cut_after, faults.error_after, course.cut_after)
    if faults.no_done or any(after is not None for after in broken):
        drop(request)
        return web.Response()
    text = "" if faults.empty else faults.answer or await asyncio.to_thread(_recognised, pcm)
    return web.Response(text=text) if format_ == "text" else web.json_response({"text": text})


async def _form(request: web.Request) -> tuple[dict[str, str], bytes]:
    """Return the text fields and the file of a multipart body, or raise `BadRequest`."""
    if not request.content_type.startswith("multipart/"):
        raise BadRequest("the body must be multipart/form-data")
    fields, file = {}, None
    form = await request.post()
    for name, value in form.items():
        if isinstance(value, web.FileField):
            if name == "file":
                file = value.file.read()
        elif isinstance(value, str):
            fields[name] = value
    if file is None:
        raise BadRequest("file must be given")
    return fields, file


def _read_wav(data: bytes) -> Pcm:
    """Return 16 kHz mono samples of a 16-bit WAV file, or raise `BadRequest`."""
    try:
        with wave.open(io.BytesIO(data), "rb") as file:
            if file.getsampwidth() != 2:
                raise BadRequest("file must be WAV with 16 bits a sample")
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            mono = samples.reshape(-1, file.getnchannels())[:, 0]
            from_hz = file.getframerate()
    except (wave.Error, EOFError, ValueError) as error:
        raise BadRequest(f"file is not a whole WAV file: {error}") from None
    pcm = np.ascontiguousarray(mono)
    if from_hz == RECOGNISED_RATE_HZ:
        return pcm
    resampled: Pcm = soxr.resample(pcm, from_hz, RECOGNISED_RATE_HZ)
    return resampled


@lru_cache(maxsize=1)
def _model() -> Any:
    import vosk

    vosk.SetLogLevel(-1)
    return vosk.Model(str(TINY_MODEL))


def _recognised(pcm: Pcm) -> str:
    import vosk

    recogniser = vosk.KaldiRecognizer(_model(), RECOGNISED_RATE_HZ)
    words = []
    data = pcm.astype("<i2").tobytes()
    for start in range(0, len(data), 32000):
        if recogniser.AcceptWaveform(data[start : start + 32000]):
            words.append(json.loads(recogniser.Result())["text"])
    words.append(json.loads(recogniser.FinalResult())["text"])
    return "".join(" ".join(words).split())
