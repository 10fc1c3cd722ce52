"""The fault proxy against a real echo server on loopback."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from sim.faults.conditions import Conditions, ConditionsError, Weather, parse
from sim.faults.proxy import FaultProxy

LIMIT_S = 10.0


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await work()

    asyncio.run(limited())


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that sends back what it gets; yields its port."""
    writers = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


@asynccontextmanager
async def proxied(
    weather: Weather | None = None,
) -> AsyncIterator[tuple[FaultProxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    async with echo() as port, FaultProxy("127.0.0.1", port, weather=weather, seed=1) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            yield proxy, reader, writer
        finally:
            writer.transport.abort()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


async def round_trip_ms(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    began = time.monotonic()
    writer.write(b"ping")
    assert await reader.readexactly(4) == b"ping"
    return (time.monotonic() - began) * 1000


def test_good_weather_changes_nothing() -> None:
    async def work() -> None:
        async with proxied() as (proxy, reader, writer):
            sent = bytes(range(256)) * 4000
            writer.write(sent)
            assert await reader.readexactly(len(sent)) == sent
            writer.write_eof()
            assert await reader.read() == b""
            await until(lambda: proxy.open_connections == 0)
            assert (proxy.traffic.up_bytes, proxy.traffic.down_bytes) == (len(sent), len(sent))
            assert proxy.traffic.connections == 1

    run(work)


def test_latency_holds_each_direction_and_can_be_taken_back() -> None:
    async def work() -> None:
        weather = parse({"both": {"latency_ms": 60}})
        async with proxied(weather) as (proxy, reader, writer):
            assert await round_trip_ms(reader, writer) >= 120
            before = proxy.apply({"up": {"latency_ms": 0}})
            assert before == weather
            assert await round_trip_ms(reader, writer) >= 60
            proxy.set(Weather())
            await round_trip_ms(reader, writer)
            assert proxy.traffic.down_bytes == 12

    run(work)


def test_jitter_does_not_change_the_order() -> None:
    async def work() -> None:
        async with proxied(parse({"up": {"latency_ms": 10, "jitter_ms": 10}})) as (_, r, w):
            sent = b""
            for number in range(50):
                piece = number.to_bytes(2, "big")
                sent += piece
                w.write(piece)
                await asyncio.sleep(0.001)
            assert await r.readexactly(len(sent)) == sent

    run(work)


def test_a_narrow_line_takes_its_time() -> None:
    async def work() -> None:
        async with proxied(parse({"up": {"bandwidth_bytes_per_s": 100_000}})) as (_, r, w):
            began = time.monotonic()
            w.write(bytes(30_000))
            await r.readexactly(30_000)
            assert time.monotonic() - began >= 0.25

    run(work)


def test_segments_arrive_one_by_one() -> None:
    async def work() -> None:
        weather = parse({"down": {"segment_bytes": 3, "segment_gap_ms": 10}})
        async with proxied(weather) as (_, reader, writer):
            writer.write(b"0123456789")
            pieces = []
            while sum(map(len, pieces)) < 10:
                pieces.append(await reader.read(100))
            assert b"".join(pieces) == b"0123456789"
            assert max(map(len, pieces)) <= 6  # two may meet in the reader
            assert len(pieces) >= 3

    run(work)


def test_a_stall_holds_the_sender_up_and_loses_nothing() -> None:
    async def work() -> None:
        async with proxied(parse({"up": {"window_bytes": 2048}})) as (proxy, reader, writer):
            await round_trip_ms(reader, writer)
            proxy.apply({"up": {"stall": True}})
            sent = bytes(16_000_000)  # more than any socket buffer
            writer.write(sent)
            still = asyncio.create_task(reader.read(1))
            done, _ = await asyncio.wait([still], timeout=0.1)
            assert not done
            assert proxy.traffic.up_bytes == 4
            assert writer.transport.get_write_buffer_size() > 0
            proxy.apply({"up": {"stall": False, "window_bytes": 0}})
            assert len(await still + await reader.readexactly(len(sent) - 1)) == len(sent)

    run(work)


def test_a_lost_cable_loses_bytes_and_says_nothing() -> None:
    async def work() -> None:
        async with proxied() as (proxy, reader, writer):
            await round_trip_ms(reader, writer)
            proxy.apply({"down": {"drop": True}})
            writer.write(b"lost")
            await until(lambda: proxy.traffic.up_bytes == 8)
            still = asyncio.create_task(reader.read(1))
            done, _ = await asyncio.wait([still], timeout=0.05)
            assert not done
            proxy.apply({"down": {"drop": False}})
            writer.write(b"x")
            assert await still == b"x"

    run(work)


def test_a_reset_is_seen_as_one() -> None:
    async def work() -> None:
        async with proxied() as (proxy, reader, writer):
            await round_trip_ms(reader, writer)
            proxy.apply({"reset": True})
            with pytest.raises(ConnectionResetError):
                await reader.read(1)
            await until(lambda: proxy.open_connections == 0)

    run(work)


def test_a_cut_is_seen_as_an_end() -> None:
    async def work() -> None:
        async with proxied() as (proxy, reader, writer):
            await round_trip_ms(reader, writer)
            proxy.apply({"cut": True})
            assert await reader.read() == b""

    run(work)


def test_new_connections_are_refused_while_old_ones_go_on() -> None:
    async def work() -> None:
        async with proxied() as (proxy, reader, writer):
            await round_trip_ms(reader, writer)
            proxy.apply({"refuse": True})
            other, theirs = await asyncio.open_connection("127.0.0.1", proxy.port)
            with pytest.raises(ConnectionResetError):
                await other.read(1)
            theirs.transport.abort()
            assert proxy.traffic.refused == 1
            await round_trip_ms(reader, writer)

    run(work)


def test_a_server_that_is_not_there_resets_the_client() -> None:
    async def work() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        async with FaultProxy("127.0.0.1", port) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            with pytest.raises(ConnectionResetError):
                await reader.read(1)
            writer.transport.abort()
            assert proxy.traffic.failed == 1

    run(work)


def test_closing_ends_everything() -> None:
    async def work() -> None:
        async with echo() as port:
            proxy = FaultProxy("127.0.0.1", port)
            await proxy.start()
            links = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(3)]
            await until(lambda: proxy.open_connections == 3)
            await proxy.close()
            assert proxy.open_connections == 0
            for reader, writer in links:
                assert await reader.read() == b""
                writer.transport.abort()

    run(work)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sideways": {}}, "sideways is unknown; known are up, down, both"),
        ({"up": {"latency": 5}}, "up.latency is unknown; known are latency_ms"),
        ({"up": {"latency_ms": -1}}, "up.latency_ms is -1"),
        ({"down": {"stall": 1}}, "down.stall is 1; write true or false"),
        ({"both": {"segment_bytes": "3"}}, "both.segment_bytes is '3'"),
        ({"up": 5}, "up is no object"),
        ({"refuse": "yes"}, "refuse is 'yes'"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConditionsError) as problem:
        parse(settings)
    assert words in str(problem.value)


def test_settings_keep_what_they_do_not_name() -> None:
    first = parse({"both": {"latency_ms": 5}, "refuse": True})
    second = parse({"up": {"stall": True}}, first)
    assert second.up == Conditions(latency_ms=5, stall=True)
    assert second.down == Conditions(latency_ms=5)
    assert second.refuse
