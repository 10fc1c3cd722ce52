"""The store of ready speech: keys, bounds, life time, damage, crashes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.cache.sounds import MAX_ENTRY_BYTES, Sound, SoundStore, pack, unpack

HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def sound(text: str, voice: str = "espeak/cmn") -> Sound:
    return Sound(text, voice, 24000, 60, 24000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> SoundStore:
    return SoundStore(None, disk_bytes=0, memory_bytes=1000, ttl_s=4 * HOUR, clock=clock)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SoundStore]:
    store = open_disk(tmp_path)
    yield store
    store.close()


def open_disk(folder: Path, memory_bytes: int = 0) -> SoundStore:
    import time

    return SoundStore(
        folder, disk_bytes=300_000, memory_bytes=memory_bytes, ttl_s=HOUR, clock=time.time
    )


@given(st.lists(st.binary(max_size=300), max_size=40))
def test_what_is_packed_comes_back(packets: list[bytes]) -> None:
    assert unpack(pack(packets)) == tuple(packets)


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5), st.data())
def test_damage_is_seen(packets: list[bytes], data: st.DataObject) -> None:
    value = bytearray(pack(packets))
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= data.draw(st.integers(1, 255))
    assert unpack(bytes(value)) is None
    assert unpack(bytes(value[:at])) is None


@given(st.binary(max_size=200))
def test_any_bytes_can_be_looked_at(value: bytes) -> None:
    found = unpack(value)
    assert found is None or pack(found) == value


def test_marks_and_width_at_the_end_do_not_make_another_sound() -> None:
    assert sound("你好。").key() == sound("你好").key() == sound(" 你好！").key()


def test_a_question_sounds_different_and_so_does_another_voice_or_rate() -> None:
    keys = {
        sound("你好").key(),
        sound("你好？").key(),
        sound("你好", "edge/xiaoxiao").key(),
        Sound("你好", "espeak/cmn", 16000, 60, 24000).key(),
        Sound("你好", "espeak/cmn", 24000, 20, 24000).key(),
    }
    assert len(keys) == 5


def test_a_kept_sound_is_found_until_it_is_too_old(memory: SoundStore, clock: Clock) -> None:
    memory.keep(sound("你好"), [b"abc"])
    assert memory.find(sound("你好。")) == (b"abc",)
    clock.now += 4 * HOUR + 1
    assert memory.find(sound("你好")) is None


def test_what_is_asked_for_near_its_end_lives_on(memory: SoundStore, clock: Clock) -> None:
    memory.keep(sound("你好"), [b"abc"])
    for _ in range(5):
        clock.now += 3.5 * HOUR
        assert memory.find(sound("你好")) == (b"abc",)


def test_memory_is_bounded_and_the_least_used_goes(memory: SoundStore) -> None:
    for number in range(12):
        memory.keep(sound(f"第{number}"), [bytes(100)])
        memory.find(sound("第0"))
    assert memory.size()["memory_bytes"] <= 1000
    assert memory.find(sound("第0")) is not None
    assert memory.find(sound("第1")) is None


def test_nothing_and_too_much_are_not_kept(memory: SoundStore) -> None:
    assert not memory.keep(sound("空"), [])
    assert not memory.keep(sound("长"), [bytes(60000)] * (MAX_ENTRY_BYTES // 60000 + 1))
    assert memory.find(sound("空")) is None


def test_the_disk_serves_after_a_restart(tmp_path: Path) -> None:
    first = open_disk(tmp_path)
    first.keep(sound("你好"), [b"abc", b"de"])
    first.close()
    second = open_disk(tmp_path)
    assert second.find(sound("你好")) == (b"abc", b"de")
    assert second.counts.disk_hits == 1
    second.close()


def test_the_disk_is_bounded(disk: SoundStore) -> None:
    for number in range(400):
        disk.keep(sound(f"第{number}句"), [os.urandom(1000)] * 4)
    # SQLite gives pages back late; diskcache culls ten entries a write above the limit.
    assert disk.size()["disk_bytes"] < 600_000
    assert disk.find(sound("第399句")) is not None
    assert disk.find(sound("第0句")) is None


def test_a_damaged_entry_is_dropped_not_played(tmp_path: Path) -> None:
    store = open_disk(tmp_path)
    store.keep(sound("你好"), [b"abcdef"])
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("UPDATE Cache SET value = ?", (b"\x01garbage",))
    database.close()
    assert store.find(sound("你好")) is None
    assert store.counts.damaged == 1
    store.keep(sound("你好"), [b"abcdef"])
    assert store.find(sound("你好")) == (b"abcdef",)
    store.close()


WRITER = """
import sys, time
from pathlib import Path
from actors.cache.sounds import Sound, SoundStore
store = SoundStore(Path(sys.argv[1]), disk_bytes=10**7, memory_bytes=0, ttl_s=3600, clock=time.time)
number = 0
while True:
    store.keep(Sound(str(number), "v", 24000, 60, 24000), [bytes([number % 256]) * 500] * 20)
    print(number, flush=True)
    number += 1
"""


def test_a_writer_killed_in_mid_write_leaves_a_sound_store(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    written = [int(writer.stdout.readline()) for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    writer.wait(10)
    writer.stdout.close()
    store = open_disk(tmp_path)
    for number in written:
        found = store.find(Sound(str(number), "v", 24000, 60, 24000))
        assert found == (bytes([number % 256]) * 500,) * 20
    store.close()
