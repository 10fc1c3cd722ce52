"""A real headless Chromium, driven over its DevTools socket; enough to judge a page."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = Path("/usr/bin/chromium")

_START_S = 30.0
_ANSWER_S = 15.0


class Tab:
    """One page. `console` collects what it logged, errors and refused resources included."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.console: list[str] = []

    async def open(self, url: str) -> None:
        for domain in ("Page", "Runtime", "Log"):
            await self._call(f"{domain}.enable")
        await self._call("Page.navigate", url=url)
        await self.until(
            f"location.href === {json.dumps(url)} && document.readyState === 'complete'"
        )

    async def emulate(self, width_px: int, height_px: int, scheme: str = "light") -> None:
        """Take a screen size and a colour scheme, "light" or "dark"."""
        await self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width_px,
            height=height_px,
            deviceScaleFactor=1,
            mobile=width_px < 720,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self._call("Emulation.setEmulatedMedia", features=features)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = await self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until the expression is true; the page's own refresh brings it about."""
        async with asyncio.timeout(_ANSWER_S):
            while not await self.evaluate(expression):
                await asyncio.sleep(0.05)

    async def screenshot(self, path: Path) -> None:
        shot = await self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    async def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": params}))
        async with asyncio.timeout(_ANSWER_S):
            while True:
                message = json.loads(await self._socket.receive_str())
                if message.get("id") == number:
                    assert "error" not in message, message["error"]
                    result: dict[str, Any] = message["result"]
                    return result
                self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Log.entryAdded":
            self.console.append(event["params"]["entry"]["text"])
        elif event.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.console.append(json.dumps(event["params"]))


@asynccontextmanager
async def chromium_tab(profile: Path) -> AsyncIterator[Tab]:
    """Start Chromium with an empty profile folder and give its first page."""
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        "--headless=new",
        "--no-sandbox",  # tests may run as root, and load nothing but our own page
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = await _debugger(profile, process)
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(address, max_msg_size=64 * 1024 * 1024) as socket,
        ):
            yield Tab(socket)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _debugger(profile: Path, process: asyncio.subprocess.Process) -> str:
    """Return the address of the first page's DevTools socket."""
    told = profile / "DevToolsActivePort"
    async with asyncio.timeout(_START_S), aiohttp.ClientSession() as client:
        while not (told.exists() and "\n" in told.read_text()):
            assert process.returncode is None, f"{PROGRAM} ended with {process.returncode}"
            await asyncio.sleep(0.05)
        port = told.read_text().split("\n")[0]
        while True:
            async with client.get(f"http://127.0.0.1:{port}/json/list") as answer:
                for target in await answer.json(content_type=None):
                    if target["type"] == "page":
                        return str(target["webSocketDebuggerUrl"])
            await asyncio.sleep(0.05)
