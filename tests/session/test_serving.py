"""The engine around a conversation: a real socket, a real checkpoint, an event loop, no actor."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.frames import Opcode

from actors.descriptors import Kept
from actors.effects import SendText
from actors.messages import Directory, Lease, Phrases, Release, TurnRecord
from actors.session.checkpoint import Checkpoint
from actors.session.connection import MAX_OUTPUT_BYTES
from actors.session.serving import Serving
from cfg.model import Settings
from tests.session.loopback import Line, binary, text
from tests.session.scripted import packet, packets

HELLO = '{"type":"hello","version":1}'
LISTEN = '{"type":"listen","state":"start","mode":"auto"}'
TYPED = '{"type":"listen","state":"detect","text":"讲个故事"}'


class Silent:
    """A logger that says nothing, and leaves the process's logging as it is."""

    def __getattr__(self, level: str) -> Any:
        return lambda *_, **__: None


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.session.serving.log.get", lambda **_: Silent())


class Thread:
    """An engine thread's loop, and what it would have the actor send."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.sent: list[Any] = []

    def emit(self, target: Any, message: Any) -> None:
        self.sent.append(message)


class Store:
    def __init__(self) -> None:
        self.dropped: list[str] = []

    def drop(self, key: str) -> None:
        self.dropped.append(key)


class Session:
    """A session that serves `line`, without its actor."""

    def __init__(self, line: Line, takeovers: int = 0, settings: Settings | None = None) -> None:
        self.line = line
        self.thread = Thread(asyncio.get_running_loop())
        self.store = Store()
        self.records: list[TurnRecord] = []
        self.ended: list[str] = []
        # A dropped connection is dropped for every holder: the launcher's too.
        kept = Kept("key", line.kept.dup(), os.dup(line.checkpoint_fileno), takeovers)
        self.serving = Serving(
            kept,
            self.store,  # type: ignore[arg-type]
            settings or Settings(),
            Phrases(24000, 60, {"我在。": (packet("1"), packet("2"))}),
            self.thread,  # type: ignore[arg-type]
            lambda: Directory(router="router"),
            self.records.append,
            self.ended.append,
        )
        self.serving.begin()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.line.read()
                await asyncio.sleep(0.001)

    def kinds(self) -> list[str]:
        made = [json.loads(m) for m in self.line.received if isinstance(m, str)]
        return [f"{m['type']} {m.get('state', '')}".strip() for m in made]

    def leave(self) -> None:
        """End like a process that is killed: nothing is closed properly."""
        loop, serving = self.thread.loop, self.serving
        loop.remove_reader(serving._fileno)
        loop.remove_writer(serving._fileno)
        if serving._timer is not None:
            serving._timer.cancel()
        serving._over = True
        serving._connection._socket.close()
        serving._checkpoint.close()
        os.close(serving._kept.checkpoint_fileno)


def saved(line: Line) -> Any:
    checkpoint = Checkpoint(line.checkpoint_fileno)
    state = checkpoint.load()
    checkpoint.close()
    return state


@asynccontextmanager
async def serving(line: Line, **members: Any) -> AsyncIterator[Session]:
    session = Session(line, **members)
    yield session
    if not session.ended:
        session.serving.end("the test is over")
        line.device.close()
        await session.until(lambda: bool(session.ended))


def run(test: Any) -> None:
    with Line() as line:
        asyncio.run(test(line))


def test_a_greeting_is_spoken_from_hello_to_stop() -> None:
    async def test(line: Line) -> None:
        async with serving(line) as session:
            line.raw(line.frames(text(HELLO)))
            line.raw(line.frames(text('{"type":"listen","state":"detect","text":"你好小智"}')))
            await session.until(lambda: session.kinds()[-1:] == ["tts stop"])
            assert session.kinds() == ["hello", "tts start", "tts sentence_start", "tts stop"]
            assert [m for m in line.received if isinstance(m, bytes)] == [packet("1"), packet("2")]
            assert session.records[0].outcome == "answered"
            assert saved(line).phase == "idle"
            assert saved(line).turn == 1

    run(test)


def test_a_turn_is_saved_before_anything_of_it_is_sent() -> None:
    """Killed in between, its successor must know that the device may be speaking."""

    async def test(line: Line) -> None:
        async with serving(line) as session:
            line.raw(line.frames(text(HELLO)))
            await session.until(lambda: session.kinds() == ["hello"])
            seen: list[Any] = []
            real = session.serving._do

            def watch(effect: Any) -> None:
                if isinstance(effect, SendText):
                    seen.append(saved(line))
                real(effect)

            session.serving._do = watch  # type: ignore[method-assign]
            line.raw(line.frames(text(TYPED)))
            await session.until(lambda: "tts start" in session.kinds())
            assert [(state.phase, state.turn) for state in seen] == [("speaking", 1)] * 2

    run(test)


def test_what_was_heard_is_kept_until_it_is_saved_that_it_is_answered() -> None:
    """Killed in between, its successor must either hear it again or know the answer."""

    async def test(line: Line) -> None:
        async with serving(line) as session:
            line.raw(line.frames(text(HELLO), text(LISTEN)))
            await session.until(lambda: session.serving.state.phase == "listening")
            checkpoint = session.serving._checkpoint
            seen: list[tuple[str, bool]] = []
            real = checkpoint.save

            def watch(state: Any) -> None:
                seen.append((state.phase, bool(list(checkpoint.heard))))
                real(state)

            checkpoint.save = watch  # type: ignore[method-assign]
            line.raw(line.frames(*(binary(each) for each in packets(loud=True)[:20])))
            await session.until(lambda: seen[-1:] == [("hearing", True)])
            line.raw(line.frames(text(TYPED)))
            await session.until(lambda: seen[-1:] == [("speaking", True)])
            await session.until(lambda: "tts start" in session.kinds())
            assert not list(checkpoint.heard)

    run(test)


def test_a_successor_goes_on_with_what_was_begun() -> None:
    async def test(line: Line) -> None:
        first = Session(line)
        line.raw(line.frames(text(HELLO), text(TYPED)))
        await first.until(lambda: "tts start" in first.kinds())
        first.leave()
        async with serving(line, takeovers=1) as second:
            await second.until(lambda: any(isinstance(m, Lease) for m in second.thread.sent))
            lease = next(m for m in second.thread.sent if isinstance(m, Lease))
            assert (lease.kind, lease.turn.number) == ("llm", 2)
            assert second.serving.state.hello
            line.raw(line.frames(text('{"type":"abort"}')))
            await second.until(lambda: second.kinds()[-1] == "tts stop")
            assert second.records[0].outcome == "interrupted"

    run(test)


def test_a_message_whose_beginning_is_lost_closes() -> None:
    async def test(line: Line) -> None:
        first = Session(line)
        line.raw(line.frames(text(HELLO), text('{"type"', fin=False)))
        await first.until(lambda: saved(line).in_fragment)
        first.leave()
        second = Session(line, takeovers=1)
        assert second.ended == ["taken over inside a fragmented message"]
        assert second.store.dropped == ["key"]

    run(test)


def test_a_device_that_drops_leaves_nothing_behind() -> None:
    async def test(line: Line) -> None:
        session = Session(line)
        line.raw(line.frames(text(HELLO), text(TYPED)))
        await session.until(lambda: "tts start" in session.kinds())
        line.device.close()
        await session.until(lambda: bool(session.ended))
        assert session.ended == ["dropped by the device"]
        assert session.store.dropped == ["key"]
        leases = [m.request for m in session.thread.sent if isinstance(m, Lease)]
        assert [m.request for m in session.thread.sent if isinstance(m, Release)] == leases
        assert session.records[0].outcome == "interrupted"

    run(test)


def test_a_device_that_is_replaced_is_told_and_dropped() -> None:
    async def test(line: Line) -> None:
        session = Session(line)
        line.raw(line.frames(text(HELLO)))
        await session.until(lambda: session.kinds() == ["hello"])
        session.serving.end("another connection of this device")
        await session.until(lambda: bool(line.control))
        assert line.control[0].opcode is Opcode.CLOSE
        assert bytes(line.control[0].data[2:]) == b"another connection of this device"
        line.raw(line.frames(text(TYPED)))
        await session.until(lambda: bool(session.ended))
        assert session.ended == ["another connection of this device"]
        assert session.kinds() == ["hello"]

    run(test)


def test_a_device_that_does_not_read_is_dropped() -> None:
    async def test(line: Line) -> None:
        session = Session(line)
        line.raw(line.frames(text(HELLO)))
        pings = line.frames(*[text('{"type":"ping"}')] * 60)
        line.device.setblocking(True)
        async with asyncio.timeout(5):
            while not session.ended:
                line.device.sendall(pings)
                await asyncio.sleep(0)
        assert session.ended == ["the device does not read"]
        assert MAX_OUTPUT_BYTES < 64 * 1024

    with Line(send_buffer=4096, receive_buffer=2048) as line:
        asyncio.run(test(line))


def test_saving_the_same_again_writes_nothing() -> None:
    async def test(line: Line) -> None:
        async with serving(line) as session:
            line.raw(line.frames(text(HELLO)))
            await session.until(lambda: session.kinds() == ["hello"])
            before = os.pread(line.checkpoint_fileno, 48 * 1024, 0)
            for _ in range(5):
                session.serving._step()
            assert os.pread(line.checkpoint_fileno, 48 * 1024, 0) == before

    run(test)
