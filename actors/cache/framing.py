"""What the readers of question frames share.

Pure.
"""

from __future__ import annotations

import re
from typing import Final

from actors.cache.phrases import Tokens

#: A kind of question and what it is about.
Framed = tuple[str, Tokens]
Match = re.Match[str]

PRONOUNS: Final = frozenset(
    {"我", "你", "他", "她", "它", "这", "那", "我们", "你们", "他们", "这个", "那个"}
)


def got(match: Match, name: str) -> str:
    """A named group, or its second or third place in the pattern (x, x2, x3)."""
    groups = match.groupdict()
    return next((found for n in ("", "2", "3") if (found := groups.get(f"{name}{n}"))), "")
