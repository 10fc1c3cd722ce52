"""A spoken question gets the right spoken answer: every mode, every framing, the command."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim.hearing import understand
from sim.result import TurnResult
from sim.sound import audible_span
from sim.speech import read_wav
from tests.system.server import ROOT, Server, environment
from tests.system.talker import SUM, SUMS, talker

pytestmark = pytest.mark.system

#: Mode and framing, each with a frame length, a firmware generation and a way to say who it is.
CASES = {
    ("auto", 1): (60, "2.4", "headers"),
    ("auto", 2): (20, "1.8", "headers"),
    ("auto", 3): (40, "1.6", "query"),
    ("manual", 1): (20, "1.7", "query"),
    ("manual", 2): (60, "2.4", "headers"),
    ("manual", 3): (60, "2.2.6", "headers"),
    ("realtime", 1): (60, "2.4", "query"),
    ("realtime", 2): (60, "2.2.6", "headers"),
    ("realtime", 3): (20, "2.4", "headers"),
}


@pytest.fixture(scope="module")
def results(server: Server) -> dict[tuple[str, int], TurnResult]:
    """One turn of each case, all at the same time on the same server."""

    async def one(case: tuple[str, int]) -> TurnResult:
        frame_ms, generation, identity = CASES[case]
        async with talker(
            server,
            mode=case[0],
            version=case[1],
            frame_ms=frame_ms,
            generation=generation,
            identity=identity,
        ) as device:
            return await device.speak(SUM, linger_ms=300)

    async def everyone() -> list[TurnResult]:
        return await asyncio.gather(*map(one, CASES))

    return dict(zip(CASES, asyncio.run(everyone()), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-v{case[1]}")
def test_a_spoken_question_is_answered_aloud(
    results: dict[tuple[str, int], TurnResult], case: tuple[str, int]
) -> None:
    result = results[case]
    assert result.right, result.verdict
    assert result.verdict.outcome == "answered"
    assert result.understood == SUM.words
    assert "".join(result.sentences) == SUM.answer + "。"
    assert result.emotion == "neutral"
    span = audible_span(result.pcm, result.rate_hz)
    assert span is not None
    assert 0.8 < (span[1] - span[0]) / result.rate_hz < 3.0
    loudest = np.abs(result.pcm[span[0] : span[1]]).max()
    assert loudest > 3000


@pytest.mark.speech
def test_the_spoken_answer_is_understood(results: dict[tuple[str, int], TurnResult]) -> None:
    """The tiny recogniser hears the sum in the sound itself, most times in its very words."""
    heard = [understand(result.pcm, result.rate_hz) for result in results.values()]
    assert all("三加五" in text for text in heard), heard
    assert sum(SUM.answer in text for text in heard) > len(heard) / 2, heard


def test_each_question_gets_its_own_answer(server: Server) -> None:
    """Eight devices ask eight different things at the same time."""

    async def turn(number: int) -> None:
        question = SUMS[number]
        async with talker(server, version=number % 3 + 1) as device:
            result = await device.ask(question)
            assert result.understood == question.words
            assert "".join(result.sentences) == question.answer + "。"
            device.check_unbroken()

    async def everyone() -> None:
        await asyncio.gather(*map(turn, range(len(SUMS))))

    asyncio.run(everyone())


def test_the_command_finds_the_server_by_ota_and_saves_the_answer(
    server: Server, tmp_path: Path
) -> None:
    """What the README shows a person to do, from the OTA address to the WAV file."""
    wav = tmp_path / "answer.wav"
    arguments = ["--ota", server.ota_url, "--say", SUM.words, "--expect", SUM.answer, "--hear"]
    done = subprocess.run(
        [sys.executable, "-m", "sim", "talk", *arguments, "--save", str(wav), "--json"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    turn = json.loads(done.stdout)["turns"][0]
    assert (turn["understood"], turn["answer"]) == (SUM.words, SUM.answer + "。")
    answer = read_wav(wav, 24000)
    assert audible_span(answer, 24000) is not None
    assert "三加五" in understand(answer, 24000)
