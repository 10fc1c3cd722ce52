"""What the start tells the person at the terminal: addresses, parts, and how to change them."""

from __future__ import annotations

import socket

from actors.console.snapshot import engine_name, role_of
from cfg.model import Settings

_PARTS = (("asr", "speech recognition"), ("llm", "language model"), ("tts", "speech synthesis"))


def starting(settings: Settings) -> None:
    print("Starting the voice server …", flush=True)


def ready(settings: Settings, listeners: dict[str, socket.socket], took_ms: int) -> None:
    """Print where devices connect and which parts are embedded or production."""
    print("\n".join(_lines(settings, listeners, took_ms)), flush=True)


def _lines(settings: Settings, listeners: dict[str, socket.socket], took_ms: int) -> list[str]:
    server = settings.server
    host = lan_address() if server.host in ("0.0.0.0", "::") else server.host
    host = f"[{host}]" if ":" in host else host
    device_port = listeners["device"].getsockname()[1]
    http_port = listeners["http"].getsockname()[1]
    lines = [
        f"Ready after {took_ms} ms. A device talks when its OTA address is set to this host:",
        f"  OTA address   http://{host}:{http_port}/xiaozhi/ota/",
        f"  WebSocket     {server.public_websocket_url or f'ws://{host}:{device_port}/xiaozhi/v1/'}",
        f"  status page   http://{host}:{http_port}/",
        "Parts:",
    ]
    for kind, title in _PARTS:
        for engine in getattr(settings, kind):
            lines.append(
                f"  {title:<19} {engine_name(engine)} ({role_of(kind, engine)}, weight {engine.weight})"
            )
    lines.append(f"  {'answers and sounds':<19} {_kept(settings)}")
    if not server.tokens:
        lines.append("Every device is let in: set server.tokens to change that.")
    lines += [
        f"Only ports {device_port} and {http_port} are open to the network.",
        "To change parts: python3 run.py default-config > cfg/local.toml, edit it, start again.",
        "Ctrl-C ends it.",
    ]
    return lines


def _kept(settings: Settings) -> str:
    """Where what was said before is kept; the address of Redis may hold a password."""
    caches = settings.answer_cache.enabled, settings.sound_cache.enabled
    if not any(caches):
        return "not kept"
    folder = settings.storage.folder or "var/cache"
    shared = ", shared through Redis" if settings.redis.url.get_secret_value() else ""
    return f"{folder} (embedded){shared}"


def lan_address() -> str:
    """This host's address in its network; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address: any route will do
            address: str = probe.getsockname()[0]
        except OSError:
            return socket.gethostname()
    return address
