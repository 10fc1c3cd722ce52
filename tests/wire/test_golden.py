"""What each client generation sends, as it sends it, and what we make of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from actors.wire import outbound
from actors.wire.handshake import identify
from actors.wire.inbound import parse_text

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


def messages() -> list[Any]:
    return [
        pytest.param(each["text"], each["parsed"], id=f"{path.stem}-{number}")
        for path in GOLDEN
        for number, each in enumerate(load(path)["messages"])
    ]


def test_all_generations_are_there() -> None:
    assert {path.stem for path in GOLDEN} >= {
        "firmware-1.6",
        "firmware-1.7",
        "firmware-1.8",
        "firmware-2.2.6",
        "firmware-2.4",
    }


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_client_is_identified(path: Path) -> None:
    golden = load(path)
    headers = [(name, value) for name, value in golden["headers"]]
    assert asdict(identify(golden["target"], headers)) == golden["identity"]


@pytest.mark.parametrize(("text", "parsed"), messages())
def test_a_message_is_understood(text: str, parsed: list[Any]) -> None:
    name, members = parsed
    for form in (text, text.encode()):
        fact = parse_text(form)
        assert type(fact).__name__ == name
        assert asdict(fact) == members


# --- what we send: every byte of it is what all generations read ---------------


def test_server_hello() -> None:
    assert outbound.server_hello("s1", 3, 24000, 60) == (
        '{"type":"hello","session_id":"s1","version":3,"transport":"websocket",'
        '"audio_params":{"format":"opus","sample_rate":24000,"channels":1,"frame_duration":60}}'
    )


def test_a_turn() -> None:
    assert [
        outbound.stt("s1", "现在几点", 250),
        outbound.tts_start("s1"),
        outbound.llm_emotion("s1", "happy"),
        outbound.sentence_start("s1", '他说"三点"。', 250),
        outbound.tts_stop("s1"),
    ] == [
        '{"type":"stt","session_id":"s1","text":"现在几点"}',
        '{"type":"tts","session_id":"s1","state":"start"}',
        '{"type":"llm","session_id":"s1","emotion":"happy","text":"🙂"}',
        '{"type":"tts","session_id":"s1","state":"sentence_start","text":"他说\\"三点\\"。"}',
        '{"type":"tts","session_id":"s1","state":"stop"}',
    ]


def test_the_rest() -> None:
    assert outbound.pong("s1", 1754000000000) == (
        '{"type":"pong","session_id":"s1","timestamp":1754000000000}'
    )
    assert outbound.mcp("s1", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}) == (
        '{"type":"mcp","session_id":"s1","payload":{"jsonrpc":"2.0","id":1,"method":"tools/list"}}'
    )
    assert outbound.error_note("s1", "mode", "is 'x'", "send auto") == (
        '{"type":"error","session_id":"s1","field":"mode","problem":"is \'x\'","fix":"send auto"}'
    )
