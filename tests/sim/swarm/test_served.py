"""Settings of a run's server: put over each other, and what is wrong named by its key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.swarm.scenario import ScenarioError, load, parse
from sim.swarm.served import merged, mistakes
from sim.swarm.server import Server

PHASES = {"name": "small", "phases": [{"minutes": 1, "talkers": 2}]}
OFF = {"answer_cache": {"enabled": False}}


def test_sections_are_merged_and_lists_replaced() -> None:
    below = {"answer_cache": {"entries": 5, "enabled": True}, "llm": [{"kind": "rules"}]}
    above = OFF | {"llm": [{"kind": "ollama"}], "log": {"level": "debug"}}
    assert merged(below, above) == {
        "answer_cache": {"entries": 5, "enabled": False},
        "llm": [{"kind": "ollama"}],
        "log": {"level": "debug"},
    }
    assert below["answer_cache"] == {"entries": 5, "enabled": True}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"answer_cache": {"enabld": False}},
            "answer_cache.enabld: no such setting; did you mean enabled?",
        ),
        ({"answer_cash": {"enabled": False}}, "answer_cash: no such setting"),
        ({"answer_cache": False}, "answer_cache: is False; write a section"),
        ({"sound_cache": {"disk_mb": "much"}}, 'sound_cache.disk_mb: is "much"; allowed: '),
        ({"llm": [{"kind": "oracle"}]}, 'kind: is "oracle"; allowed: one of '),
        ({"server": {"device_port": 1, "http_port": 1}}, "server.http_port: is 1; allowed: "),
    ],
)
def test_what_the_server_would_not_take(settings: dict[str, Any], words: str) -> None:
    (line,) = mistakes(settings)
    assert words in line


def test_what_the_server_would_take() -> None:
    url = "http://127.0.0.1:{model}/v1"
    assert mistakes({"llm": [{"kind": "openai", "base_url": url, "model": "m"}]} | OFF) == []


def test_the_phase_and_the_key_are_named() -> None:
    wrong = [
        {"minutes": 1, "talkers": 1},
        {"minutes": 1, "talkers": 1, "settings": {"answer_cache": {"enabld": False}}},
    ]
    with pytest.raises(ScenarioError) as error:
        parse({"name": "small", "serve": {}, "phases": wrong}, "file.yaml")
    assert str(error.value).startswith(
        "file.yaml: phases.1.settings.answer_cache.enabld: no such setting; did you mean enabled?"
    )


def test_a_mistake_for_all_phases_is_told_once() -> None:
    wrong = {
        "serve": {"settings": {"log": {"level": "loud"}}},
        "phases": [{"minutes": 1, "talkers": 1, "settings": OFF}],
    }
    with pytest.raises(ScenarioError) as error:
        parse(PHASES | wrong, "file.yaml")
    assert str(error.value).startswith("file.yaml: serve.settings.log.level: is ")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "a server that is started for this run: serve: {}"),
        ({"serve": {}, "ladder": {}}, "a ladder and faults"),
        (
            {"serve": {}, "faults": [{"action": "kill", "target": "any", "at_s": 1}]},
            "a ladder and faults",
        ),
    ],
)
def test_settings_of_a_phase_need_a_server_to_start_again(
    change: dict[str, Any], words: str
) -> None:
    phases = [{"minutes": 1, "talkers": 1, "settings": OFF}]
    with pytest.raises(ScenarioError, match="a phase has settings") as error:
        parse({"name": "small", "phases": phases} | change)
    assert words in str(error.value)


def test_the_shipped_comparison_differs_in_the_caches_alone() -> None:
    scenario = load(Path(sim.__file__).parent / "scenarios" / "caches-on-off.yaml")
    off, empty, warm = map(scenario.settings_of, scenario.phases)
    assert off == merged(empty, OFF | {"sound_cache": {"enabled": False}})
    assert empty == warm == scenario.settings_of(None)


def test_a_server_keeps_its_ports_when_its_settings_change(tmp_path: Path) -> None:
    server = Server(tmp_path, {"log": {"level": "debug"}})
    file = tmp_path / "server.toml"
    before = tomllib.loads(file.read_text(encoding="utf-8"))
    server.use(OFF)
    after = tomllib.loads(file.read_text(encoding="utf-8"))
    assert before.pop("log") == {"level": "debug"}
    assert after.pop("answer_cache") == {"enabled": False}
    assert before == after
    assert before["server"]["device_port"] != before["server"]["http_port"]
