"""What instances tell each other about their answers, as bytes.

Pure. K: this was learned (its stored body). F: what was learned up to then is forgotten,
of one answer or of all. B: this answer may not be learned. Who tells it comes first, so
that nobody listens to himself.
"""

from __future__ import annotations

from typing import Final

from actors.cache.pending import Ban, Forget, Keep

#: Length of an instance's own name.
OWN_CHARS: Final = 12

#: What is told beside answers that were learned.
Fact = Forget | Ban


def learned(own: bytes, change: Keep) -> bytes:
    return b"K" + own + change.body


def told(own: bytes, fact: Fact) -> bytes:
    """One fact, with the time until which it is to be remembered."""
    member = fact_member(fact)
    return member[:1] + own + f"{fact.until_s!r} ".encode() + member[1:]


def heard(news: bytes, own: bytes) -> bytes | Fact | None:
    """A body that was learned, or a fact; None for one's own. Raises `ValueError`."""
    kind, sender, said = news[:1], news[1 : 1 + OWN_CHARS], news[1 + OWN_CHARS :]
    if sender == own:
        return None
    if kind == b"K":
        return said
    until, _, member = said.partition(b" ")
    return fact_of(kind + member, float(until))


def fact_member(fact: Fact) -> bytes:
    """A fact as it is stored, beside the time until which it counts."""
    if isinstance(fact, Ban):
        return f"B{fact.id} {fact.answer}".encode()
    return f"F{fact.at_s!r} {fact.id}".encode()


def fact_of(member: bytes, until_s: float) -> Fact:
    """What `fact_member` made. Raises `ValueError`."""
    kind, (first, space, rest) = member[:1], member[1:].decode().partition(" ")
    if kind == b"F" and space:
        return Forget(rest, float(first), until_s)
    if kind == b"B" and space:
        return Ban(first, rest, until_s)
    raise ValueError(f"it is neither a forgetting nor a ban: {member[:40]!r}")
