"""Speech in, utterances out."""

from __future__ import annotations

import numpy as np

from actors.audio.uplink import Silence, SpeechContinued, SpeechStarted, Uplink
from cfg.model import Listening
from tests.audio.conftest import level, pieces, say, silence, through_codec


def test_a_spoken_command_opens_an_utterance_and_falls_silent() -> None:
    speech = level(say("打开客厅的灯"), -26)
    uplink = Uplink(Listening())
    events = [
        event
        for piece in pieces(through_codec(np.concatenate([silence(900), speech, silence(900)])))
        for event in uplink.feed(piece)
    ]
    assert isinstance(events[0], SpeechStarted)
    assert any(isinstance(event, SpeechContinued) for event in events)
    assert isinstance(events[-1], Silence)
    assert events[-1].silence_ms >= 700
    assert uplink.open
    uplink.end()
    assert not uplink.open
