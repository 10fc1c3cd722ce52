"""Commands in canonical form: devices, volume, playing, telling.

Pure. A command is read into its parts (what, how many, where, which device) only
when every word of it is known to be such a part; with any other word the order
of the words stays as it was said.
"""

from __future__ import annotations

import re
from typing import Final

from actors.cache.lexicon import DEVICES, ROOMS
from actors.cache.libraries import words
from actors.cache.phrases import Tokens, cut, phrase
from actors.cache.spelling import WH

Framed = tuple[str, Tokens]

_OPEN: Final = "打开一下|开启一下|开一下|打开|开启"
_CLOSE: Final = "关闭一下|关掉一下|关上一下|关一下|关闭|关掉|关上"
_FIRST: Final = re.compile(rf"(?:(?P<open>{_OPEN}|开)|(?P<close>{_CLOSE}|关))(?P<what>.+)")
_TAKEN: Final = re.compile(
    rf"[把将](?P<what>.+?)(?P<all>全部?都?|都)?(?:给我|给)?(?:(?P<open>{_OPEN}|开)|(?P<close>{_CLOSE}|关了|关))"
)
_LAST: Final = re.compile(
    rf"(?P<what>.+?)(?P<all>全部?都?|都)?(?:帮我|给我)?(?:(?P<open>{_OPEN})|(?P<close>{_CLOSE}))"
)
_ROOM_LIGHT: Final = re.compile(rf"(?P<room>{'|'.join(sorted(ROOMS))})(?P<verb>开|关)灯")
_ALL: Final = frozenset({"所有", "全部", "全", "所有的", "全部的"})
_INSIDE: Final = frozenset({"的", "里", "里面", "里边"})

_TELL: Final = re.compile(
    r"(?:[讲说来](?:1?[个段则篇])?|我?想听(?:1?[个段则篇])?)(?P<kind>[^1讲说听0-9]*?(?:故事|笑话|谜语|绕口令))"
    r"(?:给我听听?|来?听听|听)?"
)
_SING: Final = re.compile(r"唱1?[首个支]?歌(?:给我听听?|来?听听|听)?")
_PLAY: Final = re.compile(
    r"(?:播放(?:1?首)?|[放来]1?首|点1?首|我?想听(?:1?首)?|我要听(?:1?首)?"
    r"|[放来](?=[^0-9]+的歌曲?$)|[放来]点(?=音乐$|歌$))(?P<what>.+)"
)
_TRACK: Final = re.compile(r"(?:播放|放|切换?到?|换到?|跳到)?(?P<which>[上下])1?[首曲](?:歌曲?)?")
_TO_ME: Final = re.compile(r"(?P<rest>[讲说唱念读背放].{2,})给我听听?")
_A_LITTLE: Final = re.compile(
    "(?<=^介绍|^解释|^推荐|^翻译|^说明|^暂停|^停止|^设置|^调整|^计算|^检查)(?:一下|1下)"
)
_ONE: Final = re.compile(r"(?<=^[讲说唱来写出放定设编画背找做])1(?=[个首段则篇道部张])")
_STEP: Final = "(?:1点儿?|一点儿?|点儿?|1些|一些|些)"
_VOLUME: Final = tuple(
    (
        direction,
        re.compile(
            rf"把?(?:音量(?:(?:调|开|放){level}{_STEP}?|{level}{_STEP})"
            rf"|声音(?:(?:调|开|放){loud}{_STEP}?|{loud}{_STEP})|音量{verb}{_STEP}?)|{verb}(?:一下|1下|{_STEP})?(?:音量|声音)"
            rf"|{voice}{_STEP}?声{_STEP}?"
        ),
    )
    for direction, level, loud, verb, voice in (
        ("up", "[大高]", "[大响]", "(?:调大|增大|提高|调高|加大|增加)", "大"),
        ("down", "[小低]", "[小轻]", "(?:调小|减小|降低|调低|减少)", "小"),
    )
)
_SET: Final = re.compile(
    r"[把将](?P<what>.+?)(?P<verb>(?:调|设|设置|设定|调整|调节)(?:到|成|为|高|低|大|小).*)"
)


def command(text: str) -> Framed | None:
    """The frame of a command and its canonical parts, or None where it is none of these."""
    for direction, pattern in _VOLUME:
        if pattern.fullmatch(text):
            return f"volume {direction}", ()
    track = _TRACK.fullmatch(text)
    if track:
        return "track", (track["which"],)
    lit = _ROOM_LIGHT.fullmatch(text)
    if lit:
        return "open" if lit["verb"] == "开" else "close", ("", lit["room"], "灯")
    told = _TELL.fullmatch(text)
    if told and not WH.search(told["kind"]):
        return "tell", (told["kind"],)
    if _SING.fullmatch(text):
        return "sing", ()
    played = _PLAY.fullmatch(text)
    if played and not WH.search(played["what"]) and not played["what"].endswith("吗"):
        # a title is a name: no word of it is replaced or left out
        return "play", (played["what"],)
    return _switched(text)


def plain_command(text: str) -> str:
    """One wording of what is left: 讲…给我听, 讲一个…, 把…调到…."""
    to_me = _TO_ME.fullmatch(text)
    text = to_me["rest"] if to_me else text
    taken = _SET.fullmatch(text)
    if taken and words(text)[0] in ("把", "将"):
        text = f"{taken['what']}{taken['verb']}"
    return _A_LITTLE.sub("", _ONE.sub("", text))


def _switched(text: str) -> Framed | None:
    """Something opened or closed: its parts sorted where all are known."""
    for pattern in (_TAKEN, _FIRST, _LAST):
        match = pattern.fullmatch(text)
        if match is None or not match["what"]:
            continue
        frame = "open" if match["open"] else "close"
        everything = bool(match.groupdict().get("all"))
        parts = _parts(match["what"], everything=everything)
        if parts is not None:
            return frame, parts
        single = (match["open"] or match["close"]) in ("开", "关", "关了")
        tokens = phrase(match["what"])
        if (
            pattern is _LAST
            or single
            or everything
            or tokens[-1] not in DEVICES
            or tokens[0] == "的"
        ):
            return None
        return f"{frame} that", tokens
    return None


def _parts(what: str, *, everything: bool) -> Tokens | None:
    """(how many, room, device); None when a word is none of these or one comes twice."""
    room, device, many = "", "", "all" if everything else ""
    tokens = phrase(what)
    if tokens[0] in _INSIDE or "的 的" in " ".join(word for word, _ in cut(what)):
        return None
    for token, before in zip(tokens, ("", *tokens), strict=False):
        if token in _INSIDE:
            if before not in ROOMS and before not in _ALL and before not in _INSIDE:
                return None
        elif token in _ALL and (not many or everything):
            many = "all"
        elif token in DEVICES and not device:
            device = token
        elif token in ROOMS and not room and not device:
            room = token
        else:
            return None
    return (many, room, device) if device and tokens[-1] == device else None
