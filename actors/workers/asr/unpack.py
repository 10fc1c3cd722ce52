"""Unpacking a ZIP file that nobody vouches for. Standard library only.

Every name is checked before the first byte is written, and what is written is
counted: an archive can neither leave its folder nor fill the disk.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

MAX_MEMBERS = 1000
_BLOCK_BYTES = 65536


class ArchiveUnsafe(Exception):
    """The archive is broken or tries to write where it must not."""


def unpack(archive: Path, folder: Path, *, max_bytes: int) -> None:
    """Unpack `archive` into `folder`, which must exist; `ArchiveUnsafe` otherwise.

    The checksums inside the archive are verified. What was written before a
    failure stays: give a folder that is thrown away then.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            if len(members) > MAX_MEMBERS:
                raise ArchiveUnsafe(
                    f"{archive.name} has {len(members)} members; {MAX_MEMBERS} is the limit"
                )
            paths = [_safe(member) for member in members]
            room = max_bytes
            for member, path in zip(members, paths, strict=True):
                if member.is_dir():
                    (folder / path).mkdir(parents=True, exist_ok=True)
                else:
                    room -= _write(opened, member, folder / path, room)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ArchiveUnsafe(f"{archive.name} is not a whole ZIP file: {error}") from error


def _safe(member: zipfile.ZipInfo) -> PurePosixPath:
    path = PurePosixPath(member.filename)
    outside = path.is_absolute() or ".." in path.parts or not path.parts
    odd = "\\" in member.filename or ":" in member.filename
    if outside or odd or stat.S_ISLNK(member.external_attr >> 16):
        raise ArchiveUnsafe(f"member {member.filename!r} would leave its folder")
    return path


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, room: int) -> int:
    """Write one member of at most `room` bytes; return how many there were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened.open(member) as source, path.open("wb") as target:
        while block := source.read(_BLOCK_BYTES):
            written += len(block)
            if written > room:
                raise ArchiveUnsafe(f"{opened.filename} unpacks to more than its limit")
            target.write(block)
    return written
