"""The stand-ins keep the real servers' habits; seen through the production clients."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

import ollama as ollama_package
import pytest

from sim.standins.launcher import main
from sim.standins.ollama import keep_alive_s
from tests.workers.llm.standin import StandIn

pytestmark = pytest.mark.system


def call(url: str, body: dict[str, Any] | None = None, method: str = "POST") -> tuple[int, str]:
    """Status and text of one request."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method if data else "GET")
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_ollama_pulls_lists_loads_and_unloads(ollama: StandIn) -> None:
    async def work() -> None:
        async with ollama_package.AsyncClient(ollama.url, timeout=5, trust_env=False) as client:
            steps = [step async for step in await client.pull("new:1b", stream=True)]
            assert steps[0].status == "pulling manifest"
            assert steps[-1].status == "success"
            assert any(step.completed and step.completed == step.total for step in steps)
            assert "new:1b" in [entry.model for entry in (await client.list()).models]
            assert (await client.generate("new:1b", keep_alive=-1)).done_reason == "load"
            assert "new:1b" in [entry.model for entry in (await client.ps()).models]
            assert (await client.generate("new:1b", keep_alive=0)).done_reason == "unload"
            assert "new:1b" not in [entry.model for entry in (await client.ps()).models]
            whole = await client.chat("new:1b", [{"role": "user", "content": "你好"}])
            assert whole.message.content is not None
            assert "你好" in whole.message.content
            with pytest.raises(ollama_package.ResponseError, match="file does not exist"):
                async for _ in await client.pull("missing:1b", stream=True):
                    pass

    asyncio.run(work())


def test_ollama_answers_errors_as_the_server_does(ollama: StandIn) -> None:
    question = {"messages": [{"role": "user", "content": "hi"}]}
    known = {"model": "qwen2.5:1.5b", **question}
    assert call(f"{ollama.url}/") == (200, "Ollama is running")
    assert "version" in call(f"{ollama.url}/api/version")[1]
    status, text = call(f"{ollama.url}/api/chat", {"model": "no", **question})
    assert (status, json.loads(text)) == (404, {"error": "model 'no' not found"})
    status, text = call(f"{ollama.url}/api/chat", {**known, "keep_alive": "-1"})
    assert (status, json.loads(text)) == (400, {"error": 'time: missing unit in duration "-1"'})
    status, text = call(f"{ollama.url}/api/chat", {**known, "think": True})
    assert (status, json.loads(text)) == (
        400,
        {"error": '"qwen2.5:1.5b" does not support thinking'},
    )
    assert call(f"{ollama.url}/api/chat", question)[0] == 400


def test_a_thinking_model_thinks_unless_told_not_to(ollama: StandIn) -> None:
    body = {"model": "qwen3:1.7b", "messages": [{"role": "user", "content": "hi"}]}
    lines = [json.loads(line) for line in call(f"{ollama.url}/api/chat", body)[1].splitlines()]
    assert lines[0]["message"]["thinking"]
    quiet = call(f"{ollama.url}/api/chat", {**body, "think": False})[1]
    assert "thinking" not in quiet


@pytest.mark.parametrize(
    ("value", "seconds"), [(None, 300), (0, 0), (60, 60), ("5m", 300), ("1h30m", 5400), ("0", 0)]
)
def test_keep_alive_is_read_as_the_server_does(value: Any, seconds: float) -> None:
    assert keep_alive_s(value) == seconds


def test_negative_keep_alive_is_for_ever() -> None:
    assert keep_alive_s(-1) == keep_alive_s("-1m") > 10**9


def test_openai_ends_its_stream_with_a_mark(openai: StandIn) -> None:
    body = {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "你好"}]}],
    }
    lines = [
        line for line in call(f"{openai.url}/v1/chat/completions", body)[1].split("\n\n") if line
    ]
    assert lines[-1] == "data: [DONE]"
    assert json.loads(lines[-2][6:])["usage"]["completion_tokens"] > 0
    assert json.loads(lines[-3][6:])["choices"][0]["finish_reason"] == "stop"
    assert json.loads(lines[0][6:])["choices"][0]["delta"]["role"] == "assistant"


def test_wrong_faults_are_refused(openai: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(f"{openai.url}/standin/faults", {"slow": True}, "PUT")[0] == 400
    assert main(["ollama", "--faults", '{"slow": true}']) == 2
    assert "--faults is not usable" in capsys.readouterr().err
