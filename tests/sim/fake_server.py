"""A scripted server: real sockets, real Opus, answers whose faults and delays are known.

It knows the end of speech from DTX packets (three tiny ones in a row), so it needs no
voice activity. What it did is in `log`, with the loop's time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from actors.audio.opus import Encoder, FrameEncoder
from actors.wire.frames import decode_frame, encode_frame
from sim.speech import say

RATE_HZ = 24000
ENDING_PACKETS = 3


@dataclass(frozen=True)
class Script:
    """What the fake does. Delays in ms, each from the step before."""

    hello: str = "good"  # good, none, no transport, close
    status: int | None = None
    greeting: bool = False
    early_after_packets: int | None = None  # answer before the speech is over
    stt_ms: float = 20
    start_ms: float = 10
    audio_ms: float = 20
    transcript: str = "几点了"
    answer: str = "现在三点"
    frames: int = 5
    frame_ms: int = 60
    silent: bool = False
    burst: bool = False
    hole_before: int | None = None  # frame index, with hole_ms
    hole_ms: float = 0
    stops: int = 1
    stop_after_ms: float = 60  # after the end of playback; negative: early
    late_frames: int = 0  # sent after tts stop
    answers: bool = True
    foreign: bool = False
    close_after_frames: int | None = None
    mcp: tuple[dict[str, Any], ...] = ()


@dataclass
class FakeServer:
    script: Script
    url: str = ""
    log: list[tuple[float, str]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    texts: list[dict[str, Any]] = field(default_factory=list)
    packets: list[bytes] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)
    connections: int = 0
    endings: list[str] = field(default_factory=list)

    def times(self, what: str) -> list[float]:
        return [at for at, logged in self.log if logged == what]

    def texts_of(self, kind: str, **members: Any) -> list[dict[str, Any]]:
        return [
            text
            for text in self.texts
            if text.get("type") == kind and members.items() <= text.items()
        ]


@lru_cache
def answer_packets(frame_ms: int, silent: bool) -> tuple[bytes, ...]:
    pcm = say("现在是下午三点二十五分", rate_hz=RATE_HZ)
    encoder = FrameEncoder(Encoder(RATE_HZ, frame_ms))
    return tuple(encoder.push(pcm * 0 if silent else pcm[2400:]))


@asynccontextmanager
async def fake_server(script: Script | None = None) -> AsyncIterator[FakeServer]:
    fake = FakeServer(script or Script())

    def process_request(connection: ServerConnection, request: Request) -> Response | None:
        fake.requests.append(request)
        if fake.script.status is None:
            return None
        return connection.respond(HTTPStatus(fake.script.status), "as scripted\n")

    async def handler(connection: ServerConnection) -> None:
        fake.connections += 1
        with suppress(ConnectionClosed):
            await _Conversation(fake, connection).run()
        fake.endings.append("" if connection.protocol.close_rcvd is None else "close frame")

    server: Server = await serve(
        handler,
        "127.0.0.1",
        0,
        process_request=process_request,
        compression=None,
        ping_interval=None,
        close_timeout=0.2,
    )
    port = server.sockets[0].getsockname()[1]
    fake.url = f"ws://127.0.0.1:{port}/xiaozhi/v1/"
    try:
        yield fake
    finally:
        server.close()
        await server.wait_closed()


class _Conversation:
    def __init__(self, fake: FakeServer, connection: ServerConnection) -> None:
        self.fake = fake
        self.script = fake.script
        self.connection = connection
        assert connection.request is not None
        self.version = int(connection.request.headers.get("Protocol-Version", 1))
        self.session = f"session-{fake.connections}"
        self.mode = ""
        self.spoken = 0
        self.quiet = 0
        self.turn: asyncio.Task[None] | None = None

    def note(self, what: str) -> None:
        self.fake.log.append((asyncio.get_running_loop().time(), what))

    async def send(self, kind: str, **members: Any) -> None:
        session = "somebody-else" if self.script.foreign and kind == "stt" else self.session
        await self.connection.send(json.dumps({"type": kind, "session_id": session, **members}))
        self.note(f"{kind} {members.get('state', '')}".strip())

    async def run(self) -> None:
        try:
            async for message in self.connection:
                if isinstance(message, str):
                    await self.text(json.loads(message))
                else:
                    frame = decode_frame(self.version, message)
                    self.fake.timestamps_ms.append(frame.timestamp_ms)
                    self.audio(frame.payload)
        finally:
            if self.turn is not None:
                self.turn.cancel()

    async def text(self, body: dict[str, Any]) -> None:
        self.fake.texts.append(body)
        self.note(f"got {body['type']} {body.get('state', '')}".strip())
        if body["type"] == "hello":
            await self.greet()
        elif body["type"] == "abort":
            if self.turn is not None:
                self.turn.cancel()
            await self.send("tts", state="stop")
        elif body["type"] == "listen":
            await self.listen(body)

    async def greet(self) -> None:
        hello = {
            "transport": "websocket",
            "audio_params": {"sample_rate": RATE_HZ, "frame_duration": self.script.frame_ms},
        }
        if self.script.hello == "close":
            await self.connection.close(1011, "no")
        elif self.script.hello == "no transport":
            await self.send("hello", audio_params=hello["audio_params"])
        elif self.script.hello == "good":
            await self.send("hello", **hello)
            for payload in self.script.mcp:
                await self.send("mcp", payload=payload)

    async def listen(self, body: dict[str, Any]) -> None:
        if body["state"] == "start":
            self.mode, self.spoken, self.quiet = body["mode"], 0, 0
        elif body["state"] == "stop" or (
            body["state"] == "detect" and (self.script.greeting or not self.spoken)
        ):
            self.begin(typed=body["state"] == "detect")

    def audio(self, packet: bytes) -> None:
        self.fake.packets.append(packet)
        self.note("packet")
        if len(packet) > 3:
            self.spoken, self.quiet = self.spoken + 1, 0
        else:
            self.quiet += 1
        if self.quiet > ENDING_PACKETS:  # what DTX sends in between to keep its state
            self.spoken = 0
        early = self.script.early_after_packets
        if self.mode in ("auto", "realtime") and (
            (self.spoken > 5 and self.quiet == ENDING_PACKETS) or self.spoken == early
        ):
            self.begin()

    def begin(self, typed: bool = False) -> None:
        self.spoken = 0
        if self.script.answers and (self.turn is None or self.turn.done()):
            self.turn = asyncio.create_task(self.answer(typed))

    async def answer(self, typed: bool) -> None:
        script = self.script
        await asyncio.sleep(script.stt_ms / 1000)
        if not typed:
            await self.send("stt", text=script.transcript)
        await asyncio.sleep(script.start_ms / 1000)
        await self.send("tts", state="start")
        await self.send("llm", emotion="happy", text="🙂")
        await self.send("tts", state="sentence_start", text=script.answer)
        await asyncio.sleep(script.audio_ms / 1000)
        await self.play(answer_packets(script.frame_ms, script.silent)[: script.frames])
        for _ in range(script.stops):
            await self.send("tts", state="stop")
        await asyncio.sleep(0.03)  # the device obeys the stop within 5 ms
        for packet in answer_packets(script.frame_ms, script.silent)[: script.late_frames]:
            await self.connection.send(encode_frame(self.version, packet))

    async def play(self, packets: tuple[bytes, ...]) -> None:
        loop, script = asyncio.get_running_loop(), self.script
        frame_s, start = script.frame_ms / 1000, loop.time()
        for index, packet in enumerate(packets):
            if index == script.close_after_frames:
                self.connection.transport.abort()
                return
            if index == script.hole_before:
                start += script.hole_ms / 1000
            due = start if script.burst else start + max(0, index - 1) * frame_s
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self.connection.send(encode_frame(self.version, packet, 1000 + index))
            self.note("frame")
        if not packets:
            return
        ends = start + len(packets) * frame_s + script.stop_after_ms / 1000
        await asyncio.sleep(max(0.0, ends - loop.time()))
