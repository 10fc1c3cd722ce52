"""The phrase bank: everyday dialogues that need no model, and phrases spoken ahead.

Pure but for reading its file. Only a whole question is answered, whatever is said around
it (`canonical`); whoever asks again hears another answer. The answers are cut into clauses
as a model's are, so that they share their speech with those.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from actors.cache.canonical import canonical
from actors.cache.cutting import MAX_FIRST_CHARS, clauses
from cfg.model import Settings

#: The file that comes along.
SHIPPED: Final = Path(__file__).parents[2] / "cfg" / "phrases.toml"

#: Of a persona that is in the file and nobody asked for, and of everybody.
DEFAULT: Final = "default"
LANGUAGES: Final = ("zh", "en")

#: What firmware has faces for (protocol; `actors.workers.llm.emotion` has the same).
EMOTIONS: Final = (
    *("neutral", "happy", "laughing", "funny", "sad", "angry", "crying"),
    *("loving", "embarrassed", "surprised", "shocked", "thinking", "winking", "cool"),
    *("relaxed", "delicious", "kissy", "confident", "sleepy", "silly", "confused"),
)

MAX_FILE_BYTES: Final = 512 * 1024
MAX_DIALOGUES: Final = 500
MAX_WORDINGS: Final = 100
MAX_CHARS: Final = 100

#: A dialogue's name, and a persona's.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class BankError(ValueError):
    """A file that is no phrase bank: says which, where in it, and what would mend it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What to say, clause by clause, and with which face (a firmware name)."""

    clauses: tuple[str, ...]
    emotion: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One kind of exchange: any of `asked` is answered with one of `replies`."""

    name: str
    language: str
    asked: tuple[str, ...]
    replies: tuple[Reply, ...]


@dataclass(frozen=True)
class Bank:
    """The dialogues of one persona; without any it answers nothing."""

    dialogues: tuple[Dialogue, ...] = ()
    _by_question: Mapping[str, Dialogue] = field(default_factory=dict, repr=False)

    def reply(self, question: str, count: int) -> Reply | None:
        """The answer to this whole question, None if it is not one of ours.

        `count` says how often such a question was answered before: each next number
        gives another of the answers.
        """
        if len(question) > MAX_CHARS:
            return None
        form = canonical(question)
        dialogue = self._by_question.get(form.key) if form.text else None
        return dialogue.replies[count % len(dialogue.replies)] if dialogue is not None else None

    def phrase(self, name: str, language: str, count: int) -> Reply | None:
        """One of the phrases of this name (fillers, busy, …); None if there are none."""
        replies = self.all_of(name, language)
        return replies[count % len(replies)] if replies else None

    def all_of(self, name: str, language: str) -> tuple[Reply, ...]:
        """All phrases of this name."""
        for dialogue in self.dialogues:
            if (dialogue.name, dialogue.language) == (name, language):
                return dialogue.replies
        return ()

    def phrases(self, language: str = "") -> tuple[str, ...]:
        """Every clause to be spoken ahead, each once; of this language or of all."""
        found = (
            clause
            for dialogue in self.dialogues
            if language in ("", dialogue.language)
            for reply in dialogue.replies
            for clause in reply.clauses
        )
        return tuple(dict.fromkeys(found))


def bank_of(settings: Settings, *, questions: bool = True) -> tuple[Bank, str]:
    """The bank that the settings want, and what was wrong with their file ('' if nothing).

    Where their file is wrong the one that comes along serves, and if that is wrong, too,
    an empty one. For `questions` see `load`.
    """
    chosen = settings.storage.phrases
    problems: list[str] = []
    for path in dict.fromkeys((Path(chosen) if chosen else SHIPPED, SHIPPED)):
        try:
            prompt = settings.dialogue.system_prompt
            return load(path, prompt=prompt, questions=questions), " ".join(problems)
        except BankError as error:
            problems.append(str(error))
    return Bank(), " ".join(problems)


def load(path: Path, persona: str = "", prompt: str = "", *, questions: bool = True) -> Bank:
    """Read a bank; raises `BankError`.

    `persona` names one of its personas; '' takes the one whose word is in the system
    `prompt`, else what is for everybody. Without `questions` the bank only has its
    phrases, and spares the process the dictionaries (60 MB) that questions need.
    """
    whole = _read(path)
    words = whole.pop("persona", {})
    if not isinstance(words, dict) or not all(isinstance(word, str) for word in words.values()):
        raise BankError(f'{path}: persona: write name = "word of the system prompt"')
    chosen = persona or next((name for name, word in words.items() if word in prompt), DEFAULT)
    if persona and persona not in whole:
        raise BankError(f"{path}: there is no persona {persona!r}; take one of {sorted(whole)}")
    for name in whole:
        _checked_name(path, name, name)
    sections = {name: _section(path, name, section) for name, section in whole.items()}
    merged = {**sections.get(DEFAULT, {}), **sections.get(chosen, {})}
    dialogues = tuple(dialogue for dialogue in merged.values() if dialogue.replies)
    return Bank(dialogues, _by_question(path, dialogues) if questions else {})


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise BankError(f"{path}: more than {MAX_FILE_BYTES} bytes; leave something out")
        return tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise BankError(f"{path}: cannot be read ({error.strerror}); see storage.phrases") from None
    except UnicodeDecodeError:
        raise BankError(f"{path}: is not UTF-8 text; save it in that encoding") from None
    except tomllib.TOMLDecodeError as error:
        raise BankError(f"{path}: is no TOML: {error}") from None


def _section(path: Path, persona: str, section: object) -> dict[tuple[str, str], Dialogue]:
    """One persona's dialogues by language and name."""
    found: dict[tuple[str, str], Dialogue] = {}
    for language, dialogues in _table(path, persona, section).items():
        where = f"{persona}.{language}"
        if language not in LANGUAGES:
            raise BankError(
                f"{path}: {where}: no language; sections are [{persona}.zh.NAME] or .en."
            )
        for name, table in _table(path, where, dialogues).items():
            found[language, name] = _dialogue(path, f"{where}.{name}", name, language, table)
    if len(found) > MAX_DIALOGUES:
        raise BankError(f"{path}: {persona}: more than {MAX_DIALOGUES} dialogues; leave some out")
    return found


def _table(path: Path, where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BankError(f"{path}: {where}: must be a section, such as [default.zh.thanks]")
    for name in value:
        _checked_name(path, f"{where}.{name}", name)
    return value


def _checked_name(path: Path, where: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BankError(f"{path}: {where}: a name has Latin letters, digits and _ only")


def _dialogue(path: Path, where: str, name: str, language: str, value: object) -> Dialogue:
    table = _table(path, where, value)
    unknown = set(table) - {"ask", "say", "emotion"}
    if unknown:
        raise BankError(f"{path}: {where}.{min(unknown)}: unknown; there are ask, say and emotion")
    emotion = table.get("emotion", "neutral")
    if emotion not in EMOTIONS:
        raise BankError(
            f"{path}: {where}.emotion: {emotion!r} is none; take one of {' '.join(EMOTIONS)}"
        )
    if "say" not in table:
        raise BankError(f'{path}: {where}.say: missing; write say = ["an answer", "another one"]')
    asked = tuple(text for _, text in _texts(path, f"{where}.ask", table.get("ask", [])))
    replies = tuple(
        Reply(said, emotion) for said in _said(path, f"{where}.say", table.get("say", []))
    )
    return Dialogue(name, language, asked, replies)


def _texts(path: Path, where: str, value: object) -> Iterator[tuple[str, str]]:
    """(where it stands, text) of each text in a list."""
    if not isinstance(value, list):
        raise BankError(f'{path}: {where}: must be a list of texts, such as ["…", "…"]')
    if len(value) > MAX_WORDINGS:
        raise BankError(f"{path}: {where}: more than {MAX_WORDINGS} texts; leave some out")
    for number, text in enumerate(value, 1):
        place = f"{where}, text {number}"
        if not isinstance(text, str) or not any(character.isalnum() for character in text):
            raise BankError(f"{path}: {place}: has no words; write some or leave it out")
        if len(text) > MAX_CHARS:
            raise BankError(f"{path}: {place}: has more than {MAX_CHARS} characters; shorten it")
        yield place, text


def _said(path: Path, where: str, value: object) -> Iterator[tuple[str, ...]]:
    for place, text in _texts(path, where, value):
        said = clauses(text)
        if said is None:
            raise BankError(
                f"{path}: {place}: more than {MAX_FIRST_CHARS} characters without a pause; "
                "put a comma or a full stop in"
            )
        yield said


def _by_question(path: Path, dialogues: tuple[Dialogue, ...]) -> dict[str, Dialogue]:
    """The dialogues by the canonical key of each question."""
    found: dict[str, Dialogue] = {}
    for dialogue in dialogues:
        where = f"{path}: {dialogue.language}.{dialogue.name}"
        for text in dialogue.asked:
            form = canonical(text)
            if not form.text:
                raise BankError(f"{where}.ask: {text!r} asks nothing; leave it out")
            other = found.setdefault(form.key, dialogue)
            if other is not dialogue:
                raise BankError(
                    f"{where}.ask: {text!r} is asked in {other.language}.{other.name}, too; "
                    "leave it out of one"
                )
    return found
