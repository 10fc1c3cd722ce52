"""What the audio stand-ins answer to callers other than our own engines."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
import wave
from collections.abc import Iterator

import pytest

from actors.workers.asr.models import PROBE_PCM, PROBE_TEXT
from actors.workers.asr.openai import as_wav
from actors.workers.tts.mp3 import Mp3Decoder
from sim.standins.edge import audio_message, parse_message, parse_ssml
from tests.workers.standin import StandIn


@pytest.fixture(scope="module")
def openai() -> Iterator[StandIn]:
    started = StandIn("openai")
    yield started
    started.stop()


def post(service: StandIn, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}{path}", body, {"Content-Type": kind}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def speech(service: StandIn, **body: object) -> tuple[int, bytes]:
    data = json.dumps({"model": "tts-1", "voice": "alloy", "input": "你好"} | body).encode()
    return post(service, "/v1/audio/speech", data, "application/json")


def transcription(service: StandIn, file: bytes, **fields: str) -> tuple[int, bytes]:
    parts = b""
    for name, value in fields.items():
        head = f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        parts += f"{head}{value}\r\n".encode()
    head = '--edge\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    body = parts + head.encode() + b"Content-Type: audio/wav\r\n\r\n" + file + b"\r\n--edge--\r\n"
    return post(service, "/v1/audio/transcriptions", body, "multipart/form-data; boundary=edge")


def test_the_three_formats_hold_the_same_speech(openai: StandIn) -> None:
    status, pcm = speech(openai, response_format="pcm")
    assert status == 200
    _, wav = speech(openai, response_format="wav")
    with wave.open(io.BytesIO(wav)) as file:
        assert file.getframerate() == 24000
        assert abs(file.getnframes() * 2 - len(pcm)) < 0.1 * len(pcm)
    _, mp3 = speech(openai, response_format="mp3")
    decoder = Mp3Decoder(24000)
    decoded = decoder.push(mp3) + decoder.flush()
    assert abs(len(decoded) - len(pcm)) < 0.2 * len(pcm)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"input": ""}, "input must be"),
        ({"voice": None}, "voice must be"),
        ({"input": "好" * 5000}, "longer than 4096"),
        ({"response_format": "flac"}, "response_format must be one of"),
    ],
)
def test_a_wrong_speech_request_names_the_field(
    openai: StandIn, wrong: dict[str, object], words: str
) -> None:
    status, body = speech(openai, **wrong)
    assert status == 400
    assert words in json.loads(body)["error"]["message"]


def test_transcriptions_come_as_json_and_as_text(openai: StandIn) -> None:
    file = as_wav(PROBE_PCM.read_bytes())
    status, body = transcription(openai, file, model="whisper-1")
    assert (status, json.loads(body)) == (200, {"text": PROBE_TEXT})
    status, body = transcription(openai, file, model="whisper-1", response_format="text")
    assert (status, body.decode().strip()) == (200, PROBE_TEXT)


def test_a_wrong_transcription_request_is_named(openai: StandIn) -> None:
    status, body = transcription(openai, b"no wav", model="whisper-1")
    assert status == 400
    assert "not a whole WAV file" in json.loads(body)["error"]["message"]
    status, body = transcription(openai, as_wav(bytes(32000)))
    assert (status, "model" in json.loads(body)["error"]["message"]) == (400, True)
    status, _ = post(openai, "/v1/audio/transcriptions", b"{}", "application/json")
    assert status == 400


def test_edge_messages_are_taken_apart_as_the_client_writes_them() -> None:
    headers, ssml = parse_message(
        "X-RequestId:abc\r\nContent-Type:application/ssml+xml\r\nPath:ssml\r\n\r\n"
        "<speak><voice name='Microsoft Server Speech Text to Speech Voice "
        "(zh-CN-liaoning, XiaobeiNeural)'><prosody pitch='+0Hz' rate='-20%' volume='+0%'>"
        "1 &lt; 2</prosody></voice></speak>"
    )
    speech = parse_ssml(headers, ssml)
    assert speech is not None
    assert (speech.text, speech.language, speech.rate_percent) == ("1 < 2", "cmn", -20)
    assert speech.request_id == "abc"
    assert parse_ssml(headers, ssml.replace("zh-CN-liaoning", "xx-YY")) is None


def test_edge_audio_has_its_header_length_in_front_and_no_type_at_its_end() -> None:
    message = audio_message("abc", b"sound")
    length = int.from_bytes(message[:2], "big")
    assert message[2 + length :] == b"sound"
    assert b"Path:audio\r\n" in message[: 2 + length]
    assert b"Content-Type" not in audio_message("abc", b"")


def test_edge_refuses_a_handshake_without_its_token() -> None:
    service = StandIn("edge")
    try:
        request = urllib.request.Request(f"http://127.0.0.1:{service.port}/edge/v1?x=1")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=5)
        with caught.value:
            assert caught.value.code == 403
    finally:
        service.stop()
