"""The picture of an instance: parts, sessions, readiness, and nothing secret."""

from __future__ import annotations

import configparser
import json
from pathlib import Path
from typing import Any

import pytest

from actors.console.snapshot import VERSION, Missing, StatusSnapshot, role_of, snapshot
from actors.messages import ActorReport
from cfg.model import (
    EdgeTts,
    Engine,
    EspeakTts,
    OllamaLlm,
    OpenAiAsr,
    RulesLlm,
    Settings,
    VoskAsr,
)
from tests.console.instance import STARTED_S, WHOLE, in_state, without


def picture(
    reports: tuple[ActorReport, ...] = WHOLE, settings: Settings | None = None
) -> StatusSnapshot:
    return snapshot(reports, settings or Settings(), STARTED_S, STARTED_S + 90.0)


def test_version_is_the_package_s() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    assert setup["metadata"]["version"] == VERSION


def test_whole_instance_is_ready() -> None:
    readiness = picture().readiness()
    assert readiness.ready
    assert readiness.missing == ()


@pytest.mark.parametrize("kind", ["asr", "llm", "tts", "acceptor", "router"])
def test_each_needed_kind_is_missed(kind: str) -> None:
    readiness = picture(without(kind)).readiness()
    assert not readiness.ready
    assert [missing.part for missing in readiness.missing] == [kind]
    assert readiness.missing[0].problem
    assert readiness.missing[0].fix


@pytest.mark.parametrize("kind", ["asr", "llm", "tts", "acceptor", "router"])
@pytest.mark.parametrize("state", ["starting", "failed", "draining"])
def test_what_does_not_serve_is_missed(kind: str, state: str) -> None:
    readiness = picture(in_state(kind, state)).readiness()
    assert [missing.part for missing in readiness.missing] == [kind]
    assert state in readiness.missing[0].problem


def test_missing_part_tells_the_worker_s_reason() -> None:
    reports = in_state("asr", "failed", "model folder 'm' is missing")
    (missing,) = picture(reports).readiness().missing
    assert "asr/vosk-0 is failed: model folder 'm' is missing" in missing.problem


def test_nothing_at_all_misses_everything() -> None:
    readiness = picture(()).readiness()
    assert {missing.part for missing in readiness.missing} == {
        "asr",
        "llm",
        "tts",
        "acceptor",
        "router",
    }
    assert all(isinstance(missing, Missing) for missing in readiness.missing)


def test_one_ready_engine_of_two_is_enough() -> None:
    settings = Settings(tts=(EdgeTts(kind="edge"), EspeakTts()))
    shown = picture(settings=settings)
    assert shown.readiness().ready
    assert [(part.name, part.ready) for part in shown.parts if part.kind == "tts"] == [
        ("edge", 0),
        ("espeak", 1),
    ]


@pytest.mark.parametrize(
    ("kind", "engine", "detail", "role"),
    [
        ("llm", RulesLlm(), {}, "embedded"),
        ("tts", EspeakTts(), {}, "embedded"),
        ("asr", VoskAsr(), {}, "embedded"),
        ("asr", VoskAsr(model="tiny"), {}, "embedded"),
        ("asr", VoskAsr(), {"tiny": True, "model": "own"}, "embedded"),
        ("asr", VoskAsr(), {"tiny": False, "model": "tiny-but-not"}, "production"),
        ("asr", VoskAsr(), {"model": "/srv/tiny-server/vosk-model-small-cn-0.22/"}, "production"),
        ("asr", VoskAsr(), {"model": "vosk-tiny"}, "embedded"),
        ("asr", VoskAsr(model="/models/vosk-model-small-cn-0.22"), {}, "production"),
        ("asr", OpenAiAsr(kind="openai", base_url="http://h/v1"), {"tiny": True}, "production"),
        ("llm", OllamaLlm(kind="ollama"), {}, "production"),
        ("tts", EdgeTts(kind="edge"), {}, "production"),
    ],
)
def test_embedded_and_production(
    kind: str, engine: Engine, detail: dict[str, Any], role: str
) -> None:
    assert role_of(kind, engine, detail) == role


def test_part_counts_its_own_workers() -> None:
    settings = Settings(
        asr=(
            VoskAsr(name="near", workers=2, slots=8),
            OpenAiAsr(kind="openai", name="nearer", base_url="http://h/v1", slots=4),
        )
    )
    reports = (
        ActorReport("one", "asr", 1, "ready", in_flight=2, detail={"engine": "near"}),
        ActorReport("asr/near-1", "asr worker", 2, "starting"),
        ActorReport("asr/nearer-0", "asr worker", 3, "busy", in_flight=4),
    )
    near, nearer = picture(reports, settings).parts[:2]
    assert (near.ready, near.workers, near.in_flight, near.slots) == (1, 2, 2, 8)
    assert near.problem == "asr/near-1 is starting"
    assert (nearer.ready, nearer.in_flight, nearer.slots, nearer.problem) == (1, 4, 4, "")


def test_part_shows_what_was_loaded() -> None:
    assert picture().parts[0].model == "own"
    assert picture(()).parts[0].model == "auto"


def test_a_worker_whose_probe_failed_does_not_serve() -> None:
    worker = ActorReport(
        "asr/vosk-0", "asr worker", 1, "ready", detail={"healthy": False, "reason": "heard nothing"}
    )
    shown = picture((*without("asr"), worker))
    assert [missing.part for missing in shown.readiness().missing] == ["asr"]
    assert "heard nothing" in shown.parts[0].problem


def test_sessions_are_connected_or_spare() -> None:
    sessions = picture().sessions
    assert (sessions.connected, sessions.spare, sessions.limit) == (1, 1, 200)


def test_actors_are_listed_by_kind_and_number() -> None:
    names = [report.name for report in picture().actors]
    assert names[:3] == ["root", "acceptor", "router"]
    assert names[-2:] == ["session-9", "session-10"]


def test_uptime_survives_a_clock_set_back() -> None:
    assert picture().uptime_s == 90.0
    assert snapshot(WHOLE, Settings(), STARTED_S, STARTED_S - 5).uptime_s == 0.0


def test_json_has_every_member() -> None:
    shown = json.loads(json.dumps(picture().as_json()))
    assert shown["version"] == VERSION
    assert shown["uptime_s"] == 90.0
    assert shown["readiness"] == {"ready": True, "missing": []}
    assert [(part["kind"], part["role"]) for part in shown["parts"]] == [
        ("asr", "embedded"),
        ("llm", "embedded"),
        ("tts", "embedded"),
    ]
    worker = next(actor for actor in shown["actors"] if actor["name"] == "tts/espeak-0")
    assert worker == {
        "name": "tts/espeak-0",
        "kind": "tts worker",
        "pid": 105,
        "state": "ready",
        "restarts": 3,
        "in_flight": 0,
        "detail": {"voice": "cmn"},
    }


def test_json_holds_no_setting_s_secret() -> None:
    settings = Settings.model_validate(
        {
            "server": {"tokens": ["open-sesame"]},
            "llm": [
                {"kind": "openai", "base_url": "http://h", "model": "m", "api_key": "sk-hidden"}
            ],
        }
    )
    text = json.dumps(picture(settings=settings).as_json())
    assert "open-sesame" not in text
    assert "sk-hidden" not in text
