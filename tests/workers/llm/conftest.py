"""One process of each stand-in for all tests here; faults are reset for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.workers.llm.standin import StandIn, running


@pytest.fixture(scope="session")
def ollama_process() -> Iterator[StandIn]:
    with running("ollama") as standin:
        yield standin


@pytest.fixture(scope="session")
def openai_process() -> Iterator[StandIn]:
    with running("openai") as standin:
        yield standin


@pytest.fixture
def ollama(ollama_process: StandIn) -> StandIn:
    ollama_process.fault()
    return ollama_process


@pytest.fixture
def openai(openai_process: StandIn) -> StandIn:
    openai_process.fault()
    return openai_process
