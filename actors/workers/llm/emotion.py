"""What face an answer wears: firmware emotion names from emoji and plain words.

Pure. The names are the 21 that the firmware's themes know; an unknown one would
leave the picture unchanged, so nothing else is ever returned.
"""

from __future__ import annotations

from typing import Final

#: Emoji to firmware emotion. Skin tones and presentation selectors are ignored.
_EMOJI: Final[dict[str, str]] = {
    emoji: name
    for name, emojis in {
        "neutral": "😐😶😑🙂",
        "happy": "😊☺😀😃🤗😺🥳🎉👍🌞",
        "laughing": "😆😄😁😂🤣😹",
        "funny": "🤡🤪",
        "sad": "😔😢🙁☹😞😟😥🥺💔",
        "angry": "😠😡🤬👿",
        "crying": "😭😿",
        "loving": "😍🥰💕💖❤💗💞😻",
        "embarrassed": "😳🙈😅",
        "surprised": "😯😮😲🙀",
        "shocked": "😱🤯😨😧",
        "thinking": "🤔🧐💭",
        "winking": "😉",
        "cool": "😎🕶",
        "relaxed": "😌🧘",
        "delicious": "😋🤤🍰🍜",
        "kissy": "😘😗😙😚💋",
        "confident": "😏💪",
        "sleepy": "😴😪🥱💤",
        "silly": "😜😝😛",
        "confused": "🙄😕🤷🫤❓",
    }.items()
    for emoji in emojis
}

EMOTION_NAMES: Final[frozenset[str]] = frozenset(_EMOJI.values())

#: First match wins, so the stronger feeling stands first.
_WORDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("laughing", ("哈哈", "嘿嘿", "haha")),
    ("crying", ("呜呜",)),
    ("embarrassed", ("不好意思", "抱歉", "对不起", "sorry")),
    ("sad", ("难过", "伤心", "遗憾", "可惜", "不高兴", "不开心", "unfortunately", "sad ")),
    ("angry", ("生气", "愤怒", "angry")),
    ("surprised", ("哇", "居然", "竟然", "没想到", "wow")),
    ("loving", ("爱你", "喜欢你", "亲爱的", "love you")),
    ("sleepy", ("晚安", "困了", "good night")),
    ("delicious", ("好吃", "美味", "delicious", "yummy")),
    ("thinking", ("让我想想", "我想想", "想一想", "let me think")),
    ("confused", ("没听清", "没听懂", "不明白", "听不懂", "did not catch")),
    ("happy", ("高兴", "开心", "太好了", "太棒", "恭喜", "你好", "great", "glad", "hello", "congrat")),
)  # fmt: skip

_NEGATIONS: Final = ("不", "没", "别", "not ", "n't ")
_JOINERS: Final = frozenset("\ufe0e\ufe0f\u200d\u20e3\u2640\u2642")

_EMOJI_RANGES: Final = (
    (0x1F000, 0x1FAFF),
    (0x2600, 0x27BF),
    (0x2B1B, 0x2B1C),
    (0x2B50, 0x2B55),
    (0x231A, 0x231B),
    (0x23E9, 0x23FA),
    (0xE0020, 0xE007F),
)


def is_emoji(char: str) -> bool:
    """Whether this character is an emoji or a part of one (joiner, selector, skin tone)."""
    code = ord(char)
    if code < 0x200D:
        return False
    return char in _JOINERS or any(low <= code <= high for low, high in _EMOJI_RANGES)


def emoji_emotion(char: str) -> str | None:
    """The emotion of one emoji character, or None."""
    return _EMOJI.get(char)


def split_emoji(text: str) -> tuple[str | None, str]:
    """Strip leading emoji: (emotion of the first known one or None, the rest)."""
    rest = text.lstrip()
    emotion: str | None = None
    while rest and is_emoji(rest[0]):
        emotion = emotion or _EMOJI.get(rest[0])
        rest = rest[1:].lstrip()
    return emotion, rest


def emotion_of(text: str) -> str | None:
    """The firmware emotion that fits `text`: a leading emoji decides, then words.

    None when nothing points anywhere; the caller keeps the face it has.
    """
    emotion, rest = split_emoji(text)
    if emotion:
        return emotion
    lowered = rest.lower() + " "
    for name, words in _WORDS:
        for word in words:
            at = lowered.find(word)
            if at >= 0 and not lowered[:at].endswith(_NEGATIONS):
                return name
    return None
