"""The MCP conversation against a device's answers, good and bad."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.wire.mcp import MAX_CALLS, MAX_PAGES, MAX_TOOLS, McpConversation, McpError, McpResult

Payload = dict[str, Any]


def tool(name: str, **more: Any) -> Payload:
    schema = {"type": "object", "properties": {}}
    return {"name": name, "description": f"does {name}", "inputSchema": schema, **more}


def answer(request: Payload, result: object) -> Payload:
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}


def listing() -> tuple[McpConversation, Payload]:
    """A conversation that has been initialised, and its first tools/list."""
    conversation = McpConversation()
    opening = conversation.start()
    note, request = conversation.receive(answer(opening, {"protocolVersion": "2024-11-05"}))
    assert note == {"jsonrpc": "2.0", "method": "notifications/initialized"}
    return conversation, request


def with_tools(*names: str) -> McpConversation:
    conversation, request = listing()
    assert conversation.receive(answer(request, {"tools": [tool(name) for name in names]})) == []
    assert conversation.ready
    return conversation


def test_the_opening_is_what_firmware_reads() -> None:
    assert McpConversation().start("http://10.0.0.5:8003/vision", "vt") == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2024-11-05",
            "capabilities": {"vision": {"url": "http://10.0.0.5:8003/vision", "token": "vt"}},
            "clientInfo": {"name": "xiaozhi-actors", "version": "1"},
        },
    }


def test_tools_are_listed_page_by_page() -> None:
    conversation, request = listing()
    assert request == {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    page = {"tools": [tool("self.get_device_status")], "nextCursor": "self.screen.set_theme"}
    (request,) = conversation.receive(answer(request, page))
    assert request["params"] == {"cursor": "self.screen.set_theme"}
    assert not conversation.ready
    last = {
        "tools": [
            tool("self.screen.set_theme"),
            tool("self.reboot", annotations={"audience": ["user"]}),
        ]
    }
    assert conversation.receive(answer(request, {**last, "nextCursor": ""})) == []
    assert conversation.ready
    assert [(each.name, each.safe_name, each.user_only) for each in conversation.tools] == [
        ("self.get_device_status", "self_get_device_status", False),
        ("self.screen.set_theme", "self_screen_set_theme", False),
        ("self.reboot", "self_reboot", True),
    ]


@given(cursors=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4))
def test_cursors_that_go_round_come_to_an_end(cursors: list[str]) -> None:
    conversation, request = listing()
    asked = 1
    while True:
        cursor = cursors[asked % len(cursors)]
        more = conversation.receive(answer(request, {"tools": [], "nextCursor": cursor}))
        if not more:
            break
        (request,) = more
        asked += 1
        assert asked <= len(set(cursors)) + 1
    assert conversation.ready


def test_cursors_without_end_are_cut_off() -> None:
    conversation, request = listing()
    for page in range(1, MAX_PAGES + 1):
        more = conversation.receive(
            answer(request, {"tools": [tool(f"t{page}")], "nextCursor": f"t{page + 1}"})
        )
        if not more:
            break
        (request,) = more
    assert page == MAX_PAGES
    assert conversation.ready
    assert len(conversation.tools) == MAX_PAGES


def test_tools_without_end_are_cut_off() -> None:
    conversation, request = listing()
    tools = [tool(f"t.{number}") for number in range(5000)]
    assert conversation.receive(answer(request, {"tools": tools, "nextCursor": "x"})) == []
    assert conversation.ready
    assert len(conversation.tools) == MAX_TOOLS


def test_a_failing_page_leaves_what_was_listed() -> None:
    conversation, request = listing()
    (request,) = conversation.receive(answer(request, {"tools": [tool("a")], "nextCursor": "b"}))
    failure = {"jsonrpc": "2.0", "id": request["id"], "error": {"message": "Invalid cursor: b"}}
    assert conversation.receive(failure) == []
    assert conversation.ready
    assert conversation.failure == "Invalid cursor: b"
    assert [each.name for each in conversation.tools] == ["a"]


def test_a_device_that_refuses_is_not_ready() -> None:
    conversation = McpConversation()
    opening = conversation.start()
    assert conversation.receive({"id": opening["id"], "error": "no"}) == []
    assert (conversation.ready, conversation.failure) == (False, "no")


@given(st.lists(st.text(min_size=1, max_size=70), max_size=12, unique=True))
def test_safe_names_fit_function_calling_and_lead_back(names: list[str]) -> None:
    conversation = with_tools(*names)
    safe = [each.safe_name for each in conversation.tools]
    assert len(set(safe)) == len(names)
    for name, safe_name in zip(names, safe, strict=True):
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", safe_name)
        assert conversation.call(safe_name)[1]["params"]["name"] == name


def test_a_name_that_is_safe_keeps_itself() -> None:
    conversation = with_tools("a.b", "a_b", "a b")
    assert [each.safe_name for each in conversation.tools] == ["a_b_2", "a_b", "a_b_3"]
    assert conversation.call("a.b")[1]["params"]["name"] == "a.b"


def test_a_call_and_its_result() -> None:
    conversation = with_tools("self.audio_speaker.set_volume")
    call_id, payload = conversation.call("self_audio_speaker_set_volume", {"volume": 50})
    assert payload == {
        "jsonrpc": "2.0",
        "id": call_id,
        "method": "tools/call",
        "params": {"name": "self.audio_speaker.set_volume", "arguments": {"volume": 50}},
    }
    content = {"content": [{"type": "text", "text": "true"}], "isError": False}
    assert conversation.receive(answer(payload, content)) == []
    assert conversation.take_results() == [McpResult(call_id, "true", False)]
    assert conversation.take_results() == []


@pytest.mark.parametrize(
    ("body", "text", "is_error"),
    [
        ({"error": {"message": "Unknown tool: x"}}, "Unknown tool: x", True),
        ({"error": {"code": -32601, "message": "no"}}, "no", True),
        ({"error": None}, "the device reported an error", True),
        ({"result": {"content": [{"type": "text", "text": "no"}], "isError": True}}, "no", True),
        ({"result": {"content": [{"type": "image", "image": "{}"}, "b"]}}, "[image]\nb", False),
        ({"result": {"content": [1, {"text": 2}]}}, "", False),
        ({"result": {"volume": 5}}, '{"volume": 5}', False),
        ({"result": "done"}, "done", False),
        ({}, "null", True),
    ],
)
def test_results_in_all_their_forms(body: Payload, text: str, is_error: bool) -> None:
    conversation = with_tools("x")
    call_id, _payload = conversation.call("x")
    conversation.receive({"jsonrpc": "2.0", "id": str(call_id), **body})
    assert conversation.take_results() == [McpResult(call_id, text, is_error)]


def test_answers_nobody_waits_for_are_dropped() -> None:
    conversation = with_tools("x")
    call_id, payload = conversation.call("x")
    conversation.forget(call_id)
    conversation.receive(answer(payload, {"content": []}))
    conversation.receive({"id": 999, "result": {}})
    conversation.receive({"result": {}})
    assert conversation.take_results() == []


def test_unanswered_calls_are_bounded() -> None:
    conversation = with_tools("x")
    calls = [conversation.call("x")[0] for _ in range(MAX_CALLS)]
    with pytest.raises(McpError, match="unanswered"):
        conversation.call("x")
    conversation.forget(calls[0])
    assert conversation.call("x")


def test_an_unknown_tool_is_named() -> None:
    with pytest.raises(McpError, match="'fly'"):
        with_tools("x").call("fly")


def test_ids_stay_within_an_int32() -> None:
    conversation = with_tools("x")
    waiting, _payload = conversation.call("x")
    conversation._last_id = 2**31 - 2
    ids = [conversation.call("x")[0] for _ in range(4)]
    assert ids == [2**31 - 1, 1, 2, 4]
    assert waiting == 3


def test_a_devices_requests_are_answered_and_notes_are_not() -> None:
    conversation = with_tools("x")
    assert conversation.receive({"id": 7, "method": "ping"}) == [
        {"jsonrpc": "2.0", "id": 7, "result": {}}
    ]
    (refusal,) = conversation.receive({"id": "a", "method": "roots/list"})
    assert refusal["error"]["code"] == -32601
    assert conversation.receive({"method": "notifications/state"}) == []
    assert conversation.receive({"id": {}, "method": "ping"}) == []
    assert conversation.receive({"id": "x" * 999, "method": "ping"}) == []


def test_changed_tools_are_listed_again_once() -> None:
    conversation = with_tools("old")
    changed = {"method": "notifications/tools/list_changed"}
    (request,) = conversation.receive(changed)
    assert request["method"] == "tools/list"
    assert conversation.receive(changed) == []
    conversation.receive(answer(request, {"tools": [tool("new")]}))
    assert [each.name for each in conversation.tools] == ["new"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 6) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
tools_result = st.fixed_dictionaries(
    {}, optional={"tools": json_values | st.lists(json_values), "nextCursor": json_values}
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "id": st.integers(0, 6) | json_values,
                "method": json_values,
                "result": tools_result | json_values,
                "error": json_values,
            },
        ),
        max_size=12,
    )
)
def test_any_payloads_are_survived(payloads: list[Payload]) -> None:
    conversation = McpConversation()
    sent = [conversation.start()]
    for payload in payloads:
        sent += conversation.receive(payload)
    assert len(sent) <= 1 + 2 * len(payloads)
    for payload in sent:
        assert json.loads(json.dumps(payload)) == payload
