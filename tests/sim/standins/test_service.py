"""Stand-ins under a profile, as real processes over their own control addresses."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest

from tests.workers.llm.standin import ROOT, StandIn, running

pytestmark = pytest.mark.system

CHAT = {"model": "qwen2.5:1.5b", "messages": [{"role": "user", "content": "你好"}]}
LIMIT_S = 20.0


def profile(standin: StandIn, **members: Any) -> httpx.Response:
    return httpx.put(f"{standin.url}/standin/profile", json=members, timeout=5)


def load(standin: StandIn) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{standin.url}/standin/load", timeout=5).json()
    return told


def test_slots_queue_and_503_as_ollama_has_them() -> None:
    with running("ollama", "--profile", '{"name": "tight", "slots": 1, "queue": 2}') as standin:
        standin.fault(first_ms=200)

        async def ask() -> list[httpx.Response]:
            async with httpx.AsyncClient(timeout=LIMIT_S) as client:
                url = f"{standin.url}/api/chat"
                asked = (client.post(url, json=CHAT | {"stream": False}) for _ in range(5))
                return await asyncio.gather(*asked)

        statuses = sorted(answer.status_code for answer in asyncio.run(ask()))
        assert statuses == [200, 200, 200, 503, 503]
        assert load(standin) == {"active": 0, "waiting": 0, "served": 3, "refused": {"503": 2}}


def test_a_profile_is_set_read_and_taken_away_while_it_runs() -> None:
    with running("openai") as standin:
        answer = profile(standin, name="deepseek-chat", seed=9)
        assert answer.status_code == 200
        told = httpx.get(f"{standin.url}/standin/profile", timeout=5).json()
        assert (told["name"], told["seed"]) == ("deepseek-chat", 9)
        assert told["chat"]["first_ms"] == {"p50": 1068.0, "p95": 3017.0}
        assert profile(standin, **told).json() == told
        assert profile(standin, name="").json()["name"] == ""
        wrong = profile(standin, name="edge", slots=-1)
        assert wrong.status_code == 400
        assert "slots" in wrong.json()["error"]
        assert profile(standin, name="edge", seed="x").status_code == 400


def test_the_draws_of_a_seed_are_waited_for() -> None:
    slow = {"chat": {"first_ms": {"p50": 300, "p95": 300}}}
    with running("openai", "--profile", json.dumps({"name": "slow", **slow})) as standin:
        began = time.monotonic()
        answer = httpx.post(f"{standin.url}/v1/chat/completions", json=CHAT, timeout=LIMIT_S)
        assert answer.status_code == 200
        assert time.monotonic() - began >= 0.3


def test_random_errors_and_throttling_have_the_service_s_own_body() -> None:
    with running("openai") as standin:
        profile(standin, name="ill", error_share=1, error_status=502)
        answer = httpx.post(f"{standin.url}/v1/chat/completions", json=CHAT, timeout=LIMIT_S)
        assert (answer.status_code, answer.json()["error"]["type"]) == (502, "server_error")
        profile(standin, name="few", throttle={"per_minute": 1, "status": 429})
        speech = {"model": "tts-1", "voice": "alloy", "input": "你好"}
        url = f"{standin.url}/v1/audio/speech"
        first, second = (httpx.post(url, json=speech, timeout=LIMIT_S) for _ in range(2))
        assert (first.status_code, second.status_code) == (200, 429)
        assert second.json()["error"]["code"] == "rate_limit_exceeded"


def test_an_answer_may_break_off_in_the_middle() -> None:
    with running("openai") as standin:
        profile(standin, name="torn", cut_share=1)
        with (
            pytest.raises(httpx.HTTPError),
            httpx.stream(
                "POST",
                f"{standin.url}/v1/chat/completions",
                json=CHAT | {"stream": True},
                timeout=LIMIT_S,
            ) as answer,
        ):
            answer.read()


def test_edge_refuses_at_the_handshake() -> None:
    with running("edge", "--profile", '{"name": "edge", "error_share": 1}') as standin:
        answer = httpx.get(f"{standin.url}/edge/v1", timeout=5)
        assert answer.status_code == 403  # no token: the service looks at that first
        wanted = ("TrustedClientToken", "ConnectionId", "Sec-MS-GEC", "Sec-MS-GEC-Version")
        query = dict.fromkeys(wanted, "x")
        answer = httpx.get(f"{standin.url}/edge/v1", params=query, timeout=5)
        assert answer.status_code == 500


def test_the_command_line_knows_the_slots_better_than_the_profile() -> None:
    with running("ollama", "--profile", "ollama-1.5b-4cpu", "--parallel", "3") as standin:
        told = httpx.get(f"{standin.url}/standin/profile", timeout=5).json()
        assert (told["slots"], told["queue"]) == (3, 512)


def test_a_wrong_profile_on_the_command_line_is_named() -> None:
    command = [sys.executable, "-m", "sim.standins", "ollama", "--profile", "fast"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 2
    assert "--profile: 'fast' is no profile; known are" in done.stderr


def test_sigterm_ends_it_within_seconds_though_a_stream_is_open() -> None:
    command = [sys.executable, "-m", "sim.standins", "ollama", "--faults", '{"next_ms": 60000}']
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split()[-1])
        url = f"http://127.0.0.1:{port}/api/chat"
        try:
            with httpx.stream("POST", url, json=CHAT, timeout=LIMIT_S) as answer:
                next(answer.iter_raw())
                process.send_signal(signal.SIGTERM)
                assert process.wait(5) == 0
        finally:
            process.kill()
