"""`python3 -m sim talk` as a person uses it: what is printed, kept, and returned."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim.speech import read_wav, say, write_wav
from sim.talk import wav_path
from tests.sim.fake_server import FakeServer, Script, fake_server

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
SHORT = ("--say", "现在几点", "--timeout", "1.0")


class Ran:
    def __init__(self, code: int, out: str, err: str, fake: FakeServer) -> None:
        self.code, self.out, self.err, self.fake = code, out, err, fake


async def talk(script: Script, *arguments: str, cwd: Path = ROOT) -> Ran:
    """Run the command as a process of its own against a scripted server."""
    async with fake_server(script) as fake:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sim",
            "talk",
            "--url",
            fake.url,
            *arguments,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 30)
        return Ran(process.returncode or 0, out.decode(), err.decode(), fake)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """All runs side by side: each lasts as long as its speech."""
    folder = tmp_path_factory.mktemp("talk")
    write_wav(folder / "q.wav", say("现在几点"), 16000)
    wav = str(folder / "q.wav")
    keep = ("--save", str(folder / "kept-N.wav"))
    runs = {
        "good": talk(
            Script(greeting=True),
            *("--wake", "你好小智", "--wav", wav, "--type", "你好", "--expect", "三点", *keep),
        ),
        "manual json": talk(
            Script(), *SHORT, "--json", "--mode", "manual", "--version", "3", "--token", "topsecret"
        ),
        "no stop": talk(Script(stops=0), *SHORT, "--type", "again"),
        "wrong text": talk(Script(), *SHORT, "--expect", "四点"),
        "interrupted": talk(Script(frames=20), "--type", "x", "--abort-after", "100"),
        "refused": talk(Script(status=401), *SHORT),
        "heard": talk(Script(frames=40), "--type", "x", "--hear"),
    }

    async def everything() -> list[Ran]:
        return await asyncio.gather(*runs.values())

    results = dict(zip(runs, asyncio.run(everything()), strict=True))
    results["good"].kept = sorted(folder.glob("kept-*.wav"))  # type: ignore[attr-defined]
    return results


def test_a_conversation_is_told_with_every_hop_and_a_verdict(ran: dict[str, Ran]) -> None:
    good = ran["good"]
    assert good.code == 0, good.out + good.err
    for words in (
        "mode auto, binary v1, 60 ms frames up, firmware 2.4",
        "wake word: 你好小智",
        "turn 1, spoken: q.wav",
        "turn 2, typed: 你好",
        "heard: 几点了",
        "answer: 现在三点",
        "last speech packet sent",
        "first audio frame on the wire",
        "first audible sample",
        "tts stop",
        "verdict: 2 of 2 turns right",
    ):
        assert words in good.out, words
    assert good.err == ""


def test_answers_are_kept_as_wav_with_sound(ran: dict[str, Ran]) -> None:
    kept: list[Path] = ran["good"].kept  # type: ignore[attr-defined]
    assert [path.name for path in kept] == ["kept-1.wav", "kept-2.wav"]
    for path in kept:
        pcm = read_wav(path, 24000)
        assert len(pcm) == 5 * 1440
        assert np.abs(pcm).max() > 1000


def test_json_goes_to_stdout_alone(ran: dict[str, Ran]) -> None:
    result = ran["manual json"]
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert told["right"] is True
    assert (told["mode"], told["version"], told["error"]) == ("manual", 3, "")
    turn = told["turns"][0]
    assert (turn["said"], turn["understood"], turn["answer"]) == ("现在几点", "几点了", "现在三点")
    assert turn["outcome"] == "answered"
    assert turn["timeline"]["first_frame_ms"] > 0
    assert "verdict: 1 of 1" in result.err
    assert result.fake.requests[0].headers["Authorization"] == "Bearer topsecret"
    assert "topsecret" not in result.out + result.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no stop", ("no tts stop", "0 of 2 turns right")),
        ("wrong text", ("does not hold '四点'",)),
    ],
)
def test_a_wrong_turn_fails_the_command(
    ran: dict[str, Ran], name: str, words: tuple[str, ...]
) -> None:
    assert ran[name].code == 1
    for word in words:
        assert word in ran[name].out
    assert "Traceback" not in ran[name].err


def test_an_interruption_is_right_when_the_server_stops(ran: dict[str, Ran]) -> None:
    result = ran["interrupted"]
    assert result.code == 0, result.out
    assert "right (interrupted)" in result.out
    assert "from abort to tts stop" in result.out


def test_no_connection_is_one_line_and_its_own_code(ran: dict[str, Ran]) -> None:
    refused = ran["refused"]
    assert refused.code == 3
    assert refused.out == ""
    assert len(refused.err.splitlines()) == 1
    assert "401, the server does not accept the token" in refused.err


def test_the_answer_can_be_listened_to(ran: dict[str, Ran]) -> None:
    assert ran["heard"].code == 0, ran["heard"].err
    assert "三点" in ran["heard"].out.split("Vosk understands:")[1]


def sim(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sim", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_wrong_command_lines_are_explained(tmp_path: Path) -> None:
    unknown = sim("dance")
    assert unknown.returncode == 2
    assert "'dance' is no command" in unknown.stderr
    assert sim("--help").returncode == 0
    missing = sim("talk", "--wav", str(tmp_path / "no.wav"))
    assert missing.returncode == 2
    assert "no.wav: cannot be read as WAV" in missing.stderr
    counts = sim(
        "talk", "--say", "好", "--say", "好", "--say", "好", "--expect", "a", "--expect", "b"
    )
    assert counts.returncode == 2
    assert "--expect is given 2 times for 3 turns" in counts.stderr
    nobody = sim("talk", "--url", "ws://127.0.0.1:9/", "--type", "x")
    assert nobody.returncode == 3
    assert "nothing listens there" in nobody.stderr


def test_names_of_kept_answers() -> None:
    assert wav_path("a/answer-N.wav", 3, 1) == Path("a/answer-3.wav")
    assert wav_path("a.wav", 1, 1) == Path("a.wav")
    assert wav_path("a.wav", 2, 2) == Path("a-2.wav")


def test_a_bare_python_enters_the_projects_environment() -> None:
    """`-S` hides every third-party package, as on a machine where only run.py installed them."""
    program = (
        "import sys, runpy, cfg.environment as e\n"
        "def entered(*_): print('entered'); sys.exit(0)\n"
        "e.enter_environment = entered\n"
        "sys.argv = ['sim', 'talk']\n"
        "runpy.run_module('sim', run_name='__main__', alter_sys=True)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.stdout == "entered\n", ran.stderr
