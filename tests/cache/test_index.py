"""The index: tiers, scopes, time, limits, feedback, and that it explains itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.cache.cacheable import Lists, Made
from actors.cache.embed import NgramEmbedder
from actors.cache.entries import Hit, Miss, Scope
from actors.cache.index import AnswerIndex

HOME = Scope("xiaozhi", "zh", "none", "1")
CAPITAL = "中国的首都是哪里"


def filled(**options: object) -> AnswerIndex:
    index = AnswerIndex(NgramEmbedder(), **options)  # type: ignore[arg-type]
    index.learn(CAPITAL, "北京。", HOME, 0.0)
    index.learn("大象鼻子有什么用", "喝水和拿东西。", HOME, 0.0)
    return index


def hit(found: Hit | Miss) -> Hit:
    assert isinstance(found, Hit), found
    return found


def miss(found: Hit | Miss) -> Miss:
    assert isinstance(found, Miss), found
    return found


@pytest.mark.parametrize(
    ("question", "tier"),
    [
        ("小智小智，中国的首都是哪里？", "exact"),
        ("中国首都在哪儿", "canonical"),
        ("大象的鼻子有什么用", "semantic"),
    ],
)
def test_each_tier_answers(question: str, tier: str) -> None:
    found = hit(filled().ask(question, HOME, 1.0))
    assert found.tier == tier
    assert found.answer in ("北京。", "喝水和拿东西。")


def test_a_near_question_is_refused_and_the_reason_names_it() -> None:
    found = miss(filled().ask("日本的首都是哪里", HOME, 1.0))
    assert found.kind == "refused"
    assert found.learnable
    assert CAPITAL in found.reason


def test_what_may_not_be_kept_is_neither_learned_nor_asked() -> None:
    index = filled()
    assert index.learn("现在几点", "八点。", HOME, 0.0).entry is None
    assert not miss(index.ask("现在几点", HOME, 0.0)).learnable
    assert index.learn("太阳有多大", "抱歉，我不知道。", HOME, 0.0).verdict.kind == "apology"
    assert index.learn("太阳有多大", "很大。", HOME, 0.0, made=Made(used_tools=True)).entry is None


@pytest.mark.parametrize("field", ["agent", "language", "tools", "model"])
def test_another_scope_has_other_answers(field: str) -> None:
    other = replace(HOME, **{field: "other"})
    index = filled()
    assert miss(index.ask(CAPITAL, other, 1.0)).kind == "unknown"
    index.learn(CAPITAL, "Beijing.", other, 1.0)
    assert hit(index.ask(CAPITAL, HOME, 2.0)).answer == "北京。"
    assert hit(index.ask(CAPITAL, other, 2.0)).answer == "Beijing."


def test_a_question_that_leans_on_another_is_kept_beside_it() -> None:
    index = filled()
    index.learn("为什么", "因为历史。", HOME, 0.0, context=CAPITAL)
    assert hit(index.ask("为什么呢", HOME, 1.0, context="中国首都在哪里")).answer == "因为历史。"
    assert miss(index.ask("为什么", HOME, 1.0)).kind == "context"
    assert miss(index.ask("为什么", HOME, 1.0, context="大象鼻子有什么用")).kind == "unknown"
    assert miss(index.ask("为什么", HOME, 1.0, context="现在几点")).kind == "context"


def test_an_expired_answer_is_not_said_and_is_swept() -> None:
    index = filled(ttl_s=10.0)
    hit(index.ask(CAPITAL, HOME, 9.9))
    assert miss(index.ask(CAPITAL, HOME, 10.0)).kind == "unknown"
    assert len(index.sweep(10.0)) == 2
    assert len(index) == 0
    assert index.counts.expired == 2


def test_the_least_recently_used_goes_first() -> None:
    index = filled(capacity=2)
    hit(index.ask(CAPITAL, HOME, 1.0))
    learned = index.learn("黑洞是什么", "一种天体。", HOME, 2.0)
    assert len(learned.evicted) == 1
    assert len(index) == 2
    hit(index.ask(CAPITAL, HOME, 3.0))
    miss(index.ask("大象鼻子有什么用", HOME, 3.0))


def test_two_objections_drop_an_answer_and_ban_it() -> None:
    index = filled()
    for at in (1.0, 50.0):
        hit(index.ask(CAPITAL, HOME, at, asker="a"))
        assert miss(index.ask("那不对", HOME, at + 5, asker="a")).kind == "objection"
    assert miss(index.ask(CAPITAL, HOME, 60.0)).kind in ("unknown", "refused")
    assert index.learn(CAPITAL, "北京。", HOME, 61.0).verdict.kind == "banned"
    assert index.learn(CAPITAL, "是北京。", HOME, 61.0).entry is not None


def test_an_objection_counts_only_from_the_one_who_heard_it_and_soon() -> None:
    index = filled()
    entry_id = hit(index.ask(CAPITAL, HOME, 1.0, asker="a")).entry.id
    index.ask("那不对", HOME, 2.0, asker="b")
    index.ask("那不对", HOME, 200.0, asker="a")
    entry = index.entry(entry_id)
    assert entry is not None
    assert entry.strikes == 0


def test_an_objection_makes_a_likeness_demand_more() -> None:
    index = filled()
    found = hit(index.ask("大象的鼻子有什么用", HOME, 1.0, asker="a"))
    index.ask("你说错了", HOME, 2.0, asker="a")
    entry = index.entry(found.entry.id)
    assert entry is not None
    assert entry.threshold > found.similarity
    assert miss(index.ask("大象的鼻子有什么用", HOME, 30.0)).kind == "refused"
    hit(index.ask("大象鼻子有什么用", HOME, 30.0))


def test_a_quick_repeat_counts_and_asks_the_model() -> None:
    index = filled()
    first = hit(index.ask(CAPITAL, HOME, 1.0, asker="a"))
    again = miss(index.ask("中国首都是哪里", HOME, 6.0, asker="a"))
    assert (again.kind, again.learnable) == ("repeat", True)
    entry = index.entry(first.entry.id)
    assert entry is not None
    assert entry.strikes == 1
    hit(index.ask(CAPITAL, HOME, 7.0, asker="b"))
    hit(index.ask(CAPITAL, HOME, 90.0, asker="a"))


def test_one_can_be_forgotten_and_all() -> None:
    index = filled()
    assert len(index.forget_question("请问中国首都在哪")) == 1
    assert index.forget_question("请问中国首都在哪") == ()
    assert not index.forget("unknown id")
    assert index.clear(Scope("other")) == 0
    assert index.clear() == 1
    assert len(index) == 0


def test_entries_travel_with_their_vectors() -> None:
    index, other = filled(), AnswerIndex(NgramEmbedder())
    for entry in index.entries():
        other.put(entry, 5.0, index.vector_of(entry.id))
    assert other.entries() == index.entries()
    assert hit(other.ask("大象的鼻子有什么用", HOME, 6.0)).tier == "semantic"


def test_entries_of_older_rules_are_read_anew() -> None:
    index, other = filled(), AnswerIndex(NgramEmbedder())
    old = index.entries()[0]
    stale = replace(old, rules="0", form=replace(old.form, parts=("nonsense",)))
    other.put(stale, 5.0)
    assert other.entries()[0].form == old.form


def test_why_explains_and_changes_nothing() -> None:
    index = filled()
    before = (index.entries(), index.counts.hits.copy(), index.counts.misses.copy())
    assert "refused" in str(index.why("日本的首都是哪里", HOME, 1.0))
    assert "canonical" in str(index.why("中国首都在哪", HOME, 1.0))
    assert "no: its answer changes" in str(index.why("现在几点", HOME, 1.0))
    assert "objects" in str(index.why("那不对", HOME, 1.0))
    assert (index.entries(), index.counts.hits, index.counts.misses) == before


def test_the_operators_lists_are_obeyed() -> None:
    index = filled(lists=Lists(never=("首都",), always=("讲个笑话",)))
    assert miss(index.ask(CAPITAL, HOME, 1.0)).kind == "never"
    index.learn("给我讲个笑话", "从前有只猫。", HOME, 1.0)
    hit(index.ask("讲个笑话吧", HOME, 2.0))


QUESTIONS = (
    *(
        CAPITAL,
        "中国首都在哪",
        "日本的首都是哪里",
        "大象鼻子有什么用",
        "大象的鼻子有什么用",
        "黑洞是什么",
        "什么是黑洞",
        "三加五等于几",
    ),
    *("五加三等于几", "三减五等于几", "现在几点", "那不对", "你好", "谢谢", ""),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(("ask", "learn", "forget", "sweep")),
        st.sampled_from(QUESTIONS),
        st.sampled_from(("", "a", "b")),
        st.floats(0, 30),
    ),
    max_size=40,
)


def run(done: list[tuple[str, str, str, float]], index: AnswerIndex) -> list[object]:
    said: list[object] = []
    now_s = 0.0
    for what, question, asker, wait_s in done:
        now_s += wait_s
        if what == "ask":
            said.append(index.ask(question, HOME, now_s, asker=asker))
        elif what == "learn":
            said.append(index.learn(question, f"答{asker}", HOME, now_s))
        elif what == "forget":
            said.append(index.forget_question(question))
        else:
            said.append(index.sweep(now_s))
        assert len(index) <= index.capacity
        assert len(index.entries()) == len(index)
    return said


@given(steps)
@settings(max_examples=80, deadline=None)
def test_it_is_bounded_and_the_same_steps_give_the_same_answers(
    done: list[tuple[str, str, str, float]],
) -> None:
    first = AnswerIndex(NgramEmbedder(64), capacity=3, ttl_s=100.0)
    second = AnswerIndex(NgramEmbedder(64), capacity=3, ttl_s=100.0)
    assert run(done, first) == run(done, second)
    assert first.entries() == second.entries()
    for found in run(done, AnswerIndex(NgramEmbedder(64), capacity=0)):
        assert not isinstance(found, Hit)
