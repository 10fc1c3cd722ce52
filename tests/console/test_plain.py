"""What an actor's detail becomes before everybody may read it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from actors.console.plain import MAX_MEMBERS, MAX_TEXT_CHARS, cut, plain

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


def test_secrets_are_left_out() -> None:
    detail = {
        "api_key": "sk-1",
        "Authorization": "Bearer x",
        "server": {"tokens": ["x"], "port": 1},
        "password": None,
        "held": SecretStr("sk-2"),
    }
    assert plain(detail) == {"server": {"port": 1}, "held": "**********"}


def test_figures_named_like_secrets_stay() -> None:
    assert plain({"first_token_ms": 12.34567, "tokens": 7}) == {
        "first_token_ms": 12.346,
        "tokens": 7,
    }


def test_sizes_are_bounded() -> None:
    assert len(cut("x" * 10_000)) == MAX_TEXT_CHARS
    assert len(plain(list(range(10_000)))) == MAX_MEMBERS
    assert len(plain({str(n): n for n in range(10_000)})) == MAX_MEMBERS


def test_endless_nesting_ends() -> None:
    nested: list[Any] = []
    nested.append(nested)
    json.dumps(plain(nested))


def test_numbers_that_json_lacks_are_text() -> None:
    assert plain([float("nan"), float("inf")]) == ["nan", "inf"]


def test_lone_surrogates_are_replaced() -> None:
    assert cut("a\ud800b") == "a?b"


@given(ANYTHING)
def test_anything_becomes_strict_json(value: object) -> None:
    json.dumps(plain(value), allow_nan=False, ensure_ascii=False).encode()
