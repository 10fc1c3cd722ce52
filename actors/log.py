"""Structured logs: one line an event, written straight to standard error.

Every process configures itself once, after its fork (`configure`). Lines of one
process never mix with another's: each is one `write` to a descriptor opened for
appending or a pipe, below the size that the kernel keeps whole.

Third-party loggers (websockets, aiohttp, …) join the same pipeline at WARNING;
Thespian's own forwarder to a logger process is not used (see
`supervisor.repairs`): it costs a message per line and breaks on some records.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

#: Longest value of one key; a hostile device must not fill the disk with one line.
MAX_VALUE_CHARS = 600


def _shorten(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key, value in event.items():
        if isinstance(value, str) and len(value) > MAX_VALUE_CHARS and key != "exception":
            event[key] = value[:MAX_VALUE_CHARS] + "…"
    return event


_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=False),
    structlog.processors.format_exc_info,
    _shorten,
]


def configure(level: str = "info", style: str = "console", **bound: Any) -> None:
    """Set up structlog and the standard library's logging in this process.

    `bound` is carried on every line of this process (actor name, for instance).
    """
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24)
    )
    structlog.configure(
        processors=[*_SHARED, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(
            getattr(logging, level.upper(), logging.INFO)
        ),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED[1:3], structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.RootLogger(logging.WARNING)
    root.addHandler(handler)
    logging.root = root
    logging.Logger.root = root
    logging.Logger.manager = logging.Manager(root)


def get(**bound: Any) -> structlog.typing.FilteringBoundLogger:
    """A logger with `bound` on every line."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(**bound)
    return logger
