"""The checkpoint: what a session's successor must know, in memory that outlives it.

A small anonymous memory file per device, written by its session alone and kept
alive by the launcher's descriptor store. Four regions:

- *state*: identity, hello, listening mode, phase, turn number, recent dialogue, and how
  far the answer is that is being given (JSON);
- *wire*: bytes that were about to be written and their place in the stream of all
  bytes ever written, so that a successor can send exactly the rest;
- *sent*: how much of the answer the device has, written with every frame;
- *heard*: the packets of the speech that is not answered yet (`ring.PacketRing`).

The first three have two slots written in turn, a checksum and a sequence number each:
a writer that is killed in mid-write leaves the previous content valid.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from actors.session.ring import PacketRing

#: Per slot: sequence number, length, checksum.
_HEADER = struct.Struct("<QII")
STATE_SLOT_BYTES = 24 * 1024
WIRE_SLOT_BYTES = 64 * 1024
SENT_SLOT_BYTES = 64
#: An utterance of 30 s at 40 kbit/s; pages that were never used cost nothing.
HEARD_BYTES = 160 * 1024
_WIRE_START = 2 * STATE_SLOT_BYTES
_SENT_START = _WIRE_START + 2 * WIRE_SLOT_BYTES
_HEARD_START = _SENT_START + 2 * SENT_SLOT_BYTES
FILE_BYTES = _HEARD_START + HEARD_BYTES

_OFFSET = struct.Struct("<Q")

#: Turn number, clause, frames of this clause, frames in all.
_SENT = struct.Struct("<QIII")


class Sent(NamedTuple):
    """How much of an answer was sent: `frames_of_clause` of the clause it is at."""

    clause: int = 0
    frames_of_clause: int = 0
    frames: int = 0


@dataclass(frozen=True, slots=True)
class AnswerState:
    """The answer that is being given, as far as it is known.

    `clauses` that are made; `complete`: there will be no others. `phrases` are the
    numbers of those that are ready-made and no words of a model. The rest is what a turn
    knows of itself (`turn.Turn`).
    """

    heard: str
    clauses: tuple[str, ...] = ()
    phrases: tuple[int, ...] = ()
    complete: bool = False
    emotion: str = ""
    voice: str = ""
    verdict: str = "answered"
    reason: str = ""
    close_after: bool = False


class _Region:
    """Two slots, the newer valid one counts."""

    def __init__(self, memory: mmap.mmap, start: int, slot_bytes: int) -> None:
        self._memory = memory
        self._starts = (start, start + slot_bytes)
        self._room = slot_bytes - _HEADER.size
        self._sequence = max(sequence for sequence, _ in map(self._slot, self._starts))

    def _slot(self, start: int) -> tuple[int, bytes]:
        sequence, length, checksum = _HEADER.unpack_from(self._memory, start)
        if sequence == 0 or length > self._room:
            return 0, b""
        begin = start + _HEADER.size
        content = self._memory[begin : begin + length]
        if zlib.crc32(content, sequence & 0xFFFFFFFF) != checksum:
            return 0, b""
        return sequence, content

    def read(self) -> bytes:
        return max(map(self._slot, self._starts))[1]

    def write(self, content: bytes) -> None:
        if len(content) > self._room:
            raise ValueError(f"{len(content)} bytes do not fit into {self._room}")
        self._sequence += 1
        start = self._starts[self._sequence % 2]
        begin = start + _HEADER.size
        _HEADER.pack_into(self._memory, start, 0, 0, 0)
        self._memory[begin : begin + len(content)] = content
        checksum = zlib.crc32(content, self._sequence & 0xFFFFFFFF)
        _HEADER.pack_into(self._memory, start, self._sequence, len(content), checksum)


@dataclass(slots=True)
class SessionState:
    """Everything of a session that its successor goes on with."""

    device_id: str = ""
    client_id: str = ""
    protocol_version: int = 1
    remote: str = ""
    session_id: str = ""
    hello: bool = False
    mcp: bool = False
    mode: str = "auto"
    listening: bool = False
    #: idle, listening, hearing (an utterance is open), thinking, speaking, spoken (all of
    #: the answer was sent)
    phase: str = "idle"
    turn: int = 0
    in_fragment: bool = False
    #: (role, text) pairs, oldest first.
    dialogue: list[list[str]] = field(default_factory=list)
    #: Words of an unanswered turn that the open utterance continues.
    carried: str = ""
    #: `listen stop` came; the utterance's last frames are waited for.
    stopping: bool = False
    #: `tts start` was sent: the device is speaking, or about to.
    told: bool = False
    answer: AnswerState | None = None
    #: Kept apart, see `Checkpoint.save_sent`.
    sent: Sent = field(default_factory=Sent)


class Checkpoint:
    """The mapped file. `fileno` is owned by the caller; `close` unmaps only."""

    def __init__(self, fileno: int) -> None:
        self._memory = mmap.mmap(fileno, FILE_BYTES)
        self._state = _Region(self._memory, 0, STATE_SLOT_BYTES)
        self._wire = _Region(self._memory, _WIRE_START, WIRE_SLOT_BYTES)
        self._sent = _Region(self._memory, _SENT_START, SENT_SLOT_BYTES)
        #: What the device said and nobody has answered yet.
        self.heard = PacketRing(self._memory, _HEARD_START, HEARD_BYTES)

    def close(self) -> None:
        self._memory.close()

    def load(self) -> SessionState:
        """The state last saved; a fresh one when nothing was."""
        content = self._state.read()
        if not content:
            return SessionState()
        members: dict[str, Any] = json.loads(content)
        answer = members.pop("answer")
        if answer is not None:
            clauses, phrases = tuple(answer.pop("clauses")), tuple(answer.pop("phrases"))
            members["answer"] = AnswerState(clauses=clauses, phrases=phrases, **answer)
        return SessionState(**members, sent=self._load_sent(members["turn"]))

    def save(self, state: SessionState) -> None:
        """Write the state; when it does not fit the oldest dialogue goes, then the answer."""
        while True:
            members = asdict(state)
            del members["sent"]
            text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
            # A model may break an emoji into halves that cannot be encoded.
            content = text.encode("utf-8", "replace")
            fits = len(content) <= STATE_SLOT_BYTES - _HEADER.size
            if fits or not (state.dialogue or state.answer):
                self._state.write(content)
                return
            if state.dialogue:
                del state.dialogue[:2]
            else:
                state.answer = None  # a successor apologises instead

    def save_sent(self, turn: int, sent: Sent) -> None:
        """So much of this turn's answer is on its way: cheap enough for every frame."""
        self._sent.write(_SENT.pack(turn, *sent))

    def _load_sent(self, turn: int) -> Sent:
        content = self._sent.read()
        if not content:
            return Sent()
        of_turn, *sent = _SENT.unpack(content)
        return Sent(*sent) if of_turn == turn else Sent()

    def save_unsent(self, offset: int, data: bytes) -> None:
        """`data` is about to be written; `offset` bytes were written before it."""
        self._wire.write(_OFFSET.pack(offset) + data)

    def load_unsent(self) -> tuple[int, bytes]:
        """The last (offset, data) saved; (0, b'') when nothing was."""
        content = self._wire.read()
        if not content:
            return 0, b""
        return _OFFSET.unpack_from(content)[0], content[_OFFSET.size :]


#: What `save_unsent` takes at most.
MAX_UNSENT_BYTES = WIRE_SLOT_BYTES - _HEADER.size - _OFFSET.size


def create(state: SessionState) -> int:
    """A new checkpoint holding `state`; returns its descriptor, owned by the caller."""
    fileno = os.memfd_create("xiaozhi-checkpoint", os.MFD_CLOEXEC)
    os.ftruncate(fileno, FILE_BYTES)
    checkpoint = Checkpoint(fileno)
    checkpoint.save(state)
    checkpoint.close()
    return fileno
