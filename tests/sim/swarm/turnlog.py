"""A short run of one device and what its server logged of it, as it was recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sim.swarm.aggregate import aggregates
from sim.swarm.records import (
    ActorSample,
    CallSample,
    DeviceRecord,
    Phase,
    ResourceSample,
    Run,
    TurnRecord,
)
from tests.sim.swarm.test_records import INFO

BASE_AT_S = datetime.fromisoformat("2026-11-24T12:32:23.824532").timestamp()
DEVICE = "02:6b:8a:f4:76:01"
LOG = """\
Ready after 165 ms. A device talks when its OTA address is set to this host:
2026-11-24T12:32:31.913493 [info     ] turn ended               actor=session-2 device=02:6b:8a:f4:76:01 end_decided_ms=192.0 engines={'asr': 'vosk', 'llm': 'openai', 'tts': 'espeak'} final_text_ms=226.2 first_audio_ms=1188.9 first_clause_ms=1170.0 first_frame_ms=1189.2 heard=请问三十四加四十五等于多少 last_frame_ms=4491.5 outcome=answered reason= said='好, {三}十四。' session=bae2 stop_ms=4910.2 turn=1
2026-11-24T12:32:33.000000 [info     ] disconnected             actor=session-2 device=02:6b:8a:f4:76:01 reason='the turn ended' turns=1
2026-11-24T12:33:11.456981 [info     ] turn ended               actor=session-2 device=02:6b:8a:f4:76:01 end_decided_ms=192.0 engines={'asr': 'vosk', 'llm': 'openai', 'tts': 'espeak'} final_text_ms=207.4 first_audio_ms=1083.2 first_clause_ms=1059.4 first_frame_ms=1083.5 heard=请问十七加十一等于多少 last_frame_ms=3964.7 outcome=answered reason= said=好，请问十七加十一等于多少。 session=de0e stop_ms=4386.4 turn=1
2026-11-24T12:33:34.964628 [info     ] turn ended               actor=session-2 answer_recalled_ms=213.1 device=02:6b:8a:f4:76:01 end_decided_ms=192.0 engines={'asr': 'vosk', 'answer': 'exact', 'sound': 'cache'} final_text_ms=213.1 first_audio_ms=220.1 first_clause_ms=213.1 first_frame_ms=231.9 heard=请问三十四加四十五等于多少 last_frame_ms=3514.6 outcome=answered reason= said=好，请问三十四加四十五等于多少。 session=de0e stop_ms=3936.4 turn=4
"""
OFF = {"answer_cache": {"enabled": False}, "sound_cache": {"enabled": False}}


def _turn(number: int, phase: str, started_s: float, speech_ms: float, words: str) -> TurnRecord:
    return TurnRecord(
        device=1,
        turn=number,
        phase=phase,
        intended_s=started_s,
        outcome="answered",
        started_s=started_s,
        speech_ms=speech_ms,
        understood=words,
        first_word_ms=1200.0 if phase != "warm" else 240.0,
    )


def _sample(at_s: float, **cpu: float) -> ResourceSample:
    actors = tuple(ActorSample(name, 1, percent) for name, percent in cpu.items())
    return ResourceSample(at_s, ActorSample("total", len(actors), sum(cpu.values())), actors)


def run() -> Run:
    """Its last turn was spoken in the last 50 ms of a phase, and heard behind it."""
    phases = (
        Phase("off", 0.0, 24.0, 1, settings=OFF),
        Phase("empty", 38.0, 62.0, 1),
        Phase("warm", 62.0, 64.25, 1),
    )
    turns = (
        _turn(0, "off", 0.158, 2990.0, "请问三十四加四十五等于多少"),
        _turn(4, "empty", 40.166, 3000.0, "请问十七加十一等于多少"),
        _turn(7, "warm", 64.2, 2990.0, "请问三十四加四十五等于多少"),
    )
    resources = (
        _sample(2.0, asr=10.0, session=5.0),
        _sample(4.0, asr=30.0),
        _sample(6.0, asr=20.0, session=1.0),
        _sample(30.0, asr=99.0),
        _sample(40.0, asr=0.5, llm=3.0),
    )
    calls = (
        CallSample(4.0, "off", {"llm/openai": 0, "tts/espeak": 5, "standin:model": 0, "asr/v": 1}),
        CallSample(28.0, "off", {"llm/openai": 1, "tts/espeak": 6, "standin:model": 1}),
        CallSample(31.0, "off", {"standin:model": 1}),
        CallSample(42.0, "empty", {"llm/openai": 7, "tts/espeak": 0, "standin:model": 1}),
        CallSample(66.0, "empty", {"llm/openai": 1, "tts/espeak": 9, "standin:model": 2}),
        CallSample(66.0, "warm", {"llm/openai": 1, "tts/espeak": 9, "standin:model": 2}),
    )
    return Run(
        info=replace(INFO, base_at_s=BASE_AT_S),
        phases=phases,
        devices=(DeviceRecord(1, DEVICE, "talker", "auto", 1, "2.4", "cmn+f2", 60),),
        turns=turns,
        resources=resources,
        calls=calls,
        aggregates=aggregates(phases, turns, (), resources),
    )
