"""Fetching the official small Chinese model; standard library only.

    python -m actors.workers.asr.fetching [address of the ZIP file]

Download with resume, checksum where one is known, safe unpacking, a look at what
was unpacked, and one rename into `models/`: a model is there whole or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from actors.workers.asr.download import DownloadFailed, Progress, download
from actors.workers.asr.models import MODELS_FOLDER, SMALL_NAME, defects
from actors.workers.asr.unpack import ArchiveUnsafe, unpack

SMALL_URL = f"https://alphacephei.com/vosk/models/{SMALL_NAME}.zip"

#: SHA-256 of that ZIP file, in lower-case hex. None: its publisher states none that we
#: could take over, and we have not had the file; then the checks are the archive's own
#: checksums, the size and the files inside. What came is in `Fetched.sha256`: once you
#: trust a copy, put its sum here.
SMALL_SHA256: str | None = None

#: The publisher gives 42 MB packed; a file far from that is another one.
MIN_UNPACKED_BYTES = 30_000_000
MAX_ZIP_BYTES = 200_000_000
MAX_UNPACKED_BYTES = 600_000_000


class FetchFailed(Exception):
    """The model could not be fetched; the text says why and what would mend it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model now in place. `verified`: its checksum was known, and it was right."""

    folder: Path
    sha256: str
    verified: bool


def fetch_small(
    url: str = SMALL_URL,
    models_folder: Path = MODELS_FOLDER,
    *,
    progress: Progress | None = None,
    sha256: str | None = SMALL_SHA256,
    min_unpacked_bytes: int = MIN_UNPACKED_BYTES,
    deadline_s: float = 3600.0,
    read_timeout_s: float = 20.0,
) -> Fetched:
    """Bring the small Chinese model into `models_folder`; blocks while it downloads.

    Raises `FetchFailed`. A download that broke off is kept and gone on with at the
    next call; a file that turns out wrong is thrown away.
    """
    try:
        models_folder.mkdir(parents=True, exist_ok=True)
        with _alone(models_folder):
            archive = models_folder / f"{SMALL_NAME}.zip"
            if not archive.exists():
                download(
                    url,
                    archive,
                    progress=progress,
                    max_bytes=MAX_ZIP_BYTES,
                    read_timeout_s=read_timeout_s,
                    deadline_s=deadline_s,
                )
            try:
                return _install(archive, models_folder / SMALL_NAME, sha256, min_unpacked_bytes)
            finally:
                archive.unlink(missing_ok=True)
    except DownloadFailed as error:
        raise FetchFailed(f"{error}. Until then the tiny model serves") from error
    except ArchiveUnsafe as error:
        raise FetchFailed(f"{error}; it was removed, fetch again or check {url}") from error
    except OSError as error:
        raise FetchFailed(f"{models_folder}: {error.strerror or error}") from error


def _install(archive: Path, folder: Path, sha256: str | None, min_bytes: int) -> Fetched:
    with archive.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is not None and actual != sha256.lower():
        raise FetchFailed(
            f"{archive.name} has SHA-256 {actual} instead of {sha256}; it was removed, fetch again"
        )
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder.parent) as name:
        unpack(archive, Path(name), max_bytes=MAX_UNPACKED_BYTES)
        fresh = Path(name) / folder.name
        missing = defects(fresh)
        if missing:
            raise FetchFailed(f"{archive.name} is no such model: it lacks {', '.join(missing)}")
        size = sum(path.stat().st_size for path in fresh.rglob("*") if path.is_file())
        if size < min_bytes:
            raise FetchFailed(
                f"{archive.name} holds {size} bytes; the model has {min_bytes} at least"
            )
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    return Fetched(folder, actual, sha256 is not None)


@contextmanager
def _alone(models_folder: Path) -> Iterator[None]:
    """Keep a second process out; the lock ends with the process, whatever happens."""
    with (models_folder / ".fetching").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FetchFailed("another process is fetching the model already") from None
        yield


def _show(have: int, total: int | None) -> None:
    share = f" of {total / 1e6:.1f} MB, {100 * have // total} %" if total else " MB"
    print(f"\r{SMALL_NAME}: {have / 1e6:.1f}{share}   ", end="", flush=True)


def at_start(
    url: str = SMALL_URL,
    models_folder: Path = MODELS_FOLDER,
    *,
    reach_timeout_s: float = 3.0,
    min_unpacked_bytes: int = MIN_UNPACKED_BYTES,
) -> bool:
    """Fetch the model once by itself, if the network allows; True when it is there.

    Without a network a start must not wait for one: the address is tried for
    `reach_timeout_s`, and not again by itself (`fetch-model` always tries).
    """
    if not defects(models_folder / SMALL_NAME):
        return True
    tried = models_folder / ".tried"
    if tried.exists():
        return False
    models_folder.mkdir(parents=True, exist_ok=True)
    tried.touch()
    print("Fetching the small Chinese speech model, once (42 MB; asr.fetch = false to skip) …")
    place = urlsplit(url)
    port = place.port or (80 if place.scheme == "http" else 443)
    try:
        with socket.create_connection((place.hostname or "", port), reach_timeout_s):
            pass
        fetch_small(url, models_folder, progress=_show, min_unpacked_bytes=min_unpacked_bytes)
    except (OSError, ValueError, FetchFailed) as error:
        print(f"It could not be fetched now ({error}).")
        print("The tiny model serves: it understands synthetic voices only, not people.")
        print("`python3 run.py fetch-model` tries again and goes on where it stopped.")
        return False
    print(f"\n{SMALL_NAME} is ready.")
    return True


def main(arguments: list[str]) -> int:
    """Fetch with progress on the terminal; return the exit code."""
    try:
        fetched = fetch_small(arguments[0] if arguments else SMALL_URL, progress=_show)
    except FetchFailed as error:
        print(f"\n{error}.", file=sys.stderr)
        return 1
    checked = (
        "checksum right" if fetched.verified else "no checksum known; archive and files checked"
    )
    print(f"\n{fetched.folder} is ready ({checked}, SHA-256 {fetched.sha256}).")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
