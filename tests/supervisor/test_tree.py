"""The tree is data: what it says of each child, and when it counts as whole."""

from __future__ import annotations

from supervisor.root import TREE, is_whole
from supervisor.supervising import Child


def children(**states: str) -> dict[str, Child]:
    made = {node.name: Child(node.name, node.actor, state="ready") for node in TREE}
    for name, state in states.items():
        made[name].state = state
    return made


def test_nobody_is_served_without_these() -> None:
    essential = [node.name for node in TREE if node.essential]
    assert essential == ["router", "pool asr", "pool llm", "acceptor", "pool tts"]


def test_what_a_device_waits_for_is_started_first() -> None:
    flags = [node.essential for node in TREE]
    assert flags == sorted(flags, reverse=True)


def test_whole_when_all_are_ready() -> None:
    assert is_whole(children(), TREE)
    assert not is_whole(children(answers="starting"), TREE)
    assert not is_whole(children(router="starting"), TREE)


def test_what_can_be_done_without_needs_only_to_be_tried() -> None:
    made = children(answers="waiting", console="degraded")
    for name in ("answers", "console"):
        made[name].history.ended(1.0, "cannot start", 0.5)
    assert is_whole(made, TREE)


def test_what_nobody_can_do_without_must_be_ready() -> None:
    made = children(acceptor="degraded")
    made["acceptor"].history.ended(1.0, "cannot start", 0.5)
    assert not is_whole(made, TREE)
