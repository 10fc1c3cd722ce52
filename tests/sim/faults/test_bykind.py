"""Each kind of actor alone: which kinds, which faults at which times, how long, what comes out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.faults import bykind
from sim.faults.bykind import chosen_kinds, kinds_of, lasts_s, scenario_of, target_of
from sim.faults.plan import parse, timeline
from sim.faults.targets import TreeProcess, family
from sim.swarm.records import to_json
from tests.sim.faults.test_toll import fault, run, turn

TREE = [
    TreeProcess(1, "launcher", "launcher"),
    TreeProcess(2, "MultiProcAdmin", "admin"),
    TreeProcess(3, "logger", "logger"),
    TreeProcess(4, "root", "root"),
    TreeProcess(5, "pool asr", "supervisor"),
    TreeProcess(6, "asr/vosk-0", "asr"),
    TreeProcess(7, "asr/vosk-1", "asr"),
    TreeProcess(8, "session-1", "session"),
    TreeProcess(9, "something new", "something"),
    TreeProcess(10, "bash", "process"),
]


def test_families_are_told_by_name() -> None:
    names = {"asr/vosk-0": "asr", "session-12": "session", "pool tts": "pool tts", "root": "root"}
    assert {name: family(name) for name in names} == names
    assert family("MultiProcAdmin") == "admin"


def test_the_kinds_are_those_of_the_tree_with_the_system_s_last() -> None:
    kinds = kinds_of(TREE)
    assert kinds == ("asr", "pool asr", "session", "something new", "admin", "logger", "root")
    assert [target_of(kind, TREE) for kind in kinds] == [
        *("kind:asr", "actor:pool asr", "kind:serving", "actor:something new"),
        *("kind:admin", "actor:logger", "actor:root"),
    ]


def test_faults_come_one_at_a_time_evenly_kinds_one_after_the_other() -> None:
    scenario = scenario_of(
        {"asr": "kind:asr", "root": "actor:root"}, kills=3, freezes=3, devices=4, every_s=8
    )
    whole_s = 60 * sum(phase.minutes for phase in scenario.phases)
    planned = timeline(parse(scenario.faults), whole_s, scenario.seed)
    assert [each.at_s for each in planned] == [20 + 8 * n for n in range(12)]
    assert [each.action for each in planned] == ["kill", "stop"] * 6
    assert [str(each.target) for each in planned] == ["kind:asr"] * 6 + ["actor:root"] * 6
    assert all(each.for_s == 7 for each in planned if each.action == "stop")
    assert [(p.name, p.counted, p.talkers) for p in scenario.phases] == [
        ("before", False, 4),
        ("asr", True, 4),
        ("root", True, 4),
    ]
    assert lasts_s(scenario) > whole_s == pytest.approx(20 + 12 * 8)


@pytest.mark.parametrize(("kills", "freezes"), [(5, 0), (0, 5)])
def test_kills_or_freezes_alone(kills: int, freezes: int) -> None:
    scenario = scenario_of({"asr": "kind:asr"}, kills=kills, freezes=freezes, devices=1)
    planned = timeline(parse(scenario.faults), 1000, 1)
    assert [each.at_s for each in planned] == [20, 28, 36, 44, 52]


def test_some_kinds_in_their_own_order() -> None:
    known = {"asr": "kind:asr", "router": "actor:router", "root": "actor:root"}
    assert list(chosen_kinds("root, asr", known)) == ["asr", "root"]
    assert chosen_kinds("", known) == known
    with pytest.raises(ValueError, match="'rooter' is no kind; there are asr, router, root"):
        chosen_kinds("rooter", known)


def test_pieces_are_put_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pieces = [
        run((turn(0, 10),), fault(12, "router", noticed_s=0.01, served_s=0.1)),
        run((turn(0, 10, "apology"),), fault(12, "asr/vosk-0")),
    ]
    for number, piece in enumerate(pieces):
        (tmp_path / f"{number}.json").write_bytes(to_json(piece))
    files = [str(tmp_path / f"{number}.json") for number in range(2)]
    assert bykind.main(["--of", files[0]]) == 0
    assert bykind.main(["--of", *files, "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "broken    asr kill: 1 turns lost by a worker's end" in told
    rows = json.loads((tmp_path / bykind.JSON_FILE).read_text(encoding="utf-8"))
    assert [(row["actor"], row["lost_count"]) for row in rows] == [("asr", 1), ("router", 0)]
    page = (tmp_path / bykind.PAGE_FILE).read_text(encoding="utf-8")
    assert "Every turn that a fault cost" in page
    assert (tmp_path / bykind.TEXT_FILE).read_text(encoding="utf-8").startswith("actor")


def test_a_file_that_is_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    assert bykind.main(["--of", str(tmp_path / "x.json")]) == 2
    assert "x.json" in capsys.readouterr().err
