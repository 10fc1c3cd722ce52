"""The session actor: one device. Its thread only turns messages into events and back.

State: the connection being served (`Serving`, on the engine thread).

Receives: Start(detail: `Phrases` or None), Phrases; Adopt, EndConnection, Drain (acceptor);
Leased, Busy, LeaseLost (router); Partial, Recognised, ClauseReady, Generated,
FramesReady, WorkFailed (workers).
Sends: Adopted, ConnectionEnded (acceptor); Lease, Release (router); Recognise,
SpeechChunk, SpeechEnded, Generate, Synthesise, Cancel (workers); TurnRecord (console).
Fails with: ConnectionEnded that names the reason, when a connection cannot be adopted.
Ends itself when the engine thread raised: its successor goes on from the checkpoint.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from actors import log
from actors.base import BaseActor, handles
from actors.descriptors import DescriptorStore, StoreError
from actors.messages import (
    Address,
    Adopt,
    Adopted,
    AnswerAwaited,
    AnswerKnown,
    AnswerUnknown,
    Busy,
    ClauseReady,
    ConnectionEnded,
    Drain,
    EndConnection,
    FramesReady,
    Generated,
    Leased,
    LeaseLost,
    Partial,
    Phrases,
    Recognised,
    SoundAwaited,
    SoundKnown,
    SoundUnknown,
    Start,
    TurnRecord,
    WorkFailed,
)
from actors.session.serving import Serving

#: Exit status of a session that raised (sysexits.h: internal software error).
EXIT_BROKEN = 70


class Session(BaseActor):
    KIND = "session"

    def __init__(self) -> None:
        super().__init__()
        self._serving: Serving | None = None
        self._phrases: Phrases | None = None
        self._store: DescriptorStore | None = None

    def started(self, message: Start) -> None:
        self._phrases = message.detail
        self.start_engine().loop.set_exception_handler(_broken)
        self.ready()

    @handles(Adopt)
    def on_adopt(self, message: Adopt, sender: Address) -> None:
        assert self.engine is not None
        self.state = "serving"
        self.engine.call(self._adopt, message.key)

    @handles(Phrases)
    def on_phrases(self, message: Phrases, sender: Address) -> None:
        self._phrases = message
        self._to_serving("phrases", message)

    @handles(EndConnection)
    def on_end_connection(self, message: EndConnection, sender: Address) -> None:
        self._to_serving("end", message.reason)

    @handles(Drain)
    def on_drain(self, message: Drain, sender: Address) -> None:
        self._to_serving("drain", message.deadline_ms / 1000)

    @handles(
        Leased,
        Busy,
        LeaseLost,
        Partial,
        Recognised,
        ClauseReady,
        Generated,
        FramesReady,
        WorkFailed,
        AnswerKnown,
        AnswerUnknown,
        AnswerAwaited,
        SoundKnown,
        SoundUnknown,
        SoundAwaited,
    )
    def on_answer(self, message: Any, sender: Address) -> None:
        self._to_serving("answer", message)

    # --- on the engine thread ---

    def _to_serving(self, verb: str, argument: Any) -> None:
        assert self.engine is not None

        def pass_on() -> None:
            if self._serving is not None:
                getattr(self._serving, verb)(argument)

        self.engine.call(pass_on)

    def _adopt(self, key: str) -> None:
        assert self.engine is not None
        try:
            self._store = DescriptorStore(self.directory.store)
            kept = self._store.get(key)
        except StoreError as error:
            log.get().error("connection not adopted", key=key, reason=str(error))
            self.engine.emit(self.parent, ConnectionEnded(key, str(error)))
            return
        self._serving = Serving(
            kept,
            self._store,
            self.settings,
            self._phrases,
            self.engine,
            lambda: self.directory,
            self._recorded,
            lambda reason: self._ended(key, reason),
        )
        self.engine.emit(self.parent, Adopted(key, self._serving.state.device_id, kept.takeovers))
        self._serving.begin()

    def _recorded(self, record: TurnRecord) -> None:
        assert self.engine is not None
        if self.directory.console is not None:
            self.engine.emit(self.directory.console, record)

    def _ended(self, key: str, reason: str) -> None:
        assert self.engine is not None
        self._serving = None
        self.engine.emit(self.parent, ConnectionEnded(key, reason))


def _broken(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What raised has left a conversation half changed, with no timer to wake it.

    Whoever takes the device over apologises and goes on; three times in 30 s and the
    connection is closed, for then it is the input that kills.
    """
    log.get().critical("session broke", what=context["message"], exc_info=context.get("exception"))
    os._exit(EXIT_BROKEN)
