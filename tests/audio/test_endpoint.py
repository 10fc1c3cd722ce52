"""The end of an utterance."""

from __future__ import annotations

from actors.audio.endpoint import Endpointer, EndReason
from cfg.model import Listening


def test_a_whole_sentence_ends_soon_and_half_of_one_late() -> None:
    endpointer = Endpointer(Listening())
    endpointer.partial("打开客厅的灯")
    assert endpointer.silence(249) is None
    assert endpointer.silence(250) is EndReason.COMPLETE
    endpointer.partial("打开客厅的")
    assert endpointer.silence(1399) is None
    assert endpointer.silence(1400) is EndReason.INCOMPLETE
