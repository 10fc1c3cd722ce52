"""The small model's way into the models folder, with a model-shaped archive."""

from __future__ import annotations

import fcntl
import hashlib
import io
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.workers.asr import fetching
from actors.workers.asr.fetching import Fetched, FetchFailed, fetch_small
from actors.workers.asr.models import (
    OWN_LIMITS,
    SMALL_NAME,
    TINY_FOLDER,
    ModelMissing,
    defects,
    find,
)
from actors.workers.asr.unpack import ArchiveUnsafe, unpack
from tests.workers.asr.file_server import FileServer, file_server


def archive(*extra: tuple[str, bytes], without: str = "") -> bytes:
    """The tiny model, packed as the official one is: one folder of that name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(TINY_FOLDER.rglob("*")):
            name = path.relative_to(TINY_FOLDER).as_posix()
            if path.is_file() and name != without:
                packed.write(path, f"{SMALL_NAME}/{name}")
        for name, data in extra:
            packed.writestr(name, data)
    return out.getvalue()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as served:
        served.body = archive()
        yield served


def fetch(server: FileServer, folder: Path, sha256: str | None = None, size: int = 1000) -> Fetched:
    return fetch_small(
        server.url, folder, sha256=sha256, min_unpacked_bytes=size, read_timeout_s=2.0
    )


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".fetching")


def test_the_model_arrives_whole_and_auto_takes_it(server: FileServer, tmp_path: Path) -> None:
    assert find("auto", tmp_path).tiny, "before it is there the tiny one serves"
    fetched = fetch(server, tmp_path)
    assert fetched.sha256 == hashlib.sha256(server.body).hexdigest()
    assert not fetched.verified, "no checksum was given, so none was verified"
    found = find("auto", tmp_path)
    assert (found.name, found.tiny) == (SMALL_NAME, False)
    assert found.folder == tmp_path / SMALL_NAME
    assert left_in(tmp_path) == [SMALL_NAME]


def test_a_broken_connection_does_not_show_in_the_result(
    server: FileServer, tmp_path: Path
) -> None:
    server.drop_after = [len(server.body) // 2]
    fetch(server, tmp_path)
    assert defects(tmp_path / SMALL_NAME) == []
    assert len(server.asked) == 2


def test_a_known_checksum_is_verified(server: FileServer, tmp_path: Path) -> None:
    assert fetch(server, tmp_path, hashlib.sha256(server.body).hexdigest().upper()).verified
    with pytest.raises(FetchFailed, match=r"SHA-256 .* instead of 0000"):
        fetch(server, tmp_path / "other", "0" * 64)
    assert left_in(tmp_path / "other") == [], "a wrong file was kept"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>not found</html>", "not a whole ZIP file"),
        (archive(without="graph/HCLG.fst"), "lacks graph/HCLG.fst"),
        (archive(without="am/final.mdl"), "lacks am/final.mdl"),
        (archive(("../outside", b"x")), "leave its folder"),
        (archive()[:-2000], "not a whole ZIP file"),
    ],
)
def test_a_wrong_archive_leaves_the_model_of_before(
    server: FileServer, tmp_path: Path, body: bytes, words: str
) -> None:
    fetch(server, tmp_path)
    server.body = body
    with pytest.raises(FetchFailed, match=words):
        fetch(server, tmp_path)
    assert defects(tmp_path / SMALL_NAME) == []
    assert left_in(tmp_path) == [SMALL_NAME]
    assert not (tmp_path.parent / "outside").exists()


def test_too_small_a_model_is_another_one(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match=r"holds .* bytes; the model has 30000000 at least"):
        fetch(server, tmp_path, size=fetching.MIN_UNPACKED_BYTES)
    assert left_in(tmp_path) == []


def test_failure_says_that_the_tiny_model_serves(server: FileServer, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(FetchFailed, match=r"HTTP 404.*the tiny model serves"):
        fetch(server, tmp_path)


def test_two_do_not_fetch_at_once(server: FileServer, tmp_path: Path) -> None:
    with (tmp_path / ".fetching").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(FetchFailed, match="another process is fetching"):
            fetch(server, tmp_path)
    assert server.asked == []


def test_the_command_says_what_it_did(
    server: FileServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def into_folder(url: str, *, progress: object) -> Fetched:
        return fetch_small(url, tmp_path, progress=progress, min_unpacked_bytes=1000)  # type: ignore[arg-type]

    monkeypatch.setattr(fetching, "fetch_small", into_folder)
    assert fetching.main([server.url]) == 0
    shown = capsys.readouterr().out
    assert "100 %" in shown
    assert "no checksum known" in shown
    server.status = 404
    assert fetching.main([server.url]) == 1
    assert "HTTP 404" in capsys.readouterr().err


# --- unpacking --------------------------------------------------------------


def packed(tmp_path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    path = tmp_path / "test.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def link(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    "name",
    ["../up", "a/../../up", "/etc/up", "a\\..\\up", "C:/up", link("a/up"), "."],
    ids=str,
)
def test_no_member_leaves_the_folder(name: str | zipfile.ZipInfo, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(ArchiveUnsafe, match="leave its folder"):
        unpack(packed(tmp_path, ("first", b"1"), (name, b"2")), folder, max_bytes=100)
    assert list(folder.iterdir()) == [], "a member was written before all names were checked"


def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    bomb = packed(tmp_path, ("small", b"1"), ("large", bytes(10**7)))
    with pytest.raises(ArchiveUnsafe, match="more than its limit"):
        unpack(bomb, folder, max_bytes=10**6)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 10**6


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = packed(tmp_path, ("file", bytes(range(256)) * 40))
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ArchiveUnsafe, match="not a whole ZIP file"):
        unpack(path, tmp_path, max_bytes=10**6)


# --- finding ----------------------------------------------------------------


def test_a_folder_of_ones_own_is_found_by_path_and_by_name(tmp_path: Path) -> None:
    own = tmp_path / "my-model"
    own.symlink_to(TINY_FOLDER)
    assert find(str(own)).limits == OWN_LIMITS
    assert find("my-model", tmp_path).folder == own


def test_both_tiny_models_are_whole() -> None:
    assert defects(TINY_FOLDER) == []
    assert defects(TINY_FOLDER.parent / "model") == []


def test_what_a_folder_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "am").mkdir()
    (tmp_path / "am" / "final.mdl").write_bytes(b"")
    with pytest.raises(ModelMissing, match=r"lacks am/final.mdl, conf/mfcc.conf, .*HCLG.fst"):
        find(str(tmp_path))
    with pytest.raises(ModelMissing, match="the folder itself"):
        find(SMALL_NAME, tmp_path)


# --- by itself, at the first start ---


def at_start(url: str, folder: Path) -> bool:
    return fetching.at_start(url, folder, reach_timeout_s=2.0, min_unpacked_bytes=1000)


def test_the_first_start_fetches_the_model(server: FileServer, tmp_path: Path) -> None:
    assert at_start(server.url, tmp_path)
    assert not find("auto", tmp_path).tiny
    asked = len(server.asked)
    assert at_start(server.url, tmp_path), "it is there"
    assert len(server.asked) == asked


def test_a_start_without_a_network_goes_on_and_does_not_try_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with file_server() as gone:
        url = gone.url
    assert not at_start(url, tmp_path)
    said = capsys.readouterr().out
    assert "understands synthetic voices only" in said
    assert "run.py fetch-model" in said
    assert not at_start(url, tmp_path)
    assert capsys.readouterr().out == ""
    assert find("auto", tmp_path).tiny
