"""The voice activity model: speech is speech, noise is not, and a fork changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from actors.audio import silero
from actors.audio.silero import VoiceActivity, VoiceActivityUnavailable
from tests.audio.conftest import Pcm, hum, level, pink_noise, say, silence, white_noise


def probabilities(pcm: Pcm, model: VoiceActivity | None = None) -> list[float]:
    model = model or VoiceActivity()
    return [model.probability(pcm[at : at + 512]) for at in range(0, len(pcm) - 511, 512)]


@pytest.mark.parametrize("voice", ["cmn", "cmn+f2", "en-us"])
def test_speech_is_probable(voice: str) -> None:
    text = "what time is it now" if voice.startswith("en") else "明天早上八点叫我起床"
    assert np.median(probabilities(level(say(text, voice), -26))) > 0.8


@pytest.mark.parametrize(
    "pcm",
    [silence(2000), white_noise(2000, -20), pink_noise(2000, -20), hum(2000, -20)],
    ids=["silence", "white", "pink", "hum"],
)
def test_noise_is_not(pcm: Pcm) -> None:
    assert max(probabilities(pcm)) < 0.35


def test_reset_forgets_and_streams_are_apart() -> None:
    speech = level(say("打开客厅的灯"), -26)
    first, second = VoiceActivity(), VoiceActivity()
    expected = probabilities(speech, first)
    probabilities(white_noise(500, -20), first)
    assert probabilities(speech, second) == expected
    first.reset()
    assert probabilities(speech, first) == expected


@pytest.mark.parametrize("name", silero._FILES)
def test_every_export_says_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    speech = level(say("打开客厅的灯"), -26)
    expected = probabilities(speech)
    monkeypatch.setattr(silero, "_FILES", (name,))
    session = silero._session.__wrapped__()
    monkeypatch.setattr(silero, "_session", lambda: session)
    assert probabilities(speech) == pytest.approx(expected, abs=0.02)


def test_only_whole_windows_are_judged() -> None:
    with pytest.raises(ValueError, match=r"\[512\] is expected"):
        VoiceActivity().probability(np.zeros(511, np.int16))


def test_a_missing_model_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "_FILES", ("no_such.onnx",))
    with pytest.raises(VoiceActivityUnavailable, match="pip install --no-deps silero-vad"):
        silero._session.__wrapped__()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(VoiceActivityUnavailable, match="is missing"):
        silero._session.__wrapped__()


def test_a_broken_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "silero_vad.onnx"
    broken.write_bytes(b"no model")
    monkeypatch.setattr(silero, "_model_path", lambda: broken)
    with pytest.raises(VoiceActivityUnavailable, match=r"silero_vad\.onnx cannot be loaded"):
        silero._session.__wrapped__()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_model_loaded_before_a_fork_serves_the_child() -> None:
    silero.load()
    speech = level(say("好"), -26)
    expected = probabilities(speech)
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            os._exit(0 if probabilities(speech) == expected else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_model_brings_no_threads() -> None:
    before = len(os.listdir("/proc/self/task"))
    silero._session.__wrapped__()
    assert len(os.listdir("/proc/self/task")) == before
