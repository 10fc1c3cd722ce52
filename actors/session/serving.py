"""A session's engine: the device's socket, the clock, and the pure conversation between.

Runs on the session's engine thread. Reads whole messages, lets the conversation
decide, carries out its effects, keeps the checkpoint current, and asks to be woken
at the conversation's next deadline. Nothing here waits.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from actors import log
from actors.descriptors import DescriptorStore, Kept
from actors.effects import (
    CloseConnection,
    Effect,
    Note,
    SendFrame,
    SendText,
    ToAnswers,
    ToRouter,
    ToSounds,
    ToWorker,
    TurnEnded,
)
from actors.engine import EngineThread
from actors.messages import Address, Directory, Phrases, TurnRecord
from actors.session.checkpoint import Checkpoint
from actors.session.connection import BinaryMessage, Closed, DeviceConnection, TextMessage
from actors.session.conversation import Conversation
from actors.session.ready import ReadyPhrases
from actors.wire.frames import encode_frame
from cfg.model import Settings

#: Firmware neither echoes a Close frame nor closes at once: the TCP connection is
#: dropped so long after ours (protocol 5).
CLOSE_LINGER_S = 1.0

#: What of the state changes; whenever the dialogue grew, `turn` or `phase` has changed.
_SCALARS = attrgetter(
    "protocol_version",
    "hello",
    "mcp",
    "mode",
    "listening",
    "phase",
    "turn",
    "in_fragment",
    "carried",
    "stopping",
    "told",
    "answer",
)


def _ready(phrases: Phrases | None) -> ReadyPhrases:
    return ReadyPhrases() if phrases is None else ReadyPhrases(phrases.frames, phrases.choices)


class Serving:
    """One adopted connection until its end; `ended(reason)` is called once, then nothing."""

    def __init__(
        self,
        kept: Kept,
        store: DescriptorStore,
        settings: Settings,
        phrases: Phrases | None,
        thread: EngineThread,
        directory: Callable[[], Directory],
        recorded: Callable[[TurnRecord], None],
        ended: Callable[[str], None],
    ) -> None:
        self._kept = kept
        self._store = store
        self._thread = thread
        self._loop = thread.loop
        self._directory = directory
        self._recorded = recorded
        self._ended = ended
        self._checkpoint = Checkpoint(kept.checkpoint_fileno)
        state = self._checkpoint.load()
        self.state = state
        self._log = log.get(device=state.device_id, session=state.session_id)
        self._connection = DeviceConnection(
            kept.connection, self._checkpoint, settings.server.max_message_bytes
        )
        self._fileno = self._connection.fileno()
        self._conversation = Conversation(
            settings,
            state,
            _ready(phrases),
            time.monotonic(),
            time.time(),
            self._checkpoint.heard,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._writing = False
        self._saved: Any = None
        self._saved_sent = state.sent
        self._over = False
        #: Why we have closed; until then empty.
        self._close_reason = ""

    def begin(self) -> None:
        """Serve from now on; go on where a previous session ended, if there was one."""
        if self._kept.takeovers > 0:
            if self.state.in_fragment:
                self._log.warning("closed: its message's beginning died with its session")
                self._finish("taken over inside a fragmented message")
                return
            self._log.warning(
                "connection taken over", takeovers=self._kept.takeovers, phase=self.state.phase
            )
            self._conversation.recover(time.monotonic())
        else:
            self._log.info("connected", remote=self.state.remote, pid=os.getpid())
        self._loop.add_reader(self._fileno, self._readable)
        self._step()

    # --- what happens ---

    def answer(self, message: Any) -> None:
        """A message of the router or a worker."""
        if not self._over:
            self._conversation.answer(message, time.monotonic())
            self._step()

    def phrases(self, message: Phrases) -> None:
        """Speech kept ready, for the turns from now on."""
        self._conversation.turns.phrases = _ready(message)

    def drain(self, deadline_s: float) -> None:
        if not self._over:
            self._conversation.drain(time.monotonic(), deadline_s)
            self._step()

    def end(self, reason: str) -> None:
        if not self._over:
            self._conversation.end(time.monotonic(), reason)
            self._step()

    def _readable(self) -> None:
        now = time.monotonic()
        for number, event in enumerate(self._connection.receive()):
            if number:
                self._conversation.settle(now)  # what was decided by the message before
            if isinstance(event, TextMessage):
                self._conversation.text(event.text, now)
            elif isinstance(event, BinaryMessage):
                self._conversation.binary(event.data, now)
            elif isinstance(event, Closed):
                self._conversation.gone(now)
                self._carry_out()
                self._finish(self._close_reason or event.reason)
                return
        self._step()

    def _woken(self) -> None:
        self._timer = None
        self._conversation.time(time.monotonic())
        self._step()

    def _writable(self) -> None:
        self._connection.flush()
        self._step()

    # --- consequences ---

    def _step(self) -> None:
        """Save what was decided, carry it out, and set the clock for what comes next.

        Saved first: who is killed in between has a successor that knows of the turn, and
        does not use its number again.
        """
        now = time.monotonic()
        self._conversation.settle(now)
        self._save()
        self._carry_out()
        if self._over:
            return
        if self._connection.overflowing:
            self._log.warning(
                "dropped: the device does not read", bytes=self._connection.unsent_bytes
            )
            self._conversation.gone(now)
            self._carry_out()
            self._finish("the device does not read")
            return
        if self._connection.wants_write != self._writing:
            self._writing = not self._writing
            if self._writing:
                self._loop.add_writer(self._fileno, self._writable)
            else:
                self._loop.remove_writer(self._fileno)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._close_reason:
            wait = max(0.0, self._conversation.deadline() - time.monotonic())
            self._timer = self._loop.call_later(wait, self._woken)

    def _save(self) -> None:
        self.state.in_fragment = self._connection.in_fragment
        current = _SCALARS(self.state), self.state.dialogue[-2:]
        if current != self._saved:
            self._checkpoint.save(self.state)
            # Saving may have dropped the oldest of the dialogue.
            self._saved = _SCALARS(self.state), self.state.dialogue[-2:]
        if self.state.sent != self._saved_sent:
            self._saved_sent = self.state.sent
            self._checkpoint.save_sent(self.state.turn, self.state.sent)
        self._conversation.saved()

    def _carry_out(self) -> None:
        conversation = self._conversation
        while conversation.out:
            effects, conversation.out[:] = list(conversation.out), []
            for effect in effects:
                self._do(effect)

    def _do(self, effect: Effect) -> None:
        if self._connection.closed and isinstance(effect, SendText | SendFrame | CloseConnection):
            return
        if isinstance(effect, SendFrame):
            version = self.state.protocol_version
            self._connection.send_binary(encode_frame(version, effect.opus, effect.timestamp_ms))
        elif isinstance(effect, SendText):
            self._connection.send_text(effect.text)
        elif isinstance(effect, ToRouter):
            self._to(self._directory().router, effect.message)
        elif isinstance(effect, ToAnswers):
            self._to(self._directory().answers, effect.message)
        elif isinstance(effect, ToSounds):
            self._to(self._directory().sounds, effect.message)
        elif isinstance(effect, ToWorker):
            self._thread.emit(effect.address, effect.message)
        elif isinstance(effect, TurnEnded):
            self._record(effect.record)
        elif isinstance(effect, Note):
            getattr(self._log, effect.level)(effect.event, turn=self.state.turn, **effect.members)
        else:
            self._close(effect)

    def _to(self, address: Address | None, message: Any) -> None:
        """Nobody there at the moment: whoever asks has a deadline."""
        if address is not None:
            self._thread.emit(address, message)

    def _record(self, record: TurnRecord) -> None:
        self._log.info(
            "turn ended",
            turn=record.turn.number,
            outcome=record.outcome,
            heard=record.heard,
            said=record.said,
            reason=record.reason,
            engines=record.engines,
            **{f"{hop}_ms": ms for hop, ms in record.hops_ms.items()},
        )
        self._recorded(record)

    def _close(self, effect: CloseConnection) -> None:
        self._close_reason = effect.reason
        self._connection.send_close(effect.code, effect.reason)
        self._loop.call_later(CLOSE_LINGER_S, self._finish, effect.reason)

    def _finish(self, reason: str) -> None:
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._fileno)
        self._loop.remove_writer(self._fileno)
        self._connection.drop()
        self._checkpoint.close()
        os.close(self._kept.checkpoint_fileno)
        self._store.drop(self._kept.key)
        self._log.info("disconnected", reason=reason, turns=self.state.turn)
        self._ended(reason)
