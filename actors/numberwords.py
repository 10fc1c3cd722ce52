"""English number words and what they stand for; how they are read and said is elsewhere.

Pure. The answer cache reads them in questions, the rule responder reads and says them.
"""

from __future__ import annotations

from typing import Final

#: 0 to 19.
SMALL: Final[tuple[str, ...]] = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
#: 20 to 90.
TENS: Final[tuple[str, ...]] = (
    *("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"),
)
HUNDRED: Final = "hundred"
#: What the groups of three digits are called.
LARGE: Final = {"thousand": 10**3, "million": 10**6, "billion": 10**9}

#: What each word below a hundred stands for.
VALUES: Final[dict[str, int]] = {
    **{word: value for value, word in enumerate(SMALL)},
    **{word: 20 + 10 * place for place, word in enumerate(TENS)},
}
