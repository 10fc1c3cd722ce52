"""A day part of household questions with stated popularity, for hit rates.

Pure: the same seed gives the same questions at the same times. A query names its
intent, so that a hit can be checked: the answer must be that of the same intent.

Popularity. Kinds have fixed shares (`SHARES`). Within a kind the intents are put
in an order by the seed and drawn with weight 1/(rank + 2.7)^1.05 (Zipf with
Mandelbrot's shift). Of an intent's wordings the first is said in half of the cases,
each later one half as often as the one before. One query in five is wrapped: a
filler, politeness, the wake word. "tail" is the long tail: sums and distances drawn
at random, which hardly ever come twice. Arrivals are Poisson over `HOURS`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).parent / "templates" / "workload.txt"

#: Share of each kind among what is asked; these sum to 1.
SHARES: Final = {
    "social": 0.12,
    "fact": 0.34,
    "tail": 0.06,
    "weather": 0.08,
    "time": 0.08,
    "news": 0.02,
    "state": 0.02,
    "command": 0.15,
    "music": 0.05,
    "fresh": 0.04,
    "context": 0.02,
    "personal": 0.02,
}
#: Kinds whose answers may be kept.
CACHEABLE: Final = frozenset({"social", "fact", "tail"})
HOURS: Final = 4.0
SHIFT: Final = 2.7
EXPONENT: Final = 1.05
_WRAPPINGS: Final = (
    *(
        "嗯{}",
        "请问{}",
        "小智小智{}",
        "{}啊",
        "那个，{}",
        "我想知道{}",
        "请问一下{}",
        "呃，{}",
        "你知道{}吗",
    ),
)


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that is wanted; its wordings all get the same answer."""

    name: str
    kind: str
    wordings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    at_s: float
    text: str
    intent: str
    kind: str

    @property
    def cacheable(self) -> bool:
        return self.kind in CACHEABLE


def intents() -> tuple[Intent, ...]:
    """Every intent of the template file, its slots filled in."""
    lines = _FILE.read_text("utf-8").splitlines()
    slots = [_slot(line) for line in lines if line.startswith("= ")]
    found: dict[str, Intent] = {}
    for line in lines:
        if not line or line[0] in "#=":
            continue
        kind, _, rest = line.partition(" | ")
        for values in _fillings(rest, slots):
            wordings = tuple(_filled(wording.strip(), values) for wording in rest.split(" / "))
            found.setdefault(wordings[0], Intent(wordings[0], kind, wordings))
    return tuple(found.values())


def _filled(wording: str, values: dict[str, str]) -> str:
    return re.sub(r"\[(\w+)\]", lambda match: values[match[1]], wording)


Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]


def _slot(line: str) -> Rows:
    names, _, values = line[2:].partition(" | ")
    return tuple(names.split(",")), [tuple(value.split(",")) for value in values.split()]


def _fillings(text: str, slots: list[Rows]) -> list[dict[str, str]]:
    """Every combination of values for the slots that a line names."""
    used = set(re.findall(r"\[(\w+)\]", text))
    fillings: list[dict[str, str]] = [{}]
    for names, rows in slots:
        if used & set(names):
            fillings = [
                {**filling, **dict(zip(names, row, strict=True))}
                for filling in fillings
                for row in rows
            ]
    return fillings


def workload(count: int = 6000, seed: int = 7) -> tuple[Query, ...]:
    """`count` queries in the order of their times."""
    chance = random.Random(seed)
    by_kind: dict[str, list[Intent]] = {kind: [] for kind in SHARES}
    for intent in intents():
        by_kind[intent.kind].append(intent)
    weights: dict[str, list[float]] = {}
    for kind, members in by_kind.items():
        chance.shuffle(members)
        weights[kind] = [(rank + SHIFT) ** -EXPONENT for rank in range(1, len(members) + 1)]
    at_s, queries = 0.0, []
    for _ in range(count):
        at_s += chance.expovariate(count / (HOURS * 3600))
        kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
        if kind == "tail":
            intent = _rare(chance)
        else:
            intent = chance.choices(by_kind[kind], weights[kind])[0]
        queries.append(Query(at_s, _said(intent, chance), intent.name, kind))
    return tuple(queries)


_PLACES: Final = (
    *(
        "北京",
        "上海",
        "广州",
        "深圳",
        "成都",
        "武汉",
        "西安",
        "南京",
        "青岛",
        "大连",
        "昆明",
        "拉萨",
        "厦门",
        "长沙",
    ),
    *("贵阳", "兰州", "沈阳", "郑州", "合肥", "苏州", "三亚", "海口", "南宁", "太原", "银川"),
)


def _rare(chance: random.Random) -> Intent:
    """A question that hardly anybody else asks: one wording or two."""
    if chance.random() < 0.5:
        first, second = chance.sample(range(11, 999), 2)
        text = f"{first}{chance.choice(('加', '减', '乘以'))}{second}"
        return Intent(f"{text}等于几", "tail", (f"{text}等于几", f"{text}等于多少"))
    start, end = chance.sample(_PLACES, 2)
    return Intent(
        f"{start}到{end}有多远", "tail", (f"{start}到{end}有多远", f"从{start}到{end}有多远")
    )


def _said(intent: Intent, chance: random.Random) -> str:
    shares = [2.0**-at for at in range(len(intent.wordings))]
    wording = chance.choices(intent.wordings, shares)[0]
    question = intent.kind in ("fact", "weather", "time") and not wording.isascii()
    if question and chance.random() < 0.2:
        wrapping = chance.choice(_WRAPPINGS)
        asks = re.search("什么|啥|谁|哪|怎|多|几|为", wording) is not None
        if asks or "知道" not in wrapping:
            return wrapping.format(wording)
    return wording
