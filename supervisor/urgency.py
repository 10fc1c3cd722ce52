"""Whom to serve first when many connections wait for a session at once.

An acceptor that begins anew finds every device in the descriptor store, and sessions
become ready one after the other. A device that is in the middle of a turn notices each
tenth of a second; one that is idle would not notice a minute.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from actors.descriptors import DescriptorStore, StoreError
from actors.session.checkpoint import Checkpoint, SessionState

#: The first is the most urgent: a loudspeaker that falls silent is heard at once, what a
#: microphone sends waits in the kernel.
_PHASES = ("speaking", "thinking", "hearing", "spoken", "listening", "idle")


def by_urgency(store: DescriptorStore, keys: Iterable[str]) -> list[tuple[str, SessionState]]:
    """The connections with their states: those in mid-turn first, else in their order.

    One whose checkpoint cannot be read comes last, with an empty state: its session will
    say what is wrong with it.
    """
    states = [(key, _state(store, key)) for key in keys]
    found = [(key, state or SessionState()) for key, state in states]
    ranks = {key: len(_PHASES) if state is None else _rank(state) for key, state in states}
    return sorted(found, key=lambda pair: ranks[pair[0]])


def _rank(state: SessionState) -> int:
    return _PHASES.index(state.phase) if state.phase in _PHASES else len(_PHASES)


def _state(store: DescriptorStore, key: str) -> SessionState | None:
    try:
        fileno = store.checkpoint(key)
    except StoreError:
        return None
    try:
        checkpoint = Checkpoint(fileno)
        try:
            return checkpoint.load()
        finally:
            checkpoint.close()
    except (OSError, ValueError, TypeError, KeyError):
        return None
    finally:
        os.close(fileno)
