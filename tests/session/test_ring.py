"""The device's last packets in memory that outlives the session."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.session.ring import PacketRing

SIZE = 256
PACKETS = st.lists(st.binary(max_size=90), max_size=60)


def ring(memory: bytearray) -> PacketRing:
    return PacketRing(memory, 16, SIZE)


def test_packets_come_back_with_their_times_and_so_for_a_successor() -> None:
    memory = bytearray(16 + SIZE)
    first = ring(memory)
    first.append(1.5, b"one")
    first.append(1.6, b"")
    assert list(first) == [(1.5, b"one"), (1.6, b"")]
    assert list(ring(bytearray(memory))) == [(1.5, b"one"), (1.6, b"")]
    assert memory[:16] == bytes(16), "what is beside it stays untouched"


@given(PACKETS)
def test_the_newest_that_fit_are_kept_in_order(packets: list[bytes]) -> None:
    memory = bytearray(16 + SIZE)
    written = ring(memory)
    for number, packet in enumerate(packets):
        written.append(float(number), packet)
    kept = list(ring(memory))
    assert kept == list(enumerate(packets))[len(packets) - len(kept) :]
    room = SIZE - 16 - sum(10 + len(packet) for _, packet in kept)
    rest = packets[: len(packets) - len(kept)]
    assert not rest or 10 + len(rest[-1]) > room - 90, "it forgets no more than it must"


@given(PACKETS, st.integers(0, 60))
def test_what_is_old_is_forgotten(packets: list[bytes], before: int) -> None:
    memory = bytearray(16 + SIZE)
    written = ring(memory)
    for number, packet in enumerate(packets):
        written.append(float(number), packet)
    kept = [entry for entry in written if entry[0] >= before]
    written.trim(float(before))
    assert list(written) == kept == list(ring(memory))


@given(st.lists(st.one_of(st.just(None), st.binary(max_size=90)), max_size=40))
def test_a_cleared_ring_begins_anew(acts: list[bytes | None]) -> None:
    memory = bytearray(16 + SIZE)
    written, expected = ring(memory), list[tuple[float, bytes]]()
    for number, act in enumerate(acts):
        if act is None:
            written.clear()
            expected.clear()
        else:
            written.append(float(number), act)
            expected.append((float(number), act))
    kept = list(ring(memory))
    assert kept == expected[len(expected) - len(kept) :]
    assert not expected or kept


def test_a_packet_larger_than_the_ring_is_not_kept() -> None:
    written = ring(bytearray(16 + SIZE))
    written.append(1.0, b"small")
    written.append(2.0, bytes(SIZE))
    assert list(written) == [(1.0, b"small")]


@given(st.integers(0, 200), PACKETS)
def test_death_in_mid_write_leaves_what_was_before(cut: int, packets: list[bytes]) -> None:
    """Bytes arrive before the position that makes them count."""
    memory = bytearray(16 + SIZE)
    written = ring(memory)
    for number, packet in enumerate(packets):
        written.append(float(number), packet)
    end_before = memory[24:32]
    before = bytearray(memory)
    written.append(99.0, b"the last")
    torn = bytearray(memory)
    torn[24:32] = end_before
    content = bytes(torn[32:])
    torn[32 + cut :] = before[32 + cut :]
    assert len(content) == SIZE - 16
    assert list(ring(torn)) == list(ring(memory))[:-1]
