"""The device's MCP server, against firmware's rules and the product's own client."""

from __future__ import annotations

from typing import Any

import pytest

from actors.wire.mcp import McpConversation
from sim.tools import DeviceTools


def ask(method: str, params: Any = None, number: Any = 1) -> dict[str, Any]:
    request = {"jsonrpc": "2.0", "id": number, "method": method}
    return request if params is None else {**request, "params": params}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return ask("tools/call", {"name": name, "arguments": arguments})


def test_initialize_introduces_the_board_and_takes_the_camera_address() -> None:
    tools = DeviceTools(board="b", firmware="1.2.3")
    vision = {"url": "http://h/", "token": "t"}
    reply = tools.answer(ask("initialize", {"capabilities": {"vision": vision}}))
    assert reply == {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "protocolVersion": "2024-11-05",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "b", "version": "1.2.3"},
        },
    }
    assert tools.vision_url == "http://h/"


def test_pages_lead_through_all_tools() -> None:
    tools, names, cursor = DeviceTools(page_tools=1), [], ""
    for _page in range(3):
        reply = tools.answer(ask("tools/list", {"cursor": cursor}))
        assert reply is not None
        names += [tool["name"] for tool in reply["result"]["tools"]]
        cursor = reply["result"].get("nextCursor", "")
    assert cursor == ""
    assert names == [
        "self.get_device_status",
        "self.audio_speaker.set_volume",
        "self.screen.set_brightness",
    ]


def test_calls_change_the_device() -> None:
    tools = DeviceTools()
    reply = tools.answer(call("self.audio_speaker.set_volume", volume=30))
    assert reply is not None
    assert reply["result"] == {"content": [{"type": "text", "text": "true"}], "isError": False}
    tools.answer(call("self.screen.set_brightness", brightness=0))
    status = tools.answer(call("self.get_device_status"))
    assert status is not None
    assert '"volume": 30' in status["result"]["content"][0]["text"]
    assert tools.brightness == 0
    assert [name for name, _arguments in tools.calls] == [
        "self.audio_speaker.set_volume",
        "self.screen.set_brightness",
        "self.get_device_status",
    ]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (call("self.audio_speaker.set_volume", volume="50"), "Missing valid argument: volume"),
        (call("self.audio_speaker.set_volume", volume=True), "Missing valid argument: volume"),
        (call("self.audio_speaker.set_volume"), "Missing valid argument: volume"),
        (call("self.audio_speaker.set_volume", volume=101), "out of range"),
        (call("self.fly"), "Unknown tool: self.fly"),
        (ask("tools/call", {}), "Missing name"),
        (ask("tools/list", {"cursor": "nowhere"}), "Failed to find tool: nowhere"),
        (ask("resources/list"), "Method not implemented"),
    ],
)
def test_errors_have_a_message_and_no_code(request_: dict[str, Any], message: str) -> None:
    reply = DeviceTools().answer(request_)
    assert reply is not None
    assert set(reply) == {"jsonrpc", "id", "error"}
    assert set(reply["error"]) == {"message"}
    assert message in reply["error"]["message"]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {"id": 1, "method": "initialize"},
        ask("initialize", number="1"),
        ask("initialize", number=2**31),
        ask("initialize", number=True),
        ask("initialize", params=[1]),
        ask("notifications/initialized", number=None),
        {"jsonrpc": "2.0", "id": 4, "result": {}},
    ],
)
def test_what_firmware_ignores_is_ignored(payload: object) -> None:
    assert DeviceTools().answer(payload) is None


def test_the_products_client_gets_along_with_it() -> None:
    device, client = DeviceTools(page_tools=1), McpConversation()
    pending = [client.start("http://h/vision", "t")]
    for _round in range(20):
        if not pending:
            break
        answer = device.answer(pending.pop(0))
        pending += client.receive(answer) if answer else []
    assert client.ready
    assert len(client.tools) == 3
    number, payload = client.call("self.audio_speaker.set_volume", {"volume": 11})
    answer = device.answer(payload)
    assert answer is not None
    client.receive(answer)
    assert [(each.id, each.text, each.is_error) for each in client.take_results()] == [
        (number, "true", False)
    ]
    assert device.volume == 11
