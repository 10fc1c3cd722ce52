"""What the OpenAI-compatible speech engines share: a client that waits no longer than
its settings say, and errors without secrets.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import openai

from actors.workers.interface import EngineError

if TYPE_CHECKING:
    from cfg.model import OpenAiAsr, OpenAiTts

#: Below the `openai` package lies httpx or its successor, by version; what breaks in
#: mid-stream is raised as that library's error and not as one of `openai`.
_TRANSPORTS = tuple(
    importlib.import_module(name) for name in ("httpx", "httpx2") if importlib.util.find_spec(name)
)

#: Everything that a call, or reading its stream, raises when it fails.
CALL_ERRORS: tuple[type[Exception], ...] = (
    openai.OpenAIError,
    *(library.HTTPError for library in _TRANSPORTS),
)
_TIMEOUTS: tuple[type[Exception], ...] = (
    openai.APITimeoutError,
    *(library.TimeoutException for library in _TRANSPORTS),
)

_MAX_QUOTED_CHARS = 200

_FIXES = {
    400: "check model and voice",
    401: "check api_key",
    403: "check api_key and what it may use",
    404: "check base_url and model",
    429: "the service limits the rate; use fewer slots",
}


def client_of(settings: OpenAiAsr | OpenAiTts) -> openai.AsyncOpenAI:
    """Return a client for `settings.base_url` that never retries by itself: the
    router decides who tries next, within the turn's deadline."""
    return openai.AsyncOpenAI(
        base_url=settings.base_url,
        # The package insists on a key; local services take any.
        api_key=settings.api_key.get_secret_value() or "none",
        max_retries=0,
        timeout=openai.Timeout(settings.read_timeout_s, connect=settings.connect_timeout_s),
    )


def engine_error(error: Exception, settings: OpenAiAsr | OpenAiTts) -> EngineError:
    """Say in a sentence what failed, where, and what would mend it; without secrets."""
    place = urlsplit(settings.base_url).netloc.rpartition("@")[2] or settings.base_url
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        text = f"{place} answered HTTP {status}{_quoted(error, settings)}"
        return EngineError(f"{text}; {_FIXES[status]}" if status in _FIXES else text)
    if isinstance(error, _TIMEOUTS):
        return EngineError(
            f"{place} did not answer in time (connect {settings.connect_timeout_s:g} s, "
            f"read {settings.read_timeout_s:g} s)"
        )
    if isinstance(error, openai.APIConnectionError):
        return EngineError(f"{place} cannot be reached; check base_url and that it runs")
    return EngineError(f"{place} broke off: {type(error).__name__}")


def _quoted(error: openai.APIStatusError, settings: OpenAiAsr | OpenAiTts) -> str:
    """The service's own words, unless they are likely to repeat a part of the key."""
    message = error.body.get("message") if isinstance(error.body, dict) else None
    if error.status_code in (401, 403) or not isinstance(message, str):
        return ""
    key = settings.api_key.get_secret_value()
    shown = message.replace(key, "***") if key else message
    return f" ({shown[:_MAX_QUOTED_CHARS]})"
