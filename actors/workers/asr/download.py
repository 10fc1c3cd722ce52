"""Fetching one large file over HTTP so that nothing fetched is fetched twice.

What came so far lies beside the target as `<name>.part`; a later attempt, or a
later start of the program, asks for the rest (RFC 9110 section 14, `Range` with
`If-Range`). Standard library only.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

#: Called with the bytes that are there and the whole size (None: not known).
Progress = Callable[[int, int | None], None]

#: Attempts in a row that bring nothing new; one that brings something starts the count anew.
MAX_FRUITLESS_ATTEMPTS = 3

_BLOCK_BYTES = 65536
_PAUSE_S = 0.5


class DownloadFailed(Exception):
    """The file could not be fetched; the text says why and what would mend it."""


class _Broken(Exception):
    """This attempt ended early; the next one goes on from what is there."""


def download(
    url: str,
    target: Path,
    *,
    progress: Progress | None = None,
    max_bytes: int,
    read_timeout_s: float = 20.0,
    deadline_s: float = 3600.0,
    pause_s: float = _PAUSE_S,
) -> None:
    """Bring the file at `url` to `target`; blocks, for `deadline_s` at most.

    Raises `DownloadFailed`; what came stays in the `.part` file for the next call.
    """
    if not url.startswith(("http://", "https://")):
        raise DownloadFailed(f"{url!r} is no address of a file; it must start with https://")
    part = target.with_name(target.name + ".part")
    ends_at = time.monotonic() + deadline_s
    fruitless = 0
    while True:
        before = _size(part)
        try:
            _attempt(url, part, progress, max_bytes, read_timeout_s, ends_at)
            part.replace(target)
            _validator_file(part).unlink(missing_ok=True)
            return
        except _Broken as error:
            fruitless = 0 if _size(part) > before else fruitless + 1
            if fruitless >= MAX_FRUITLESS_ATTEMPTS or time.monotonic() + pause_s > ends_at:
                raise DownloadFailed(
                    f"{url}: {error}; {_size(part)} bytes are kept, the next try goes on from there"
                ) from error
            time.sleep(pause_s)
        except OSError as error:
            raise DownloadFailed(f"{part} cannot be written: {error.strerror or error}") from error


def _attempt(
    url: str,
    part: Path,
    progress: Progress | None,
    max_bytes: int,
    read_timeout_s: float,
    ends_at: float,
) -> None:
    have = _size(part)
    with _asked(url, part, have, read_timeout_s) as response:
        total = _total_bytes(response)
        if response.status == 416:
            if total == have:
                return
            part.unlink()
            raise _Broken("the file there is another one now")
        resumed = response.status == 206
        if resumed and not _starts_at(response, have):
            part.unlink()
            raise _Broken("the server sent another range than it was asked for")
        if total is not None and total > max_bytes:
            raise DownloadFailed(f"{url}: {total} bytes are too many; {max_bytes} is the limit")
        if not resumed:
            have = 0
            _validator_file(part).write_text(response.headers.get("ETag") or "", "utf-8")
        with part.open("ab" if resumed else "wb") as file:
            _copy(response, file, have, total, progress, max_bytes, ends_at)


def _asked(url: str, part: Path, have: int, read_timeout_s: float) -> Any:
    """Send the request; return the response, 416 included. `_Broken` if that fails."""
    request = urllib.request.Request(url)  # noqa: S310 - the scheme was checked
    if have:
        request.add_header("Range", f"bytes={have}-")
        etag = _validator(part)
        if etag:
            request.add_header("If-Range", etag)
    try:
        return urllib.request.urlopen(request, timeout=read_timeout_s)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return error
        with error:
            if error.code in (408, 429) or error.code >= 500:
                raise _Broken(f"HTTP {error.code} {error.reason}") from None
            raise DownloadFailed(
                f"{url}: HTTP {error.code} {error.reason}; check the address of the model"
            ) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        raise _Broken(f"cannot be reached ({reason}); is this host online?") from error


def _copy(
    response: Any,
    file: IO[bytes],
    have: int,
    total: int | None,
    progress: Progress | None,
    max_bytes: int,
    ends_at: float,
) -> None:
    while True:
        try:
            block = response.read1(_BLOCK_BYTES)
        except (http.client.HTTPException, OSError) as error:
            raise _Broken(f"the connection broke ({error or type(error).__name__})") from error
        if not block:
            break
        file.write(block)
        have += len(block)
        if progress:
            progress(have, total)
        if have > max_bytes:
            raise DownloadFailed(f"more than {max_bytes} bytes came, which is the limit")
        if time.monotonic() > ends_at:
            raise _Broken("it took too long")
    if total is not None and have < total:
        raise _Broken(f"the connection broke after {have} of {total} bytes")


def _total_bytes(response: Any) -> int | None:
    """The whole file's size: from Content-Range, else from Content-Length."""
    size = (response.headers.get("Content-Range") or "").rpartition("/")[2]
    if not size and response.status == 200:
        size = response.headers.get("Content-Length") or ""
    return int(size) if size.isdecimal() else None


def _starts_at(response: Any, offset: int) -> bool:
    range_ = response.headers.get("Content-Range") or ""
    return bool(range_.startswith(f"bytes {offset}-"))


def _validator_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _validator(part: Path) -> str:
    """The strong ETag of what `part` was begun from ('' when there was none)."""
    try:
        etag = _validator_file(part).read_text("utf-8")
    except OSError:
        return ""
    return "" if etag.startswith("W/") else etag


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
