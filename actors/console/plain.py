"""Plain JSON of whatever an actor put into its report: bounded, and without secrets.

Pure. An actor's detail is meant for people and holds any value; this is the last
door before it is shown to everybody who can reach the HTTP port.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

#: Longer texts are cut; a report is for reading at a glance.
MAX_TEXT_CHARS = 500

#: Longer lists and mappings are cut.
MAX_MEMBERS = 100

_MAX_DEPTH = 4
_SECRET_WORDS = ("secret", "password", "passwd", "authorization", "api_key", "apikey", "token")


def plain(value: object, depth: int = 0) -> Any:
    """Return JSON values only; members named like a secret are left out."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else str(value)
    if depth < _MAX_DEPTH:
        if isinstance(value, Mapping):
            members = list(value.items())[:MAX_MEMBERS]
            return {
                cut(str(key)): plain(member, depth + 1)
                for key, member in members
                if not _is_secret(str(key), member)
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [plain(member, depth + 1) for member in list(value)[:MAX_MEMBERS]]
    return cut(str(value))


def cut(text: str) -> str:
    """Shorten to `MAX_TEXT_CHARS`, with an ellipsis where something was left out.

    Lone surrogates, which JSON cannot carry to every client, become '?'.
    """
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= MAX_TEXT_CHARS else clean[: MAX_TEXT_CHARS - 1] + "…"


def _is_secret(key: str, member: object) -> bool:
    """A number under such a name is a figure ("first_token_ms"), never a secret."""
    if isinstance(member, bool | int | float):
        return False
    return any(word in key.lower() for word in _SECRET_WORDS)
