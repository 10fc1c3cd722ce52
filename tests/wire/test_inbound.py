"""Messages from devices: what is tolerated, what is refused, and that nothing else happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.wire.inbound import (
    Abort,
    ClientHello,
    Detected,
    Inbound,
    IotReport,
    ListenStarted,
    McpMessage,
    MessageError,
    Unknown,
    parse_text,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
known_names = st.sampled_from(
    [
        "session_id",
        "type",
        "state",
        "mode",
        "text",
        "reason",
        "payload",
        "version",
        "features",
        "audio_params",
        "transport",
        "descriptors",
        "states",
    ]
)
known_types = st.sampled_from(["hello", "listen", "abort", "mcp", "iot", "ping", "state"])


def outcome(text: str | bytes) -> Inbound | None:
    """The fact, or None after a MessageError whose parts are all there."""
    problem = None
    try:
        return parse_text(text)
    except MessageError as error:
        problem = error
    assert all((problem.field, problem.problem, problem.fix))
    assert str(problem) == f"{problem.field} {problem.problem}: {problem.fix}."
    assert str(problem).encode("utf-8")
    return None


@given(st.text() | st.binary())
@example("[" * 60000)
@example('{"a":' * 60000)
@example('{"type":"hello","version":' + "9" * 5000 + "}")
@example('{"type":"hello","version":1e999}')
@example(b"\xff\xfe\x00")
@example("\ud800")
@example("")
def test_anything_is_a_fact_or_a_message_error(text: str | bytes) -> None:
    outcome(text)


@given(st.dictionaries(known_names, json_values), known_types)
def test_any_members_of_known_messages(members: dict[str, Any], kind: str) -> None:
    outcome(json.dumps({**members, "type": kind}))


@given(
    audio=st.dictionaries(
        st.sampled_from(["format", "sample_rate", "channels", "frame_duration"]), json_values
    ),
    version=json_values,
)
def test_a_hello_is_usable_or_refused(audio: dict[str, Any], version: object) -> None:
    hello = outcome(json.dumps({"type": "hello", "version": version, "audio_params": audio}))
    if hello is None:
        assert isinstance(audio["format"], str)
        return
    assert isinstance(hello, ClientHello)
    assert hello.version in (None, 1, 2, 3)
    assert hello.sample_rate_hz in (8000, 12000, 16000, 24000, 48000)
    assert hello.channels in (1, 2)
    assert 0 < hello.frame_ms <= 120


@given(st.text(st.characters(), max_size=40))
def test_an_unescaped_wake_word_is_heard(word: str) -> None:
    text = f'{{"session_id":"s","type":"listen","state":"detect","text":"{word}"}}'
    fact = parse_text(text)
    assert isinstance(fact, Detected)
    if not set(word) & {'"', "\\"} and word.isprintable():
        assert fact.text == word.strip()


@given(st.text(st.characters(), max_size=40))
def test_an_unescaped_mcp_error_reaches_its_call(problem: str) -> None:
    text = (
        '{"session_id":"s","type":"mcp","payload":'
        f'{{"jsonrpc":"2.0","id":7,"error":{{"message":"{problem}"}}}}}}'
    )
    fact = parse_text(text)
    assert isinstance(fact, McpMessage)
    assert fact.payload["id"] == 7


@given(st.text(st.sampled_from('\\u"d8c0fe90aAn/'), max_size=30))
def test_what_comes_out_can_be_sent_on(inside: str) -> None:
    fact = outcome('{"type":"abort","reason":"' + inside + '"}')
    if isinstance(fact, Abort):
        fact.reason.encode("utf-8")


def test_surrogate_escapes() -> None:
    fact = parse_text(r'{"type":"abort","reason":"\ud83d\ude00|\ud83d|\\ud83d|\ude00\n"}')
    assert fact == Abort("😀|\ufffd|\\ud83d|\ufffd\n")


def test_numbers_as_strings_and_floats() -> None:
    fact = parse_text('{"type":"hello","version":"3","audio_params":{"frame_duration":20.0}}')
    assert isinstance(fact, ClientHello)
    assert (fact.version, fact.frame_ms, fact.sample_rate_hz) == (3, 20, 16000)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ('{"type":"listen","state":"start","mode":null}', ListenStarted("auto")),
        ('{"type":"listen","state":"detect"}', Detected("")),
        ('{"type":"abort","reason":5}', Abort("")),
        ('{"type":"iot"}', IotReport("other")),
        ('{"type":"listen","state":"detect","text":" 你好\\n","extra":[1]}', Detected("你好")),
    ],
)
def test_gaps_are_tolerated(text: str, fact: Inbound) -> None:
    assert parse_text(text) == fact


def test_an_unknown_type_is_shortened_for_the_log() -> None:
    assert parse_text(json.dumps({"type": "x" * 5000})) == Unknown("x" * 64)


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("hello", "message", "not JSON"),
        ("[1]", "message", "not a JSON object"),
        ("{}", "type", "missing"),
        ('{"type":""}', "type", "missing"),
        ('{"type":7}', "type", "not a string"),
        ('{"type":"listen"}', "state", "missing"),
        ('{"type":"listen","state":"pause"}', "state", "'pause'"),
        ('{"type":"listen","state":"start","mode":"fast"}', "mode", "'fast'"),
        ('{"type":"listen","state":"detect","text":{}}', "text", "an object"),
        ('{"type":"mcp"}', "payload", "missing"),
        ('{"type":"mcp","payload":"x"}', "payload", "'x'"),
        ('{"type":"mcp","payload":' + '{"a":' * 40 + "1" + "}" * 41, "payload", "too deeply"),
        ('{"type":"hello","audio_params":{"format":"pcm"}}', "audio_params.format", "'pcm'"),
    ],
)
def test_the_error_names_the_field(text: str, field: str, says: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse_text(text)
    assert caught.value.field == field
    assert says in caught.value.problem
    assert len(str(caught.value)) < 300
