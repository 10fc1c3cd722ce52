"""Going on after what was heard: a repetition is dropped, nothing else is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.workers.llm.continuation import Continuation, with_spoken


def passed(spoken: tuple[str, ...], *pieces: str) -> str:
    continuation = Continuation(spoken)
    return "".join([continuation.push(piece) for piece in pieces]) + continuation.flush()


def test_new_text_passes() -> None:
    assert passed(("好的，",), "我来", "说。") == "我来说。"
    assert passed((), "好的，", "我来。") == "好的，我来。"


def test_a_repetition_is_dropped() -> None:
    assert passed(("好的，", "我来说。"), "好的", "，我来", "说。第二句。") == "第二句。"
    assert passed(("Well,", "yes."), "Well, yes. And no.") == "And no."


def test_a_similar_beginning_is_kept() -> None:
    assert passed(("好的，我来说。",), "好的", "呀。") == "好的呀。"
    assert passed(("好的，我来说。",), "好的") == "好的"


@given(st.text("ab ", min_size=1, max_size=8), st.lists(st.text("ab ", max_size=5)))
def test_nothing_but_a_whole_repetition_is_dropped(spoken: str, pieces: list[str]) -> None:
    text = "".join("".join(pieces).split())
    heard = "".join(spoken.split())
    got = "".join(passed((spoken,), *pieces).split())
    assert got == (text[len(heard) :] if text.startswith(heard) else text)


def test_the_spoken_text_is_the_last_message() -> None:
    messages = (("system", "短"), ("user", "你好"))
    assert with_spoken(messages, ("好，", "我在。"))[-1] == {
        "role": "assistant",
        "content": "好，我在。",
    }
    assert with_spoken(messages, ())[-1] == {"role": "user", "content": "你好"}
