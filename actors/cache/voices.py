"""Which voice is meant: what of an engine's settings is heard, and who may speak.

Pure.
"""

from __future__ import annotations

from typing import Final

from cfg.model import Engine, Settings

#: Settings of an engine that nobody hears. Every other one is part of its voice, also
#: one that does not exist yet: two sounds for one is a pity, one for two an error.
_UNHEARD: Final = frozenset(
    {"name", "weight", "workers", "slots", "api_key", "connect_timeout_s", "read_timeout_s"}
)


def label(engine: Engine) -> str:
    """The name by which messages know an engine."""
    return engine.name or str(getattr(engine, "kind", ""))


def voice_of(settings: Settings, engine: str) -> str:
    """Everything of this TTS engine that is heard, as one text; '' when there is none so named."""
    for each in settings.tts:
        if label(each) == engine:
            heard = each.model_dump(mode="json", exclude=set(_UNHEARD))
            return " ".join(f"{name}={heard[name]}" for name in sorted(heard))
    return ""


def speakers(settings: Settings, engines: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Whose speech will do, best first: those that are named, or all that have a share of
    the work, or, where no engine has one, all there are."""
    if engines:
        known = {label(each) for each in settings.tts}
        return tuple(name for name in dict.fromkeys(engines) if name in known)
    ranked = sorted(settings.tts, key=lambda each: -each.weight)
    working = [each for each in ranked if each.weight > 0] or ranked
    return tuple(dict.fromkeys(label(each) for each in working))
