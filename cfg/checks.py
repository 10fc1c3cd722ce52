"""Rules that no single field's type can state: addresses, unique names, order.

Pure. Takes settings that the model accepts and names what still cannot work.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from cfg.fields import ENGINE_LISTS, Path
from cfg.model import EdgeTts, Remote, Settings

#: Where, the value found there, and what is allowed.
Finding = tuple[Path, object, str]


def name_engines(settings: Settings) -> Settings:
    """Give every unnamed engine its kind as its name: ollama, then ollama-2, …"""
    named: dict[str, tuple[Any, ...]] = {}
    for kind in ENGINE_LISTS:
        engines = getattr(settings, kind)
        taken = {engine.name for engine in engines}
        result = []
        for engine in engines:
            name, number = engine.name, 1
            while not name:
                candidate = engine.kind if number == 1 else f"{engine.kind}-{number}"
                name, number = ("" if candidate in taken else candidate), number + 1
            taken.add(name)
            result.append(engine.model_copy(update={"name": name}))
        named[kind] = tuple(result)
    return settings.model_copy(update=named)


def findings(settings: Settings) -> Iterator[Finding]:
    """What cannot work in settings whose engines are named."""
    yield from _server(settings)
    yield from _listening(settings)
    for kind in ENGINE_LISTS:
        yield from _engines(kind, getattr(settings, kind))


def _server(settings: Settings) -> Iterator[Finding]:
    server = settings.server
    if server.http_port == server.device_port:
        yield ("server", "http_port"), server.http_port, "another port than server.device_port"
    url = server.public_websocket_url
    if url and not _is_url(url, ("ws", "wss")):
        allowed = "empty, or a whole address: ws://host:8000/xiaozhi/v1/ (or wss://)"
        yield ("server", "public_websocket_url"), url, allowed
    for index, proxy in enumerate(server.trusted_proxies):
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            allowed = "an IP address or network: 192.168.1.2 or 10.0.0.0/8"
            yield ("server", "trusted_proxies", index), proxy, allowed
    for index, token in enumerate(server.tokens):
        if not token.get_secret_value().strip():
            yield ("server", "tokens", index), "", "a token that is not empty"


def _listening(settings: Settings) -> Iterator[Finding]:
    names = ("endpoint_complete_ms", "endpoint_unsure_ms", "endpoint_incomplete_ms")
    for shorter, longer in pairwise(names):
        limit = getattr(settings.listening, longer)
        value = getattr(settings.listening, shorter)
        if value > limit:
            yield ("listening", shorter), value, f"at most {longer}, which is {limit}"


def _engines(kind: str, engines: tuple[Any, ...]) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, engine in enumerate(engines):
        if engine.name in seen:
            allowed = f"a name that no other [[{kind}]] block has"
            yield (kind, index, "name"), engine.name, allowed
        seen.add(engine.name)
        if isinstance(engine, Remote):
            url = getattr(engine, "base_url", "http://none")
            if not _is_url(url, ("http", "https")):
                allowed = "a whole address: http://host:port or https://host"
                yield (kind, index, "base_url"), url, allowed
        if isinstance(engine, EdgeTts) and engine.service_url:
            url = engine.service_url
            if "?" not in url or not _is_url(url, ("ws", "wss")):
                allowed = "a ws:// or wss:// address that contains '?': ws://host:port/path?key=1"
                yield (kind, index, "service_url"), url, allowed


def _is_url(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
