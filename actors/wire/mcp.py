"""The conversation with a device's MCP server, without any I/O or clock.

Promises: payloads that the firmware accepts (numeric int32 ids, object params,
main/mcp_server.cc), a tool list that ends even if the device's pages do not, and one
`McpResult` for each call that the device answers. Some clients never answer: deadlines
are the caller's, who then calls `forget`.

Order: send the server hello, then what `start` returns, then whatever `receive` returns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROTOCOL_VERSION = "2024-11-05"

MAX_PAGES = 64
MAX_TOOLS = 256
MAX_CALLS = 32

_MAX_INT32 = 0x7FFF_FFFF
_MAX_CURSOR_CHARS = 256
_MAX_SAFE_CHARS = 64
_MAX_ID_CHARS = 64
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")
_METHOD_NOT_FOUND = -32601

Payload = dict[str, Any]


class McpError(Exception):
    """A call cannot be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of the device. `safe_name` fits function calling: [a-zA-Z0-9_-]{1,64}."""

    name: str
    safe_name: str
    description: str
    input_schema: dict[str, Any] = field(hash=False)
    user_only: bool = False


@dataclass(frozen=True, slots=True)
class McpResult:
    """The device's answer to call `id`. An image is only mentioned in the text."""

    id: int
    text: str
    is_error: bool


class McpConversation:
    """One device's MCP state, from `initialize` to its tools and calls.

    `ready`: the tool list is complete, or as complete as it will become.
    `failure`: why there is none, in the device's words.
    """

    def __init__(self, client_name: str = "xiaozhi-actors", client_version: str = "1") -> None:
        self.ready = False
        self.failure = ""
        self.tools: tuple[Tool, ...] = ()
        self._client = {"name": client_name, "version": client_version}
        self._last_id = 0
        self._initialize_id: int | None = None
        self._list_id: int | None = None
        self._calls: set[int] = set()
        self._results: list[McpResult] = []
        self._listed: dict[str, Mapping[str, Any]] = {}
        self._cursors: set[str] = set()

    def start(self, vision_url: str = "", vision_token: str = "") -> Payload:
        """The first payload. The device's camera posts its pictures to `vision_url`."""
        request_id, payload = self._request(
            "initialize",
            {
                "protocolVersion": PROTOCOL_VERSION,
                "capabilities": {"vision": {"url": vision_url, "token": vision_token}},
                "clientInfo": self._client,
            },
        )
        self._initialize_id = request_id
        return payload

    def receive(self, payload: Mapping[str, Any]) -> list[Payload]:
        """Take one payload from the device; return what to send now. Never raises."""
        if "method" in payload:
            return self._asked(payload)
        answer_id = _whole(payload.get("id"))
        if answer_id is None:
            return []
        if answer_id == self._initialize_id:
            self._initialize_id = None
            return self._initialized(payload)
        if answer_id == self._list_id:
            self._list_id = None
            return self._page(payload)
        if answer_id in self._calls:
            self._calls.discard(answer_id)
            self._results.append(_result(answer_id, payload))
        return []

    def call(self, name: str, arguments: Mapping[str, Any] | None = None) -> tuple[int, Payload]:
        """Make a call by safe or device name. The device checks argument types strictly.

        Raises `McpError` for an unknown tool, or more than 32 unanswered calls.
        """
        tool = self._find(name)
        if tool is None:
            raise McpError(f"the device has no tool {name[:_MAX_SAFE_CHARS]!r}")
        if len(self._calls) >= MAX_CALLS:
            raise McpError(f"{MAX_CALLS} calls are unanswered, forget some first")
        request_id, payload = self._request(
            "tools/call", {"name": tool.name, "arguments": dict(arguments or {})}
        )
        self._calls.add(request_id)
        return request_id, payload

    def forget(self, call_id: int) -> None:
        """Stop waiting for a call; a late answer is dropped."""
        self._calls.discard(call_id)

    def take_results(self) -> list[McpResult]:
        """The answers since the last time, oldest first."""
        results, self._results = self._results, []
        return results

    # --- the device's answers -----------------------------------------------

    def _initialized(self, payload: Mapping[str, Any]) -> list[Payload]:
        if "error" in payload:
            self.failure = _error_text(payload["error"])
            return []
        return [
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            self._list_tools(""),
        ]

    def _list_tools(self, cursor: str) -> Payload:
        if not cursor:
            self._listed = {}
            self._cursors = set()
        request_id, payload = self._request("tools/list", {"cursor": cursor} if cursor else None)
        self._list_id = request_id
        return payload

    def _page(self, payload: Mapping[str, Any]) -> list[Payload]:
        result = payload.get("result")
        if "error" in payload or not isinstance(result, dict):
            self.failure = _error_text(payload.get("error", "the tool list is malformed"))
            self.ready = True
            return []
        listed = result.get("tools")
        for each in listed if isinstance(listed, list) else []:
            name = each.get("name") if isinstance(each, dict) else None
            if isinstance(name, str) and name and len(self._listed) < MAX_TOOLS:
                self._listed.setdefault(name, each)
        self.tools = _named(self._listed)
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str) or not self._leads_on(cursor):
            self.ready = True
            return []
        self._cursors.add(cursor)
        return [self._list_tools(cursor)]

    def _leads_on(self, cursor: str) -> bool:
        """Firmware's cursor is the next tool's name; a repeated one would go round for ever."""
        return (
            0 < len(cursor) <= _MAX_CURSOR_CHARS
            and cursor not in self._cursors
            and len(self._cursors) < MAX_PAGES - 1
            and len(self._listed) < MAX_TOOLS
        )

    # --- the device's own requests ------------------------------------------

    def _asked(self, payload: Mapping[str, Any]) -> list[Payload]:
        method, request_id = payload["method"], payload.get("id")
        if request_id is None:
            changed = method == "notifications/tools/list_changed"
            if changed and self.ready and self._list_id is None:
                return [self._list_tools("")]
            return []
        if not _is_id(request_id):
            return []
        answer: Payload = {"jsonrpc": "2.0", "id": request_id}
        if method == "ping":
            return [{**answer, "result": {}}]
        error = {"code": _METHOD_NOT_FOUND, "message": "this server offers no methods"}
        return [{**answer, "error": error}]

    # --- our requests -------------------------------------------------------

    def _request(self, method: str, params: Payload | None) -> tuple[int, Payload]:
        self._last_id = self._next_id()
        payload: Payload = {"jsonrpc": "2.0", "id": self._last_id, "method": method}
        if params is not None:
            payload["params"] = params
        return self._last_id, payload

    def _next_id(self) -> int:
        taken = self._calls | {self._initialize_id, self._list_id}
        candidate = self._last_id % _MAX_INT32 + 1
        while candidate in taken:
            candidate = candidate % _MAX_INT32 + 1
        return candidate

    def _find(self, name: str) -> Tool | None:
        for tool in self.tools:
            if tool.safe_name == name:
                return tool
        return next((tool for tool in self.tools if tool.name == name), None)


def _named(listed: Mapping[str, Mapping[str, Any]]) -> tuple[Tool, ...]:
    """Give every tool a safe name of its own; a name that is safe already stays as it is."""
    safe: dict[str, str] = {}
    taken = {name for name in listed if _is_safe(name)}
    for name in listed:
        if _is_safe(name):
            safe[name] = name
            continue
        base = _UNSAFE.sub("_", name)[:_MAX_SAFE_CHARS]
        candidate, number = base, 1
        while candidate in taken:
            number += 1
            candidate = f"{base[: _MAX_SAFE_CHARS - 4]}_{number}"
        taken.add(candidate)
        safe[name] = candidate
    return tuple(_tool(name, safe[name], each) for name, each in listed.items())


def _is_safe(name: str) -> bool:
    return 0 < len(name) <= _MAX_SAFE_CHARS and not _UNSAFE.search(name)


def _tool(name: str, safe_name: str, stated: Mapping[str, Any]) -> Tool:
    description = stated.get("description")
    schema = stated.get("inputSchema")
    annotations = stated.get("annotations")
    audience = annotations.get("audience") if isinstance(annotations, dict) else None
    return Tool(
        name=name,
        safe_name=safe_name,
        description=description if isinstance(description, str) else "",
        input_schema=schema if isinstance(schema, dict) else {"type": "object", "properties": {}},
        user_only=audience == ["user"],
    )


def _result(call_id: int, payload: Mapping[str, Any]) -> McpResult:
    if "error" in payload:
        return McpResult(call_id, _error_text(payload["error"]), True)
    result = payload.get("result")
    content = result.get("content") if isinstance(result, dict) else None
    if not isinstance(content, list):
        text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        return McpResult(call_id, text, result is None)
    text = "\n".join(part for item in content if (part := _content_text(item)))
    return McpResult(call_id, text, isinstance(result, dict) and result.get("isError") is True)


def _content_text(item: object) -> str:
    if isinstance(item, str):
        return item
    if not isinstance(item, dict):
        return ""
    if item.get("type") == "image":
        return "[image]"
    text = item.get("text")
    return text if isinstance(text, str) else ""


def _error_text(error: object) -> str:
    """Firmware's errors hold a message and no code; other clients send a bare string."""
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) and message else "the device reported an error"


def _is_id(value: object) -> bool:
    """Whether an id may be echoed: JSON-RPC allows numbers and (short, we say) strings."""
    if isinstance(value, str):
        return len(value) <= _MAX_ID_CHARS
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value):
        return int(value)
    return None
