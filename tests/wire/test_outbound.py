"""Messages to devices: always one JSON object with its session, short enough, sendable."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.wire import outbound

any_text = st.text(st.characters() | st.sampled_from("\ud800\x00\n👨‍👩‍👧"), max_size=400)


@given(text=any_text, limit=st.integers(20, 300))
def test_texts_are_capped_and_can_be_sent(text: str, limit: int) -> None:
    for message in (outbound.stt("s", text, limit), outbound.sentence_start("s", text, limit)):
        sent = json.loads(message.encode("utf-8"))
        assert sent["session_id"] == "s"
        assert len(sent["text"]) <= limit
        assert "\x00" not in sent["text"]


@given(any_text, any_text, any_text)
def test_an_error_note_stays_small(field: str, problem: str, fix: str) -> None:
    note = outbound.error_note("s", field, problem, fix)
    assert json.loads(note)["type"] == "error"
    assert len(note.encode("utf-8")) < 4096


def test_there_are_the_firmwares_emotions() -> None:
    assert len(outbound.EMOTIONS) == 21
    assert len(set(outbound.EMOJI.values())) == 21


@pytest.mark.parametrize("emotion", ["", "Happy", "bored"])
def test_an_unknown_emotion_is_neutral(emotion: str) -> None:
    sent = json.loads(outbound.llm_emotion("s", emotion))
    assert (sent["emotion"], sent["text"]) == ("neutral", "😶")


def test_a_lone_surrogate_in_a_payload_can_be_sent() -> None:
    assert outbound.mcp("s", {"id": 1, "method": "\ud800"}).encode("utf-8")
