"""The device's words: what firmware sends, and how strictly it reads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.wire.inbound import (
    Abort,
    ClientHello,
    Detected,
    IotReport,
    ListenStarted,
    ListenStopped,
    McpMessage,
    parse_text,
)
from actors.wire.outbound import (
    llm_emotion,
    sentence_start,
    server_hello,
    stt,
    tts_start,
    tts_stop,
)
from sim import dialect


def test_the_product_reads_what_the_device_says() -> None:
    hello = parse_text(dialect.client_hello(3, 40, mcp=True, aec=True, glyphs=True))
    assert hello == ClientHello(3, "websocket", True, True, False, 16000, 1, 40)
    assert parse_text(dialect.listen_start("s", "realtime")) == ListenStarted("realtime")
    assert parse_text(dialect.listen_stop("s")) == ListenStopped()
    assert parse_text(dialect.detect("s", '说"你好"')) == Detected('说"你好"')
    assert parse_text(dialect.abort("s")) == Abort("")
    assert parse_text(dialect.abort("s", "wake_word_detected")) == Abort("wake_word_detected")
    assert parse_text(dialect.mcp("s", {"id": 1})) == McpMessage({"id": 1})
    assert parse_text(dialect.iot_descriptor("s")) == IotReport("descriptors")


def test_the_device_reads_what_the_product_says() -> None:
    hello = dialect.read(server_hello("abc", 1, 16000, 20))
    assert dialect.read_hello(hello) == dialect.ServerHello("abc", 16000, 20)
    said = dialect.read(stt("abc", "你好", 100))
    assert (said.type, said.text, said.session_id) == ("stt", "你好", "abc")
    assert dialect.read(tts_start("abc")).state == "start"
    assert dialect.read(sentence_start("abc", "好", 100)).text == "好"
    assert dialect.read(tts_stop("abc")).state == "stop"
    assert dialect.read(llm_emotion("abc", "happy")).emotion == "happy"


def test_a_hello_without_audio_params_means_24_khz_in_60_ms() -> None:
    message = dialect.read('{"type":"hello","transport":"websocket"}')
    assert dialect.read_hello(message) == dialect.ServerHello("", 24000, 60)


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({}, "transport None"),
        ({"transport": "udp"}, "transport 'udp'"),
        ({"transport": "websocket", "audio_params": {"sample_rate": 44100}}, "sample_rate 44100"),
        ({"transport": "websocket", "audio_params": {"frame_duration": 30}}, "frame_duration 30"),
    ],
)
def test_a_hello_that_a_device_cannot_use_is_explained(
    members: dict[str, object], word: str
) -> None:
    message = dialect.read(json.dumps({"type": "hello", **members}))
    with pytest.raises(dialect.HelloError, match=word):
        dialect.read_hello(message)


@given(st.one_of(st.text(), st.binary()))
def test_reading_never_raises(data: str | bytes) -> None:
    dialect.read(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_odd_members_never_raise(value: object) -> None:
    members = ("type", "state", "text", "emotion", "session_id", "audio_params")
    for member in members:
        message = dialect.read(json.dumps({"type": "tts", member: value}))
        assert isinstance(message.text, str)
