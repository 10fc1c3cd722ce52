"""What every request to the console passes: a deadline, JSON errors, safe headers.

Promises to the routes: a handler may raise any aiohttp HTTP exception or anything
else; the client gets JSON with the field, the problem and the fix, never a trace.
Promises to the operator: bodies, headers and query strings are not logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from actors.console.plain import cut

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger("console")

#: Largest request body; a device's OTA request has about 2 kB.
MAX_BODY_BYTES = 64 * 1024

#: Longest time that one request may take, its body included.
REQUEST_TIMEOUT_S = 10.0

#: Path of the OTA route; below it browser clients of other origins are let in.
OTA_PATH = "/xiaozhi/ota"

_SAFE_HEADERS = {
    "Server": "xiaozhi-actors",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_NOTHING_LOADS = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    # '*' does not cover Authorization, and old browsers do not know it
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Device-Id, Client-Id, "
    "Protocol-Version, Activation-Version, Serial-Number, Accept-Language, X-Requested-With, *",
    "Access-Control-Max-Age": "600",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


def fault(status: int, field: str, problem: str, fix: str) -> web.Response:
    """Return an error that says what is wrong, where, and what mends it."""
    error = {"field": field, "problem": cut(problem), "fix": fix}
    return web.json_response({"error": error}, status=status)


def guard(timeout_s: float = REQUEST_TIMEOUT_S) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Make the middleware that gives each request `timeout_s` and turns errors into JSON."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            async with asyncio.timeout(timeout_s):
                response = await handler(request)
        except TimeoutError:
            response = _closing(_too_slow(timeout_s))
        except web.HTTPException as error:
            response = _translated(error, request)
        except Exception as error:
            # the edge of the HTTP side: whatever failed costs this one request only
            log.exception("request failed", path=cut(request.path), error=type(error).__name__)
            response = fault(
                500, "server", "the request failed inside the server", "see the server's log"
            )
        return response

    return guarded


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal receiver for `on_response_prepare`: safe headers, and CORS below the OTA path."""
    for name, value in _SAFE_HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Content-Security-Policy", _NOTHING_LOADS)
    if not _is_ota(request):
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return
    for name, value in _CORS_HEADERS.items():
        response.headers[name] = value
    if request.headers.get("Access-Control-Request-Private-Network") == "true":
        # a page from the internet asks to reach a server in the private network
        response.headers["Access-Control-Allow-Private-Network"] = "true"


async def body_of(request: web.Request) -> bytes:
    """Read the body; 413 as soon as it is known to be larger than `MAX_BODY_BYTES`."""
    announced = request.content_length or 0
    if announced > MAX_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(max_size=MAX_BODY_BYTES, actual_size=announced)
    return await request.read()


def _is_ota(request: web.Request) -> bool:
    return request.path.rstrip("/") == OTA_PATH


def _closing(response: web.StreamResponse) -> web.StreamResponse:
    """What was not read of the request must not be taken for the next one."""
    response.force_close()
    return response


def _too_slow(timeout_s: float) -> web.Response:
    return fault(
        408,
        "request",
        f"the request took longer than {timeout_s:g} s",
        "send the whole body at once; if the server is busy, try again",
    )


def _translated(error: web.HTTPException, request: web.Request) -> web.StreamResponse:
    if error.status == 404:
        return fault(
            404,
            "path",
            f"nothing is served at {request.path}",
            f"devices ask at {OTA_PATH}/, people at /, programs at /status, /healthz, /readyz",
        )
    if error.status == 405:
        allowed = error.headers.get("Allow", "")
        response = fault(405, "method", f"{request.method} is not served here", f"use {allowed}")
        response.headers["Allow"] = allowed
        return response
    if error.status == 413:
        return _closing(
            fault(
                413,
                "body",
                f"the body is larger than {MAX_BODY_BYTES} bytes",
                "send the device's own OTA request only, which has about 2 kB",
            )
        )
    return fault(error.status, "request", error.reason, "correct the request and send it again")
