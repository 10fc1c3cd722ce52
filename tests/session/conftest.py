"""Session tests know when speech sounds: it is what is loud. The real model has its own tests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray


class Loudness:
    """In place of the voice activity model: everything loud is speech."""

    def probability(self, window: NDArray[np.int16]) -> float:
        return 0.95 if float(np.abs(window).mean()) > 300 else 0.01

    def reset(self) -> None:
        pass


@pytest.fixture(scope="session", autouse=True)
def loud_is_speech() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors.audio.uplink.VoiceActivity", Loudness)
        yield
