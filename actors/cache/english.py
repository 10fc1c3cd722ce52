"""English questions of known form, and sums in either language.

Pure. As `frames`: the same frame about the same things, in the same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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
    rf" (?P<b>{NUMBER}|one)(?: (?:is|equals|is equal to) what)?"
)
#: Verbs of works and inventions, as they stand in "who … it" and in "was … by whom".
_MADE: Final = (
    "painted|wrote|written|invented|discovered|composed|built|designed|directed|founded|created"
)
_LANGUAGE: Final = "french|german|spanish|italian|japanese|korean|chinese|russian|english"
_COUNTED: Final = "days|weeks|months|hours|minutes|seconds|inches|feet|yards|ounces|pounds|cups|cents|years|meters|grams"
#: Only what has a body, or a wheel: how many people a room has depends on the room.
_PARTS: Final = (
    "legs|eyes|arms|wings|teeth|hearts|ears|toes|fingers|wheels|sides|corners|strings|keys|bones"
)
_ENGLISH: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), frame)
    for pattern, frame in (
        (
            r"(?:what is the |which city is the |tell me the )capital(?: city)? of (?P<x>.+)|what is (?P<x2>.+)'s capital",
            "capital",
        ),
        (r"who wrote (?P<x>.+)|who is the author of (?P<x2>.+)", "made by whom write"),
        (rf"who (?P<v>{_MADE}) (?P<x>\w+ .+|\w{{5,}})", "made by whom"),
        (
            rf"(?P<x>.+) (?:was|were|is) (?P<v>{_MADE}) by whom?|who (?:was|were) (?P<x2>.+) (?P<v2>{_MADE}) by",
            "made by whom",
        ),
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
        (
            rf"what is (?P<x>(?!the |a |an |this |that |it |my |your )\w+(?: \w+){{0,3}} in (?:{_LANGUAGE}))",
            "say",
        ),
        (
            rf"how many (?P<a>{_COUNTED}) (?:are )?(?:there )?in (?:an?|1|one) (?P<x>(?:\w+ )?\w+)"
            rf"|how many (?P<a2>{_COUNTED}|{_PARTS}) (?:does|has) an? (?P<x2>\w+) (?:have|got)"
            rf"|(?:an?|1|one) (?P<x3>\w+) (?:is|has|has got|contains|equals) how many (?P<a3>{_COUNTED}|{_PARTS})",
            "how many",
        ),
        (rf"how many (?P<a>{_PARTS}) do (?P<x>\w{{3,}}s) have", "how many"),
        (r"is an? (?P<x>\w+) an? (?P<y>\w+)|are (?P<x2>\w{3,}s) (?P<y2>\w+)", "is a"),
        (
            r"how far(?: away)? is (?P<x>the (?:moon|sun))(?: from (?:the )?earth)?"
            r"|what is the distance (?:from (?:the )?earth to|to|between (?:the )?earth and) (?P<x2>the (?:moon|sun))",
            "distance from earth",
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
            if frame in _READERS:
                return _READERS[frame](match)
            about = re.sub(r"\bone\b", "1", got(match, "x"))
            return frame, (about,)
    return None


def _made(match: Match) -> Framed:
    """the mona lisa was painted by who as who painted the mona lisa."""
    verb = {"wrote": "write", "written": "write", "invented": "invent"}.get(
        got(match, "v"), got(match, "v")
    )
    return f"made by whom {verb}", (got(match, "x"),)


def _how_many(match: Match) -> Framed:
    """how many legs does a spider have, do spiders have, are in a spider."""
    return "how many", (got(match, "a"), one_of(got(match, "x")))


def _is_a(match: Match) -> Framed | None:
    """are whales fish as is a whale a fish; are you happy is no such question."""
    what = one_of(got(match, "y"))
    return ("is a", (one_of(got(match, "x")), what)) if _KINDS.fullmatch(what) else None


def one_of(name: str) -> str:
    """whales → whale, bees → bee, foxes → fox; glass stays."""
    if re.search("(?:ch|sh|x|ss)es$", name):
        return name[:-2]
    if name.endswith("ies") and len(name) > 4:
        return f"{name[:-3]}y"
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "is")) else name


#: Of what one asks whether something is one.
_KINDS: Final = re.compile(
    "fish|bird|mammal|insect|reptile|amphibian|animal|plant|fruit|vegetable|planet|star|metal|spider|rodent|dinosaur"
    "|berry|nut|bear|cat|dog|primate"
)
_READERS: Final[dict[str, Callable[[Match], Framed | None]]] = {
    "made by whom": _made,
    "how many": _how_many,
    "is a": _is_a,
}


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
