"""Asking the OTA address: what is accepted, and what would break a device."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from actors.wire.ota import ota_reply
from sim.ota import OtaError, ask_ota, check_url, judge_reply

URL = "ws://host:8000/xiaozhi/v1/"


def reply(**members: Any) -> str:
    return json.dumps({"websocket": {"url": URL, "token": "", "version": 1}, **members})


def test_the_products_reply_is_good() -> None:
    made = ota_reply(
        b"{}",
        {"User-Agent": "board/2.4.2"},
        websocket_url=URL,
        token="t",
        websocket_version=3,
        now_ms=1,
        timezone_offset_min=480,
    )
    judged = judge_reply(json.dumps(made))
    assert (judged.url, judged.token, judged.version) == (URL, "t", 3)


def test_members_may_be_missing() -> None:
    judged = judge_reply(json.dumps({"websocket": {"url": URL}}))
    assert (judged.token, judged.version) == ("", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<html>", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", r"no websocket\.url"),
        (json.dumps({"websocket": {"url": 5}}), r"no websocket\.url"),
        (reply(mqtt={}), "would use MQTT"),
        (json.dumps({"websocket": {"url": URL, "a_very_long_member": 1}}), "15 characters"),
        (reply(firmware={"version": "v1.2", "url": ""}), "reboot"),
        (json.dumps({"websocket": {"url": "http://host/"}}), "no WebSocket address"),
    ],
)
def test_replies_that_break_devices(text: str, words: str) -> None:
    with pytest.raises(OtaError, match=words):
        judge_reply(text)


@pytest.mark.parametrize("version", ["2.4.2", "1.9.2_2", ""])
def test_firmware_versions_that_devices_can_read(version: str) -> None:
    assert judge_reply(reply(firmware={"version": version, "url": ""})).url == URL


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ws://host/a:b", "give the port"),
        ("ws://[::1]:8000/", "IPv6"),
        ("ws://user@host:1/", "user names"),
        ("host:8000", "no WebSocket address"),
    ],
)
def test_addresses_that_firmware_misreads(url: str, words: str) -> None:
    with pytest.raises(OtaError, match=words):
        check_url(url)


def test_a_device_introduces_itself_and_gets_its_address() -> None:
    seen: list[tuple[dict[str, str], dict[str, Any]]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((dict(request.headers), await request.json()))
        return web.Response(text=reply())

    assert asyncio.run(ask(answer)).url == URL
    headers, body = seen[0]
    assert headers["Device-Id"] == body["mac_address"] == "02:00:00:00:00:09"
    assert headers["Client-Id"] == body["uuid"] == "client"
    assert headers["Activation-Version"] == "1"
    assert isinstance(body["minimum_free_heap_size"], str)


def test_another_status_than_200_is_an_error() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "/elsewhere"})

    with pytest.raises(OtaError, match="answered 301"):
        asyncio.run(ask(answer))


def test_a_host_that_does_not_answer() -> None:
    async def answer(_request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    with pytest.raises(OtaError, match=r"no answer within 0\.1 s"):
        asyncio.run(ask(answer, timeout_s=0.1))


def test_addresses_that_lead_nowhere() -> None:
    with pytest.raises(OtaError, match="is the server running"):
        asyncio.run(ask_ota("http://127.0.0.1:9/", "d", "c"))
    with pytest.raises(OtaError, match="no http address"):
        asyncio.run(ask_ota("nonsense", "d", "c"))


async def ask(answer: Any, timeout_s: float = 5.0) -> Any:
    app = web.Application()
    app.router.add_post("/xiaozhi/ota/", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        url = f"http://127.0.0.1:{port}/xiaozhi/ota/"
        return await ask_ota(url, "02:00:00:00:00:09", "client", timeout_s=timeout_s)
    finally:
        await runner.cleanup()
