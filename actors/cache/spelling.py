"""Letters, signs and scripts in one form: the first step of `normalise`.

Pure. Signs that say something become words (8:30, 3+5, ℃), a question mark stays
only where nothing else makes the text a question, a comma only where leaving it
out could join two words or change who or what is meant (不，开灯 is not 不开灯).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from actors.cache.lexicon import KIN, PERSONS, POLARITY
from actors.cache.libraries import simplified, tagged, words
from actors.cache.numerals import english_to_digits

#: Talk about words themselves: there every character counts.
MENTION: Final = re.compile(
    r"怎么(?:写|读|念|拼|说|讲|翻译)|如何(?:写|读|念|拼|说|翻译)|拼音|笔画|笔顺|部首|偏旁|造句|组词|[反近同]义词|意思"
    r"|翻译|[哪什]个?么?字|[个的][字词]|个成语|成语接龙|押韵|谐音|发音|繁体|简体|[英日法韩德俄中][语文]|汉语|粤语|西班牙语|普通话"
    r"|\b(?:spell|mean|means|meaning|say|translate|rhymes?|synonyms?|opposite|pronounce|word|definition|define)\b"
)
#: Of these, the ones where even the script is the question.
_GLYPH: Final = re.compile(
    r"怎[么麼樣样](?:[写寫读讀念])|拼音|笔画|筆畫|笔顺|筆順|部首|偏旁|[簡简繁][体體]|[哪什][個个么麼]字"
    r"|字.{0,4}[几幾多].{0,2}[画畫笔筆划劃]"
)
#: What makes a text a question by itself, without 吗 at its end.
WH: Final = re.compile(
    r"什么|啥|谁|哪|怎么|怎样|咋(?![呼舌唬])|如何|为何|何时|几时|多会儿|多少|多[大高长远久重深宽快]|第几|是否"
    r"|几[点岁号月年天个]|几$"
    r"|(?<![可还但总于功性机])([能会是有要对行想该])不\1|(?<!没)有没有|可不可以"
    r"|\b(?:who|what|where|when|why|which|how|whose)\b"
)
_CANTONESE: Final = re.compile("[點点][樣样解]|嘅|乜嘢|邊個|边个|幾多")
_SPOKEN: Final = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        # 三点样品, 两点解决: there the hour ends before the word
        (r"(?<![\d一二两兩三四五六七八九十几幾早晚快慢多少有大小])[點点][樣样](?=整)", "怎么做"),
        (r"怎么做整", "怎么做"),
        (
            r"(?<![\d一二两兩三四五六七八九十几幾早晚快慢多少有大小])[點点][樣样](?![品本子板机機])",
            "怎么",
        ),
        (r"^[點点]解|(?<=\w{2})[點点]解(?=[會会要有係系])", "为什么"),
        ("[係系](?=怎么|为什么|乜|邊|边)", "是"),
        ("乜嘢", "什么"),
        ("邊個|边个(?!人)", "谁"),
        ("幾多", "多少"),
        ("嘅", "的"),
    )
)
_QUOTES: Final = re.compile('[\u201c\u201d"「」『』《》〈〉【】\\[\\]（）()`]')
_COMMAS: Final = re.compile(r"(?<![a-z0-9])\.|\.(?![a-z0-9])|[，,、；;。！!：:…—～~·｜|]")
_ENGLISH_POLAR: Final = re.compile(
    r"(?:is|are|am|was|were|do|does|did|can|could|will|would|should|has|have|had|may|must) "
)
#: Verbs after which "how do I" asks for the way to do it: how do I look does not.
_DOING: Final = (
    "make|cook|bake|boil|fry|grill|roast|steam|draw|tie|clean|remove|wash|fold|grow|plant|peel|build|fix|repair|stop"
    "|cure|prevent|learn|lose|save"
)
#: What only somebody with hands does, so that "how do you" asks nobody in particular.
_BY_HAND: Final = "cook|bake|boil|fry|grill|roast|steam|tie|peel|fold|wash"
_CONTRACTIONS: Final = tuple(
    (re.compile(pattern), full)
    for pattern, full in (
        (r"\b(what|who|where|when|why|how|that|there)'?s\b", r"\1 is"),
        (r"\b(he|she|it)'s\b", r"\1 is"),
        (r"\b(?:can'?t|cannot)\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"\b(do|does|did|is|are|was|were|has|have|had|should|could|would)n'?t\b", r"\1 not"),
        (r"\bi'm\b", "i am"),
        (r"\b(you|we|they)'re\b", r"\1 are"),
        (r"\b(\w+)'ll\b", r"\1 will"),
        (r"\b(\w+)'ve\b", r"\1 have"),
        (r"\blet's\b", "let us"),
        # the same question in other words: how come, how do I, is it all right for
        (r"^(how come the \w+)'s\b", r"\1 is"),
        (
            r"^how come ((?:the )?\w+|all \w+) (is|are|was|were|can|will) (?!.*\b(?:is|are|was|were|can|will)\b)",
            r"why \2 \1 ",
        ),
        (rf"^how (?:do|can) i (?=(?:{_DOING})\b)", "how to "),
        (rf"^how (?:do|can) you (?=(?:{_BY_HAND}) \w)", "how to "),
        (r"^(?:is|are) ((?:an? |the )?\w+) able to (?=\w)", r"can \1 "),
        (r"^in (which|what) year did ", r"\1 year did "),
        (r"^which year did ", "what year did "),
        (r"\b(?:the )?(?:second world war|ww ?(?:2|ii)|world war ii)\b", "world war 2"),
        (r"\b(?:the )?(?:first world war|ww ?(?:1|i)|world war i)\b", "world war 1"),
        (r"\bworld war one\b", "world war 1"),
        (
            r"^can you explain (?:what )?(?!yourself|everything|something|anything|please)(\w{6,})(?: is)?(?: to me)?$",
            r"what is \1",
        ),
        (r"^is it (?:ok|okay|safe|all right) for (\w+) to (?=(?:eat|drink) )", r"can \1 "),
        (r"^what number of (?=\w+ (?:do|does|are) )", "how many "),
        (r"^(how many \w+ are )there (?=in )", r"\1"),
        (r"^(how many \w+ are in )(?:an?|one) (?=\w+$)", r"\g<1>1 "),
    )
)
#: Words beside which a comma decides who does what, or whether.
_DECIDING: Final = POLARITY | PERSONS | KIN


def is_mention(text: str) -> bool:
    """Whether the text is about words, so that none may be replaced by another."""
    return MENTION.search(text) is not None


def spell(text: str) -> str:
    """Small letters, simplified characters, one kind of comma, contractions in full."""
    text = re.sub("²", "的平方", re.sub("³", "的立方", text))
    text = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    if _CANTONESE.search(text):
        text = mandarin(text)
    if not _GLYPH.search(text):
        text = simplified(text)
    return spaced(_english(_signs(text).replace("您", "你")))


def mandarin(text: str) -> str:
    """The question words of spoken Cantonese as those of Mandarin."""
    for pattern, word in _SPOKEN:
        text = pattern.sub(word, text)
    return text


def spaced(text: str) -> str:
    """Single spaces, and none beside a Chinese character."""
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])", "", text)


def _signs(text: str) -> str:
    text = re.sub(r"(\d)\s*:\s*(\d\d)(?!\d)", r"\1点\2分", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    for sign, word in (("+", "加"), ("×", "乘"), ("*", "乘"), ("÷", "除以"), ("=", "等于")):
        text = re.sub(rf"(?<=\d)\s*{re.escape(sign)}\s*(?=\d)", word, text)
    text = re.sub(r"(?<=\d)\s*=\s*\??$", "等于几", text)
    text = re.sub("°c|℃|°", "度", text)
    text = _COMMAS.sub("，", _QUOTES.sub("", text))
    asked = re.search(r"\?[，\s?]*$", text) is not None
    text = re.sub(r"\s*，[\s，]*", "，", text.replace("?", "，")).strip("， ")
    itself = WH.search(text) or re.search("[吗呢么嘛]$", text) or _ENGLISH_POLAR.match(text)
    return f"{text}?" if asked and text and not itself else text


def _english(text: str) -> str:
    if not re.search("[a-z]{2}", text):
        return text
    for pattern, full in _CONTRACTIONS:
        text = pattern.sub(full, text)
    return english_to_digits(text) if text.isascii() else text


def without_commas(text: str) -> str:
    """The commas that decide nothing left out."""
    parts = text.split("，")
    joined = parts[0]
    for part in parts[1:]:
        if part.isascii() and joined.isascii():
            decides = bool({joined.split(" ")[-1], part.split(" ")[0]} & _DECIDING)
            joined += f"，{part}" if decides else f" {part}"
        else:
            joined += f"，{part}" if _comma_decides(joined, part) else part
    return joined


def _comma_decides(before: str, after: str) -> bool:
    if not before or not after:
        return False
    (last, last_kind), (first, first_kind) = tagged(before)[-1], tagged(after)[0]
    if {last, first} & _DECIDING or "nr" in (last_kind, first_kind):
        return True
    if re.search(r"[\d零一二两三四五六七八九十百千万点]$", before) and re.match(
        r"[\d零一二两三四五六七八九十百千万点]", after
    ):
        return True
    # together they would be cut into other words
    return words(before + after)[: len(words(before))] != words(before)
