"""The HTTP side of an instance: OTA for devices, health for programs, a page for people.

| route | who asks | answer |
|---|---|---|
| GET, POST, OPTIONS /xiaozhi/ota and /xiaozhi/ota/ | devices, browser clients | where to connect |
| /healthz | a supervisor | 200 while this process is alive |
| /readyz | a balancer | 200 when a device would be answered, else 503 and what is missing |
| /status | programs, the page | every actor, the parts, the sessions |
| / | people | the same, live |

Knows nothing of actors: the status comes from an awaitable that is passed in. Both
OTA paths answer alike, since a device does not follow a redirect of its POST.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog
from aiohttp import web

from actors.console.guard import (
    MAX_BODY_BYTES,
    OTA_PATH,
    REQUEST_TIMEOUT_S,
    add_headers,
    body_of,
    fault,
    guard,
)
from actors.console.latest import TIMEOUT_S, LatestStatus, StatusUnavailable
from actors.console.plain import cut
from actors.console.serving import run_http
from actors.console.snapshot import VERSION, Missing, Readiness, StatusSnapshot
from actors.wire.ota import AddressError, is_trusted, ota_reply, websocket_url
from cfg.model import Settings

__all__ = ["build_app", "run_http"]

log = structlog.get_logger("console")

_PAGE = Path(__file__).with_name("page.html")
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|\[?::1\]?")
_AUTHORITY = re.compile(
    r"[0-9A-Za-z_.\-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?"
)


def build_app(
    settings: Settings,
    status: Callable[[], Awaitable[StatusSnapshot]],
    clock: Callable[[], float],
    *,
    request_timeout_s: float = REQUEST_TIMEOUT_S,
    status_timeout_s: float = TIMEOUT_S,
) -> web.Application:
    """Make the application. `clock` gives seconds since the epoch; `status` may take a while.

    Serve it with `run_http`, which bounds connections and the time they may be idle.
    """
    latest = LatestStatus(status, clock, timeout_s=status_timeout_s)
    routes = _Routes(settings, latest, clock)
    app = web.Application(middlewares=[guard(request_timeout_s)], client_max_size=MAX_BODY_BYTES)
    app.on_response_prepare.append(add_headers)
    app.on_cleanup.append(routes.close)
    for path in (OTA_PATH, OTA_PATH + "/"):
        app.router.add_get(path, routes.ota)
        app.router.add_post(path, routes.ota)
        app.router.add_options(path, routes.preflight)
    app.router.add_get("/healthz", routes.healthz)
    app.router.add_get("/readyz", routes.readyz)
    app.router.add_get("/status", routes.status)
    app.router.add_get("/", routes.page)
    return app


class _Routes:
    """The answers; what they need is fixed when the application is built."""

    def __init__(
        self, settings: Settings, latest: LatestStatus, clock: Callable[[], float]
    ) -> None:
        self._server = settings.server
        self._latest = latest
        self._clock = clock
        self._page = _PAGE.read_text(encoding="utf-8")
        self._page_policy = _policy(self._page)

    async def close(self, _: web.Application) -> None:
        await self._latest.close()

    async def ota(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        try:
            url = self._websocket_url(request)
        except AddressError as error:
            log.error("no address to tell a device", field=error.field, problem=error.problem)
            return fault(500, error.field, error.problem, error.fix)
        now_s = self._clock()
        tokens = self._server.tokens
        reply = ota_reply(
            body,
            request.headers,
            websocket_url=url,
            token=tokens[0].get_secret_value() if tokens else "",
            websocket_version=self._server.websocket_version,
            now_ms=int(now_s * 1000),
            timezone_offset_min=_timezone_offset_min(now_s),
        )
        device = cut(request.headers.get("Device-Id", ""))
        log.info("device asked where to connect", device=device, peer=request.remote, told=url)
        return web.json_response(reply)

    async def preflight(self, _: web.Request) -> web.Response:
        return web.Response(status=204)

    async def healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True, "version": VERSION})

    async def readyz(self, _: web.Request) -> web.Response:
        try:
            readiness = (await self._latest.get()).readiness()
        except StatusUnavailable as error:
            fix = "if that lasts, look into the log for actors that hang or restart"
            readiness = Readiness(False, (Missing("actors", str(error), fix),))
        return web.json_response(readiness.as_json(), status=200 if readiness.ready else 503)

    async def status(self, request: web.Request) -> web.Response:
        try:
            picture = await self._latest.get()
        except StatusUnavailable as error:
            fix = "if that lasts, look into the log for actors that hang or restart"
            return fault(503, "actors", str(error), fix)
        return web.json_response(picture.as_json() | {"addresses": self._addresses(request)})

    async def page(self, _: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": self._page_policy}
        return web.Response(text=self._page, content_type="text/html", headers=headers)

    def _websocket_url(self, request: web.Request, host: str = "") -> str:
        headers = dict(request.headers) | ({"Host": host} if host else {})
        return websocket_url(
            headers,
            request.remote or "",
            device_port=self._server.device_port,
            local_host=_local_host(request),
            public_url=self._server.public_websocket_url,
            trusted_proxies=self._server.trusted_proxies,
        )

    def _addresses(self, request: web.Request) -> dict[str, str]:
        """What a person types into a device. "localhost" would be the device itself."""
        scheme, authority = self._asked_for(request)
        host, colon, port = authority.rpartition(":") if ":" in authority else (authority, "", "")
        lan_host = ""
        if _LOOPBACK.fullmatch(host):
            lan_host = _lan_host()
            authority = f"{lan_host or host}{colon}{port}"
        try:
            told = self._websocket_url(request, lan_host)
        except AddressError as error:
            told = str(error)
        return {"ota": f"{scheme}://{authority}{OTA_PATH}/", "websocket": told}

    def _asked_for(self, request: web.Request) -> tuple[str, str]:
        """Scheme and host[:port] by which the client, or a trusted proxy's client, came."""
        scheme, authority = "http", request.headers.get("Host", "")
        if is_trusted(request.remote or "", self._server.trusted_proxies):
            scheme = _first(request.headers.get("X-Forwarded-Proto", "")).lower() or scheme
            authority = _first(request.headers.get("X-Forwarded-Host", "")) or authority
        if not _AUTHORITY.fullmatch(authority):
            authority = f"{_local_host(request)}:{self._server.http_port}"
        return ("https" if scheme == "https" else "http"), authority


def _first(value: str) -> str:
    return value.partition(",")[0].strip()


def _local_host(request: web.Request) -> str:
    """This server's own address on the connection that the request came by."""
    sockname = request.transport.get_extra_info("sockname") if request.transport else None
    host = str(sockname[0]) if sockname else ""
    return host.removeprefix("::ffff:")


def _lan_host() -> str:
    """This host's address towards the network, or "" without one. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # connecting a datagram socket only asks the routing table (192.0.2.0/24: RFC 5737)
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return ""


def _timezone_offset_min(now_s: float) -> int:
    """Offset of this host's local time from UTC at that moment, in minutes."""
    offset = datetime.fromtimestamp(now_s, UTC).astimezone().utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0


def _policy(page: str) -> str:
    """Allow exactly the page's own style and script, by their hashes (CSP level 2)."""
    style, script = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (_inside("style", page), _inside("script", page))
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    )


def _inside(tag: str, page: str) -> str:
    return page.split(f"<{tag}>", 1)[1].split(f"</{tag}>", 1)[0]
