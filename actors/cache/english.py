"""English questions of known form, and sums in either language.

Pure. As `frames`: the same frame about the same things, in the same words.
"""

from __future__ import annotations

import re
from typing import Final

from actors.cache.framing import Framed, Match, got
from actors.cache.phrases import Tokens

NUMBER: Final = r"-?\d+(?:\.\d+)?(?:/\d+)?%?"
_OPERATORS: Final = dict(
    pair.split(":")
    for pair in [
        "加:+",
        "加上:+",
        "减:-",
        "减去:-",
        "乘:*",
        "乘以:*",
        "乘上:*",
        "除以:÷",
        "plus:+",
        "minus:-",
        "times:*",
        "multiplied_by:*",
        "divided_by:÷",
    ]
)
_ENGLISH_SUM: Final = re.compile(
    rf"(?:what is |how much is |calculate )?(?P<a>{NUMBER}|one) (?P<op>plus|minus|times|multiplied by|divided by)"
    rf" (?P<b>{NUMBER}|one)"
)
_ENGLISH: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), frame)
    for pattern, frame in (
        (
            r"(?:what is the |which city is the |tell me the )capital(?: city)? of (?P<x>.+)|what is (?P<x2>.+)'s capital",
            "capital",
        ),
        (r"who wrote (?P<x>.+)|who is the author of (?P<x2>.+)", "made by whom write"),
        (
            r"who invented (?P<x>.+)|who (?:is|was) the inventor of (?P<x2>.+)",
            "made by whom invent",
        ),
        (r"what does (?P<x>.+) mean|what is the meaning of (?P<x2>.+)", "meaning"),
        (r"how (?:do you|do i|to) say (?P<x>.+ in \w+)", "say"),
        (r"(?P<x>what time is it|what is the time)(?: now)?", "time now"),
        (
            r"how (?:do you|do i|to) spell (?P<x>\w+)|how is (?P<x2>\w+) spelled|spell (?P<x3>\w+)(?: for me)?",
            "spell",
        ),
        (
            r"when was (?P<x>.+) born|what is (?P<x2>.+)'s date of birth|what is the date of birth of (?P<x3>.+)",
            "born when",
        ),
        (r"how tall is (?P<x>.+)|what is the height of (?P<x2>.+)", "size tall"),
        (
            r"how far is it from (?P<x>.+ to .+)|what is the distance from (?P<x2>.+ to .+)",
            "distance",
        ),
        (r"(?:turn|switch) on (?P<x>(?:the )?.+)|(?:turn|switch) (?P<x2>.+) on", "on"),
        (r"(?:turn|switch) off (?P<x>(?:the )?.+)|(?:turn|switch) (?P<x2>.+) off", "off"),
    )
)


def total(match: Match) -> Framed | None:
    a, b, operator = match["a"], match["b"], _OPERATORS[match["op"].replace(" ", "_")]
    # a sum and a product are the same both ways round; a difference is not
    return "sum", (*(sorted((a, b)) if operator in "+*" else (a, b)), operator)


def english(text: str) -> Framed | None:
    """The frame of an English question, or None where it has no known form."""
    match = _ENGLISH_SUM.fullmatch(text)
    if match:
        return total(match)
    for pattern, frame in _ENGLISH:
        match = pattern.fullmatch(text)
        if match:
            if frame in ("on", "off"):
                return frame, _lamp(got(match, "x"))
            if frame == "time now":
                return frame, ()
            about = re.sub(r"\bone\b", "1", got(match, "x"))
            return frame, (about,)
    return None


def _lamp(what: str) -> Tokens:
    """the light in the kitchen as kitchen light."""
    placed = re.fullmatch(
        r"(?:the )?(?P<device>\w+) in (?:the )?(?P<room>kitchen|bedroom|bathroom|living room|dining room|garage|study"
        r"|hallway|office)",
        what,
    )
    return tuple(
        re.sub("^the ", "", f"{placed['room']} {placed['device']}" if placed else what).split(" ")
    )
