"""An answer as it is stored and shared: a checked body of its members and its vector.

Pure. With both, a restart neither reads questions again nor embeds them.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.cache.canonical import Canonical
from actors.cache.entries import RULES, Entry, Scope

#: Format, checksum of what follows, bytes of the members; then they; then the vector.
_HEAD: Final = struct.Struct("<BIH")
_FORMAT: Final = 1

#: Between the clauses of an answer: what is spoken at once, and cached as sound.
CLAUSE_END: Final = "\n"


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry and its vector; None: it was made in another vector space."""

    entry: Entry
    vector: NDArray[np.float32] | None


def joined(clauses: tuple[str, ...]) -> str:
    """The clauses of an answer as an entry keeps them."""
    plain = (" ".join(clause.split()) for clause in clauses)
    return CLAUSE_END.join(clause for clause in plain if clause)


def clauses_of(answer: str) -> tuple[str, ...]:
    return tuple(answer.split(CLAUSE_END))


def pack(entry: Entry, vector: NDArray[np.float32], space: str) -> bytes:
    """`space` names the embedder: a vector is of use in its own space only."""
    scope, form = entry.scope, entry.form
    members = json.dumps(
        [
            entry.question,
            entry.answer,
            [scope.agent, scope.language, scope.tools, scope.model],
            entry.learned_s,
            entry.expires_s,
            [form.text, form.frame, *form.parts],
            entry.context,
            entry.emotion,
            entry.hits,
            entry.strikes,
            entry.threshold,
            entry.took_ms,
            entry.rules,
            space,
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    body = members + vector.astype("<f2").tobytes()
    return _HEAD.pack(_FORMAT, zlib.crc32(body), len(members)) + body


def unpack(packed: bytes, space: str) -> Stored:
    """What `pack` made. Raises `ValueError` when it is not whole."""
    try:
        form, checksum, length = _HEAD.unpack_from(packed)
        body = packed[_HEAD.size :]
        if form != _FORMAT or zlib.crc32(body) != checksum:
            raise ValueError("damaged")
        (question, answer, scope, learned_s, expires_s, (text, frame, *parts), *rest) = json.loads(
            body[:length]
        )
        context, emotion, hits, strikes, threshold, took_ms, rules, made_in = rest
    except (struct.error, ValueError, TypeError) as error:
        raise ValueError(f"a stored answer is not whole: {error}") from None
    entry = Entry(
        question,
        answer,
        Scope(*scope),
        learned_s,
        expires_s,
        Canonical(text, frame, tuple(parts)),
        context,
        emotion,
        hits,
        strikes,
        threshold,
        took_ms,
        rules,
    )
    usable = made_in == space and rules == RULES
    vector = np.frombuffer(body, "<f2", offset=length).astype(np.float32) if usable else None
    return Stored(entry, vector)
