"""What the start tells the person at the terminal."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from cfg.model import EdgeTts, EspeakTts, OllamaLlm, RulesLlm, Server, Settings
from supervisor import announce


@pytest.fixture
def listeners() -> Iterator[dict[str, socket.socket]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as device,
        socket.create_server(("127.0.0.1", 0)) as http,
    ):
        yield {"device": device, "http": http}


@pytest.fixture
def ports(listeners: dict[str, socket.socket]) -> tuple[int, int]:
    """The device's and the HTTP port that are really listened on."""
    return listeners["device"].getsockname()[1], listeners["http"].getsockname()[1]


def told(
    capsys: pytest.CaptureFixture[str],
    listeners: dict[str, socket.socket],
    settings: Settings | None = None,
    **server: Any,
) -> str:
    settings = settings or Settings(server=Server(**server))
    announce.ready(settings, listeners, 1234)
    return capsys.readouterr().out


def test_the_addresses_are_those_that_are_listened_on(
    capsys: pytest.CaptureFixture[str],
    listeners: dict[str, socket.socket],
    ports: tuple[int, int],
) -> None:
    text = told(capsys, listeners, host="192.0.2.9")
    device, http = ports
    assert "Ready after 1234 ms." in text
    assert f"OTA address   http://192.0.2.9:{http}/xiaozhi/ota/\n" in text
    assert f"WebSocket     ws://192.0.2.9:{device}/xiaozhi/v1/\n" in text
    assert f"status page   http://192.0.2.9:{http}/\n" in text
    assert f"Only ports {device} and {http} are open" in text


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_every_interface_is_shown_as_the_address_in_the_lan(
    capsys: pytest.CaptureFixture[str],
    listeners: dict[str, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
    host: str,
) -> None:
    monkeypatch.setattr(announce, "lan_address", lambda: "192.0.2.77")
    text = told(capsys, listeners, host=host)
    assert "http://192.0.2.77:" in text
    assert host + ":" not in text


def test_an_ipv6_address_is_bracketed(
    capsys: pytest.CaptureFixture[str], listeners: dict[str, socket.socket]
) -> None:
    text = told(capsys, listeners, host="2001:db8::7")
    assert "http://[2001:db8::7]:" in text
    assert "ws://[2001:db8::7]:" in text


def test_the_address_behind_a_proxy_is_the_one_that_devices_are_told(
    capsys: pytest.CaptureFixture[str], listeners: dict[str, socket.socket]
) -> None:
    text = told(capsys, listeners, public_websocket_url="wss://voice.example/xiaozhi/v1/")
    assert "WebSocket     wss://voice.example/xiaozhi/v1/\n" in text


def test_each_part_is_named_with_its_role_and_weight(
    capsys: pytest.CaptureFixture[str], listeners: dict[str, socket.socket]
) -> None:
    settings = Settings(
        llm=(
            OllamaLlm(kind="ollama", name="big", model="qwen", weight=70),
            RulesLlm(kind="rules", weight=0),
        ),
        tts=(EdgeTts(kind="edge"), EspeakTts(kind="espeak", weight=0)),
    )
    text = told(capsys, listeners, settings)
    assert re.search(r"language model +big \(production, weight 70\)\n", text)
    assert re.search(r"language model +rules \(embedded, weight 0\)\n", text)
    assert re.search(r"speech synthesis +edge \(production, weight \d+\)\n", text)
    assert re.search(r"speech synthesis +espeak \(embedded, weight 0\)\n", text)
    assert re.search(r"speech recognition +vosk \(", text)
    assert "default-config > cfg/local.toml" in text


def test_an_open_door_is_mentioned_and_a_token_is_not_shown(
    capsys: pytest.CaptureFixture[str], listeners: dict[str, socket.socket]
) -> None:
    assert "Every device is let in: set server.tokens" in told(capsys, listeners)
    text = told(capsys, listeners, tokens=(SecretStr("hidden-token"),))
    assert "Every device is let in" not in text
    assert "hidden-token" not in text


def test_the_start_says_that_it_starts(capsys: pytest.CaptureFixture[str]) -> None:
    announce.starting(Settings())
    assert capsys.readouterr().out == "Starting the voice server …\n"


def test_the_lan_address_is_one_of_ours_or_the_host_name() -> None:
    address = announce.lan_address()
    if address == socket.gethostname():
        return
    with socket.socket() as probe:
        probe.bind((address, 0))


def test_without_a_route_the_host_name_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unrouted(socket.socket):
        def connect(self, _address: object) -> None:
            raise OSError("Network is unreachable")

    monkeypatch.setattr(announce.socket, "socket", Unrouted)
    assert announce.lan_address() == socket.gethostname()
