"""The routes, over a real server on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from actors.console.guard import MAX_BODY_BYTES
from actors.console.snapshot import StatusSnapshot
from cfg.model import Settings
from tests.console.instance import STARTED_S, Instance, without

OTA_PATHS = ["/xiaozhi/ota", "/xiaozhi/ota/"]
DEVICE = {"Device-Id": "aa:bb:cc:dd:ee:ff", "Client-Id": "7c1", "User-Agent": "bread/2.2.6"}
BODY = json.dumps({"version": 2, "application": {"name": "xiaozhi", "version": "2.2.6"}})

PREFLIGHT = {
    "Origin": "https://page.example",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,device-id,client-id",
    "Access-Control-Request-Private-Network": "true",
}

Scenario = Callable[[aiohttp.ClientSession], Awaitable[None]]


def settings(**server: Any) -> Settings:
    return Settings.model_validate({"server": server})


def run(instance: Instance, scenario: Scenario, **options: float) -> None:
    async def served() -> None:
        async with asyncio.timeout(15), instance.served(**options) as client:
            await scenario(client)

    asyncio.run(served())


def assert_names_the_fault(shown: dict[str, Any], field: str) -> None:
    assert set(shown) == {"error"}
    assert set(shown["error"]) == {"field", "problem", "fix"}
    assert shown["error"]["field"] == field
    assert all(shown["error"].values())


class TestOta:
    @pytest.mark.parametrize("path", OTA_PATHS)
    @pytest.mark.parametrize("method", ["POST", "GET"])
    def test_tells_where_to_connect(self, path: str, method: str) -> None:
        instance = Instance(settings(device_port=8765, websocket_version=3))

        async def scenario(client: aiohttp.ClientSession) -> None:
            data = BODY if method == "POST" else None
            async with client.request(
                method, path, data=data, headers=DEVICE, allow_redirects=False
            ) as answer:
                assert answer.status == 200
                assert answer.content_type == "application/json"
                assert answer.content_length is not None
                shown = await answer.json()
            assert shown["websocket"] == {
                "url": "ws://127.0.0.1:8765/xiaozhi/v1/",
                "token": "",
                "version": 3,
            }
            assert shown["server_time"]["timestamp"] == int((STARTED_S + 90) * 1000)
            assert isinstance(shown["server_time"]["timezone_offset"], int)
            assert shown["firmware"]["version"] == "2.2.6"
            assert "mqtt" not in shown
            assert "activation" not in shown

        run(instance, scenario)

    def test_tells_the_first_token(self) -> None:
        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.post("/xiaozhi/ota/", data=BODY) as answer:
                assert (await answer.json())["websocket"]["token"] == "first"

        run(Instance(settings(tokens=["first", "second"])), scenario)

    def test_tells_the_configured_address(self) -> None:
        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.post("/xiaozhi/ota/", data=BODY) as answer:
                assert (await answer.json())["websocket"]["url"] == "wss://voice.example:443/x"

        run(Instance(settings(public_websocket_url="wss://voice.example/x")), scenario)

    def test_an_unusable_configured_address_is_named(self) -> None:
        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.post("/xiaozhi/ota/", data=BODY) as answer:
                assert answer.status == 500
                assert_names_the_fault(await answer.json(), "server.public_websocket_url")

        run(Instance(settings(public_websocket_url="http://no")), scenario)

    @pytest.mark.parametrize(
        ("proxies", "url"),
        [
            (["127.0.0.1"], "wss://voice.example:443/xiaozhi/v1/"),
            (["127.0.0.0/8"], "wss://voice.example:443/xiaozhi/v1/"),
            (["10.0.0.1"], "ws://127.0.0.1:8000/xiaozhi/v1/"),
            ([], "ws://127.0.0.1:8000/xiaozhi/v1/"),
        ],
    )
    def test_only_a_trusted_proxy_is_believed(self, proxies: list[str], url: str) -> None:
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "voice.example"}

        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.post("/xiaozhi/ota/", data=BODY, headers=forwarded) as answer:
                assert (await answer.json())["websocket"]["url"] == url

        run(Instance(settings(trusted_proxies=proxies)), scenario)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"null",
            b"[]",
            b'{"application": 7}',
            b"\xff\xfe\x00garbage",
            b'{"display":{"monochrome":"}, "application":{"version":"v1"}}',
            b"[" * 20_000,
            b"0" * MAX_BODY_BYTES,
        ],
    )
    def test_any_body_gets_a_usable_answer(self, body: bytes) -> None:
        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.post("/xiaozhi/ota/", data=body) as answer:
                assert answer.status == 200
                url = (await answer.json())["websocket"]["url"]
            assert url.startswith("ws://127.0.0.1:8000/")

        run(Instance(), scenario)

    def test_a_missing_host_leaves_the_server_s_own_address(self) -> None:
        instance = Instance()

        async def scenario(_: aiohttp.ClientSession) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
            writer.write(b"GET /xiaozhi/ota/ HTTP/1.0\r\n\r\n")
            answer = await reader.read()
            writer.close()
            assert b"ws://127.0.0.1:8000/xiaozhi/v1/" in answer

        run(instance, scenario)

    @pytest.mark.parametrize("announced", [True, False])
    def test_an_oversized_body_is_refused(self, announced: bool) -> None:
        async def pieces() -> Any:
            for _ in range(5):
                yield b"x" * (MAX_BODY_BYTES // 4)

        async def scenario(client: aiohttp.ClientSession) -> None:
            body = b"x" * (MAX_BODY_BYTES + 1) if announced else pieces()
            async with client.post("/xiaozhi/ota/", data=body) as answer:
                assert answer.status == 413
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert_names_the_fault(await answer.json(), "body")
            async with client.get("/healthz") as answer:
                assert answer.status == 200

        run(Instance(), scenario)

    def test_a_body_that_does_not_come_ends_in_time(self) -> None:
        instance = Instance()

        async def scenario(_: aiohttp.ClientSession) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
            writer.write(b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{")
            head = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            assert b" 408 " in head.split(b"\r\n")[0]
            assert b"Connection: close" in head

        run(instance, scenario, request_timeout_s=0.05)


class TestCrossOrigin:
    @pytest.mark.parametrize("path", OTA_PATHS)
    def test_preflight_lets_browser_clients_in(self, path: str) -> None:
        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.options(path, headers=PREFLIGHT) as answer:
                assert answer.status == 204
                told = answer.headers
            allowed = {
                name.strip().lower() for name in told["Access-Control-Allow-Headers"].split(",")
            }
            assert {"content-type", "device-id", "client-id", "authorization"} <= allowed
            assert "POST" in told["Access-Control-Allow-Methods"]
            assert told["Access-Control-Allow-Origin"] == "*"
            assert told["Access-Control-Allow-Private-Network"] == "true"

        run(Instance(), scenario)

    def test_answer_may_be_read_by_other_origins(self) -> None:
        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.post("/xiaozhi/ota/", headers={"Origin": "null"}) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert "Access-Control-Allow-Private-Network" not in answer.headers

        run(Instance(), scenario)

    @pytest.mark.parametrize("path", ["/", "/status", "/readyz", "/healthz", "/xiaozhi/otax"])
    def test_nothing_else_may_be_read_by_other_origins(self, path: str) -> None:
        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.get(path, headers=PREFLIGHT) as answer:
                assert not [name for name in answer.headers if name.startswith("Access-Control")]
                assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"

        run(Instance(), scenario)


class TestHealth:
    def test_alive_without_asking_the_actors(self) -> None:
        instance = Instance()

        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.get("/healthz") as answer:
                assert answer.status == 200
                assert (await answer.json())["alive"] is True
            assert instance.asked == 0

        run(instance, scenario)

    def test_ready_and_not_ready(self) -> None:
        instance = Instance()

        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.get("/readyz") as answer:
                assert answer.status == 200
                assert await answer.json() == {"ready": True, "missing": []}
            instance.reports = without("tts")
            instance.now_s += 1
            async with client.get("/readyz") as answer:
                assert answer.status == 503
                shown = await answer.json()
            assert shown["ready"] is False
            assert [missing["part"] for missing in shown["missing"]] == ["tts"]
            assert "speech synthesis" in shown["missing"][0]["problem"]

        run(instance, scenario)

    def test_actors_that_fail_cost_one_request(self) -> None:
        class Broken(Instance):
            async def status(self) -> StatusSnapshot:
                if self.asked == 0:
                    self.asked += 1
                    raise ConnectionError("secret inner words")
                return await super().status()

        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.get("/status") as answer:
                assert answer.status == 500
                text = await answer.text()
            assert "secret inner words" not in text
            assert_names_the_fault(json.loads(text), "server")
            async with client.get("/status") as answer:
                assert answer.status == 200

        run(Broken(), scenario)

    @pytest.mark.parametrize(("path", "member"), [("/readyz", "missing"), ("/status", "error")])
    def test_silent_actors_are_not_ready(self, path: str, member: str) -> None:
        class Silent(Instance):
            async def status(self) -> StatusSnapshot:
                return await asyncio.Event().wait()  # type: ignore[return-value]

        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.get(path) as answer:
                assert answer.status == 503
                shown = await answer.json()
            assert "did not answer" in json.dumps(shown[member])

        run(Silent(), scenario, status_timeout_s=0.05)


class TestStatus:
    def test_shows_every_actor_and_the_addresses(self) -> None:
        instance = Instance(settings(device_port=8765))

        async def scenario(client: aiohttp.ClientSession) -> None:
            headers = {"Host": "192.168.1.20:8003"}
            async with client.get("/status", headers=headers) as answer:
                assert answer.status == 200
                shown = await answer.json()
            assert len(shown["actors"]) == len(instance.reports)
            assert shown["addresses"] == {
                "ota": "http://192.168.1.20:8003/xiaozhi/ota/",
                "websocket": "ws://192.168.1.20:8765/xiaozhi/v1/",
            }

        run(instance, scenario)

    def test_shows_the_proxy_s_addresses(self) -> None:
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "voice.example"}

        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.get("/status", headers=forwarded) as answer:
                assert (await answer.json())["addresses"] == {
                    "ota": "https://voice.example/xiaozhi/ota/",
                    "websocket": "wss://voice.example:443/xiaozhi/v1/",
                }

        run(Instance(), scenario)

    def test_never_shows_a_device_its_own_loopback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("actors.console.http._lan_host", lambda: "192.168.1.20")

        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.get("/status", headers={"Host": "localhost:8003"}) as answer:
                assert (await answer.json())["addresses"] == {
                    "ota": "http://192.168.1.20:8003/xiaozhi/ota/",
                    "websocket": "ws://192.168.1.20:8000/xiaozhi/v1/",
                }

        run(Instance(), scenario)

    @pytest.mark.parametrize("host", ['"><script>', "a b", "x" * 300, "user@h"])
    def test_a_host_that_is_none_is_not_repeated(self, host: str) -> None:
        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.get("/status", headers={"Host": host}) as answer:
                assert answer.status in (200, 400)
                assert host not in await answer.text()

        run(Instance(), scenario)


class TestEveryAnswer:
    @pytest.mark.parametrize("path", ["/", "/status", "/healthz", "/nowhere", "/xiaozhi/ota/"])
    def test_has_safe_headers(self, path: str) -> None:
        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.get(path) as answer:
                told = answer.headers
            assert told["X-Content-Type-Options"] == "nosniff"
            assert told["X-Frame-Options"] == "DENY"
            assert told["Referrer-Policy"] == "no-referrer"
            assert told["Cache-Control"] == "no-store"
            assert "default-src 'none'" in told["Content-Security-Policy"]
            assert "unsafe" not in told["Content-Security-Policy"]
            assert "Python" not in told["Server"]

        run(Instance(), scenario)

    def test_unknown_path_is_named(self) -> None:
        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.get("/xiaozhi/v1/") as answer:
                assert answer.status == 404
                shown = await answer.json()
            assert_names_the_fault(shown, "path")
            assert "/xiaozhi/ota/" in shown["error"]["fix"]

        run(Instance(), scenario)

    @pytest.mark.parametrize(("method", "path"), [("DELETE", "/xiaozhi/ota/"), ("POST", "/status")])
    def test_wrong_method_is_named(self, method: str, path: str) -> None:
        async def scenario(client: aiohttp.ClientSession) -> None:
            async with client.request(method, path) as answer:
                assert answer.status == 405
                assert "GET" in answer.headers["Allow"]
                assert_names_the_fault(await answer.json(), "method")

        run(Instance(), scenario)


def test_secrets_are_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    headers = DEVICE | {"Authorization": "Bearer header-secret"}

    async def scenario(client: aiohttp.ClientSession) -> None:
        path = "/xiaozhi/ota/?authorization=query-secret"
        async with client.post(path, data=b'{"token": "body-secret"}', headers=headers) as answer:
            assert answer.status == 200
        async with client.get("/nowhere?token=query-secret") as answer:
            assert answer.status == 404

    run(Instance(settings(tokens=["told-secret"])), scenario)
    printed = "".join(capsys.readouterr())
    assert "aa:bb:cc:dd:ee:ff" in printed
    assert "secret" not in printed
