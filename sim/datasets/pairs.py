"""Labelled pairs of questions: may the answer to one be given to the other?

Pure: the templates of `templates/` are filled with values drawn by a seed. The part
"tuned" is what the judgement was developed on; "heldout" has other templates,
other fillers and another seed; the parts "strangers" are pairs as four people
wrote them who had never seen the code, and have no slots.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Part = Literal["tuned", "heldout", "strangers-a", "strangers-b", "strangers-c", "strangers-d"]

_TEMPLATES: Final = Path(__file__).parent / "templates"
#: One part was tuned on with the first seed; the second is nobody's to look at.
SEEDS: Final[dict[Part, int]] = {
    "tuned": 11,
    "heldout": 2903,
    "strangers-a": 0,
    "strangers-b": 0,
    "strangers-c": 0,
    "strangers-d": 0,
}
PARTS: Final[tuple[Part, ...]] = tuple(SEEDS)
#: A template with slots is filled so often.
DRAWS: Final = 4
_SLOT: Final = re.compile(r"\{(?P<name>[A-Za-z]+?)(?P<other>\d?)\}")


@dataclass(frozen=True, slots=True)
class Pair:
    """`same`: one answer serves both. `kind` says what was varied."""

    first: str
    second: str
    same: bool
    kind: str


Slots = dict[str, list[str]]


def slots(part: Part) -> Slots:
    """The values of every slot; a value "a=b" has two forms."""
    found: Slots = {}
    for line in (_TEMPLATES / "slots.txt").read_text("utf-8").splitlines():
        if line.startswith(part):
            _, name, values = (field.strip() for field in line.split(" | "))
            found[name] = [value.strip() for value in values.split(" / ")]
    return found


def pairs(part: Part) -> tuple[Pair, ...]:
    """Every template of a part, each filled up to `DRAWS` times; no pair twice."""
    chance = random.Random(SEEDS[part])
    values = slots(part)
    found: dict[tuple[str, str], Pair] = {}
    for line in (_TEMPLATES / f"{part}.txt").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        label, kind, first, second = (field.strip() for field in line.split(" | "))
        for _ in range(DRAWS if "{" in first + second else 1):
            filled = _fill((first, second), values, chance)
            pair = Pair(filled[0], filled[1], label == "same", kind)
            if pair.first != pair.second:
                found.setdefault((pair.first, pair.second), pair)
    return tuple(found.values())


def _fill(texts: tuple[str, str], values: Slots, chance: random.Random) -> tuple[str, str]:
    """Both texts with the same draw for each slot; {x2} and {x3} differ from {x}."""
    drawn: dict[str, list[str]] = {}

    def value(match: re.Match[str]) -> str:
        name, at = match["name"], int(match["other"] or 1) - 1
        second_form = name == "N" or name.endswith("why")
        base = {"N": "n"}.get(name, name.removesuffix("why") if second_form else name)
        if base not in drawn:
            drawn[base] = chance.sample(values[base], min(3, len(values[base])))
        forms = drawn[base][at].split("=")
        return forms[-1] if second_form else forms[0]

    return _SLOT.sub(value, texts[0]), _SLOT.sub(value, texts[1])
