"""Speech on disk: restarts, bounds, damage, crashes, and disks that cannot serve."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.cache import soundtiers
from actors.cache.sounddisk import DiskProblem, DiskTier, begin_anew
from actors.cache.sounds import pack
from actors.messages import SoundKnown, SoundUnknown
from tests.cache.soundcache import Recorded, settings

HOUR = 3600.0
VALUE = pack([b"abcdef"])

Open = Callable[..., DiskTier]


@pytest.fixture
def open_tier(tmp_path: Path) -> Iterator[Open]:
    opened: list[DiskTier] = []

    def make(limit_bytes: int = 10_000_000, ttl_s: float = HOUR) -> DiskTier:
        opened.append(DiskTier(tmp_path / "sounds", limit_bytes, ttl_s))
        return opened[-1]

    yield make
    for tier in opened:
        tier.close()


def value(number: int, size: int = 10_000) -> bytes:
    return pack([bytes([number % 256]) * 500] * (size // 500))


def on_disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_it_serves_after_a_restart(open_tier: Open) -> None:
    first = open_tier()
    first.keep("a", VALUE)
    first.close()
    found = open_tier().find(["b", "a"])
    assert found is not None
    assert (found[0], found[1].value) == ("a", VALUE)


def test_the_first_key_that_is_there_is_found(open_tier: Open) -> None:
    tier = open_tier()
    tier.keep("a", VALUE)
    tier.keep("b", VALUE)
    found = tier.find(["b", "a"])
    assert found is not None
    assert found[0] == "b"
    assert tier.find(["c"]) is None
    assert tier.find([]) is None


def test_what_is_too_old_is_not_found(open_tier: Open) -> None:
    tier = open_tier(ttl_s=-1.0)
    tier.keep("a", VALUE)
    assert tier.find(["a"]) is None


def test_the_bound_holds_and_what_was_kept_longest_ago_goes(
    open_tier: Open, tmp_path: Path
) -> None:
    limit_bytes = 4_000_000
    tier = open_tier(limit_bytes)
    most = 0
    for number in range(1000):
        tier.keep(str(number), value(number))
        most = max(most, tier.size().bytes)
    assert most < limit_bytes
    assert on_disk_bytes(tmp_path) < limit_bytes + 8_000_000  # with SQLite's journal
    assert tier.size().entries > 100
    assert tier.find(["999"]) is not None
    assert tier.find(["0"]) is None


def test_long_sounds_count_too_and_leave_no_files(open_tier: Open, tmp_path: Path) -> None:
    limit_bytes = 20_000_000
    tier = open_tier(limit_bytes)
    for number in range(150):
        tier.keep(str(number), value(number, 200_000))
    assert 8_000_000 < tier.size().bytes < limit_bytes
    found = tier.find(["149"])
    assert found is not None
    assert found[1].value == value(149, 200_000)
    assert {path.name[:8] for path in (tmp_path / "sounds").iterdir()} == {"cache.db"}


def test_a_damaged_entry_is_dropped_not_played(open_tier: Open, tmp_path: Path) -> None:
    tier = open_tier()
    tier.keep("a", VALUE)
    with sqlite3.connect(tmp_path / "sounds" / "cache.db") as database:
        database.execute("UPDATE Cache SET value = ?", (b"\x01garbage",))
    database.close()
    assert tier.find(["a"]) is None
    assert tier.damaged == 1
    tier.keep("a", VALUE)
    assert tier.find(["a"]) is not None


def test_what_is_no_database_is_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    (folder / "cache.db").write_bytes(b"no database" * 1000)
    with pytest.raises(DiskProblem) as caught:
        DiskTier(folder, 10_000_000, HOUR)
    assert caught.value.ruined
    begin_anew(folder)
    DiskTier(folder, 10_000_000, HOUR).close()


def test_another_who_writes_is_not_waited_for(open_tier: Open, tmp_path: Path) -> None:
    tier = open_tier()
    other = sqlite3.connect(tmp_path / "sounds" / "cache.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    tier.keep("a", VALUE)
    assert tier.find(["a"]) is None
    other.execute("ROLLBACK")
    other.close()
    tier.keep("a", VALUE)
    assert tier.find(["a"]) is not None


WRITER = """
import sys
from pathlib import Path
from actors.cache.sounddisk import DiskTier
from actors.cache.sounds import pack
tier = DiskTier(Path(sys.argv[1]), 10_000_000, 3600)
number = 0
while True:
    tier.keep(str(number), pack([bytes([number % 256]) * 500] * 20))
    print(number, flush=True)
    number += 1
"""


@pytest.mark.faults
def test_a_writer_killed_in_mid_write_leaves_whole_sounds(open_tier: Open, tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "sounds")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    written = [int(writer.stdout.readline()) for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    writer.wait(10)
    writer.stdout.close()
    tier = open_tier()
    for number in written:
        found = tier.find([str(number)])
        assert found is not None
        assert found[1].value == value(number)
    assert tier.damaged == 0


# --- the actor, with a disk that cannot serve ---


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[], Recorded]]:
    made: list[Recorded] = []

    def make() -> Recorded:
        made.append(Recorded(settings(tmp_path)).start())
        return made[-1]

    yield make
    for each in made:
        each.close()


def serves_from_memory(sounds: Recorded) -> bool:
    sounds.keep("你好呀。")
    return isinstance(sounds.answer("你好呀。"), SoundKnown)


def test_a_folder_that_cannot_be_made_leaves_memory(
    begin: Callable[[], Recorded], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sounds").write_text("a file")
    sounds = begin()
    assert serves_from_memory(sounds)
    assert "kept in memory only" in sounds.detail["disk"]
    assert capsys.readouterr().err.count("speech tier failed") == 1


def test_a_ruined_database_is_begun_anew(
    begin: Callable[[], Recorded], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "cache.db").write_bytes(b"no database" * 1000)
    sounds = begin()
    assert serves_from_memory(sounds)
    sounds.written()
    assert sounds.detail["disk"] == "serves"
    assert capsys.readouterr().err.count("begun anew") == 1
    assert isinstance(begin().answer("你好呀。"), SoundKnown)


@pytest.mark.parametrize("error", ["database or disk is full", "disk I/O error"])
def test_a_disk_that_fails_is_said_once_and_tried_again(
    begin: Callable[[], Recorded],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: str,
) -> None:
    def fail(*_: object) -> None:
        raise DiskProblem(error)

    sounds = begin()
    monkeypatch.setattr(soundtiers, "DISK_RETRY_S", 0.05)
    with monkeypatch.context() as broken:
        broken.setattr(DiskTier, "keep", fail)
        broken.setattr(DiskTier, "try_writing", fail)
        assert serves_from_memory(sounds)
        sounds.until(lambda: error in sounds.detail["disk"])
        for number in range(20):
            text = f"第{number}句话。"
            assert isinstance(sounds.answer(text, request=number), SoundUnknown)
            sounds.keep(text, request=number)
            assert isinstance(sounds.answer(text, request=number), SoundKnown)
    sounds.until(lambda: sounds.detail["disk"] == "serves")
    sounds.keep("都好了。")
    sounds.written()
    logged = capsys.readouterr().err
    assert logged.count("speech tier failed") == 1
    assert logged.count("speech tier serves again") == 1
    assert isinstance(begin().answer("都好了。"), SoundKnown)


def test_a_disk_that_hangs_is_passed_over(
    begin: Callable[[], Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds, ended = begin(), threading.Event()

    def hang(*_: object) -> None:
        ended.wait(5)

    monkeypatch.setattr(DiskTier, "find", hang)
    for number in range(5):
        answer = sounds.answer(f"第{number}句话。", request=number)
        assert isinstance(answer, SoundUnknown)
    assert serves_from_memory(sounds)
    monkeypatch.undo()
    ended.set()
    assert sounds.tiers is not None
    sounds.until(lambda: not sounds.tiers._of_disk.late)  # type: ignore[union-attr]
