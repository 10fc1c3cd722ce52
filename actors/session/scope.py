"""For whom an answer holds: the part of the settings that decides what a model says. Pure."""

from __future__ import annotations

import hashlib

from actors.session.recall import Scope
from cfg.model import Settings

#: Settings of an engine that change how much it serves, not what it says.
_SIZES = {"weight", "workers", "slots", "api_key", "connect_timeout_s", "read_timeout_s"}


def scope_of(settings: Settings) -> Scope:
    """(persona, language, tools, model generation); the same after a restart.

    The device's tools are not told to models yet, so they change no answer.
    """
    dialogue = settings.dialogue
    engines = [engine.model_dump_json(exclude=_SIZES) for engine in settings.llm]
    return _digest(dialogue.system_prompt), dialogue.language, "", _digest("\n".join(engines))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
