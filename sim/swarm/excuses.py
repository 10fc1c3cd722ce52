"""What our own server says instead of an answer; other servers' apologies are not known.

From the settings' defaults and the phrase bank that comes along (`cfg/phrases.toml`). A
filler is no excuse: its turn is answered behind it, and late as it is.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from cfg.model import Dialogue

BANK: Final = Path(__file__).parents[2] / "cfg" / "phrases.toml"
_IN_BANK: Final = ("apologies", "busy", "not_understood")


def excuses(bank: Path = BANK) -> tuple[str, ...]:
    """Every wording, of every language and persona."""
    dialogue = Dialogue()
    found = [dialogue.apology, dialogue.busy, dialogue.not_understood]
    personas = tomllib.loads(bank.read_text("utf-8"))
    for languages in personas.values():
        for groups in languages.values():
            if isinstance(groups, dict):
                for name in _IN_BANK:
                    found += groups.get(name, {}).get("say", [])
    return tuple(dict.fromkeys(found))
