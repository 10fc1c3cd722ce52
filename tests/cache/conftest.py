"""Actors that run inside a test leave the test's process as it was."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """An actor sets up its process's logs and its threads' turns; here it has none of its own."""
    root, manager = logging.root, logging.Logger.manager
    interval_s = sys.getswitchinterval()
    yield
    logging.root = logging.Logger.root = root
    logging.Logger.manager = manager
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    sys.setswitchinterval(interval_s)
