"""What counts as no answer."""

from __future__ import annotations

from pathlib import Path

from cfg.model import Dialogue
from sim.swarm.excuses import excuses


def test_the_settings_words_and_the_banks_are_known() -> None:
    found = excuses()
    assert found[:3] == (Dialogue().apology, Dialogue().busy, Dialogue().not_understood)
    assert len(found) >= 8
    assert len(set(found)) == len(found)


def test_only_excuses_are(tmp_path: Path) -> None:
    file = tmp_path / "bank.toml"
    file.write_text(
        '[persona]\nx = "y"\n[default.zh.busy]\nsay = ["忙。"]\n'
        '[default.zh.fillers]\nsay = ["嗯。"]\n[mine.en.apologies]\nsay = ["Sorry."]\n',
        encoding="utf-8",
    )
    assert excuses(file)[3:] == ("忙。", "Sorry.")
