"""The phrase bank: what it answers, what it leaves alone, and what it says of a wrong file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.cache.bank import EMOTIONS, SHIPPED, Bank, BankError, bank_of, load
from actors.cache.cutting import clauses
from actors.workers.llm.clauses import ClauseCutter
from actors.workers.llm.emotion import EMOTION_NAMES
from cfg.model import Settings
from sim.datasets.workload import workload
from sim.swarm.questions import PATTERNS, sums

PROMPT = Settings().dialogue.system_prompt
BANK = load(SHIPPED, prompt=PROMPT)
WORDINGS = ("谢谢", "早上好", "晚安", "你好吗", "你是谁", "我回来了", "good morning", "thank you")

Write = Callable[[str], Path]


def said(question: str, count: int = 0) -> str:
    reply = BANK.reply(question, count)
    if reply is None:
        return ""
    return (" " if reply.clauses[0].isascii() else "").join(reply.clauses)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(text: str) -> Path:
        path = tmp_path / "phrases.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return put


# --- the one that comes along ---


def test_it_answers_everyday_dialogues_from_the_first_minute() -> None:
    assert said("早上好") == "早上好，新的一天开始了。"
    assert said("谢谢你") == "不客气。"
    assert said("你是谁") == "我是小智，你的语音助手。"
    assert said("How are you?") == "I am fine, thank you."


def test_its_faces_are_those_of_the_firmware() -> None:
    assert set(EMOTIONS) == EMOTION_NAMES
    reply = BANK.reply("晚安", 0)
    assert reply is not None
    assert reply.emotion == "sleepy"


@pytest.mark.parametrize(
    "question", ["谢谢", "谢谢！", "嗯，谢谢。", "谢谢啊", "小智小智，谢谢你", "謝謝你", "Thanks."]
)
def test_what_is_said_around_a_question_does_not_matter(question: str) -> None:
    assert said(question)


@pytest.mark.parametrize(
    "question",
    [
        "",
        "。",
        "你好，今天天气怎么样",
        "谢谢用英语怎么说",
        "谢谢是什么意思",
        "晚安用日语怎么说",
        "讲一个晚安故事",
        "你好不好吃",
        "你是谁的助手",
        "谁说谢谢",
        "你爱我吗",
        "我不爱你",
        "早上好吃什么",
        "再见用英语怎么说",
        "好的",
        "嗯",
        "是的",
        "那不对",
        "再说一遍",
        "你会做什么",
        "what does thank you mean",
        "thank you for nothing and open the door",
    ],
)
def test_what_only_contains_it_is_left_to_a_model(question: str) -> None:
    assert BANK.reply(question, 0) is None


def test_no_question_of_a_household_is_answered_that_is_not_small_talk() -> None:
    answered = {
        query.text
        for query in workload(6000)
        if query.kind != "social" and BANK.reply(query.text, 0) is not None
    }
    assert answered == set()


def test_most_small_talk_of_a_household_is_answered() -> None:
    social = [query.text for query in workload(6000) if query.kind == "social"]
    answered = [text for text in social if BANK.reply(text, 0) is not None]
    assert len(answered) > 0.6 * len(social)  # the rest is about tastes and skills


def test_nothing_that_tells_devices_apart_is_answered() -> None:
    for pattern in PATTERNS:
        for question in sums(1, 0, 2, 40, pattern):
            assert BANK.reply(question.text, 0) is None


@given(st.sampled_from(WORDINGS), st.integers(0, 10**9))
def test_nobody_hears_the_same_answer_twice_in_a_row(question: str, count: int) -> None:
    assert said(question, count) != said(question, count + 1)
    assert said(question, count) == said(question, count)


@given(st.text(max_size=60), st.integers(0, 100))
def test_any_text_can_be_asked(question: str, count: int) -> None:
    reply = BANK.reply(question, count)
    assert reply is None or all(reply.clauses)


@given(st.sampled_from(WORDINGS), st.sampled_from(("灯", "多少", "天气", "不", "三")))
def test_one_word_more_is_another_question(question: str, word: str) -> None:
    assert BANK.reply(word + question, 0) is None
    assert BANK.reply(question + word, 0) is None


def test_every_answer_is_cut_as_a_models_would_be() -> None:
    whole = [text for dialogue in BANK.dialogues for text in dialogue.replies]
    assert len(whole) > 100
    for reply in whole:
        text = (" " if reply.clauses[0].isascii() else "").join(reply.clauses)
        cutter = ClauseCutter()
        assert tuple(cutter.push(text) + cutter.flush()) == reply.clauses


@given(
    st.lists(st.sampled_from(("好的", "我", "今天", "，", "。", "！", "：", "hello ", ", ", ". ")))
)
def test_plain_text_is_cut_as_a_models_would_be(words: list[str]) -> None:
    text = "你" + "".join(words)
    cut = clauses(text)
    cutter = ClauseCutter()
    if cut is not None:
        assert list(cut) == cutter.push(text) + cutter.flush()


def test_what_is_spoken_ahead_is_every_clause_once() -> None:
    chinese, english, everything = BANK.phrases("zh"), BANK.phrases("en"), BANK.phrases()
    assert "早上好，" in chinese
    assert "Let me think." in english
    assert len(set(chinese)) == len(chinese)
    assert set(everything) == set(chinese) | set(english)
    reply = BANK.phrase("fillers", "zh", 0)
    assert reply is not None
    assert set(reply.clauses) <= set(chinese)


def test_without_questions_it_has_the_same_phrases_and_answers_nothing() -> None:
    mute = load(SHIPPED, prompt=PROMPT, questions=False)
    assert mute.phrases() == BANK.phrases()
    assert mute.reply("谢谢", 0) is None


# --- personas ---

PERSONAS = """
[persona]
cat = "猫"
[default.zh.hello]
ask = ["你好"]
say = ["你好呀，请说。"]
[default.zh.thanks]
ask = ["谢谢"]
say = ["不客气。"]
[default.zh.bye]
ask = ["再见"]
say = ["再见。"]
[cat.zh.hello]
emotion = "silly"
ask = ["你好"]
say = ["喵，你好呀。"]
[cat.zh.bye]
say = []
"""


def test_a_persona_adds_replaces_and_takes_away(write: Write) -> None:
    path = write(PERSONAS)
    plain, cat = load(path), load(path, prompt="你是一只猫。")
    assert cat == load(path, persona="cat")
    for bank, hello, thanks, bye in (
        (plain, "你好呀，请说。", "不客气。", "再见。"),
        (cat, "喵，你好呀。", "不客气。", ""),
    ):
        replies = [bank.reply(question, 0) for question in ("你好", "谢谢", "再见")]
        texts = ["" if reply is None else "".join(reply.clauses) for reply in replies]
        assert texts == [hello, thanks, bye]


def test_another_persona_is_not_introduced_as_xiaozhi() -> None:
    stranger = load(SHIPPED, prompt="你是一位严肃的管家。")
    assert stranger.reply("你是谁", 0) is None
    assert not any("小智" in phrase for phrase in stranger.phrases())
    assert stranger.reply("你好", 0) is not None


# --- a wrong file ---


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[default", "is no TOML"),
        ("default = 3", "default: must be a section"),
        ("[default.fr.hi]\nsay = ['a']", "default.fr: no language"),
        ("[default.zh.hi]\nask = ['你好']", "default.zh.hi.say: missing"),
        ("[default.zh.hi]\nsay = '你好'", "default.zh.hi.say: must be a list"),
        ("[default.zh.hi]\nsay = ['。']", "default.zh.hi.say, text 1: has no words"),
        ("[default.zh.hi]\nsay = ['好', 3]", "default.zh.hi.say, text 2: has no words"),
        ("[default.zh.hi]\nsay = ['好']\nmood = 1", "default.zh.hi.mood: unknown"),
        ("[default.zh.hi]\nsay = ['好']\nemotion = 'glad'", "default.zh.hi.emotion: 'glad'"),
        (f"[default.zh.hi]\nsay = ['{'好' * 21}']", "text 1: more than 20 characters without"),
        (f"[default.zh.hi]\nsay = ['{'好。' * 51}']", "text 1: has more than 100 characters"),
        ("['默认'.zh.hi]\nsay = ['好']", "a name has Latin letters"),
        ("[persona]\ncat = 3", "persona: write name ="),
        (
            "[default.zh.a]\nask=['谢谢']\nsay=['好']\n[default.zh.b]\nask=['谢谢！']\nsay=['行']",
            "zh.b.ask: '谢谢！' is asked in zh.a, too",
        ),
    ],
)
def test_an_error_names_the_file_the_place_and_the_fix(
    write: Write, text: str, complaint: str
) -> None:
    path = write(text)
    with pytest.raises(BankError) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert complaint in str(caught.value)


def test_a_missing_or_foreign_file_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(BankError, match="cannot be read"):
        load(tmp_path / "none.toml")
    (tmp_path / "picture").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(BankError, match="is not UTF-8"):
        load(tmp_path / "picture")
    (tmp_path / "huge").write_bytes(b"#" * 600_000)
    with pytest.raises(BankError, match="more than"):
        load(tmp_path / "huge")


def settings(path: Path) -> Settings:
    return Settings.model_validate({"storage": {"phrases": str(path)}})


def test_the_operators_file_is_used_where_it_is_right(write: Write) -> None:
    bank, problem = bank_of(settings(write(PERSONAS)))
    assert problem == ""
    assert len(bank.dialogues) == 3


def test_a_wrong_file_is_told_and_the_one_that_comes_along_serves(write: Write) -> None:
    bank, problem = bank_of(settings(write("[default")))
    assert bank == BANK
    assert "is no TOML" in problem
    assert bank_of(Settings()) == (BANK, "")


def test_an_empty_bank_answers_nothing() -> None:
    assert Bank().reply("你好", 0) is None
    assert Bank().phrases() == ()
