"""Downloads that break off and go on, from a real server on loopback."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.workers.asr.download import MAX_FRUITLESS_ATTEMPTS, DownloadFailed, download
from tests.workers.asr.file_server import FileServer, file_server

BODY = random.Random(1).randbytes(300_000)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as served:
        served.body = BODY
        yield served


def fetch(server: FileServer, target: Path, **options: object) -> None:
    values = {"max_bytes": 10**6, "read_timeout_s": 2.0, "pause_s": 0.0}
    download(server.url, target, **(values | options))  # type: ignore[arg-type]


def test_a_file_comes_whole_with_progress(server: FileServer, tmp_path: Path) -> None:
    target, seen = tmp_path / "model.zip", []
    fetch(server, target, progress=lambda have, total: seen.append((have, total)))
    assert target.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert [have for have, _ in seen] == sorted(have for have, _ in seen)
    assert list(tmp_path.iterdir()) == [target], "something was left lying about"


def test_after_a_break_only_the_rest_is_fetched(server: FileServer, tmp_path: Path) -> None:
    server.drop_after = [100_000, 50_000]
    fetch(server, tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes() == BODY
    assert server.asked == ["", "bytes=100000-", "bytes=150000-"]
    assert sum(server.sent) == len(BODY), "bytes came twice"


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(
    server: FileServer, tmp_path: Path
) -> None:
    server.drop_after = [100_000] + [0] * MAX_FRUITLESS_ATTEMPTS
    target = tmp_path / "model.zip"
    with pytest.raises(DownloadFailed, match=r"100000 bytes are kept, the next try goes on"):
        fetch(server, target)
    assert not target.exists(), "half a file stood under the whole one's name"
    fetch(server, target)
    assert target.read_bytes() == BODY
    assert server.asked[-1] == "bytes=100000-"


def test_a_server_without_ranges_starts_anew(server: FileServer, tmp_path: Path) -> None:
    server.ranges, server.drop_after = False, [100_000]
    fetch(server, tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes() == BODY


def test_a_file_that_changed_meanwhile_starts_anew(server: FileServer, tmp_path: Path) -> None:
    server.drop_after = [100_000] + [0] * MAX_FRUITLESS_ATTEMPTS
    with pytest.raises(DownloadFailed):
        fetch(server, tmp_path / "model.zip")
    server.body, server.etag = BODY[::-1], '"two"'
    fetch(server, tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes() == BODY[::-1]


def test_a_part_that_is_whole_already_is_taken(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "model.zip.part").write_bytes(BODY)
    fetch(server, tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes() == BODY
    assert server.sent == []


def test_a_part_longer_than_the_file_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "model.zip.part").write_bytes(BODY + b"more")
    fetch(server, tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes() == BODY


@pytest.mark.parametrize(
    ("status", "attempts"), [(404, 1), (403, 1), (503, MAX_FRUITLESS_ATTEMPTS)]
)
def test_a_refusal_is_named_and_only_a_passing_one_tried_again(
    server: FileServer, tmp_path: Path, status: int, attempts: int
) -> None:
    server.status = status
    with pytest.raises(DownloadFailed, match=f"HTTP {status}"):
        fetch(server, tmp_path / "model.zip")
    assert len(server.asked) == attempts


def test_too_large_a_file_is_refused_before_it_comes(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="300000 bytes are too many; 1000 is the limit"):
        fetch(server, tmp_path / "model.zip", max_bytes=1000)
    assert not (tmp_path / "model.zip").exists()


def test_offline_is_said_in_words(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, never listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/model.zip"
        with pytest.raises(DownloadFailed, match=r"cannot be reached .*is this host online\?"):
            download(url, tmp_path / "model.zip", max_bytes=1000, pause_s=0.0)


def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/model.zip"
        with pytest.raises(DownloadFailed, match="timed out"):
            download(url, tmp_path / "model.zip", max_bytes=1000, pause_s=0.0, read_timeout_s=0.1)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "model.zip", "ftp://host/model.zip"])
def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="must start with https://"):
        download(url, tmp_path / "model.zip", max_bytes=1000)
