"""A bad link: nothing is lost or put out of order, whatever stands in its way."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.profile import DeviceProfile
from sim.rough import LINKS, Roughness, RoughTransport, narrow_socket
from tests.sim.swarm.virtual import run


class Plain:
    """What a transport was told, and when."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.told: list[tuple[float, Any]] = []
        self.closing = False

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.told.append((self.loop.time(), (name, *args)))

    def is_closing(self) -> bool:
        return self.closing

    def written(self) -> list[bytes]:
        return [what[1] for _at, what in self.told if what[0] == "write"]

    def names(self) -> list[str]:
        return [what[0] for _at, what in self.told]


def over(plain: Plain, **rough: Any) -> RoughTransport:
    return RoughTransport(plain, Roughness(**rough))  # type: ignore[arg-type]


@given(st.lists(st.binary(min_size=1, max_size=90), min_size=1, max_size=8), st.integers(1, 40))
def test_pieces_are_small_in_order_and_apart(frames: list[bytes], size: int) -> None:
    async def send() -> Plain:
        plain = Plain()
        link = over(plain, segment_bytes=size, segment_gap_ms=8)
        for frame in frames:
            link.write(frame)
        await asyncio.sleep(10)
        return plain

    plain = run(send())
    pieces = plain.written()
    assert b"".join(pieces) == b"".join(frames)
    assert max(map(len, pieces)) <= size
    times = [at for at, _what in plain.told]
    gaps = [after - before for before, after in pairwise(times)]
    assert all(gap == pytest.approx(0.008, abs=1e-4) for gap in gaps)


def test_what_waits_is_written_before_the_end_and_dropped_by_an_abort() -> None:
    async def end(how: str) -> Plain:
        plain = Plain()
        link = over(plain, segment_bytes=2, segment_gap_ms=8)
        link.write(b"abcdef")
        getattr(link, how)()
        await asyncio.sleep(1)
        return plain

    assert b"".join(run(end("close")).written()) == b"abcdef"
    assert b"".join(run(end("write_eof")).written()) == b"abcdef"
    assert run(end("abort")).written() == [b"ab"]
    assert run(end("abort")).names()[-1] == "abort"


def test_reading_stalls_again_and_again() -> None:
    async def stall() -> tuple[list[tuple[float, str]], list[bool]]:
        plain = Plain()
        began = plain.loop.time()
        link = over(plain, stall_s=1.5, stall_every_s=5.0)
        seen = []
        for _ in range(10):
            await asyncio.sleep(1.01)
            seen.append(link.stalled)
        link.rest()
        await asyncio.sleep(20)
        return [(round(at - began, 1), what[0]) for at, what in plain.told], seen

    told, seen = run(stall())
    assert told == [(5.0, "pause_reading"), (6.5, "resume_reading"), (10.0, "pause_reading")]
    assert [index for index, stalled in enumerate(seen) if stalled] == [4, 5, 9]


def test_a_reader_that_pauses_stays_paused_when_a_stall_ends() -> None:
    async def both() -> list[str]:
        plain = Plain()
        link = over(plain, stall_s=1.0, stall_every_s=5.0)
        await asyncio.sleep(5.5)
        link.pause_reading()
        await asyncio.sleep(1)
        paused = plain.names()
        link.resume_reading()
        link.rest()
        return [*paused, "then", plain.names()[-1]]

    names = run(both())
    assert "resume_reading" not in names[:-1]
    assert names[-1] == "resume_reading"


def test_a_window_is_small_from_the_beginning() -> None:
    async def connect() -> int:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            narrow = await narrow_socket(f"ws://127.0.0.1:{port}/x", 2048)
            with narrow:
                return narrow.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    assert asyncio.run(connect()) <= 2 * 2304


def test_nobody_listens_on_a_narrow_window_either() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(narrow_socket(f"ws://127.0.0.1:{port}/x", 2048))


def test_links_have_names() -> None:
    assert not LINKS["plain"]
    assert all(LINKS[name] for name in LINKS if name != "plain")
    with pytest.raises(ValueError, match=r"link is 'bad'; possible are plain, split"):
        DeviceProfile("ws://x/", "a", "b", link="bad")
