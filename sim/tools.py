"""The MCP server that runs on a simulated device, as strict as the firmware's.

Pure: `answer` takes a JSON-RPC object and returns the reply or None. Rules of
protocol section 7: ids must be 32-bit numbers and `params` an object, otherwise the
message is ignored; argument types are strict; errors carry a message and no code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PROTOCOL_VERSION = "2024-11-05"
_INT32 = range(-(2**31), 2**31)
_JSON_NAMES: dict[type, str] = {int: "integer", str: "string", bool: "boolean"}


class _Refused(Exception):
    """A call that the device answers with an error of this text."""


@dataclass(frozen=True, slots=True)
class _Argument:
    name: str
    kind: type
    lowest: int = 0
    highest: int = 0


@dataclass(frozen=True, slots=True)
class _Tool:
    name: str
    description: str
    arguments: tuple[_Argument, ...]
    run: Callable[..., Any]


class DeviceTools:
    """Three tools and the state they change. One per device.

    `page_tools` is how many tools one tools/list reply holds (firmware pages by size).
    """

    def __init__(self, board: str = "simulated", firmware: str = "2.4.2", page_tools: int = 2):
        self.volume = 70
        self.brightness = 75
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.vision_url = ""
        self._server = {"name": board, "version": firmware}
        self._page_tools = page_tools
        percent = (0, 100)
        self._tools = (
            _Tool(
                "self.get_device_status",
                "The device's volume and screen brightness.",
                (),
                self._status,
            ),
            _Tool(
                "self.audio_speaker.set_volume",
                "Set the loudspeaker's volume, 0 to 100.",
                (_Argument("volume", int, *percent),),
                self._set_volume,
            ),
            _Tool(
                "self.screen.set_brightness",
                "Set the screen's brightness, 0 to 100.",
                (_Argument("brightness", int, *percent),),
                self._set_brightness,
            ),
        )

    def answer(self, payload: object) -> dict[str, Any] | None:
        """The reply to one JSON-RPC object, or None where the firmware stays silent."""
        if not isinstance(payload, dict) or payload.get("jsonrpc") != "2.0":
            return None
        method, params, number = payload.get("method"), payload.get("params", {}), payload.get("id")
        if not isinstance(method, str) or method.startswith("notifications"):
            return None
        if not isinstance(params, dict) or isinstance(number, bool) or not isinstance(number, int):
            return None
        if number not in _INT32:
            return None
        try:
            return {"jsonrpc": "2.0", "id": number, "result": self._result(method, params)}
        except _Refused as refusal:
            return {"jsonrpc": "2.0", "id": number, "error": {"message": str(refusal)}}

    def _result(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "initialize":
            return self._initialize(params)
        if method == "tools/list":
            return self._page(params.get("cursor") or "")
        if method == "tools/call":
            return self._call(params)
        raise _Refused(f"Method not implemented: {method}")

    def _initialize(self, params: dict[str, Any]) -> dict[str, Any]:
        capabilities = params.get("capabilities")
        vision = capabilities.get("vision") if isinstance(capabilities, dict) else None
        if isinstance(vision, dict) and isinstance(vision.get("url"), str):
            self.vision_url = vision["url"]
        return {
            "protocolVersion": PROTOCOL_VERSION,
            "capabilities": {"tools": {}},
            "serverInfo": self._server,
        }

    def _page(self, cursor: object) -> dict[str, Any]:
        """`cursor` is the name of the first tool of the page."""
        names = [tool.name for tool in self._tools]
        if cursor and cursor not in names:
            raise _Refused(f"Failed to find tool: {cursor}")
        start = names.index(str(cursor)) if cursor else 0
        end = start + self._page_tools
        page: dict[str, Any] = {"tools": [_described(tool) for tool in self._tools[start:end]]}
        if end < len(names):
            page["nextCursor"] = names[end]
        return page

    def _call(self, params: dict[str, Any]) -> dict[str, Any]:
        name, arguments = params.get("name"), params.get("arguments", {})
        if not isinstance(name, str):
            raise _Refused("Missing name")
        if not isinstance(arguments, dict):
            raise _Refused("Invalid arguments")
        tool = next((tool for tool in self._tools if tool.name == name), None)
        if tool is None:
            raise _Refused(f"Unknown tool: {name}")
        given = [_checked(argument, arguments) for argument in tool.arguments]
        self.calls.append((name, arguments))
        value = tool.run(*given)
        text = value if isinstance(value, str) else json.dumps(value)
        return {"content": [{"type": "text", "text": text}], "isError": False}

    def _status(self) -> dict[str, Any]:
        return {
            "audio_speaker": {"volume": self.volume},
            "screen": {"brightness": self.brightness},
        }

    def _set_volume(self, volume: int) -> bool:
        self.volume = volume
        return True

    def _set_brightness(self, brightness: int) -> bool:
        self.brightness = brightness
        return True


def _checked(argument: _Argument, given: dict[str, Any]) -> Any:
    value = given.get(argument.name)
    if type(value) is not argument.kind:  # bool is an int in Python, not in JSON
        raise _Refused(f"Missing valid argument: {argument.name}")
    if isinstance(value, int) and not argument.lowest <= value <= argument.highest:
        raise _Refused(f"Value is out of range: {argument.lowest}..{argument.highest}")
    return value


def _described(tool: _Tool) -> dict[str, Any]:
    properties = {
        argument.name: {
            "type": _JSON_NAMES[argument.kind],
            "minimum": argument.lowest,
            "maximum": argument.highest,
        }
        for argument in tool.arguments
    }
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if properties:
        schema["required"] = list(properties)
    return {"name": tool.name, "description": tool.description, "inputSchema": schema}
