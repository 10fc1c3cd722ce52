"""Hello, framing, tools, pings and refusals: the channel beside the conversation."""

from __future__ import annotations

import pytest

from actors.session.checkpoint import SessionState
from actors.wire.frames import encode_frame
from cfg.model import Downlink, Settings
from tests.session.harness import World, talking
from tests.session.scripted import packets


def replies(world: World, kind: str) -> list[dict[str, object]]:
    return [message for _, k, message in world.wire.sent if k == kind]


def test_hello_says_how_audio_will_be_sent() -> None:
    world = World(Settings(downlink=Downlink(sample_rate_hz=16000, frame_ms=20)))
    world.hello()
    (hello,) = replies(world, "hello")
    assert hello == {
        "type": "hello",
        "session_id": "s1",
        "version": 1,
        "transport": "websocket",
        "audio_params": {
            "format": "opus",
            "sample_rate": 16000,
            "channels": 1,
            "frame_duration": 20,
        },
    }


@pytest.mark.parametrize(
    ("header", "stated", "agreed"),
    [(1, 1, 1), (3, 3, 3), (1, 3, 3), (3, 1, 3), (2, None, 2), (1, 9, 1), (1, "2", 2)],
)
def test_the_header_s_framing_counts_unless_it_is_the_default(
    header: int, stated: object, agreed: int
) -> None:
    world = World(state=SessionState(session_id="s1", protocol_version=header))
    world.send(type="hello", version=stated)
    assert world.state.protocol_version == agreed
    assert replies(world, "hello")[0]["version"] == agreed


@pytest.mark.parametrize("version", [1, 2, 3])
def test_speech_is_heard_in_every_framing(version: int) -> None:
    world = World(state=SessionState(session_id="s1", protocol_version=version))
    world.hello()
    world.listen("auto")
    world.speak(1)
    world.run(10)
    assert world.outcomes == ["answered"]
    assert world.notes[0].level == "debug"


def test_hello_may_come_again() -> None:
    world = talking()
    world.until_stage("answering")
    world.hello()
    world.until_over()
    assert len(replies(world, "hello")) == 2
    assert world.outcomes == ["answered"]


def test_tools_are_asked_for_after_the_hello_and_once() -> None:
    world = World()
    world.hello(features={"mcp": True})
    world.hello(features={"mcp": True})
    assert world.kinds() == ["hello", "mcp", "hello"]
    (asked,) = replies(world, "mcp")
    assert asked["payload"]["method"] == "initialize"  # type: ignore[index]
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2024-11-05"}}
    world.send(type="mcp", payload=answer)
    assert len(replies(world, "mcp")) == 3


def test_no_tools_are_asked_for_where_there_are_none() -> None:
    world = World()
    world.hello(features={"mcp": False})
    assert world.kinds() == ["hello"]


def test_ping_is_answered_with_the_time_of_day() -> None:
    world = World(now=50.0, wall_s=1_700_000_000.0)
    world.hello()
    world.run(1.5)
    world.send(type="ping")
    assert replies(world, "pong")[0]["timestamp"] == 1_700_000_001_500


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", "message"),
        ("[]", "message"),
        ("{}", "type"),
        ('{"type":"listen"}', "state"),
        ('{"type":"listen","state":"start","mode":"loud"}', "mode"),
        ('{"type":"hello","audio_params":{"format":"pcm"}}', "audio_params.format"),
    ],
)
def test_a_wrong_message_is_told_what_is_wrong_and_harms_nothing(text: str, field: str) -> None:
    world = talking()
    world.until_stage("hearing")
    world.conversation.text(text, world.now)
    world.step()
    (note,) = replies(world, "error")
    assert note["field"] == field
    world.until_over()
    assert world.outcomes == ["answered"]


def test_a_wrong_frame_is_told_what_is_wrong() -> None:
    world = World(state=SessionState(session_id="s1", protocol_version=3))
    world.hello()
    world.binary(packets(True)[0])
    (note,) = replies(world, "error")
    assert note["field"] == "binary frame"
    assert "v3" in str(note["problem"])


def test_text_in_a_binary_frame_is_text() -> None:
    world = World(state=SessionState(session_id="s1", protocol_version=3))
    payload = b'{"type":"ping"}'
    world.binary(bytes([1, 0]) + len(payload).to_bytes(2, "big") + payload)
    assert len(replies(world, "pong")) == 1
    world.binary(encode_frame(3, b""))
    assert world.kinds() == ["pong"]


@pytest.mark.parametrize("kind", ["iot", "state", "goodbye", "whatever"])
def test_other_types_are_ignored(kind: str) -> None:
    world = talking()
    world.send(type=kind, states=[])
    world.until_over()
    assert world.outcomes == ["answered"]
    assert not replies(world, "error")
