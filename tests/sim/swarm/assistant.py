"""A scripted server without a network, for swarms on a virtual clock.

It knows what was asked by the packets themselves, answers right unless its script for
that turn says otherwise, and notes when each thing was sent. It stands in for
`sim.link.Link`, so the devices, their playback model and all of the swarm are real.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.wire.frames import decode_frame, encode_frame
from sim.link import Receiver, Unreachable
from sim.rough import SMOOTH, Roughness
from sim.swarm.numerals import spell
from sim.swarm.questions import Question
from sim.swarm.utterances import Utterance
from sim.timeline import EventKind
from tests.sim.fake_server import RATE_HZ, answer_packets

FRAME_MS = 60
#: So many tiny packets in a row are the end of speech; DTX sends them in silence.
ENDING_PACKETS = 3


@dataclass(frozen=True)
class Script:
    """One turn's faults; delays in ms, each from the step before."""

    stt_ms: float = 100.0
    start_ms: float = 10.0
    audio_ms: float = 60.0
    frames: int = 30
    dropped: frozenset[int] = frozenset()
    swapped: bool = False  # the first two texts: sentence_start before tts start
    hole_before: int | None = None
    hole_ms: float = 0.0
    burst: bool = False
    silent: bool = False
    stops: int = 1
    stop_after_ms: float = 180.0
    late_frames: int = 0
    answers: bool = True
    transcript: str | None = None
    answer: str | None = None
    foreign: bool = False
    greets_twice: bool = False
    cut_after_frames: int | None = None
    close_code: int | None = None
    #: An apology of so many frames, begun while the user speaks and interrupted by that.
    apology_frames: int = 0
    #: So long after tts stop a second answer is begun, of 1.2 s.
    again_after_ms: float | None = None


Scripts = Callable[[str, int], Script]


@dataclass
class Assistant:
    """The server. `scripts(device id, number of its turn)` says how a turn goes."""

    scripts: Scripts = lambda _device, _turn: Script()
    bank: Mapping[bytes, Question] = field(default_factory=dict)
    down: Callable[[], bool] = lambda: False
    sent: dict[tuple[str, int, str], float] = field(default_factory=dict)
    connections: int = 0
    turns: Counter[str] = field(default_factory=Counter)

    def knows(self, utterances: Sequence[Utterance]) -> None:
        """Learn what the packets of these utterances ask."""
        self.bank = {
            **self.bank,
            **{max(each.speech.packets, key=len): each.question for each in utterances},
        }

    async def open(
        self,
        _url: str,
        headers: dict[str, str],
        receiver: Receiver,
        written: Callable[[EventKind, float], None],
        _rough: Roughness = SMOOTH,
    ) -> _Connection:
        await asyncio.sleep(0.002)
        if self.down():
            raise Unreachable("nothing listens there; is the server running?")
        self.connections += 1
        return _Connection(self, headers, receiver, written)


class _Connection:
    """One device's link and the server's conversation at its other end."""

    def __init__(
        self,
        assistant: Assistant,
        headers: dict[str, str],
        receiver: Receiver,
        written: Callable[[EventKind, float], None],
    ) -> None:
        self._assistant = assistant
        self._device = headers["Device-Id"]
        self._version = int(headers["Protocol-Version"])
        self._receiver = receiver
        self._written = written
        self._loop = asyncio.get_running_loop()
        self._session = f"session of {self._device}"
        self._mode = ""
        self._spoken: list[bytes] = []
        self._quiet = 0
        self._answering: asyncio.Task[None] | None = None
        self._open = True
        self.dropped = 0

    # --- what the device does ---

    def send_text(self, text: str, mark: EventKind | None = None) -> None:
        if mark is not None:
            self._written(mark, self._loop.time())
        body = json.loads(text)
        if body["type"] == "hello":
            audio = {"sample_rate": RATE_HZ, "frame_duration": FRAME_MS}
            self._loop.call_later(
                0.005, self._tell, "hello", None, {"transport": "websocket", "audio_params": audio}
            )
        elif body["type"] == "abort":
            self._stop_answering()
            self._tell("tts", "stop")
        elif body["type"] == "listen":
            self._listen(body)

    def send_audio(self, data: bytes, mark: EventKind | None = None) -> None:
        if mark is not None:
            self._written(mark, self._loop.time())
        packet = decode_frame(self._version, data).payload
        if len(packet) > 3:
            self._spoken.append(packet)
            self._quiet = 0
            if len(self._spoken) == 3 and self._script().apology_frames:
                self._loop.create_task(self._apologise(self._script().apology_frames))
        else:
            self._quiet += 1
        if self._mode != "manual" and self._quiet == ENDING_PACKETS and len(self._spoken) > 2:
            self._answer()
        if self._quiet > ENDING_PACKETS:  # what DTX sends in between to keep its state
            self._spoken.clear()

    async def close(self) -> None:
        self._open = False
        self._stop_answering()

    # --- what the server does ---

    def _listen(self, body: dict[str, Any]) -> None:
        if body["state"] == "start":
            self._mode = body["mode"]
            self._spoken.clear()
            self._quiet = 0
        elif body["state"] == "stop":
            self._answer()
        elif body["state"] == "detect":
            asked = [q for q in self._assistant.bank.values() if q.text == body["text"]]
            self._answer(asked[0])

    def _script(self) -> Script:
        return self._assistant.scripts(self._device, self._assistant.turns[self._device])

    async def _apologise(self, frames: int) -> None:
        self._tell("tts", "start")
        self._tell("tts", "sentence_start", {"text": "对不起。"})
        await self._sleep(20)
        for packet in answer_packets(FRAME_MS, False)[:frames]:
            self._send(packet)
            await self._sleep(FRAME_MS)
        self._tell("tts", "stop")

    def _answer(self, typed: Question | None = None) -> None:
        spoken, self._spoken = self._spoken, []
        question = typed or self._assistant.bank.get(max(spoken, key=len, default=b""))
        script = self._script()
        self._assistant.turns[self._device] += 1
        if script.answers and question is not None:
            self._answering = self._loop.create_task(self._turn(script, question, typed is None))

    async def _turn(self, script: Script, question: Question, spoken: bool) -> None:
        await self._sleep(script.stt_ms)
        if spoken:
            said = question.text if script.transcript is None else script.transcript
            self._tell("stt", None, {"text": said}, foreign=script.foreign)
        await self._sleep(script.start_ms)
        first, second = question.operands or (0, 0)
        right = f"{spell(first)}加{spell(second)}等于{spell(question.answer or 0)}。"
        texts = [
            ("start", {}),
            ("sentence_start", {"text": right if script.answer is None else script.answer}),
        ]
        for state, members in reversed(texts) if script.swapped else texts:
            self._tell("tts", state, members)
            await self._sleep(1)
        if script.greets_twice:
            self._tell("tts", "start")
        await self._sleep(script.audio_ms)
        await self._play(script)
        for _ in range(script.stops):
            self._tell("tts", "stop")
        await self._sleep(30)
        for packet in answer_packets(FRAME_MS, False)[: script.late_frames]:
            self._send(packet)
        if script.again_after_ms is not None:
            await self._sleep(script.again_after_ms)
            await self._apologise(20)

    async def _play(self, script: Script) -> None:
        start = self._loop.time()
        packets = answer_packets(FRAME_MS, script.silent)[: script.frames]
        for index, packet in enumerate(packets):
            if index == script.cut_after_frames:
                self._end(script.close_code)
                await asyncio.sleep(3600)
            if index == script.hole_before:
                start += script.hole_ms / 1000
            if not script.burst:
                due = start + max(0, index - 1) * FRAME_MS / 1000
                await asyncio.sleep(max(0.0, due - self._loop.time()))
            if index not in script.dropped:
                self._send(packet)
        if packets:
            ends = start + (len(packets) * FRAME_MS + script.stop_after_ms) / 1000
            await asyncio.sleep(max(0.0, ends - self._loop.time()))

    def _send(self, packet: bytes) -> None:
        if self._open:
            self._note("frame")
            self._receiver.audio_came(encode_frame(self._version, packet), self._loop.time())

    def _tell(
        self,
        kind: str,
        state: str | None = None,
        members: Mapping[str, Any] | None = None,
        foreign: bool = False,
    ) -> None:
        if not self._open:
            return
        session = "session of somebody else" if foreign else self._session
        body = {"type": kind, "session_id": session, **(members or {})}
        if state is not None:
            body["state"] = state
        self._note(state or kind)
        self._receiver.text_came(json.dumps(body), self._loop.time())

    def _note(self, what: str) -> None:
        """The first time of each kind in each turn."""
        turn = self._assistant.turns[self._device] - 1
        self._assistant.sent.setdefault((self._device, turn, what), self._loop.time())

    def _end(self, code: int | None) -> None:
        self._open = False
        reason = (
            "dropped without a Close frame" if code is None else f"closed by the server with {code}"
        )
        self._receiver.link_ended(reason, self._loop.time())

    def _stop_answering(self) -> None:
        if self._answering is not None:
            self._answering.cancel()

    async def _sleep(self, ms: float) -> None:
        await asyncio.sleep(ms / 1000)
