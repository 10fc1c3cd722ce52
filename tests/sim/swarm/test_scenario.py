"""A scenario file is right, or every mistake in it is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

import sim
from sim.swarm.scenario import ScenarioError, load, parse

SMALL = {"name": "small", "phases": [{"minutes": 1, "talkers": 2}]}


def test_the_shipped_scenarios_are_right() -> None:
    folder = Path(sim.__file__).parent / "scenarios"
    paths = sorted(folder.glob("*.yaml"))
    names = [load(path).name for path in paths]
    assert len(names) == len(set(names)) >= 15
    assert all(load(path).about for path in paths)
    assert all(load(path).limits or load(path).each_phase for path in paths)


def test_defaults_are_the_definition_of_talking() -> None:
    scenario = parse(SMALL)
    assert (scenario.talking.period_s, scenario.talking.speech_s) == (12, 3)
    assert scenario.named_phases()[0].name == "phase 1"
    assert scenario.most_devices() == (2, 0, 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"phases": []}, "give phases, a ladder, or both"),
        ({"phases": [{"minutes": 1}]}, "no phase has a device"),
        ({"phases": [{"minutes": -1, "talkers": 1}]}, "phases.0.minutes: is -1"),
        ({"phases": [{"talkers": 1}]}, "phases.0.minutes: is missing"),
        ({"fases": []}, "fases: is unknown; did you mean phases?"),
        ({"talking": {"perod_s": 3}}, "talking.perod_s: is unknown; did you mean period_s?"),
        ({"mix": {"modes": {"sometimes": 1}}}, "mix.modes.sometimes"),
        ({"mix": {"generations": {"7": 1}}}, "mix: generations: '7' is unknown; possible are 1.6"),
        (
            {"limits": {"lost": "few"}},
            "limits: lost: 'few' is no bound; write for example \"<= 500\"",
        ),
        ({"limits": {"speed": "<= 1"}}, "limits: speed: is no figure"),
        ({"faults": [{"action": "tickle", "target": "any"}]}, "faults"),
        ({"seed": "x"}, "seed: is 'x'"),
        (
            {"phases": [{"minutes": 1, "talkers": 1, "name": "a"}] * 2},
            "two phases are named 'a'",
        ),
    ],
)
def test_a_mistake_is_told_with_its_path(change: dict[str, object], words: str) -> None:
    with pytest.raises(ScenarioError) as error:
        parse(SMALL | change, "file.yaml")
    assert words in str(error.value)
    assert str(error.value).startswith("file.yaml: ")


def test_all_mistakes_are_told_together() -> None:
    wrong = SMALL | {"seed": -1, "patience_s": 0, "what": 1}
    with pytest.raises(ScenarioError) as error:
        parse(wrong)
    assert len(str(error.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [("name: [", "is not YAML"), ("- a\n", "must be a mapping"), ("", "must be a mapping")],
)
def test_a_file_that_is_no_scenario(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=words):
        load(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(tmp_path / "none.yaml")
