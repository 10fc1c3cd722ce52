"""Identity from headers and query, and tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.wire.handshake import HandshakeError, Identity, authorised, identify

DEVICE = ("Device-Id", "a0:85:e3:f4:49:34")


def with_token(token: str) -> Identity:
    return Identity("d", "", token)


def test_headers_come_before_the_query_and_blanks_do_not_count() -> None:
    identity = identify(
        "/x/?device-id=query&client-id=c2&protocol-version=3",
        [("DEVICE-ID", "header"), ("device-id", "second"), ("client-id", " ")],
    )
    assert identity == Identity("header", "c2", "", 3)


@pytest.mark.parametrize("target", ["", "/", "/a?b", "/?device-id=", "/#?device-id=x", "?x=[1"])
def test_a_missing_device_id_is_refused(target: str) -> None:
    with pytest.raises(HandshakeError) as caught:
        identify(target, [])
    assert (caught.value.status, caught.value.field) == (400, "Device-Id")


@pytest.mark.parametrize("device_id", ["a b", "x" * 129, "设备", "a\x00", "../x", "<b>", ":a"])
def test_a_malformed_device_id_is_refused(device_id: str) -> None:
    with pytest.raises(HandshakeError, match="Device-Id") as caught:
        identify("/", [("Device-Id", device_id)])
    assert caught.value.status == 400


def test_only_a_mac_address_is_put_in_lower_case() -> None:
    assert identify("/", [("Device-Id", "A0:85:E3:F4:49:34")]).device_id == DEVICE[1]
    assert identify("/", [("Device-Id", "Kitchen_1")]).device_id == "Kitchen_1"


def test_an_odd_client_id_turns_nobody_away() -> None:
    assert identify("/", [DEVICE, ("Client-Id", "a b\x00")]).client_id == ""


@pytest.mark.parametrize("version", ["0", "4", "one", "1.0", "٣"])
def test_a_framing_that_does_not_exist_is_refused(version: str) -> None:
    with pytest.raises(HandshakeError) as caught:
        identify("/", [DEVICE, ("Protocol-Version", version)])
    assert (caught.value.status, caught.value.field) == (400, "Protocol-Version")


def test_a_query_of_many_members_is_refused() -> None:
    with pytest.raises(HandshakeError, match="query"):
        identify("/?" + "a=1&" * 100, [DEVICE])


@given(st.text(), st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=5))
def test_any_request_is_identified_or_refused(target: str, headers: list[tuple[str, str]]) -> None:
    try:
        identity = identify(target, [*headers, DEVICE])
    except HandshakeError as error:
        refused = error
    else:
        assert identity.device_id
        return
    assert refused.status == 400


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("abc", "abc"),
        ("my token", "my token"),
        ("Bearer", ""),
        ("", ""),
    ],
)
def test_the_token_is_taken_from_its_scheme(authorization: str, token: str) -> None:
    assert identify("/", [DEVICE, ("Authorization", authorization)]).token == token


def test_the_token_is_not_shown() -> None:
    assert "s3cret" not in repr(with_token("s3cret"))


def test_without_tokens_everybody_is_let_in() -> None:
    assert authorised(with_token(""), [])
    assert authorised(with_token("whatever"), ())


def test_tokens_are_compared_whole() -> None:
    accepted = ["first", "zweites-ü", "Bearer third", "my token"]
    for token in ("first", "zweites-ü", "third", "my token"):
        assert authorised(with_token(token), accepted)
    for token in ("", "firs", "first ", "FIRST", "Bearer third", "\ud800"):
        assert not authorised(with_token(token), accepted)


@pytest.mark.parametrize("accepted", [[""], ["", "real"], ["Bearer "]])
def test_an_empty_accepted_token_admits_nobody(accepted: list[str]) -> None:
    assert not authorised(with_token(""), accepted)
