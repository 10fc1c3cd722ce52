"""A server with known delays, to measure the measuring: `python -m sim.swarm.reference`.

It answers every utterance after a random delay with a tone, names each answer by a
serial number in its text, and prints for each a JSON line with the instants of its own
clock: when the largest speech packet arrived and when the first frame was written. It
understands nothing; the end of speech is three DTX packets in a row.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from actors.audio.opus import Encoder

RATE_HZ, FRAME_MS = 24000, 60
#: Packets of DTX silence are shorter than this.
_SILENT_BYTES = 4
_ENDING_PACKETS = 3
_LEAD_FRAMES = 2
_STOP_AFTER_MS = 180


def serial_text(serial: int) -> str:
    """An answer's text; `serial_of` reads it back."""
    return f"number {serial}."


def serial_of(text: str) -> int | None:
    """The serial number of an answer, None when it is no answer of the reference."""
    words = text.rstrip(".").split()
    return int(words[1]) if len(words) == 2 and words[1].isdecimal() else None


def tone(frames: int) -> tuple[bytes, ...]:
    """Opus packets of an audible tone."""
    encoder = Encoder(RATE_HZ, FRAME_MS)
    times = np.arange(frames * encoder.frame_samples) / RATE_HZ
    pcm = (9000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
    size = encoder.frame_samples
    return tuple(encoder.encode(pcm[at : at + size]) for at in range(0, len(pcm), size))


class _Conversation:
    """One device's connection."""

    def __init__(
        self,
        connection: ServerConnection,
        packets: Sequence[bytes],
        delay_ms: tuple[float, float],
        source: random.Random,
        serials: count[int],
    ) -> None:
        self._connection = connection
        self._packets = packets
        self._delay_ms = delay_ms
        self._source = source
        self._serials = serials
        self._loop = asyncio.get_running_loop()
        self._spoken = self._quiet = self._largest = 0
        self._heard_at = 0.0
        self._answering: asyncio.Task[None] | None = None

    async def run(self) -> None:
        try:
            async for message in self._connection:
                if isinstance(message, bytes):
                    self._audio(message)
                else:
                    await self._text(json.loads(message))
        except ConnectionClosed:
            pass
        finally:
            if self._answering is not None:
                self._answering.cancel()

    async def _text(self, body: dict[str, Any]) -> None:
        if body.get("type") == "hello":
            audio = {"sample_rate": RATE_HZ, "frame_duration": FRAME_MS}
            await self._tell("hello", transport="websocket", audio_params=audio)
        elif body.get("state") == "start":
            self._spoken = self._quiet = self._largest = 0
        elif body.get("state") == "stop":
            self._answer()

    def _audio(self, packet: bytes) -> None:
        if len(packet) >= _SILENT_BYTES:
            if len(packet) > self._largest:
                self._largest, self._heard_at = len(packet), self._loop.time()
            self._spoken, self._quiet = self._spoken + 1, 0
            return
        self._quiet += 1
        if self._quiet == _ENDING_PACKETS and self._spoken > _ENDING_PACKETS:
            self._answer()
        if self._quiet > _ENDING_PACKETS:  # what DTX sends in between to keep its state
            self._spoken = self._largest = 0

    def _answer(self) -> None:
        self._spoken = self._largest = 0
        if self._answering is None or self._answering.done():
            self._answering = self._loop.create_task(self._turn(self._heard_at))

    async def _turn(self, heard_at: float) -> None:
        with contextlib.suppress(ConnectionClosed):
            await asyncio.sleep(self._source.uniform(*self._delay_ms) / 1000)
            serial = next(self._serials)
            await self._tell("stt", text="?")
            await self._tell("tts", state="start")
            await self._tell("tts", state="sentence_start", text=serial_text(serial))
            await asyncio.sleep(FRAME_MS / 1000)
            began = self._loop.time()
            for index, packet in enumerate(self._packets):
                due = began + max(0, index + 1 - _LEAD_FRAMES) * FRAME_MS / 1000
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                sent_at = self._loop.time()
                await self._connection.send(packet)
                if not index:
                    told = {"serial": serial, "heard_at": heard_at, "sent_at": sent_at}
                    print(json.dumps(told), flush=True)
            ends = began + (len(self._packets) * FRAME_MS + _STOP_AFTER_MS) / 1000
            await asyncio.sleep(max(0.0, ends - self._loop.time()))
            await self._tell("tts", state="stop")

    async def _tell(self, kind: str, **members: Any) -> None:
        await self._connection.send(
            json.dumps({"type": kind, "session_id": "reference", **members})
        )


async def _serve(seed: int, frames: int, delay_ms: tuple[float, float]) -> None:
    packets, source, serials = tone(frames), random.Random(seed), count()

    async def talk(connection: ServerConnection) -> None:
        await _Conversation(connection, packets, delay_ms, source, serials).run()

    async with serve(
        talk, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=0.2
    ) as server:
        print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until it is closed


def main(argv: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(prog="python -m sim.swarm.reference")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--frames", type=int, default=50, help="of 60 ms, in each answer")
    made.add_argument("--delay-ms", type=float, nargs=2, default=(20.0, 400.0))
    options = made.parse_args(argv)
    low, high = options.delay_ms
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.seed, options.frames, (low, high)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
